//go:build medusa

package medusa

import (
	"context"
	"fmt"
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

// location makes a second stock location.
func (s *serverTest) location(t *testing.T, ctx context.Context, name string) string {
	t.Helper()
	made := s.open(t, "").post(t, ctx, "/admin/stock-locations", map[string]any{"name": name})
	location, _ := made["stock_location"].(map[string]any)
	id, _ := location["id"].(string)
	return id
}

func newLocation(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "MOVED")
	s.location(t, ctx, "Annex")
	main, annex := s.open(t, ""), s.open(t, `{"stockLocation":"Annex"}`)
	if l := annex.one(t, ctx, "MOVED"); l.Stock == nil || *l.Stock != (driver.Stock{}) {
		t.Errorf("stock where there is none: %+v, want zero", l.Stock)
	}
	for _, units := range []int64{6, 7} {
		annex.write(t, ctx, driver.Intent{Key: driver.Key{SKU: "MOVED"}, Stock: &driver.StockWrite{Quantity: units}})
		if l := annex.one(t, ctx, "MOVED"); l.Stock.OnHand != units {
			t.Errorf("stock %+v, want %d", l.Stock, units)
		}
	}
	if l := main.one(t, ctx, "MOVED"); l.Stock.OnHand != 40 {
		t.Errorf("the other location has %+v, want it untouched", l.Stock)
	}
}

func changeBesideOlder(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "BESIDE")
	s.location(t, ctx, "Depot")
	depot := s.open(t, `{"stockLocation":"Depot"}`)
	depot.write(t, ctx, driver.Intent{Key: driver.Key{SKU: "BESIDE"}, Stock: &driver.StockWrite{Quantity: 1}})
	start, err := depot.ReadChanges(ctx, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	// Newer than the change to come: levels of other items at the first location.
	depot.write(t, ctx, driver.Intent{Key: driver.Key{SKU: "BESIDE"}, Stock: &driver.StockWrite{Quantity: 2}})
	for n := range 15 {
		s.add(t, ctx, fmt.Sprintf("BESIDE-%d", n))
	}
	seen := false
	for cursor, more := start.Next, true; more; {
		page, err := depot.ReadChanges(ctx, cursor, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Listings {
			seen = seen || l.SKU == "BESIDE" && l.Stock.OnHand == 2
		}
		cursor, more = page.Next, page.More
	}
	if !seen {
		t.Error("the change of stock is not seen")
	}
}

// A batch gives all levels one time, and more are changed while it is read; the
// process is another one half-way.
func manyLevels(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	var skus []string
	for n := range 30 {
		skus = append(skus, fmt.Sprintf("MANY-%02d", n))
	}
	s.add(t, ctx, skus...)
	c := s.open(t, "")
	start, err := c.ReadChanges(ctx, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	count := func(units int64, skus ...string) {
		var intents []driver.Intent
		for _, sku := range skus {
			intents = append(intents, driver.Intent{Key: driver.Key{SKU: sku}, Stock: &driver.StockWrite{Quantity: units}})
		}
		c.write(t, ctx, intents...)
	}
	count(5, skus...)
	seen := map[string]int64{}
	cursor, reader, pages := start.Next, c, 0
	walk := func() {
		for more := true; more; pages++ {
			switch pages {
			case 2:
				count(6, skus[0], skus[29])
			case 4:
				reader = s.open(t, "")
			}
			page, err := reader.ReadChanges(ctx, cursor, 4)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range page.Listings {
				seen[l.SKU] = l.Stock.OnHand
			}
			cursor, more = page.Next, page.More
		}
	}
	walk()
	if pages < 8 {
		t.Errorf("%d pages, want the changes in pages of 4", pages)
	}
	walk()
	for n, sku := range skus {
		want := int64(5)
		if n == 0 || n == 29 {
			want = 6
		}
		if seen[sku] != want {
			t.Errorf("%s was seen with %d, want %d", sku, seen[sku], want)
		}
	}
}

func levelWebhook(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "LEVEL")
	c := s.open(t, "")
	sh, err := c.shop.read(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	items, err := c.newestLevels(ctx, "test", sh, 1)
	if err != nil || len(items) != 1 {
		t.Fatalf("got %v, %v", items, err)
	}
	found, err := c.ReadListings(ctx, []driver.Key{{Ref: driver.Ref(levelRef + items[0].Levels[0].ID)}, {Ref: levelRef + "ilev_gone"}})
	if err != nil || len(found) != 1 || found[0].SKU != "LEVEL" {
		t.Errorf("got %v, %v; want LEVEL", found, err)
	}
	product := c.variantOf(t, ctx, "LEVEL").Product.ID
	if found, err = c.ReadListings(ctx, []driver.Key{{Ref: driver.Ref(":" + product)}}); err != nil || len(found) != 1 || found[0].SKU != "LEVEL" {
		t.Errorf("by product: got %v, %v; want LEVEL", found, err)
	}
}
