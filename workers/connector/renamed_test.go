package connector

import (
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

func removedOf(sku string) func(catalog.Fact) bool {
	return func(f catalog.Fact) bool { return f.ItemRemoved != nil && f.ItemRemoved.SKU == sku }
}

// A listing that gets another SKU at the source takes its old SKU out of sale
// everywhere as soon as it is seen, also when it was renamed while nobody looked.
func TestARenamedSKUIsRemovedAtOnce(t *testing.T) {
	t.Parallel()
	w, source, one, _ := three(t)
	source.options.Traits.LateWriteHorizon = time.Hour // nothing is compared again before
	source.Add("A", "Item", eur(100), 5)
	source.Add("C", "Item", eur(100), 5)
	source.start()
	one.start()
	one.shows("A", 100, 5)
	one.shows("C", 100, 5)
	gone := func(sku string) {
		t.Helper()
		eventually(t, sku+" told as removed", func() bool { return len(w.told(removedOf(sku))) == 1 })
		eventually(t, sku+" out of sale", func() bool { l, ok := one.Listing(sku); return ok && !l.Content.Enabled })
	}
	compared := func() (at time.Time) {
		e := source.engine.Load()
		e.view(func() { at = e.meta.Compared })
		return at
	}
	before := compared()
	source.Rename("A", "B")
	gone("A")
	one.shows("B", 100, 5)
	if !compared().Equal(before) {
		t.Error("a comparison found it")
	}

	source.halt()
	source.Rename("C", "D")
	source.start()
	gone("C")
	one.shows("D", 100, 5)
	if !compared().Equal(before) {
		t.Error("a comparison found it after the restart")
	}
	// The name of a listing that was renamed twice is its last one.
	source.Rename("B", "A")
	gone("B")
	one.shows("A", 100, 5)
	eventually(t, "A for sale again", func() bool { l, _ := one.Listing("A"); return l.Content.Enabled })
}

// A SKU that another listing bears is not removed when one of its listings gets
// another, nor are two that change places.
func TestARenamedSKUThatAnotherListingBearsStays(t *testing.T) {
	t.Parallel()
	w, source, one, _ := three(t)
	source.Add("A", "first", eur(100), 5)
	source.Add("X", "ex", eur(300), 3)
	source.start()
	one.start()
	one.shows("A", 100, 5)
	one.shows("X", 300, 3)
	source.halt()
	source.Rename("A", "B")
	source.Add("A", "second", eur(200), 7)
	source.Rename("X", "Z")
	source.Rename("B", "X")
	source.Rename("Z", "B")
	source.start()
	one.titled("A", "second")
	one.titled("B", "ex")
	one.titled("X", "first")
	polls := source.Calls(driver.OpChanges)
	eventually(t, "some time", func() bool { return source.Calls(driver.OpChanges) > polls+10 })
	for _, sku := range []string{"A", "B", "X"} {
		if n := len(w.told(removedOf(sku))); n != 0 {
			t.Errorf("%s was told as removed %d times", sku, n)
		}
	}
}
