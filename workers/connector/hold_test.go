package connector

import (
	"fmt"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// twoSyncs makes a world with a target whose stock another sync keeps than its
// content and price, so that either can be held alone.
func twoSyncs(t *testing.T, o shoptest.Options) (f *feeder, s *shop, hold func(sync string, on bool)) {
	t.Helper()
	w := newWorld(t)
	s = w.shop("target", o)
	syncs := map[string][]string{"looks": {"content", "price"}, "goods": {"stock"}}
	hold = func(sync string, on bool) {
		c := workload.SyncConfig{
			Name: sync, Source: "erp", Fields: map[string]workload.FieldConfig{},
			Channels: map[string]workload.SyncChannel{"target": {Groups: syncs[sync]}},
		}
		for _, group := range syncs[sync] {
			c.Fields[group] = workload.FieldConfig{Drift: workload.DriftEnforce}
		}
		if on {
			c.Hold = &workload.Hold{Until: time.Now().Add(time.Hour)}
		}
		w.sync(c)
		if e := s.engine.Load(); e != nil {
			eventually(t, "the hold applied", func() (applied bool) {
				e.view(func() { applied = e.routes.held != 0 == on })
				return applied
			})
		}
	}
	hold("looks", false)
	hold("goods", false)
	return &feeder{w: w, space: w.as(hub.Workload{Kind: hub.Catalog})}, s, hold
}

// A hold of one field group stops the writes of it that wait for the rate
// budget already; those of other groups go on.
func TestAHoldOfAGroupStopsWritesThatWaitForTheBudget(t *testing.T) {
	t.Parallel()
	const skus = 8
	o := habits()
	o.Traits.Concurrency, o.Traits.WriteBatch, o.Traits.ReadBatch = skus, 1, 1
	f, s, hold := twoSyncs(t, o)
	s.tune = func(o *Options) { o.LeaseDuration = 4 * patience }
	all := func(price, units int64) []catalog.Item {
		items := make([]catalog.Item, skus)
		for i := range items {
			items[i] = item(fmt.Sprintf("S%d", i), price, units)
		}
		return items
	}
	// No poll takes a token from the writes.
	s.config.PollInterval = time.Hour
	s.configure()
	f.items(all(100, 10)...)
	s.start()
	s.inSync("looks", skus)
	s.inSync("goods", skus)

	// All writers find the one token, and all but one wait for the next.
	s.config.RequestsPerSecond, s.config.Burst = 1, 1
	s.config.Generation = 2
	s.configure()
	eventually(t, "the small budget", func() bool { return s.report().Generation == 2 })
	e := s.engine.Load()
	flying := func() (n int) {
		e.view(func() { n = e.queue.inflight })
		return n
	}
	before := s.Calls(driver.OpWrite)
	f.items(all(100, 9)...)
	eventually(t, "writes that wait for the budget", func() bool { return flying() >= 4 })
	hold("goods", true)
	// One may have left as the hold came.
	most := s.Calls(driver.OpWrite) + 1
	s.config.RequestsPerSecond, s.config.Burst = 2000, 200
	s.config.Generation = 3
	s.configure()
	f.items(all(200, 8)...)
	for i := range skus {
		sku := fmt.Sprintf("S%d", i)
		eventually(t, "the price of "+sku, func() bool { l, _ := s.Listing(sku); return l.Price != nil && l.Price.Minor == 200 })
	}
	lowered := 0
	for i := range skus {
		if l, _ := s.Listing(fmt.Sprintf("S%d", i)); l.Stock.OnHand != 10 {
			lowered++
		}
	}
	if lowered > most-before {
		t.Errorf("the stock of %d SKUs was written, of which %d could have left before the hold", lowered, most-before)
	}
	hold("goods", false)
	for i := range skus {
		s.shows(fmt.Sprintf("S%d", i), 200, 8)
	}
}

// A new listing leaves without what is held: with no stock, if that is, and not
// at all while its price or content is.
func TestANewListingLeavesWithoutWhatIsHeld(t *testing.T) {
	t.Parallel()
	t.Run("stock", func(t *testing.T) {
		t.Parallel()
		f, s, hold := twoSyncs(t, habits())
		hold("goods", true)
		f.items(item("A", 100, 5))
		s.start()
		s.shows("A", 100, 0)
		s.inSync("looks", 1)
		if p := s.report().Progress["goods"]; p.Pending != 1 {
			t.Errorf("the held stock is not pending: %+v", p)
		}
		hold("goods", false)
		s.shows("A", 100, 5)
	})
	t.Run("price", func(t *testing.T) {
		t.Parallel()
		f, s, hold := twoSyncs(t, habits())
		s.Add("B", "there already", eur(100), 1)
		hold("looks", true)
		f.items(item("A", 100, 5), item("B", 100, 5))
		s.start()
		s.shows("B", 100, 5) // its stock is not held
		polls := s.Calls(driver.OpChanges)
		eventually(t, "some time", func() bool { return s.Calls(driver.OpChanges) > polls+10 })
		if n := s.Calls(driver.OpCreate); n != 0 {
			t.Errorf("%d listings were made of what is held", n)
		}
		hold("looks", false)
		s.shows("A", 100, 5)
	})
}
