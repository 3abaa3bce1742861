package vendure

import (
	"encoding/json"
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

// What a real server answered, step by step, with the stock it showed: units
// on hand (of 100) and allocated.
func TestLinesFollowTheShopsOwnStock(t *testing.T) {
	t.Parallel()
	const (
		sent1   = `{"type":"ORDER_FULFILLMENT_TRANSITION","data":{"fulfillmentId":1,"from":"Created","to":"Pending"}}`
		sent2   = `{"type":"ORDER_FULFILLMENT_TRANSITION","data":{"fulfillmentId":2,"from":"Created","to":"Pending"}}`
		gone1   = `{"type":"ORDER_FULFILLMENT_TRANSITION","data":{"fulfillmentId":1,"from":"Pending","to":"Shipped"}}`
		back2   = `{"type":"ORDER_FULFILLMENT_TRANSITION","data":{"fulfillmentId":2,"from":"Shipped","to":"Cancelled"}}`
		cancel1 = `{"type":"ORDER_CANCELLATION","data":{"lines":[{"orderLineId":1,"quantity":1}]}}`
		cancel5 = `{"type":"ORDER_CANCELLATION","data":{"lines":[{"orderLineId":"1","quantity":5}]}}`
		f1      = `{"id":"1","state":"Shipped","lines":[{"orderLineId":"1","quantity":2}]}`
		f2      = `{"id":"2","state":"Shipped","lines":[{"orderLineId":"1","quantity":1}]}`
		f2back  = `{"id":"2","state":"Cancelled","lines":[{"orderLineId":"1","quantity":1}]}`
		fAll    = `{"id":"1","state":"Delivered","lines":[{"orderLineId":"1","quantity":5}]}`
	)
	for _, c := range []struct {
		name              string
		quantity, placed  int
		fulfillments      string
		history           string
		want              driver.OrderLine
		onHand, allocated int64
	}{
		{"placed", 5, 5, ``, ``, driver.OrderLine{Ordered: 5}, 100, 5},
		{"two sent", 5, 5, f1, ``, driver.OrderLine{Ordered: 5, Fulfilled: 2}, 98, 3},
		{"three sent", 5, 5, f1 + "," + f2, ``, driver.OrderLine{Ordered: 5, Fulfilled: 3}, 97, 2},
		{"one cancelled before any was sent", 4, 5, ``, cancel1, driver.OrderLine{Ordered: 5, Cancelled: 1}, 100, 4},
		{
			"one cancelled of a line sent in part: released and put back", 4, 5, f1 + "," + f2,
			sent1 + "," + gone1 + "," + sent2 + "," + cancel1,
			driver.OrderLine{Ordered: 5, Cancelled: 1, Fulfilled: 3, Returned: 1},
			98, 1,
		},
		{
			"and then a fulfilment cancelled", 4, 5, f1 + "," + f2back,
			sent1 + "," + gone1 + "," + sent2 + "," + cancel1 + "," + back2,
			driver.OrderLine{Ordered: 5, Cancelled: 1, Fulfilled: 2, Returned: 1},
			99, 2,
		},
		{
			"cancelled first, then sent", 4, 5, f1, cancel1 + "," + sent1,
			driver.OrderLine{Ordered: 5, Cancelled: 1, Fulfilled: 2},
			98, 2,
		},
		{
			"all sent, all returned", 0, 5, fAll, sent1 + "," + cancel5,
			driver.OrderLine{Ordered: 5, Fulfilled: 5, Returned: 5},
			100, 0,
		},
		{"all cancelled", 0, 5, ``, cancel5, driver.OrderLine{Ordered: 5, Cancelled: 5}, 100, 0},
		{"added by a modification", 2, 0, ``, ``, driver.OrderLine{Ordered: 2}, 100, 2},
		{"raised by a modification", 7, 5, ``, ``, driver.OrderLine{Ordered: 7}, 100, 7},
		{"lowered without a trace", 3, 5, ``, ``, driver.OrderLine{Ordered: 5, Cancelled: 2}, 100, 3},
		{"lowered without a trace after all was sent", 3, 5, fAll, ``, driver.OrderLine{Ordered: 5, Fulfilled: 5, Returned: 2}, 97, 0},
		{"a fulfilment that is only planned", 5, 5, `{"id":"1","state":"Created","lines":[{"orderLineId":"1","quantity":2}]}`, ``, driver.OrderLine{Ordered: 5}, 100, 5},
	} {
		text, err := json.Marshal(map[string]any{
			"id": "1", "currencyCode": "USD",
			"lines":        []any{map[string]any{"id": "1", "quantity": c.quantity, "orderPlacedQuantity": c.placed, "proratedUnitPriceWithTax": 1200, "productVariant": map[string]any{"sku": "A"}}},
			"fulfillments": json.RawMessage("[" + c.fulfillments + "]"),
		})
		if err != nil {
			t.Fatal(err)
		}
		var o vendorOrder
		if err := json.Unmarshal(text, &o); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte("["+c.history+"]"), &o.history); err != nil {
			t.Fatal(err)
		}
		got := o.order(2).Lines[0]
		if got.UnitPrice == nil || got.UnitPrice.Minor != 1200 {
			t.Errorf("%s: unit price %v, want 12.00 USD", c.name, got.UnitPrice)
		}
		got.UnitPrice = nil
		c.want.ID, c.want.SKU = "1", "A"
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
		if onHand, allocated := 100-got.Fulfilled+got.Returned, got.Ordered-got.Cancelled-got.Fulfilled; onHand != c.onHand || allocated != c.allocated {
			t.Errorf("%s: the lines say %d on hand and %d allocated, the shop %d and %d", c.name, onHand, allocated, c.onHand, c.allocated)
		}
	}
}

func TestHistoryIsReadOnlyOfOrdersThatWereChanged(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"lines":[{"quantity":5,"orderPlacedQuantity":5}]}`:                              false,
		`{"lines":[{"quantity":4,"orderPlacedQuantity":5}]}`:                              true,
		`{"lines":[{"quantity":5,"orderPlacedQuantity":5}],"modifications":[{"id":"1"}]}`: true,
	} {
		var o vendorOrder
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		if got := o.wasChanged(); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
