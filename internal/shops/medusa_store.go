package shops

import (
	"context"
	"fmt"
	"net/http"
)

// medusaCurrencies have 2, 0 and 3 decimals; the first is the default.
var medusaCurrencies = []string{"eur", "usd", "idr", "jpy", "kwd", "bhd"}

// medusaStore holds the ids of what a Medusa shop sells with.
type medusaStore struct {
	SalesChannel, ShippingProfile, Location, Region string
	PublishableKey                                  string // lets shoppers in
}

type identified struct {
	ID    string `json:"id"`
	Token string `json:"token"`
}

// shopStore reads the ids once.
func (m *MedusaAPI) shopStore(ctx context.Context) (medusaStore, error) {
	m.mu.Lock()
	known := m.store
	m.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	var store medusaStore
	for _, part := range []struct {
		path, list string
		to         *string
	}{
		{"/admin/sales-channels", "sales_channels", &store.SalesChannel},
		{"/admin/shipping-profiles", "shipping_profiles", &store.ShippingProfile},
		{"/admin/stock-locations", "stock_locations", &store.Location},
		{"/admin/regions", "regions", &store.Region},
	} {
		id, err := m.first(ctx, part.path, part.list)
		if err != nil {
			return medusaStore{}, err
		}
		*part.to = id.ID
	}
	key, err := m.first(ctx, "/admin/api-keys?type=publishable", "api_keys")
	if err != nil {
		return medusaStore{}, err
	}
	store.PublishableKey = key.Token
	m.mu.Lock()
	defer m.mu.Unlock()
	m.store = &store
	return store, nil
}

// first returns the first thing of a list; a new shop has one of each.
func (m *MedusaAPI) first(ctx context.Context, path, list string) (identified, error) {
	var out map[string]any
	if err := m.call(ctx, http.MethodGet, path, nil, &out); err != nil {
		return identified{}, err
	}
	things, _ := out[list].([]any)
	if len(things) == 0 {
		return identified{}, fmt.Errorf("shops: %s has no %s", m.URL(), list)
	}
	thing, _ := things[0].(map[string]any)
	id, _ := thing["id"].(string)
	token, _ := thing["token"].(string)
	return identified{ID: id, Token: token}, nil
}

// furnish gives a new shop what it needs to sell: currencies, a region, a stock
// location and a way to ship from it.
func (m *MedusaAPI) furnish(ctx context.Context) error {
	shop, err := m.first(ctx, "/admin/stores", "stores")
	if err != nil {
		return err
	}
	channel, err := m.first(ctx, "/admin/sales-channels", "sales_channels")
	if err != nil {
		return err
	}
	profile, err := m.first(ctx, "/admin/shipping-profiles", "shipping_profiles")
	if err != nil {
		return err
	}
	currencies := []any{}
	for i, code := range medusaCurrencies {
		currencies = append(currencies, map[string]any{"currency_code": code, "is_default": i == 0})
	}
	if err := m.post(ctx, "/admin/stores/"+shop.ID, map[string]any{"supported_currencies": currencies}, nil); err != nil {
		return err
	}
	if err := m.post(ctx, "/admin/regions", map[string]any{
		"name": "Europe", "currency_code": medusaCurrencies[0], "countries": []string{"at"},
		"payment_providers": []string{"pp_system_default"},
	}, nil); err != nil {
		return err
	}
	var location struct {
		StockLocation identified `json:"stock_location"`
	}
	if err := m.post(ctx, "/admin/stock-locations", map[string]any{
		"name": "Main", "address": map[string]any{"address_1": "Main Street 1", "country_code": "at"},
	}, &location); err != nil {
		return err
	}
	at := "/admin/stock-locations/" + location.StockLocation.ID
	if err := m.post(ctx, at+"/sales-channels", map[string]any{"add": []string{channel.ID}}, nil); err != nil {
		return err
	}
	return m.shipFrom(ctx, at, profile.ID)
}

// shipFrom sets up shipping from the stock location at a path.
func (m *MedusaAPI) shipFrom(ctx context.Context, at, profile string) error {
	if err := m.post(ctx, at+"/fulfillment-providers", map[string]any{"add": []string{"manual_manual"}}, nil); err != nil {
		return err
	}
	var sets struct {
		StockLocation struct {
			FulfillmentSets []identified `json:"fulfillment_sets"`
		} `json:"stock_location"`
	}
	if err := m.post(ctx, at+"/fulfillment-sets?fields=id,*fulfillment_sets",
		map[string]any{"name": "Parcels", "type": "shipping"}, &sets); err != nil {
		return err
	}
	var zones struct {
		FulfillmentSet struct {
			ServiceZones []identified `json:"service_zones"`
		} `json:"fulfillment_set"`
	}
	if err := m.post(ctx,
		"/admin/fulfillment-sets/"+sets.StockLocation.FulfillmentSets[0].ID+"/service-zones?fields=id,*service_zones",
		map[string]any{"name": "Austria", "geo_zones": []any{map[string]any{"type": "country", "country_code": "at"}}},
		&zones); err != nil {
		return err
	}
	rule := func(attribute, value string) map[string]any {
		return map[string]any{"attribute": attribute, "value": value, "operator": "eq"}
	}
	return m.post(ctx, "/admin/shipping-options", map[string]any{
		"name": "Parcel", "service_zone_id": zones.FulfillmentSet.ServiceZones[0].ID,
		"shipping_profile_id": profile, "provider_id": "manual_manual", "price_type": "flat",
		"type":   map[string]any{"label": "Parcel", "description": "Parcel", "code": "parcel"},
		"prices": []any{map[string]any{"currency_code": medusaCurrencies[0], "amount": 5}},
		"rules":  []any{rule("enabled_in_store", "true"), rule("is_return", "false")},
	}, nil)
}

func (m *MedusaAPI) post(ctx context.Context, path string, body, out any) error {
	return m.call(ctx, http.MethodPost, path, body, out)
}
