package catalog_test

import (
	"testing"
	"time"

	"selaras.dev/selaras/internal/catalog"
)

// What a channel that left the sync of stock has promised is held for a time and
// then given back; a channel that comes back holds again what is open then, and
// nothing is counted twice, whenever it does.
func TestWhatADepartedChannelPromisedIsGivenBackInTheEnd(t *testing.T) {
	t.Parallel()
	without := threeShops()
	delete(without.StockSource, "market")
	for name, away := range map[string]time.Duration{"soon back": time.Hour, "late back": catalog.Retention + time.Hour} {
		m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), order("market", "o", "A", 1, 3, 0, 1, 0))
		expectLedger(t, m, 9, 2, 7)
		look := func(topology *catalog.Topology, now time.Time) {
			changes, err := catalog.Unfollowed(m, topology, "market", "o-1", now)
			if err != nil {
				t.Fatal(err)
			}
			m.apply(changes)
		}
		for _, after := range []time.Duration{0, time.Hour, away, away} {
			look(without, start.Add(after))
		}
		if away < catalog.Retention {
			expectLedger(t, m, 9, 2, 7)
		} else {
			expectLedger(t, m, 9, 0, 9)
			if m.noted(catalog.NoteChannelLeft) != 1 {
				t.Errorf("%s: notes %v", name, m.notes)
			}
		}
		for range 2 {
			look(threeShops(), start.Add(away))
		}
		expectLedger(t, m, 9, 2, 7)
		if l := m.ledger(t, "A"); l.Shown["market"].Committed != 2 {
			t.Errorf("%s: the channel holds %+v, want 2 open", name, l.Shown["market"])
		}
		m.fold(t, threeShops(), order("market", "o", "A", 2, 3, 0, 3, 0))
		expectLedger(t, m, 7, 0, 7)
	}
}
