package shops

import (
	"context"
	"fmt"
	"net/http"
)

// PlaceOrder buys as a new shopper would, up to the authorized payment. The
// order's code is its id. Medusa does not keep what was ordered first: Ordered
// is the current quantity.
func (m *MedusaAPI) PlaceOrder(ctx context.Context, lines ...Line) (Order, error) {
	shopper, cart, err := m.openCart(ctx, lines)
	if err != nil {
		return Order{}, err
	}
	post := func(path string, body, out any) error { return shopper.do(ctx, http.MethodPost, path, body, out) }
	var shipping struct {
		ShippingOptions []identified `json:"shipping_options"`
	}
	if err := shopper.do(ctx, http.MethodGet, "/store/shipping-options?cart_id="+cart, nil, &shipping); err != nil {
		return Order{}, err
	}
	if len(shipping.ShippingOptions) == 0 {
		return Order{}, fmt.Errorf("shops: %s offers no shipping option", m.URL())
	}
	at := "/store/carts/" + cart
	if err := post(at+"/shipping-methods", map[string]any{"option_id": shipping.ShippingOptions[0].ID}, nil); err != nil {
		return Order{}, err
	}
	var payment struct {
		PaymentCollection identified `json:"payment_collection"`
	}
	if err := post("/store/payment-collections", map[string]any{"cart_id": cart}, &payment); err != nil {
		return Order{}, err
	}
	if err := post("/store/payment-collections/"+payment.PaymentCollection.ID+"/payment-sessions",
		map[string]any{"provider_id": "pp_system_default"}, nil); err != nil {
		return Order{}, err
	}
	var placed struct {
		Order identified `json:"order"`
		Error struct{ Type, Message string }
	}
	if err := post(at+"/complete", map[string]any{}, &placed); err != nil {
		return Order{}, err
	}
	if placed.Order.ID == "" {
		return Order{}, &RefusedError{Action: "complete the cart", Code: placed.Error.Type, Message: placed.Error.Message}
	}
	return m.Order(ctx, placed.Order.ID)
}

// OpenCart leaves a purchase unfinished.
func (m *MedusaAPI) OpenCart(ctx context.Context, lines ...Line) error {
	_, _, err := m.openCart(ctx, lines)
	return err
}

// openCart puts the lines into a new cart and returns the shopper and its id.
func (m *MedusaAPI) openCart(ctx context.Context, lines []Line) (shopper *rest, cartID string, err error) {
	store, err := m.shopStore(ctx)
	if err != nil {
		return nil, "", err
	}
	items := []any{}
	for _, line := range lines {
		listing, err := m.Listing(ctx, line.SKU)
		if err != nil {
			return nil, "", err
		}
		items = append(items, map[string]any{"variant_id": listing.ID, "quantity": line.Quantity})
	}
	shopper = newREST(m.URL(), http.Header{"X-Publishable-Api-Key": {store.PublishableKey}})
	var cart struct {
		Cart identified `json:"cart"`
	}
	if err := shopper.do(ctx, http.MethodPost, "/store/carts", map[string]any{
		"region_id": store.Region, "email": "shopper@customer.test", "items": items,
		"shipping_address": map[string]string{
			"first_name": "Sam", "last_name": "Shopper", "address_1": "Main Street 1",
			"city": "Vienna", "postal_code": "1010", "country_code": "at",
		},
	}, &cart); err != nil {
		return nil, "", err
	}
	return shopper, cart.Cart.ID, nil
}

// Order returns the order with an id.
func (m *MedusaAPI) Order(ctx context.Context, id string) (Order, error) {
	var out struct {
		Order struct {
			ID     string `json:"id"`
			Status string `json:"status"`
			Items  []struct {
				ID       string `json:"id"`
				SKU      string `json:"variant_sku"`
				Quantity int    `json:"quantity"`
				Detail   struct {
					Fulfilled int `json:"fulfilled_quantity"`
				} `json:"detail"`
			} `json:"items"`
		} `json:"order"`
	}
	if err := m.call(ctx, http.MethodGet, "/admin/orders/"+id+"?fields=id,status,*items,*items.detail", nil, &out); err != nil {
		return Order{}, err
	}
	order := Order{ID: out.Order.ID, Code: out.Order.ID, State: out.Order.Status}
	for _, i := range out.Order.Items {
		order.Lines = append(order.Lines, OrderLine{
			ID: i.ID, SKU: i.SKU, Ordered: i.Quantity, Quantity: i.Quantity, Fulfilled: i.Detail.Fulfilled,
		})
	}
	return order, nil
}

