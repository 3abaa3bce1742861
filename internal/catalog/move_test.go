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
