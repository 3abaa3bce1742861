package conformance

import (
	"context"
	"fmt"
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

func (s *suite) changeCases() []testCase {
	changes, price := s.has(driver.CanReadChanges), s.has(driver.CanWritePrice)
	return []testCase{
		{"ChangesAreReported", []needs{changes}, changesAreReported},
		{"AChangeCursorCanBeUsedAgain", []needs{changes}, changeCursorAgain},
		{"ManyChangesAreAllReported", []needs{changes, price}, manyChanges},
	}
}

// poll reads changes until there are no more.
func (c *client) poll(t testing.TB, ctx context.Context, cursor driver.Cursor, limit int) (map[string]driver.Listing, driver.Cursor) {
	t.Helper()
	changed := map[string]driver.Listing{}
	for {
		page, err := c.Connection.(driver.ChangeReader).ReadChanges(ctx, cursor, limit)
		if err != nil {
			t.Fatalf("ReadChanges: %v", err)
		}
		if page.Next == "" {
			t.Fatal("ReadChanges returned no cursor")
		}
		for _, l := range page.Listings {
			changed[l.SKU] = l
		}
		if cursor = page.Next; !page.More {
			return changed, cursor
		}
	}
}

// fromNow is the cursor of now.
func (c *client) fromNow(t testing.TB, ctx context.Context) driver.Cursor {
	t.Helper()
	page, err := c.Connection.(driver.ChangeReader).ReadChanges(ctx, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Listings) != 0 || page.Next == "" {
		t.Fatalf("the empty cursor returned %d listings and cursor %q, want none and one", len(page.Listings), page.Next)
	}
	return page.Next
}

func changesAreReported(t *testing.T, s *suite) {
	ctx := s.context(t)
	price, stock, title := s.add(t, ctx, "CHG"), s.add(t, ctx, "CHG"), s.add(t, ctx, "CHG")
	c := s.open(t)
	cursor := c.fromNow(t, ctx)
	if err := s.shop.SetPrice(ctx, price, s.money(4711)); err != nil {
		t.Fatal(err)
	}
	if err := s.shop.SetStock(ctx, stock, 17); err != nil {
		t.Fatal(err)
	}
	if err := s.shop.SetTitle(ctx, title, "New title"); err != nil {
		t.Fatal(err)
	}
	added := s.add(t, ctx, "CHG")
	seen := map[string]driver.Listing{}
	eventually(t, "all changes are reported", func() (bool, string) {
		changed, next := c.poll(t, ctx, cursor, 100)
		cursor = next
		for sku, l := range changed {
			seen[sku] = l
		}
		p, k, n := seen[price], seen[stock], seen[title]
		_, found := seen[added]
		return p.Price != nil && *p.Price == s.money(4711) && k.Stock != nil && k.Stock.OnHand == 17 &&
			n.Content.Title == "New title" && found, fmt.Sprintf("seen %v", seen)
	})
	c.onlyUnder(t, driver.OpChanges, driver.OpAccount, driver.OpRead)
}

// A connector that dies before it has kept a page asks for it again.
func changeCursorAgain(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "AGAIN")
	c := s.open(t)
	cursor := c.fromNow(t, ctx)
	if err := s.shop.SetPrice(ctx, sku, s.money(321)); err != nil {
		t.Fatal(err)
	}
	for _, reader := range []*client{c, c, s.open(t)} {
		eventually(t, "the change is reported from the same cursor", func() (bool, string) {
			changed, _ := reader.poll(t, ctx, cursor, 100)
			l := changed[sku]
			return l.Price != nil && *l.Price == s.money(321), fmt.Sprint(changed)
		})
	}
}

func manyChanges(t *testing.T, s *suite) {
	ctx := s.context(t)
	skus, err := s.shop.SKUs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	skus = skus[200:320]
	c := s.open(t)
	cursor := c.fromNow(t, ctx)
	price := s.money(60606)
	for from := 0; from < len(skus); from += s.description.Traits.WriteBatch {
		var intents []driver.Intent
		for _, sku := range skus[from:min(from+s.description.Traits.WriteBatch, len(skus))] {
			intents = append(intents, driver.Intent{Key: driver.Key{SKU: sku}, Price: &price})
		}
		outcomes, err := c.write(ctx, intents...)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			c.taken(t, o)
		}
	}
	seen := map[string]bool{}
	eventually(t, "120 changes are reported in pages of 7", func() (bool, string) {
		changed, next := c.poll(t, ctx, cursor, 7)
		cursor = next
		missing := 0
		for sku, l := range changed {
			seen[sku] = seen[sku] || (l.Price != nil && *l.Price == price)
		}
		for _, sku := range skus {
			if !seen[sku] {
				missing++
			}
		}
		return missing == 0, fmt.Sprintf("%d are missing", missing)
	})
}
