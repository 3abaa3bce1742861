package connector

import (
	"fmt"
	"testing"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/workload"
)

// What is taken out of sale because its Channel is deleted is no change of the
// catalog: the others go on selling, by content and by stock.
func TestDelistingTheSourceDoesNotEmptyTheOthers(t *testing.T) {
	t.Parallel()
	for _, removes := range []bool{true, false} {
		t.Run(fmt.Sprintf("removes=%v", removes), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			o := habits()
			o.NoRemove = !removes
			source, other := w.shop("source", o), w.shop("other", habits())
			w.sync(workload.SyncConfig{
				Name: "main", Source: "source", Fields: allFields,
				Channels: map[string]workload.SyncChannel{"source": {Groups: []string{"stock"}}, "other": {Groups: every}},
			})
			w.fold()
			source.Add("A", "Item", eur(100), 5)
			source.start()
			other.start()
			other.shows("A", 100, 5)
			source.inSync("main", 1)

			source.config.Delist = true
			source.configure()
			eventually(t, "the source delisted", func() bool { return source.report().Delisted })
			if l, _ := source.Listing("A"); l.Content.Enabled && l.Stock.Available > 0 {
				t.Errorf("the source still sells: %+v %+v", l.Content, l.Stock)
			}
			// Time for a change to be told, and for stock to settle.
			changes, orders := source.Calls(driver.OpChanges), source.Calls(driver.OpOrders)
			eventually(t, "polls after it", func() bool {
				return source.Calls(driver.OpChanges) > changes+5 && source.Calls(driver.OpOrders) > orders+3
			})
			told := w.told(func(f catalog.Fact) bool {
				return f.ItemRemoved != nil || f.ItemObserved != nil && !f.ItemObserved.Content.Enabled || f.StockObserved != nil && f.StockObserved.OnHand == 0
			})
			for _, f := range told {
				t.Errorf("told as a change of the catalog: %+v %+v %+v", f.ItemRemoved, f.ItemObserved, f.StockObserved)
			}
			other.shows("A", 100, 5)
			if l, _ := other.Listing("A"); !l.Content.Enabled {
				t.Error("the other channel stopped selling")
			}
		})
	}
}
