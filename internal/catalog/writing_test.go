package catalog_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

func written(channel, sku string, basis driver.StockBasis, revision uint64, quantities ...int64) catalog.Fact {
	return catalog.Fact{Channel: channel, Time: start, StockWritten: &catalog.StockWritten{
		SKU: sku, Basis: basis, Written: quantities, Lands: 15 * time.Minute, Revision: revision,
	}}
}

// rev is the n-th fact of a tenure of the lease.
func rev(tenure, n uint64) uint64 { return tenure<<catalog.TenureBits + n }

func reading(onHand int64, revision uint64, later time.Duration) catalog.Fact {
	fact := observed("shop", "A", onHand, 0)
	fact.StockObserved.Revision, fact.Time = revision, start.Add(later)
	return fact
}

func TestAReadingThatAWriteExplainsMovesNothing(t *testing.T) {
	t.Parallel()
	before := []catalog.Fact{reading(10, rev(1, 1), 0), order("market", "m", "A", 1, 1, 0, 0, 0), written("shop", "A", driver.BasisOnHand, rev(1, 2), 9)}
	shipped := order("shop", "o", "A", 2, 2, 0, 2, 0)
	for name, c := range map[string]struct {
		after  []catalog.Fact
		onHand int64
	}{
		"it landed":                   {[]catalog.Fact{reading(9, rev(2, 1), 0)}, 10},
		"it did not":                  {[]catalog.Fact{reading(10, rev(2, 1), 0)}, 10},
		"it landed late":              {[]catalog.Fact{reading(10, rev(2, 1), 0), reading(9, rev(2, 2), time.Minute)}, 10},
		"it was read late":            {[]catalog.Fact{reading(9, rev(2, 1), time.Hour)}, 10},
		"it landed after a newer one": {[]catalog.Fact{written("shop", "A", driver.BasisOnHand, rev(2, 1), 7), stocked(7, rev(2, 2)), reading(9, rev(2, 3), time.Minute)}, 10},
		"shipped after it":            {[]catalog.Fact{shipped, reading(7, rev(2, 1), 0)}, 8},
		"shipped before it":           {[]catalog.Fact{shipped, reading(9, rev(2, 1), 0)}, 8},
		"somebody counted":            {[]catalog.Fact{reading(12, rev(2, 1), 0)}, 12},
		"its own connector forgot it": {[]catalog.Fact{reading(9, rev(1, 3), time.Hour)}, 9},
		"its time is over":            {[]catalog.Fact{reading(10, rev(2, 1), 0), reading(10, rev(2, 2), time.Hour), reading(9, rev(2, 3), time.Hour)}, 9},
		"it was confirmed":            {[]catalog.Fact{stocked(9, rev(1, 3)), reading(12, rev(2, 1), 0), reading(9, rev(2, 2), 0)}, 10},
	} {
		m := newMemory().fold(t, threeShops(), before...).fold(t, threeShops(), c.after...)
		if l := m.ledger(t, "A"); l.OnHand != c.onHand || l.OnHand-l.Committed != m.ats(t, "A") {
			t.Errorf("%s: %d on hand, want %d", name, l.OnHand, c.onHand)
		}
	}
}

func stocked(onHand int64, revision uint64) catalog.Fact {
	fact := confirmed("shop", "A", onHand, driver.BasisOnHand)
	fact.StockConfirmed.Revision, fact.Time = revision, start
	return fact
}

// Whatever was sent before a connector lost its memory, in whatever order it
// landed between the shop's own orders or did not: what the successor reads is
// nobody's change, and the ledger holds what there was less what was shipped.
func TestWhatWasSentBeforeALossIsCountedOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		basis := rapid.SampledFrom([]driver.StockBasis{driver.BasisOnHand, driver.BasisAvailable}).Draw(t, "basis")
		shows, sold, revision := int64(100), int64(0), rev(1, 1)
		seed := observed("shop", "A", shows, 0)
		seed.StockObserved.Basis, seed.StockObserved.Revision = basis, revision
		m := newMemory().fold(t, threeShops(), seed)
		var facts []catalog.Fact // of the shop's own orders, not told yet
		var air []int64          // writes on their way
		tell := func() { m.fold(t, threeShops(), facts...); facts = nil }
		for tenure := uint64(1); tenure <= 3; tenure++ {
			revision = max(revision, rev(tenure, 0))
			var sent []int64
			for range rapid.IntRange(0, 8).Draw(t, "steps") {
				switch rapid.IntRange(0, 3).Draw(t, "step") {
				case 0: // the shop sells and ships
					sold++
					shows--
					id := fmt.Sprintf("o%d", sold)
					facts = append(facts, order("shop", id, "A", int(sold), 1, 0, 1, 0))
				case 1: // a market does
					sold++
					m.fold(t, threeShops(), order("market", fmt.Sprintf("m%d", sold), "A", int(sold), 1, 0, 1, 0))
				case 2: // the ledger's stock is sent
					quantity := m.ledgers["shop/A"].OnHand
					revision++
					sent, air = append(sent, quantity), append(air, quantity)
					m.fold(t, threeShops(), written("shop", "A", basis, revision, sent...))
				case 3: // one lands
					if len(air) > 0 {
						i := rapid.IntRange(0, len(air)-1).Draw(t, "which")
						shows, air = air[i], append(air[:i:i], air[i+1:]...)
					}
				}
			}
			// The store is lost; the successor reads, once the orders are in.
			tell()
			revision = max(revision+1, rev(tenure+1, 0))
			look := observed("shop", "A", shows, 0)
			look.StockObserved.Basis, look.StockObserved.Revision = basis, revision
			m.fold(t, threeShops(), look)
			if l := m.ledgers["shop/A"]; l.OnHand != 100-sold || l.Committed != 0 {
				t.Fatalf("%d on hand and %d committed after %d of 100 were sold; the shop showed %d, %+v", l.OnHand, l.Committed, sold, shows, l.Writing)
			}
		}
	})
}
