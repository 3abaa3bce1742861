package shops

import (
	"context"
	"fmt"
)

type payment struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

// PlaceOrder buys as a new shopper would, up to the authorized payment. A shop
// that has too little answers a [RefusedError] with code
// INSUFFICIENT_STOCK_ERROR.
func (v *VendureAPI) PlaceOrder(ctx context.Context, lines ...Line) (Order, error) {
	shopper := newGraphQL(v.ShopURL())
	for _, line := range lines {
		listing, err := v.Listing(ctx, line.SKU)
		if err != nil {
			return Order{}, err
		}
		var out struct {
			AddItemToOrder result `json:"addItemToOrder"`
		}
		err = shopper.do(ctx, `mutation($id: ID!, $n: Int!) {
			addItemToOrder(productVariantId: $id, quantity: $n) { `+resultFields+` } }`,
			map[string]any{"id": listing.ID, "n": line.Quantity}, &out)
		if err != nil {
			return Order{}, err
		}
		if err := out.AddItemToOrder.err(fmt.Sprintf("buy %d of %s", line.Quantity, line.SKU)); err != nil {
			return Order{}, err
		}
	}
	if err := checkOut(ctx, shopper); err != nil {
		return Order{}, err
	}
	var paid struct {
		AddPaymentToOrder struct {
			result
			Code string `json:"code"`
		} `json:"addPaymentToOrder"`
	}
	err := shopper.do(ctx, `mutation {
		addPaymentToOrder(input: { method: "standard-payment", metadata: {} }) {
			`+resultFields+` ... on Order { code } } }`, nil, &paid)
	if err != nil {
		return Order{}, err
	}
	if err := paid.AddPaymentToOrder.err("pay"); err != nil {
		return Order{}, err
	}
	return v.Order(ctx, paid.AddPaymentToOrder.Code)
}

// checkOut says who buys and where the goods go.
func checkOut(ctx context.Context, shopper *graphql) error {
	var address struct {
		SetCustomerForOrder     result `json:"setCustomerForOrder"`
		SetOrderShippingAddress result `json:"setOrderShippingAddress"`
	}
	err := shopper.do(ctx, `mutation {
		setCustomerForOrder(input: {
			emailAddress: "shopper@customer.test", firstName: "Sam", lastName: "Shopper" }) { `+resultFields+` }
		setOrderShippingAddress(input: {
			fullName: "Sam Shopper", streetLine1: "Main Street 1", city: "Vienna", postalCode: "1010",
			countryCode: "AT" }) { `+resultFields+` } }`, nil, &address)
	if err != nil {
		return err
	}
	if err := address.SetCustomerForOrder.err("set the customer"); err != nil {
		return err
	}
	if err := address.SetOrderShippingAddress.err("set the address"); err != nil {
		return err
	}
	var shipping struct {
		EligibleShippingMethods []struct {
			ID string `json:"id"`
		} `json:"eligibleShippingMethods"`
	}
	if err := shopper.do(ctx, `{ eligibleShippingMethods { id } }`, nil, &shipping); err != nil {
		return err
	}
	if len(shipping.EligibleShippingMethods) == 0 {
		return fmt.Errorf("shops: %s offers no shipping method", shopper.url)
	}
	var arranged struct {
		SetOrderShippingMethod result `json:"setOrderShippingMethod"`
		TransitionOrderToState result `json:"transitionOrderToState"`
	}
	err = shopper.do(ctx, `mutation($id: [ID!]!) {
		setOrderShippingMethod(shippingMethodId: $id) { `+resultFields+` }
		transitionOrderToState(state: "ArrangingPayment") { `+resultFields+` } }`,
		map[string]any{"id": []string{shipping.EligibleShippingMethods[0].ID}}, &arranged)
	if err != nil {
		return err
	}
	if err := arranged.SetOrderShippingMethod.err("set the shipping method"); err != nil {
		return err
	}
	return arranged.TransitionOrderToState.err("arrange the payment")
}

