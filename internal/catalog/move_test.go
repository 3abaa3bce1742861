package catalog_test

import (
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

// A line that moves to another ledger takes its open units along, and what
// happened to it since is counted there: nothing of it is lost.
func TestALineThatMovesIsCountedOnWhereItGoes(t *testing.T) {
	t.Parallel()
	before := threeShops()
	m := newMemory().fold(t, before, observed("shop", "A", 20, 0), order("market", "o", "A", 1, 3, 0, 0, 0))
	after := threeShops()
	for channel := range after.StockSource {
		after.StockSource[channel] = "market"
	}
	after.Sources = map[string]bool{"market": true}
	m.fold(t, after, observed("market", "A", 20, 0))
	m.fold(t, after, order("market", "o", "A", 2, 3, 0, 3, 0))
	if l := m.ledgers["market/A"]; l.OnHand != 17 || l.Committed != 0 {
		t.Errorf("the new ledger has %d on hand and %d committed, want 17 and 0", l.OnHand, l.Committed)
	}
	if l := m.ledgers["shop/A"]; l.OnHand != 20 || l.Committed != 0 {
		t.Errorf("the old ledger has %d on hand and %d committed, want 20 and 0", l.OnHand, l.Committed)
	}
}

// A reading that a write of unknown fate and the channel's own shipments
// explain moves nothing; without such a write the same reading is a change.
func TestAWriteOfUnknownFateExplainsAReading(t *testing.T) {
	t.Parallel()
	for _, written := range [][]int64{{9}, nil} {
		// Shown at 10, two reserved; 9 was sent; the two were shipped: 7.
		m := newMemory().fold(t, threeShops(),
			observed("shop", "A", 10, 0), order("shop", "o", "A", 1, 2, 0, 0, 0), confirmed("shop", "A", 10, driver.BasisOnHand),
			order("market", "p", "A", 2, 1, 0, 0, 0), order("shop", "o", "A", 3, 2, 0, 2, 0))
		reading := observed("shop", "A", 7, 0)
		reading.StockObserved.Written, reading.StockObserved.Base = written, 10
		m.fold(t, threeShops(), reading)
		want := int64(8)
		if written == nil {
			want = 7
		}
		if l := m.ledgers["shop/A"]; l.OnHand != want || l.Shown["shop"].OnHand != 7 {
			t.Errorf("written %v: %d on hand and %d shown, want %d and 7", written, l.OnHand, l.Shown["shop"].OnHand, want)
		}
	}
}

// A shipment told after a write may have come before it: then the channel shows
// more than the ledger thinks, and nobody put the goods there.
func TestAShipmentOfUnknownTimeIsNotTakenForGoodsThatCameIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ after, read, onHand int64 }{
		"before the write":                    {after: 4, read: 10, onHand: 8},
		"after the write":                     {after: 4, read: 8, onHand: 8},
		"before it, and three came in":        {after: 4, read: 13, onHand: 11},
		"surely after it":                     {after: 5, read: 8, onHand: 8},
		"surely after it, and two came in":    {after: 5, read: 10, onHand: 10},
		"nothing said of it, and two came in": {after: 0, read: 10, onHand: 10},
	} {
		write := confirmed("shop", "A", 10, driver.BasisOnHand)
		write.StockConfirmed.Revision = 5
		shipped := order("shop", "o", "A", 2, 2, 0, 2, 0)
		shipped.OrderChanged.After = uint64(c.after)
		m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), order("shop", "o", "A", 1, 2, 0, 0, 0), write, shipped)
		for range 2 { // the second reading is an echo
			m.fold(t, threeShops(), observed("shop", "A", c.read, 0))
			if l := m.ledgers["shop/A"]; l.OnHand != c.onHand || l.Shown["shop"].OnHand != c.read || l.Shown["shop"].Lowered != 0 {
				t.Errorf("%s: %d on hand and %+v shown, want %d and %d", name, l.OnHand, l.Shown["shop"], c.onHand, c.read)
			}
		}
	}
}

// A reading that orders overtook tells what is beyond them; the rest waits for
// one that none did.
func TestAReadingThatOrdersOvertookTellsWhatIsSure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ came, seen, sure int64 }{
		"goods, and all sales after it":  {came: 10, seen: 0, sure: 10},
		"goods, and all sales before it": {came: 10, seen: 4, sure: 6},
		"fewer goods than sales":         {came: 3, seen: 2, sure: 1},
		"no goods":                       {came: 0, seen: 2, sure: 0},
		"goods lost":                     {came: -7, seen: 4, sure: -7},
		"goods lost, sales after it":     {came: -7, seen: 0, sure: -3},
	} {
		m := newMemory().fold(t, threeShops(), observed("shop", "A", 50, 0), order("shop", "o", "A", 1, 4, 0, 4, 0))
		reading := observed("shop", "A", 50+c.came-c.seen, 0)
		reading.StockObserved.Lowered = 4
		m.fold(t, threeShops(), reading)
		if l := m.ledgers["shop/A"]; l.OnHand < min(46, 46+c.came) || l.OnHand > max(46, 46+c.came) {
			t.Errorf("%s: %d on hand, which is beyond %d and %d", name, l.OnHand, 46, 46+c.came)
		} else if got := l.OnHand - 46; got != c.sure {
			t.Errorf("%s: %d taken, want %d", name, got, c.sure)
		}
		m.fold(t, threeShops(), observed("shop", "A", 46+c.came, 0))
		if l := m.ledgers["shop/A"]; l.OnHand != 46+c.came {
			t.Errorf("%s: %d on hand in the end, want %d", name, l.OnHand, 46+c.came)
		}
	}
}
