package connector

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// dies makes the connector's next write of the shop meet a fault, and kills the
// connector at its first commit after it: before anybody was told of the write.
func (s *shop) dies(fault shoptest.Fault) {
	var met atomic.Bool
	s.tune = func(o *Options) {
		o.hook = func(int) error {
			if met.Load() {
				return errKilled
			}
			return nil
		}
	}
	s.Fault(func(op driver.Operation, _ int) shoptest.Fault {
		if op == driver.OpWrite && !met.Swap(true) {
			return fault
		}
		return shoptest.Fault{}
	})
}

// succeeded waits for the death, and starts a successor that knows nothing.
func (s *shop) succeeded() {
	s.w.t.Helper()
	s.killed()
	s.tune, s.dir = nil, filepath.Join(s.w.t.TempDir(), "new")
	s.engine.Store(nil)
	s.start()
	eventually(s.w.t, "the successor works", func() bool { return s.engine.Load() != nil })
}

// compared waits until a connector has compared everything.
func (s *shop) compared() {
	s.w.t.Helper()
	eventually(s.w.t, s.name+" has compared everything", func() bool {
		var done bool
		e := s.engine.Load()
		e.view(func() { done = !e.meta.Compared.IsZero() })
		return done
	})
}

func brief() shoptest.Options {
	o := habits()
	o.Traits.RequestTimeout = 300 * time.Millisecond
	return o
}

// adjusted are the readings of the source that the ledger was told of a SKU.
func (w *world) adjusted(sku string) int {
	return len(w.told(func(f catalog.Fact) bool {
		return f.StockObserved != nil && f.StockObserved.SKU == sku && f.Channel == "source"
	}))
}

// A write that reached the source and was not confirmed when its connector lost
// all it knew is nobody's change: what was sold elsewhere is counted once.
func TestAWriteBeforeTheLossOfTheStoreIsCountedOnce(t *testing.T) {
	t.Parallel()
	w, source, one := pair(t, brief())
	source.Add("A", "Item", eur(100), 10)
	source.dies(shoptest.Fault{Lose: true})
	source.start()
	one.start()
	one.shows("A", 100, 10)
	one.Sell("A", 1)
	told := w.adjusted("A")
	source.succeeded()
	eventually(t, "the successor's reading told", func() bool { return w.adjusted("A") > told })
	source.settled("A", 9)
	one.shows("A", 100, 9)
	source.SetStock("A", 14) // and what a merchant changes is, in whole
	one.shows("A", 100, 14)
	source.shows("A", 100, 14)
}

// The same when the source shipped after the write landed, or before.
func TestAShipmentAroundTheLossOfTheStoreIsCountedOnce(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"before the write": true, "after the write": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, source, one := pair(t, brief())
			source.Add("A", "Item", eur(100), 10)
			source.dies(shoptest.Fault{Late: true})
			source.start()
			one.start()
			one.shows("A", 100, 10)
			id := source.Sell("A", 2)
			one.shows("A", 100, 8)
			source.inSync("main", 1)
			one.Sell("A", 1)
			if err := <-source.done; err == nil {
				t.Fatal("the connector was not killed")
			} else {
				source.done <- err
			}
			if first {
				source.Fulfil(id)
			}
			if n := source.Land(); n != 1 {
				t.Fatalf("%d writes landed late, want 1", n)
			}
			if !first {
				source.Fulfil(id)
			}
			source.succeeded()
			source.settled("A", 7)
			source.shows("A", 100, 7)
			one.shows("A", 100, 7)
		})
	}
}

// A write that lands after the successor has looked, and written, is repaired
// and counted by nobody (I2).
func TestAWriteThatLandsAfterTheLossOfTheStoreIsRepaired(t *testing.T) {
	t.Parallel()
	w, source, one := pair(t, brief())
	source.Add("A", "Item", eur(100), 10)
	source.dies(shoptest.Fault{Late: true})
	source.start()
	one.start()
	one.shows("A", 100, 10)
	one.Sell("A", 1)
	source.succeeded()
	source.compared()
	source.settled("A", 9) // the successor's own write
	one.Sell("A", 2)
	source.settled("A", 7)
	told := w.adjusted("A")
	if n := source.Land(); n != 1 {
		t.Fatalf("%d writes landed late, want 1", n)
	}
	eventually(t, "the late write seen", func() bool { return w.adjusted("A") > told })
	source.settled("A", 7)
	source.shows("A", 100, 7)
	one.shows("A", 100, 7)
}

// I1, I3 and conservation when a connector dies and its store with it, at any
// commit, between sales and shipments on both sides and with answers lost: the
// shelf holds what it held less what was shipped, and every shop offers that
// less what was sold, on channels that own stock and on others.
func TestStockIsConservedThoughStoresAreLostAtAnyCommit(t *testing.T) {
	t.Parallel()
	for name, basis := range map[string]driver.StockBasis{"on hand": driver.BasisOnHand, "available": driver.BasisAvailable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := brief()
			o.Traits.StockBasis = basis
			_, source, one := pair(t, o)
			const first = 100
			source.Add("A", "Item", eur(100), first)
			fuses := map[*shop]*atomic.Int64{source: {}, one: {}}
			for s, fuse := range fuses {
				fuse.Store(1 << 40)
				s.tune = func(o *Options) {
					o.hook = func(int) error {
						if fuse.Add(-1) == 0 {
							return errKilled
						}
						return nil
					}
				}
				s.Fault(func(op driver.Operation, n int) shoptest.Fault {
					return shoptest.Fault{Lose: op == driver.OpWrite && n%3 == 0}
				})
				s.start()
			}
			one.shows("A", 100, first)
			for s := range fuses {
				eventually(t, "the place in the orders reported", func() bool { return s.report().OrdersCursor != "" })
			}
			type sale struct {
				at *shop
				id string
			}
			var open []sale
			sold, shipped := int64(0), int64(0)
			sell := func(s *shop) {
				open, sold = append(open, sale{s, s.Sell("A", 1)}), sold+1
			}
			ship := func() {
				open[0].at.Fulfil(open[0].id)
				open, shipped = open[1:], shipped+1
			}
			titles := 0
			for crash := int64(1); crash <= 16; crash++ {
				dies, lives := source, one
				if crash%4 == 0 {
					dies, lives = one, source
				}
				sell(lives)
				fuses[dies].Store(crash)
				// Small activity goes on until the fuse has burnt down.
				for burnt := false; !burnt; {
					select {
					case err := <-dies.done:
						dies.done <- err
						burnt = true
					default:
						titles++
						source.SetTitle("A", fmt.Sprintf("title %d", titles))
						if titles%4 == 0 && sold < first/2 {
							sell(dies)
						}
						if len(open) > 2 {
							ship()
						}
						_ = sleepFor(t.Context(), 40)
					}
				}
				dies.killed()
				fuses[dies].Store(1 << 40)
				dies.dir = filepath.Join(t.TempDir(), "new")
				dies.start()
			}
			for _, s := range []*shop{source, one} {
				s.Fault(nil)
			}
			source.shows("A", 100, first-sold)
			one.shows("A", 100, first-sold)
			for len(open) > 0 {
				ship()
			}
			for _, s := range []*shop{source, one} {
				s.settled("A", first-shipped)
				s.shows("A", 100, first-sold)
				s.ascending("A")
			}
		})
	}
}
