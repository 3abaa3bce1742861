package shopify_test

import (
	"fmt"
	"testing"

	"selaras.dev/selaras/connectors/driver"
	sim "selaras.dev/selaras/test/simulators/shopify"
)

// allOrders walks to the end.
func allOrders(t *testing.T, c connection, cursor driver.Cursor) (map[string]driver.Order, driver.Cursor) {
	t.Helper()
	all := map[string]driver.Order{}
	for range 100 {
		page, err := c.ReadOrders(t.Context(), cursor, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Orders {
			all[o.ID] = o
		}
		if cursor = page.Next; !page.More {
			return all, cursor
		}
	}
	t.Fatal("the orders do not end")
	return nil, ""
}

// What the lines say is what became of the units: the shop's own stock follows
// from them, however they were given back.
func TestLinesSayWhatBecameOfEveryUnit(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t)
	place := func() int64 {
		id, err := shop.PlaceOrder(sim.Line{SKU: "A", Units: 3})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	one := sim.Line{SKU: "A", Units: 1}
	for _, c2 := range []struct {
		name string
		do   func(id int64) error
		want driver.OrderLine
	}{
		{"placed", func(int64) error { return nil }, driver.OrderLine{Ordered: 3}},
		{"one refunded before it was sent", func(id int64) error { return shop.Refund(id, one) }, driver.OrderLine{Ordered: 3, Cancelled: 1}},
		{"one refunded and not put back", func(id int64) error { return shop.RefundWithoutRestock(id, one) }, driver.OrderLine{Ordered: 3, Fulfilled: 1}},
		{"one edited away", func(id int64) error { return shop.Edit(id, one) }, driver.OrderLine{Ordered: 3, Cancelled: 1}},
		{"sent, one came back", func(id int64) error {
			if err := shop.Fulfil(id); err != nil {
				return err
			}
			return shop.Refund(id, one)
		}, driver.OrderLine{Ordered: 3, Fulfilled: 3, Returned: 1}},
		{"one sent, then cancelled", func(id int64) error {
			if err := shop.Fulfil(id, one); err != nil {
				return err
			}
			return shop.Cancel(id)
		}, driver.OrderLine{Ordered: 3, Fulfilled: 1, Cancelled: 2}},
	} {
		if err := shop.SetAvailable("A", 10); err != nil {
			t.Fatal(err)
		}
		cursor := driver.Cursor("")
		_, cursor = allOrders(t, c, cursor)
		id := place()
		if err := c2.do(id); err != nil {
			t.Fatalf("%s: %v", c2.name, err)
		}
		orders, _ := allOrders(t, c, cursor)
		o := orders[fmt.Sprint(id)]
		if len(o.Lines) != 1 {
			t.Fatalf("%s: got %+v", c2.name, o)
		}
		got := o.Lines[0]
		if got.UnitPrice == nil || got.UnitPrice.String() != "10.00 USD" {
			t.Errorf("%s: the price is %v", c2.name, got.UnitPrice)
		}
		got.ID, got.SKU, got.UnitPrice = "", "", nil
		if got != c2.want {
			t.Errorf("%s: %+v, want %+v", c2.name, got, c2.want)
		}
		shop.has(t, map[string]int64{"A": 10 - got.Ordered + got.Cancelled + got.Returned})
	}
}

// An order of more lines than a request gives is read to its end.
func TestOrdersOfManyLinesAreRead(t *testing.T) {
	t.Parallel()
	var skus []string
	var lines []sim.Line
	for n := range 120 {
		skus = append(skus, fmt.Sprintf("L%03d", n))
		lines = append(lines, sim.Line{SKU: skus[n], Units: 1})
	}
	shop := stockShop(t, sim.Options{}, skus...)
	id, err := shop.PlaceOrder(lines...)
	if err != nil {
		t.Fatal(err)
	}
	if err := shop.Refund(id, lines...); err != nil {
		t.Fatal(err)
	}
	c := shop.open(t)
	_, cursor := allOrders(t, c, "")
	if err := shop.Cancel(id); err != nil {
		t.Fatal(err)
	}
	orders, _ := allOrders(t, c, cursor)
	o := orders[fmt.Sprint(id)]
	if len(o.Lines) != 120 || !o.Closed {
		t.Fatalf("%d lines, closed %v; want 120, closed", len(o.Lines), o.Closed)
	}
	for _, l := range o.Lines {
		if l.Cancelled != 1 {
			t.Fatalf("got %+v", l)
		}
	}
}
