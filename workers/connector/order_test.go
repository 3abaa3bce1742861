package connector

import "testing"

// An order in one shop lowers what the others and the source show, and what
// the shop itself shows stays right.
func TestAnOrderLowersTheStockEverywhere(t *testing.T) {
	t.Parallel()
	_, source, one, two := three(t)
	source.Add("A", "Item A", eur(1000), 10)
	for _, s := range []*shop{source, one, two} {
		s.start()
	}
	for _, s := range []*shop{source, one, two} {
		s.inSync("main", 1)
		s.shows("A", 1000, 10)
	}
	id := one.Sell("A", 3)
	for _, s := range []*shop{source, one, two} {
		s.shows("A", 1000, 7)
		s.inSync("main", 1)
	}
	one.Fulfil(id)
	for _, s := range []*shop{source, one, two} {
		s.inSync("main", 1)
		s.shows("A", 1000, 7)
	}
	// What the merchant counts in the source's own admin page is taken in.
	source.SetStock("A", 20)
	for _, s := range []*shop{source, one, two} {
		s.shows("A", 1000, 20)
		s.inSync("main", 1)
	}
	source.Sell("A", 1)
	for _, s := range []*shop{source, one, two} {
		s.shows("A", 1000, 19)
		s.inSync("main", 1)
	}
}