// Order returns the order with a code.
func (v *VendureAPI) Order(ctx context.Context, code string) (Order, error) {
	var out struct {
		Orders struct {
			Items []struct {
				ID    string `json:"id"`
				Code  string `json:"code"`
				State string `json:"state"`
				Lines []struct {
					ID                  string `json:"id"`
					Quantity            int    `json:"quantity"`
					OrderPlacedQuantity int    `json:"orderPlacedQuantity"`
					ProductVariant      struct {
						SKU string `json:"sku"`
					} `json:"productVariant"`
					FulfillmentLines []struct {
						Quantity    int `json:"quantity"`
						Fulfillment struct {
							State string `json:"state"`
						} `json:"fulfillment"`
					} `json:"fulfillmentLines"`
				} `json:"lines"`
				Payments []payment `json:"payments"`
			} `json:"items"`
		} `json:"orders"`
	}
	err := v.call(ctx, `query($code: String!) { orders(options: { filter: { code: { eq: $code } } }) { items {
		id code state payments { id state }
		lines { id quantity orderPlacedQuantity productVariant { sku }
			fulfillmentLines { quantity fulfillment { state } } } } } }`,
		map[string]any{"code": code}, &out)
	if err != nil {
		return Order{}, err
	}
	if len(out.Orders.Items) == 0 {
		return Order{}, fmt.Errorf("shops: %s has no order %s", v.URL(), code)
	}
	found := out.Orders.Items[0]
	order := Order{ID: found.ID, Code: found.Code, State: found.State, payments: found.Payments}
	for _, l := range found.Lines {
		line := OrderLine{ID: l.ID, SKU: l.ProductVariant.SKU, Ordered: l.OrderPlacedQuantity, Quantity: l.Quantity}
		for _, f := range l.FulfillmentLines {
			if f.Fulfillment.State != "Cancelled" {
				line.Fulfilled += f.Quantity
			}
		}
		order.Lines = append(order.Lines, line)
	}
	return order, nil
}

// SettlePayment collects what was authorized; Vendure ships only paid orders.
func (v *VendureAPI) SettlePayment(ctx context.Context, code string) error {
	order, err := v.Order(ctx, code)
	if err != nil {
		return err
	}
	return v.settle(ctx, order)
}

func (v *VendureAPI) settle(ctx context.Context, order Order) error {
	for _, p := range order.payments {
		if p.State != "Authorized" {
			continue
		}
		var out struct {
			SettlePayment result `json:"settlePayment"`
		}
		err := v.call(ctx, `mutation($id: ID!) { settlePayment(id: $id) { `+resultFields+` } }`,
			map[string]any{"id": p.ID}, &out)
		if err != nil {
			return err
		}
		if err := out.SettlePayment.err("settle the payment of " + order.Code); err != nil {
			return err
		}
	}
	return nil
}

// Fulfill sends units of an order: the lines given, or all that is left when
// none are. An authorized payment is settled first.
func (v *VendureAPI) Fulfill(ctx context.Context, code string, lines ...Line) error {
	order, err := v.Order(ctx, code)
	if err != nil {
		return err
	}
	if err := v.settle(ctx, order); err != nil {
		return err
	}
	selected, err := order.selection(lines, func(l OrderLine) int { return l.Quantity - l.Fulfilled })
	if err != nil {
		return err
	}
	var created struct {
		AddFulfillmentToOrder struct {
			result
			ID string `json:"id"`
		} `json:"addFulfillmentToOrder"`
	}
	err = v.call(ctx, `mutation($lines: [OrderLineInput!]!) { addFulfillmentToOrder(input: {
		lines: $lines, handler: { code: "manual-fulfillment", arguments: [
			{ name: "method", value: "Parcel" }, { name: "trackingCode", value: "" }] } }) {
		`+resultFields+` ... on Fulfillment { id } } }`, map[string]any{"lines": selected}, &created)
	if err != nil {
		return err
	}
	if err := created.AddFulfillmentToOrder.err("fulfil " + code); err != nil {
		return err
	}
	var shipped struct {
		TransitionFulfillmentToState result `json:"transitionFulfillmentToState"`
	}
	err = v.call(ctx, `mutation($id: ID!) {
		transitionFulfillmentToState(id: $id, state: "Shipped") { `+resultFields+` } }`,
		map[string]any{"id": created.AddFulfillmentToOrder.ID}, &shipped)
	if err != nil {
		return err
	}
	return shipped.TransitionFulfillmentToState.err("ship " + code)
}

