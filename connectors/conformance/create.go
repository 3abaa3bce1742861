package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selaras.dev/selaras/connectors/driver"
)

func (s *suite) createCases() []testCase {
	create, remove := s.has(driver.CanCreateListings), s.has(driver.CanRemoveListings)
	return []testCase{
		{"CreatedListingsAreWhatWasAskedFor", []needs{create}, createListings},
		{"CreatingAgainIsAnUpdate", []needs{create}, createAgain},
		{"ACreationCutAnywhereIsCompletedByTheNext", []needs{create}, createCut},
		{"RemovedListingsAreNotOnSale", []needs{remove}, removeListings},
	}
}

// shirts are the variants of one product.
func (s *suite) shirts(key string, sizes ...string) []driver.Intent {
	var intents []driver.Intent
	for n, size := range sizes {
		price := s.money(int64(2000 + n))
		intents = append(intents, driver.Intent{
			Key: driver.Key{SKU: strings.ToUpper(key) + "-" + size},
			Content: &driver.Content{
				Product: driver.Product{Key: key, Title: "Kaus " + key, Description: "<p>Baumwolle</p>"},
				Title:   "Kaus " + size,
				Options: []driver.Option{{Name: "Größe", Value: size}, {Name: "Farbe", Value: "Blau"}},
				Enabled: true,
			},
			Price: &price,
			Stock: &driver.StockWrite{Quantity: int64(10 + n)},
		})
	}
	return intents
}

func (c *client) create(t testing.TB, ctx context.Context, intents []driver.Intent) {
	t.Helper()
	outcomes, err := c.Connection.(driver.ListingCreator).CreateListings(ctx, intents)
	if err != nil {
		t.Fatalf("CreateListings: %v", err)
	}
	for _, o := range outcomes {
		c.taken(t, o)
	}
}

// shows checks that exactly one listing of each intent shows it.
func (c *client) shows(t testing.TB, ctx context.Context, intents []driver.Intent) {
	t.Helper()
	for _, want := range intents {
		got := c.listing(t, ctx, want.SKU)
		if diff := cmp.Diff(*want.Content, got.Content); diff != "" {
			t.Errorf("%s: content (-want +got):\n%s", want.SKU, diff)
		}
		if got.Price == nil || *got.Price != *want.Price || got.Stock == nil || got.Stock.OnHand != want.Stock.Quantity {
			t.Errorf("%s: price %v, stock %+v; want %v, %d", want.SKU, got.Price, got.Stock, want.Price, want.Stock.Quantity)
		}
	}
}

func createListings(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	intents := append(s.shirts("kaus-a", "S", "M", "L"), s.shirts("kaus-b", "XL")...)
	plain := s.shirts("becher", "1")[0]
	plain.Content.Options = nil
	intents = append(intents, plain)
	c.create(t, ctx, intents)
	c.shows(t, ctx, intents)
	c.onlyUnder(t, driver.OpCreate, driver.OpRead, driver.OpAccount)
	// Another variant of a product that exists.
	more := s.shirts("kaus-a", "S", "M", "L", "XXL")[3:]
	c.create(t, ctx, more)
	c.shows(t, ctx, append(intents, more...))
}

func createAgain(t *testing.T, s *suite) {
	ctx := s.context(t)
	intents := s.shirts("kaus-c", "S", "M")
	s.open(t).create(t, ctx, intents)
	price := s.money(1)
	intents[0].Price = &price
	intents[1].Stock = &driver.StockWrite{Quantity: 99}
	c := s.open(t)
	c.create(t, ctx, intents)
	c.shows(t, ctx, intents)
}

// The connection is cut after every possible number of requests; what a next
// attempt leaves is one listing of each.
func createCut(t *testing.T, s *suite) {
	ctx := s.context(t)
	c, broken := s.open(t), s.open(t)
	for cut := 0; ; cut++ {
		if cut > 60 {
			t.Fatal("a creation of two listings took more than 60 requests")
		}
		intents := s.shirts(fmt.Sprintf("kaus-cut-%d", cut), "S", "M")
		broken.transport.cutAfter(cut)
		outcomes, err := broken.Connection.(driver.ListingCreator).CreateListings(ctx, intents)
		done := err == nil
		for _, o := range outcomes {
			done = done && s.done(o)
		}
		c.create(t, ctx, intents)
		c.shows(t, ctx, intents)
		if done {
			return
		}
	}
}

func removeListings(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	a, b := s.add(t, ctx, "GONE"), s.add(t, ctx, "STAYS")
	for range 2 {
		outcomes, err := c.Connection.(driver.ListingRemover).RemoveListings(ctx, []driver.Key{{SKU: a}, {SKU: s.sku("ABSENT")}})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			if !s.done(o) {
				t.Errorf("got %+v, want Verified", o)
			}
		}
	}
	found, err := c.get(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range found {
		if l.Content.Enabled {
			t.Errorf("%s is still on sale", a)
		}
	}
	if l := c.listing(t, ctx, b); !l.Content.Enabled {
		t.Errorf("%s is not on sale any more", b)
	}
	if len(found) == 1 && s.has(driver.CanWriteContent).have {
		content := found[0].Content
		content.Enabled = true
		outcomes, err := c.write(ctx, driver.Intent{Key: driver.Key{SKU: a, Ref: found[0].Ref}, Content: &content})
		if err != nil {
			t.Fatal(err)
		}
		c.taken(t, outcomes[0])
		if l := c.listing(t, ctx, a); !l.Content.Enabled {
			t.Errorf("%s was put on sale again and is not", a)
		}
	}
}
