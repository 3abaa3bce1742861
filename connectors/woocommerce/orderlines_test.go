package woocommerce

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
)

func TestALineIsWhatItsOrderAndStockSay(t *testing.T) {
	t.Parallel()
	const none = -1
	for _, c := range []struct {
		name, status string
		quantity     int64
		reduced      int64
		completed    bool
		refunded     int64 // before it was sent
		want         [4]int64
		closed       bool
	}{
		{"paid", "processing", 3, 3, false, 0, [4]int64{3, 0, 0, 0}, false},
		{"paid, stock not taken yet or not tracked", "processing", 3, none, false, 0, [4]int64{3, 0, 0, 0}, false},
		{"on hold", "on-hold", 3, 3, false, 0, [4]int64{3, 0, 0, 0}, false},
		{"a status of a plugin", "packed", 3, 3, false, 0, [4]int64{3, 0, 0, 0}, false},
		{"not paid", "pending", 3, none, false, 0, [4]int64{3, 3, 0, 0}, false},
		{"not paid any more, stock not given back", "pending", 3, 3, false, 0, [4]int64{3, 0, 0, 0}, false},
		{"one refunded", "processing", 3, 2, false, 1, [4]int64{3, 1, 0, 0}, false},
		{"sent", "completed", 3, 3, true, 0, [4]int64{3, 0, 3, 0}, true},
		{"one refunded, then sent", "completed", 3, 2, true, 1, [4]int64{3, 1, 2, 0}, true},
		{"sent, then one came back", "completed", 3, 2, true, 0, [4]int64{3, 0, 3, 1}, true},
		{"one refunded, sent, one came back", "completed", 3, 1, true, 1, [4]int64{3, 1, 2, 1}, true},
		{"one refunded without its goods, then sent", "completed", 3, 3, true, 1, [4]int64{3, 0, 3, 0}, true},
		{"cancelled", "cancelled", 3, none, false, 0, [4]int64{3, 3, 0, 0}, true},
		{"sent, then cancelled", "cancelled", 3, none, true, 0, [4]int64{3, 0, 3, 3}, true},
		{"refunded, all came back", "refunded", 3, 0, false, 3, [4]int64{3, 3, 0, 0}, true},
		{"refunded, the goods are gone", "refunded", 3, 3, false, 0, [4]int64{3, 0, 3, 0}, true},
		{"sent, refunded, two came back", "refunded", 3, 1, true, 0, [4]int64{3, 0, 3, 2}, true},
		{"never paid", "failed", 3, none, false, 0, [4]int64{3, 3, 0, 0}, true},
		{"failed with its stock", "failed", 3, 3, false, 0, [4]int64{3, 0, 0, 0}, false},
	} {
		o := vendorOrder{ID: 1, Status: c.status, Lines: []orderLine{lineOf(9, c.quantity, c.reduced)}}
		if c.completed {
			o.CompletedGMT = gmt{time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
		}
		if c.refunded > 0 {
			o.refunds = []refund{refundOf(9, c.refunded, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
		}
		d := o.order()
		l := d.Lines[0]
		if got := [4]int64{l.Ordered, l.Cancelled, l.Fulfilled, l.Returned}; got != c.want || d.Closed != c.closed {
			t.Errorf("%s: ordered, cancelled, fulfilled, returned = %v, closed %v; want %v, %v", c.name, got, d.Closed, c.want, c.closed)
		}
	}
}

func lineOf(id, quantity, reduced int64) orderLine {
	sku := "A"
	l := orderLine{ID: id, SKU: &sku, Quantity: units{quantity, true}, Total: "10.00", TotalTax: "0.00"}
	if reduced >= 0 {
		l.Meta = metas{{Key: metaReduced, Value: json.RawMessage(strconv.Quote(fmt.Sprint(reduced)))}}
	}
	return l
}

func refundOf(line, count int64, at time.Time) refund {
	return refund{CreatedGMT: gmt{at}, Lines: []orderLine{{
		Quantity: units{-count, true}, Meta: metas{{Key: metaRefunded, Value: json.RawMessage(fmt.Sprint(line))}},
	}}}
}

// Whatever an order says, its lines can be, and explain what the stock lacks.
func TestLinesExplainWhatTheStockLacks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := vendorOrder{ID: 1, Status: rapid.SampledFrom([]string{
			"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "packed",
		}).Draw(t, "status")}
		quantity := rapid.Int64Range(1, 9).Draw(t, "quantity")
		o.Lines = []orderLine{lineOf(9, quantity, rapid.Int64Range(-1, 12).Draw(t, "reduced"))}
		at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
		if rapid.Bool().Draw(t, "completed") {
			o.CompletedGMT = gmt{at}
		}
		for range rapid.IntRange(0, 3).Draw(t, "refunds") {
			o.refunds = append(o.refunds, refundOf(9, rapid.Int64Range(0, 12).Draw(t, "units"), at.Add(time.Duration(rapid.Int64Range(-2, 2).Draw(t, "when"))*time.Hour)))
		}
		d := o.order()
		l := d.Lines[0]
		if l.Ordered != quantity || l.Cancelled < 0 || l.Fulfilled < 0 || l.Returned < 0 || l.Cancelled+l.Fulfilled > l.Ordered || l.Returned > l.Fulfilled {
			t.Fatalf("the line cannot be: %+v", l)
		}
		if lacks := l.Ordered - l.Cancelled - l.Returned; lacks != o.taken(o.Lines[0]) {
			t.Fatalf("%+v says that the stock lacks %d, the shop %d", l, lacks, o.taken(o.Lines[0]))
		}
		if d.Closed && !d.Shipped() {
			t.Fatalf("closed with units to ship: %+v", d)
		}
	})
}

func TestAUnitPriceIsWhatWasPaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		total, tax string
		units      int64
		currency   string
		want       *driver.Money
	}{
		{"20.00", "4.00", 2, "EUR", &driver.Money{Minor: 1200, Currency: "EUR"}},
		{"10.00", "0.00", 3, "EUR", nil},
		{"1500", "0", 3, "JPY", &driver.Money{Minor: 500, Currency: "JPY"}},
		{"x", "0", 1, "EUR", nil},
		{"1", "0", 1, "ZZZ", nil},
	} {
		l := orderLine{Quantity: units{c.units, true}, Total: c.total, TotalTax: c.tax}
		if got := l.unitPrice(c.currency); (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s and %s for %d %s: %v, want %v", c.total, c.tax, c.units, c.currency, got, c.want)
		}
	}
}