// Fulfill sends units of an order: the lines given, or all that is left when
// none are.
func (m *MedusaAPI) Fulfill(ctx context.Context, id string, lines ...Line) error {
	order, err := m.Order(ctx, id)
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		for _, l := range order.Lines {
			if rest := l.Quantity - l.Fulfilled; rest > 0 {
				lines = append(lines, Line{SKU: l.SKU, Quantity: rest})
			}
		}
	}
	items := []any{}
	for _, line := range lines {
		found, err := order.line(line.SKU)
		if err != nil {
			return err
		}
		items = append(items, map[string]any{"id": found.ID, "quantity": line.Quantity})
	}
	return m.post(ctx, "/admin/orders/"+id+"/fulfillments", map[string]any{"items": items}, nil)
}

// CancelOrder cancels units of an order: the lines given, by editing the order,
// or the whole order when none are. Medusa refuses to cancel an order of which
// something was sent.
func (m *MedusaAPI) CancelOrder(ctx context.Context, id string, lines ...Line) error {
	if len(lines) == 0 {
		return m.post(ctx, "/admin/orders/"+id+"/cancel", map[string]any{}, nil)
	}
	order, err := m.Order(ctx, id)
	if err != nil {
		return err
	}
	return m.edit(ctx, id, func(at string) error {
		for _, line := range lines {
			found, err := order.line(line.SKU)
			if err != nil {
				return err
			}
			if err := m.post(ctx, at+"/items/item/"+found.ID,
				map[string]any{"quantity": found.Quantity - line.Quantity}, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Return takes back units of an order that were sent, and puts them on the
// shelf of the stock location.
func (m *MedusaAPI) Return(ctx context.Context, id string, lines ...Line) error {
	store, err := m.shopStore(ctx)
	if err != nil {
		return err
	}
	order, err := m.Order(ctx, id)
	if err != nil {
		return err
	}
	items := []any{}
	for _, line := range lines {
		found, err := order.line(line.SKU)
		if err != nil {
			return err
		}
		items = append(items, map[string]any{"id": found.ID, "quantity": line.Quantity})
	}
	var begun struct {
		Return identified `json:"return"`
	}
	if err := m.post(ctx, "/admin/returns", map[string]any{"order_id": id, "location_id": store.Location}, &begun); err != nil {
		return err
	}
	at := "/admin/returns/" + begun.Return.ID
	for _, step := range []struct {
		path string
		body map[string]any
	}{
		{"/request-items", map[string]any{"items": items}},
		{"/request", map[string]any{}},
		{"/receive", map[string]any{}},
		{"/receive-items", map[string]any{"items": items}},
		{"/receive/confirm", map[string]any{}},
	} {
		if err := m.post(ctx, at+step.path, step.body, nil); err != nil {
			return err
		}
	}
	return nil
}

// AddOrderLine adds units to an order that was placed.
func (m *MedusaAPI) AddOrderLine(ctx context.Context, id string, line Line) error {
	listing, err := m.Listing(ctx, line.SKU)
	if err != nil {
		return err
	}
	return m.edit(ctx, id, func(at string) error {
		return m.post(ctx, at+"/items", map[string]any{
			"items": []any{map[string]any{"variant_id": listing.ID, "quantity": line.Quantity}},
		}, nil)
	})
}

// edit makes changes to an order and confirms them together.
func (m *MedusaAPI) edit(ctx context.Context, id string, changes func(at string) error) error {
	if err := m.post(ctx, "/admin/order-edits", map[string]any{"order_id": id}, nil); err != nil {
		return err
	}
	at := "/admin/order-edits/" + id
	if err := changes(at); err != nil {
		return err
	}
	return m.post(ctx, at+"/confirm", map[string]any{}, nil)
}
