package conformance

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

func (s *suite) pagingCases() []testCase {
	read := s.has(driver.CanReadListings)
	return []testCase{
		{"PagingReturnsEveryListing", []needs{read}, pagingReturnsAll},
		{"PagingIsCompleteWhileListingsChange", []needs{read}, pagingWhileChanging},
	}
}

func (s *suite) readCases() []testCase {
	return []testCase{
		{"ReadListingsReturnsWhatExists", nil, readListingsReturnsWhatExists},
		{"UnicodeSurvives", nil, unicodeSurvives},
		{"DuplicateSKUsAreAllReturned", []needs{{"duplicate SKUs", s.shop.AllowsDuplicates}}, duplicatesAreReturned},
	}
}

// walk reads all pages and calls between after each.
func (c *client) walk(t testing.TB, ctx context.Context, limit int, between func(page int, seen map[string]int)) map[string]int {
	t.Helper()
	seen := map[string]int{}
	cursor := driver.Cursor("")
	for page := 1; ; page++ {
		p, err := c.Connection.(driver.ListingReader).ReadPage(ctx, cursor, limit)
		if err != nil {
			t.Fatalf("page %d: %v", page, err)
		}
		if len(p.Listings) > limit {
			t.Errorf("page %d has %d listings, more than %d", page, len(p.Listings), limit)
		}
		for _, l := range p.Listings {
			seen[l.SKU]++
		}
		if p.Next == "" {
			return seen
		}
		cursor = p.Next
		if between != nil {
			between(page, seen)
		}
	}
}

func pagingReturnsAll(t *testing.T, s *suite) {
	ctx := s.context(t)
	want, err := s.shop.SKUs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(want) < 1000 {
		t.Fatalf("the shop sells %d listings, the suite needs 1000", len(want))
	}
	c := s.open(t)
	seen := c.walk(t, ctx, s.description.Traits.PageSize, nil)
	for _, sku := range want {
		if seen[sku] != 1 {
			t.Errorf("%s came %d times in a shop at rest", sku, seen[sku])
		}
	}
	if len(seen) != len(want) {
		t.Errorf("got %d SKUs, the shop has %d", len(seen), len(want))
	}
	c.onlyUnder(t, driver.OpRead, driver.OpAccount)
}

// onlyUnder checks that all requests were made under the operations.
func (c *client) onlyUnder(t testing.TB, allowed ...driver.Operation) {
	t.Helper()
	c.transport.mu.Lock()
	defer c.transport.mu.Unlock()
	if c.transport.requests == 0 {
		t.Error("the driver did not use Settings.HTTP")
	}
	for op, n := range c.transport.operations {
		if !slices.Contains(allowed, op) {
			t.Errorf("%d requests were made as %q, want only %q", n, op, allowed)
		}
	}
}

// Listings that are read already are deleted while the walk goes on, so that
// an offset would jump over others.
func pagingWhileChanging(t *testing.T, s *suite) {
	ctx := s.context(t)
	var doomed []string
	for range 6 {
		doomed = append(doomed, s.add(t, ctx, "DOOMED"))
	}
	var late []string
	for range 12 {
		late = append(late, s.add(t, ctx, "LATE"))
	}
	want, err := s.shop.SKUs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	doomed = append(doomed, want[0], want[1], want[2], want[40])
	c := s.open(t)
	seen := c.walk(t, ctx, 50, func(page int, seen map[string]int) {
		if page%2 == 0 && len(doomed) > 0 {
			i := slices.IndexFunc(doomed, func(sku string) bool { return seen[sku] > 0 })
			if i >= 0 {
				if err := s.shop.Delete(ctx, doomed[i]); err != nil {
					t.Fatal(err)
				}
				doomed = slices.Delete(doomed, i, i+1)
			}
			if err := s.shop.SetPrice(ctx, late[page%len(late)], s.money(int64(1000+page))); err != nil {
				t.Fatal(err)
			}
		}
	})
	have, err := s.shop.SKUs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, sku := range have {
		if seen[sku] == 0 {
			t.Errorf("%s existed all the time and was left out", sku)
		}
	}
}

func readListingsReturnsWhatExists(t *testing.T, s *suite) {
	ctx := s.context(t)
	a, b := s.add(t, ctx, "GET"), s.add(t, ctx, "GET")
	c := s.open(t)
	found, err := c.get(ctx, a, s.sku("ABSENT"), b)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 {
		t.Fatalf("got %d listings, want the 2 that exist", len(found))
	}
	l := c.listing(t, ctx, a)
	if l.SKU != a || l.Ref == "" || l.Content.Title != "Item "+a || !l.Content.Enabled || l.Content.Product.Key == "" {
		t.Errorf("got %+v", l)
	}
	if l.Price == nil || *l.Price != s.money(1999) {
		t.Errorf("price %v, want %v", l.Price, s.money(1999))
	}
	if l.Stock == nil || *l.Stock != (driver.Stock{OnHand: 40, Available: 40}) {
		t.Errorf("stock %+v, want 40 on hand and available", l.Stock)
	}
	byRef, err := c.Connection.(driver.ListingGetter).ReadListings(ctx, []driver.Key{{Ref: l.Ref}})
	if err != nil || len(byRef) != 1 || byRef[0].SKU != a {
		t.Errorf("by Ref alone: got %v, %v; want %s", byRef, err, a)
	}
	none, err := c.get(ctx)
	if err != nil || len(none) != 0 {
		t.Errorf("no keys: got %v, %v; want nothing", none, err)
	}
	var many []string
	for i := range s.description.Traits.ReadBatch + 5 {
		many = append(many, fmt.Sprintf("ABSENT-%d", i))
	}
	if found, err := c.get(ctx, append(many, a)...); err != nil || len(found) != 1 {
		t.Errorf("more keys than a batch: got %d listings, %v; want 1", len(found), err)
	}
}

func unicodeSurvives(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.sku("ÄÖ 试 🧦/\"'\\&<%_*")
	title := "Kaus kaki “hangat” – чулки 靴下 🧦\u200d\t'\"\\"
	s.addItem(t, ctx, Item{SKU: sku, Title: title, Price: s.money(100), OnHand: 1})
	c := s.open(t)
	if l := c.listing(t, ctx, sku); l.SKU != sku || l.Content.Title != title {
		t.Errorf("got SKU %q and title %q, want %q and %q", l.SKU, l.Content.Title, sku, title)
	}
}

func duplicatesAreReturned(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "DUP")
	s.addItem(t, ctx, Item{SKU: sku, Title: "Other", Price: s.money(5), OnHand: 2})
	c := s.open(t)
	found, err := c.get(ctx, sku)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0].Ref == found[1].Ref {
		t.Fatalf("got %d listings, want both", len(found))
	}
	if s.has(driver.CanWritePrice).have {
		price := s.money(77)
		outcomes, err := c.write(ctx, driver.Intent{Key: driver.Key{SKU: sku}, Price: &price})
		if err != nil || outcomes[0].Kind != driver.Rejected {
			t.Errorf("writing to a SKU that two listings bear: got %+v, %v; want Rejected", outcomes, err)
		}
	}
}
