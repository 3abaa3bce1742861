package connector

import (
	"fmt"
	"testing"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/workload"
)

func observedOf(sku string) func(catalog.Fact) bool {
	return func(f catalog.Fact) bool { return f.ItemObserved != nil && f.ItemObserved.SKU == sku }
}

// I3 and echoes: a source tells what changed, once, however often it is read.
func TestASourceTellsChangesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shop("source", habits())
	w.sync(workload.SyncConfig{Name: "main", Source: "source", Fields: allFields,
		Channels: map[string]workload.SyncChannel{"source": {Groups: []string{"stock"}}}})
	w.fold()
	for i := range 30 {
		s.Add(fmt.Sprintf("S%02d", i), "Item", eur(100), 10)
	}
	s.start()
	s.inSync("main", 30)
	s.SetPrice("S00", eur(101))
	eventually(t, "the price told", func() bool { return len(w.told(observedOf("S00"))) == 2 })
	s.SetTitle("S00", "another")
	eventually(t, "the title told", func() bool { return len(w.told(observedOf("S00"))) == 3 })
	s.Remove("S01")
	s.config.Requested = "now"
	s.config.Generation++
	s.configure()
	eventually(t, "the removal told", func() bool {
		return len(w.told(func(f catalog.Fact) bool { return f.ItemRemoved != nil && f.ItemRemoved.SKU == "S01" })) == 1
	})
	eventually(t, "the request answered", func() bool { return s.report().Requested == "now" })
	s.halt()
	s.start()
	s.SetPrice("S02", eur(102))
	eventually(t, "the price told after a restart", func() bool { return len(w.told(observedOf("S02"))) == 2 })
	for i := 3; i < 30; i++ {
		sku := fmt.Sprintf("S%02d", i)
		if n := len(w.told(observedOf(sku))); n != 1 {
			t.Errorf("%s was told %d times", sku, n)
		}
		if n := len(w.told(func(f catalog.Fact) bool { return f.StockObserved != nil && f.StockObserved.SKU == sku })); n != 1 {
			t.Errorf("the stock of %s was told %d times", sku, n)
		}
	}
}

// Two listings with one SKU: neither is told nor written, both are reported;
// when one goes, the other is taken in.
func TestDuplicateSKUsAreLeftAlone(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	s.Add("A", "first", eur(1), 1)
	s.Add("A", "second", eur(2), 2)
	f.items(item("A", 100, 5), item("B", 100, 5))
	s.start()
	eventually(t, "the duplicate reported", func() bool {
		r := s.report()
		p := r.Progress["main"]
		return r.DuplicateSKUs == 1 && p.Failed == 1 && p.InSync == 1 && len(p.Failures) == 1 && p.Failures[0].Reason == "DuplicateSKU"
	})
	if sent := s.Sent("A"); len(sent) != 0 {
		t.Errorf("the duplicate was written %d times", len(sent))
	}
	s.Remove("A")
	s.Add("A", "only one now", eur(3), 3)
	s.config.Requested = "now"
	s.configure()
	s.inSync("main", 2)
	s.shows("A", 100, 5)
}

// Orders before stock: while the orders of the channel are not folded, no
// stock goes to it; everything else does.
func TestStockWaitsForTheChannelsOwnOrders(t *testing.T) {
	t.Parallel()
	w, source, one, _ := three(t)
	source.Add("A", "Item", eur(100), 10)
	source.start()
	one.start()
	one.inSync("main", 1)
	one.shows("A", 100, 10)
	w.hold() // the fold stands still
	one.Sell("A", 4)
	eventually(t, "the order told", func() bool {
		var waiting bool
		e := one.engine.Load()
		e.view(func() { waiting = e.ordersSeq > e.meta.FactSeq })
		return waiting
	})
	e := one.engine.Load()
	e.view(func() {
		if !e.waits(&entry{sku: "A"}) {
			t.Error("the orders count as settled before they were folded")
		}
		if e.waits(&entry{sku: "B"}) {
			t.Error("a SKU without orders waits for those of another")
		}
	})
	w.resume()
	one.shows("A", 100, 6)
	source.shows("A", 100, 6)
	one.inSync("main", 1)
	// Sold while a change of stock is on its way: never more than there is.
	source.SetStock("A", 9) // three more than it showed
	one.shows("A", 100, 9)
	source.shows("A", 100, 9)
}

// A hub that was set back, as by a restore, is noticed: everything is compared
// and told again.
func TestARegressionOfTheHubRebuildsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shop("source", habits())
	w.sync(workload.SyncConfig{Name: "main", Source: "source", Fields: allFields, Channels: map[string]workload.SyncChannel{}})
	w.fold()
	for i := range 5 {
		s.Add(fmt.Sprintf("S%02d", i), "Item", eur(100), 10)
	}
	s.start()
	eventually(t, "all told", func() bool { return len(w.told(observedOf("S04"))) == 1 })
	e := s.engine.Load()
	eventually(t, "compared", func() bool {
		var done bool
		e.view(func() { done = !e.meta.Compared.IsZero() })
		return done
	})
	s.halt()
	// The position lies ahead of the hub now.
	disk, err := openStore(s.dir, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	m, err := disk.readMeta()
	if err != nil {
		t.Fatal(err)
	}
	m.Seq += 1000
	c := disk.begin()
	if err := c.putMeta(m); err != nil {
		t.Fatal(err)
	}
	if err := c.commit(true); err != nil {
		t.Fatal(err)
	}
	if err := disk.close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	eventually(t, "all told again", func() bool { return len(w.told(observedOf("S04"))) == 2 })
}
