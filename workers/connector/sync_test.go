package connector

import (
	"fmt"
	"testing"

	"selaras.dev/selaras/internal/catalog/allot"
	"selaras.dev/selaras/internal/workload"
)

// three makes a source and two targets in one sync of everything.
func three(t *testing.T) (w *world, source, one, two *shop) {
	t.Helper()
	w = newWorld(t)
	source, one, two = w.shop("source", habits()), w.shop("one", habits()), w.shop("two", habits())
	w.sync(workload.SyncConfig{
		Name: "main", UID: "main", Source: "source", Fields: allFields,
		Channels: map[string]workload.SyncChannel{
			"source": {Groups: []string{"stock"}}, "one": {Groups: every}, "two": {Groups: every},
		},
	})
	w.fold()
	return w, source, one, two
}

// I1: what one shop shows is shown by the others, from the first fill to every
// later change.
func TestTargetsConvergeOnTheSource(t *testing.T) {
	t.Parallel()
	_, source, one, two := three(t)
	const n = 250
	for i := range n {
		source.Add(fmt.Sprintf("SKU-%03d", i), fmt.Sprintf("Item %d", i), eur(int64(1000+i)), int64(i))
	}
	one.Add("SKU-007", "An old name", eur(1), 3)
	for _, s := range []*shop{source, one, two} {
		s.start()
	}
	for _, s := range []*shop{one, two} {
		s.inSync("main", n)
		for i := range n {
			s.shows(fmt.Sprintf("SKU-%03d", i), int64(1000+i), int64(i))
		}
		if got := s.Len(); got != n {
			t.Errorf("%s has %d listings, want %d", s.name, got, n)
		}
	}
	source.SetPrice("SKU-100", eur(4200))
	source.SetTitle("SKU-101", "Another name")
	source.SetStock("SKU-102", 500)
	for _, s := range []*shop{one, two} {
		s.shows("SKU-100", 4200, 100)
		s.shows("SKU-102", 1102, 500)
		s.titled("SKU-101", "Another name")
		s.inSync("main", n)
	}
	source.inSync("main", n)
}

// Each channel shows what the policy gives it, and the connector knows of no
// policy.
func TestAChannelShowsItsPartOfTheStock(t *testing.T) {
	t.Parallel()
	w, source, one, two := three(t)
	w.topology.Policies = map[string]*allot.Policy{"source": {Kind: allot.Percent, Parts: []allot.Part{
		{Channel: "one", Share: 50}, {Channel: "source", Share: 100}, {Channel: "two", Share: 25},
	}}}
	source.Add("A", "Item", eur(100), 11)
	for _, s := range []*shop{source, one, two} {
		s.start()
	}
	source.shows("A", 100, 11)
	one.shows("A", 100, 5)
	two.shows("A", 100, 2)
	one.Sell("A", 3)
	source.shows("A", 100, 8)
	one.shows("A", 100, 4)
	two.shows("A", 100, 2)
	two.Sell("A", 2)
	source.shows("A", 100, 6)
	one.shows("A", 100, 3)
	two.shows("A", 100, 1)
}
