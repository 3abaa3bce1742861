package medusa

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"selaras.dev/selaras/connectors/driver"
)

// shop is what a connection needs to know of the shop before it can read or
// write.
type shop struct {
	storeID, storeName string
	defaultCurrency    string
	// location is the id of the stock location.
	location string
	// region is the id of the region whose prices are kept; empty for the
	// prices of the currency.
	region string
	// salesChannel is the id of the channel that listings must be in, empty for
	// any; newProducts that of the channel new products go to.
	salesChannel, newProducts string
}

// shopCache reads the shop at the first need; an error is not kept.
type shopCache struct {
	mu    sync.Mutex
	known *shop
}

// read returns what is known of the shop. Errors are of class Invalid when
// the channel's settings do not fit the shop.
func (k *shopCache) read(ctx context.Context, c *connection) (*shop, error) {
	k.mu.Lock()
	known := k.known
	k.mu.Unlock()
	if known != nil {
		return known, nil
	}
	return k.renew(ctx, c)
}

// renew reads the shop again.
func (k *shopCache) renew(ctx context.Context, c *connection) (*shop, error) {
	s, err := c.readShop(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.known = s
	k.mu.Unlock()
	return s, nil
}

type store struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	SalesChannel string `json:"default_sales_channel_id"`
	Location     string `json:"default_location_id"`
	Currencies   []struct {
		Code    string `json:"currency_code"`
		Default bool   `json:"is_default"`
	} `json:"supported_currencies"`
}

func (c *connection) readShop(ctx context.Context) (*shop, error) {
	const what = "read the shop's settings"
	var stores struct {
		Stores []store `json:"stores"`
	}
	err := c.api.do(ctx, call{what: what, path: "/admin/stores", query: fields(
		"id,name,default_sales_channel_id,default_location_id,supported_currencies.currency_code,supported_currencies.is_default", nil,
	)}, &stores)
	if err != nil {
		return nil, err
	}
	if len(stores.Stores) == 0 {
		return nil, &driver.Error{Class: driver.ClassTransient, Op: what, Reason: reasonBadAnswer, Message: "the server has no store"}
	}
	st := stores.Stores[0]
	s := &shop{storeID: st.ID, storeName: st.Name, newProducts: st.SalesChannel}
	var sold []string
	for _, currency := range st.Currencies {
		code := strings.ToUpper(currency.Code)
		sold = append(sold, code)
		if currency.Default {
			s.defaultCurrency = code
		}
	}
	if !slices.Contains(sold, c.currency) {
		return nil, invalid(what, "CurrencyNotAvailable", fmt.Sprintf("the shop does not sell in %s, only in %s", c.currency, strings.Join(sold, ", ")))
	}
	location, err := c.choose(ctx, "stock_locations", c.config.StockLocation, st.Location)
	if err != nil {
		return nil, refine(what, "StockLocationNotFound", "config.stockLocation", err)
	}
	s.location = location.ID
	if c.config.SalesChannel != "" {
		channel, err := c.choose(ctx, "sales_channels", c.config.SalesChannel, "")
		if err != nil {
			return nil, refine(what, "SalesChannelNotFound", "config.salesChannel", err)
		}
		s.salesChannel, s.newProducts = channel.ID, channel.ID
	}
	if c.config.Region != "" {
		region, err := c.choose(ctx, "regions", c.config.Region, "")
		if err != nil {
			return nil, refine(what, "RegionNotFound", "config.region", err)
		}
		if !strings.EqualFold(region.Currency, c.currency) {
			return nil, invalid(what, "CurrencyNotAvailable", fmt.Sprintf("the region %q sells in %s, and the channel's currency is %s", region.Name, strings.ToUpper(region.Currency), c.currency))
		}
		s.region = region.ID
	}
	return s, nil
}

// named is anything with an id and a name.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Currency is set for regions.
	Currency string `json:"currency_code"`
}

// noChoice says that a wish is not there.
type noChoice struct{ text string }

func (e noChoice) Error() string { return e.text }

func refine(what, reason, key string, err error) error {
	if missing, ok := err.(noChoice); ok { //nolint:errorlint // made by choose, never wrapped
		return invalid(what, reason, key+": "+missing.text)
	}
	return err
}

// choose finds one of a list by id or, failing that, by name; the preferred
// one or else the oldest for no wish.
func (c *connection) choose(ctx context.Context, list, wish, preferred string) (named, error) {
	var answer map[string]any
	path := "/admin/" + strings.ReplaceAll(list, "_", "-")
	columns := "id,name"
	if list == "regions" {
		columns += ",currency_code"
	}
	var all []named
	err := c.api.do(ctx, call{what: "read " + strings.ReplaceAll(list, "_", " "), path: path, query: fields(columns, url.Values{
		"limit": {"1000"}, "order": {"created_at"},
	})}, &answer)
	if err != nil {
		return named{}, err
	}
	things, _ := answer[list].([]any)
	for _, thing := range things {
		if t, ok := thing.(map[string]any); ok {
			id, _ := t["id"].(string)
			name, _ := t["name"].(string)
			currency, _ := t["currency_code"].(string)
			all = append(all, named{ID: id, Name: name, Currency: currency})
		}
	}
	return pick(all, wish, preferred)
}

func pick(from []named, wish, preferred string) (named, error) {
	byID := func(id string) int { return slices.IndexFunc(from, func(n named) bool { return n.ID == id }) }
	if wish == "" && len(from) > 0 {
		return from[max(0, byID(preferred))], nil
	}
	if i := byID(wish); i >= 0 {
		return from[i], nil
	}
	var names []string
	for _, n := range from {
		if n.Name == wish {
			return n, nil
		}
		names = append(names, n.Name)
	}
	return named{}, noChoice{fmt.Sprintf("there is no %q, only %q", wish, names)}
}

// fields are the parameters of a request that asks for the columns alone.
func fields(columns string, more url.Values) url.Values {
	query := url.Values{"fields": {columns}}
	for key, values := range more {
		query[key] = values
	}
	return query
}