// CancelOrder cancels units of an order: the lines given, or the whole order
// when none are. Units that were sent come back on hand.
func (v *VendureAPI) CancelOrder(ctx context.Context, code string, lines ...Line) error {
	order, err := v.Order(ctx, code)
	if err != nil {
		return err
	}
	input := map[string]any{"orderId": order.ID, "reason": "changed mind", "cancelShipping": len(lines) == 0}
	if len(lines) > 0 {
		if input["lines"], err = order.selection(lines, nil); err != nil {
			return err
		}
	}
	var out struct {
		CancelOrder result `json:"cancelOrder"`
	}
	err = v.call(ctx, `mutation($i: CancelOrderInput!) { cancelOrder(input: $i) { `+resultFields+` } }`,
		map[string]any{"i": input}, &out)
	if err != nil {
		return err
	}
	return out.CancelOrder.err("cancel " + code)
}

// AddOrderLine adds units to an order that was placed, as the shop's staff
// would on the phone, and takes the payment for them.
func (v *VendureAPI) AddOrderLine(ctx context.Context, code string, line Line) error {
	order, err := v.Order(ctx, code)
	if err != nil {
		return err
	}
	listing, err := v.Listing(ctx, line.SKU)
	if err != nil {
		return err
	}
	if err := v.transition(ctx, order.ID, "Modifying"); err != nil {
		return err
	}
	var modified struct {
		ModifyOrder result `json:"modifyOrder"`
	}
	err = v.call(ctx, `mutation($i: ModifyOrderInput!) { modifyOrder(input: $i) { `+resultFields+` } }`,
		map[string]any{"i": map[string]any{
			"dryRun": false, "orderId": order.ID,
			"addItems": []any{map[string]any{"productVariantId": listing.ID, "quantity": line.Quantity}},
		}}, &modified)
	if err != nil {
		return err
	}
	if err := modified.ModifyOrder.err("modify " + code); err != nil {
		return err
	}
	if err := v.transition(ctx, order.ID, "ArrangingAdditionalPayment"); err != nil {
		return err
	}
	var paid struct {
		AddManualPaymentToOrder result `json:"addManualPaymentToOrder"`
	}
	err = v.call(ctx, `mutation($id: ID!) { addManualPaymentToOrder(input: {
		orderId: $id, method: "standard-payment", transactionId: "phone", metadata: {} }) { `+resultFields+` } }`,
		map[string]any{"id": order.ID}, &paid)
	if err != nil {
		return err
	}
	if err := paid.AddManualPaymentToOrder.err("pay for the addition to " + code); err != nil {
		return err
	}
	return v.transition(ctx, order.ID, order.State)
}

func (v *VendureAPI) transition(ctx context.Context, orderID, state string) error {
	var out struct {
		TransitionOrderToState result `json:"transitionOrderToState"`
	}
	err := v.call(ctx, `mutation($id: ID!, $s: String!) {
		transitionOrderToState(id: $id, state: $s) { `+resultFields+` } }`,
		map[string]any{"id": orderID, "s": state}, &out)
	if err != nil {
		return err
	}
	return out.TransitionOrderToState.err("move the order to " + state)
}

// selection turns lines into the shop's input; none means every line with the
// units that rest says are left.
func (o Order) selection(lines []Line, rest func(OrderLine) int) ([]any, error) {
	selected := []any{}
	if len(lines) == 0 {
		for _, l := range o.Lines {
			if n := rest(l); n > 0 {
				selected = append(selected, map[string]any{"orderLineId": l.ID, "quantity": n})
			}
		}
		return selected, nil
	}
	for _, line := range lines {
		found, err := o.line(line.SKU)
		if err != nil {
			return nil, err
		}
		selected = append(selected, map[string]any{"orderLineId": found.ID, "quantity": line.Quantity})
	}
	return selected, nil
}
