package medusa

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selaras.dev/selaras/connectors/driver"
)

// change is a change of an order as a real server wrote it.
func change(status string, version int, actions string) string {
	return fmt.Sprintf(`{"id":"ordch_%d","status":%q,"version":%d,"actions":[%s]}`, version, status, version, actions)
}

func TestLinesAreCumulative(t *testing.T) {
	t.Parallel()
	const (
		lineA   = `{"id":"ordli_a","variant_sku":"A","unit_price":19.99,"quantity":%d,"detail":{"fulfilled_quantity":%d,"return_received_quantity":%d,"return_dismissed_quantity":1}}`
		lessOne = `{"action":"ITEM_UPDATE","details":{"quantity":4,"reference_id":"ordli_a","quantity_diff":-1}}`
		moreTwo = `{"action":"ITEM_UPDATE","details":{"quantity":6,"reference_id":"ordli_a","quantity_diff":2}}`
		sent    = `{"action":"FULFILL_ITEM","details":{"quantity":"2","reference_id":"ordli_a"}}`
	)
	for _, c := range []struct {
		name, status, line, changes string
		want                        driver.OrderLine
	}{
		{"placed", "pending", fmt.Sprintf(lineA, 5, 0, 0), "", driver.OrderLine{Ordered: 5}},
		{"one less", "pending", fmt.Sprintf(lineA, 4, 0, 0), change("confirmed", 2, lessOne), driver.OrderLine{Ordered: 5, Cancelled: 1}},
		{"one less, not confirmed", "pending", fmt.Sprintf(lineA, 5, 0, 0), change("pending", 2, lessOne), driver.OrderLine{Ordered: 5}},
		{"one less, two more", "pending", fmt.Sprintf(lineA, 6, 0, 0), change("confirmed", 2, lessOne) + "," + change("confirmed", 3, moreTwo), driver.OrderLine{Ordered: 7, Cancelled: 1}},
		{"two sent", "pending", fmt.Sprintf(lineA, 5, 2, 0), change("confirmed", 2, sent), driver.OrderLine{Ordered: 5, Fulfilled: 2}},
		{"returned, one of them damaged", "pending", fmt.Sprintf(lineA, 5, 5, 2), "", driver.OrderLine{Ordered: 5, Fulfilled: 5, Returned: 2}},
		{"canceled", "canceled", fmt.Sprintf(lineA, 4, 0, 0), change("confirmed", 2, lessOne), driver.OrderLine{Ordered: 5, Cancelled: 5}},
	} {
		o := decode[vendorOrder](t, `{"id":"order_1","display_id":7,"currency_code":"eur","status":"`+c.status+`","items":[`+c.line+`]}`)
		o.changes = decode[[]orderChange](t, "["+c.changes+"]")
		got := o.order()
		c.want.ID, c.want.SKU, c.want.UnitPrice = "ordli_a", "A", &driver.Money{Minor: 1999, Currency: "EUR"}
		if diff := cmp.Diff([]driver.OrderLine{c.want}, got.Lines); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if got.ID != "order_1" || got.Number != "7" || got.Closed != (c.want.Cancelled+c.want.Fulfilled == c.want.Ordered) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// A line that became empty is in earlier versions of the order only.
func TestEmptiedLinesAreKept(t *testing.T) {
	t.Parallel()
	o := decode[vendorOrder](t, `{"id":"order_1","currency_code":"eur","status":"pending","items":[{"id":"ordli_a","variant_sku":"A","quantity":1,"detail":{}}]}`)
	o.changes = decode[[]orderChange](t, "["+change("confirmed", 2, `{"action":"ITEM_UPDATE","details":{"quantity":0,"reference_id":"ordli_b","quantity_diff":-3}}`)+"]")
	if diff := cmp.Diff([]int{2}, o.emptiedAt()); diff != "" {
		t.Fatalf("versions (-want +got):\n%s", diff)
	}
	o.keepEmptied(decode[[]orderItem](t, `[{"id":"ordli_a","variant_sku":"A","quantity":1},{"id":"ordli_b","variant_sku":"B","quantity":3}]`))
	want := []driver.OrderLine{{ID: "ordli_a", SKU: "A", Ordered: 1}, {ID: "ordli_b", SKU: "B", Ordered: 3, Cancelled: 3}}
	if diff := cmp.Diff(want, o.order().Lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if again := o.emptiedAt(); len(again) != 0 {
		t.Errorf("versions %v are to be read again", again)
	}
}

func TestOrdersAreOpenWhileUnitsAreOnTheShelf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"status":"pending","items":[{"quantity":2,"detail":{"fulfilled_quantity":1}}]}`:  true,
		`{"status":"pending","items":[{"quantity":2,"detail":{"fulfilled_quantity":2}}]}`:  false,
		`{"status":"canceled","items":[{"quantity":2,"detail":{"fulfilled_quantity":0}}]}`: false,
	} {
		if got := decode[vendorOrder](t, text).open(); got != want {
			t.Errorf("%s: open %v, want %v", text, got, want)
		}
	}
}
