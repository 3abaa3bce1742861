package vendure

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/shops"
	testshops "selaras.dev/selaras/test/shops"
)

// fill are listings to create, each of a product of its own, of two options
// where they are asked for.
func fill(prefix string, n int, options bool) []driver.Intent {
	intents := make([]driver.Intent, n)
	for i := range intents {
		key := fmt.Sprintf("%s-%03d", prefix, i)
		content := &driver.Content{Product: driver.Product{Key: key, Title: "Product " + key, Description: "Text"}, Title: "Title " + key, Enabled: true}
		if options {
			content.Options = []driver.Option{{Name: "Size", Value: "L"}, {Name: "Colour", Value: "Blue"}}
		}
		intents[i] = driver.Intent{
			Key: driver.Key{SKU: strings.ToUpper(key)}, Content: content,
			Price: &driver.Money{Minor: int64(100 + i), Currency: "USD"}, Stock: &driver.StockWrite{Quantity: int64(i)},
		}
	}
	return intents
}

// verified checks that each of the intents is answered as stored, and stored.
func verified(t *testing.T, ctx context.Context, c *connection, intents []driver.Intent, outcomes []driver.Outcome, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.ReadListings(ctx, keysOf(intents))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]driver.Listing{}
	for _, l := range found {
		if _, twice := shown[l.SKU]; twice {
			t.Errorf("%s was made twice", l.SKU)
		}
		shown[l.SKU] = l
	}
	for i, intent := range intents {
		if outcomes[i].Kind != driver.Verified {
			t.Errorf("%s: %+v, want Verified", intent.SKU, outcomes[i])
		} else if got := verdict(intent, shown[intent.SKU]); got.Kind != driver.Verified {
			t.Errorf("%s was told as made and shows %+v: %+v", intent.SKU, shown[intent.SKU], got)
		}
	}
}

func keysOf(intents []driver.Intent) []driver.Key {
	keys := make([]driver.Key, len(intents))
	for i, intent := range intents {
		keys[i] = driver.Key{SKU: intent.SKU}
	}
	return keys
}

// What a creation of many listings costs, and who pays where the shop refuses
// one. PostgreSQL, for it refuses what sql.js would store.
func TestVendureServerCreatesManyAtOnce(t *testing.T) {
	t.Parallel()
	v := testshops.StartVendure(t, shops.VendureOptions{Catalogue: shops.Empty, Postgres: testshops.StartPostgres(t)})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)

	// A fill must not pay again for each product when changes are asked for; a
	// merchant's change of such a product is one. First of all, while the shop has
	// no changes of others.
	t.Run("TheFeedOfChangesReadsNotWhatWasMadeHereButWhatWasChangedSince", func(t *testing.T) {
		c, n := openReal(t, v, nil)
		page, err := c.ReadChanges(ctx, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		poll := func() (requests int, titles map[string]string) {
			before := n.others
			titles = map[string]string{}
			for more := true; more; more = page.More {
				if page, err = c.ReadChanges(ctx, page.Next, 100); err != nil {
					t.Fatal(err)
				}
				for _, l := range page.Listings {
					titles[l.SKU] = l.Content.Product.Title
				}
			}
			return n.others - before, titles
		}
		poll()
		intents := fill("feed", createBatch, true)
		outcomes, err := c.CreateListings(ctx, intents)
		verified(t, ctx, c, intents, outcomes, err)
		requests, titles := poll()
		for _, intent := range intents {
			if titles[intent.SKU] != intent.Content.Product.Title {
				t.Errorf("%s shows %q in the feed, want %q", intent.SKU, titles[intent.SKU], intent.Content.Product.Title)
			}
		}
		if requests != 1 {
			t.Errorf("the poll took %d requests, want one", requests)
		}
		_, productID := splitRef(outcomes[7].Stored.Ref)
		var done struct{}
		err = c.api.do(ctx, operation{what: "test", write: true, query: updateProductsMutation, variables: map[string]any{"input": []any{map[string]any{
			"id": productID, "translations": []any{map[string]any{"languageCode": "en", "name": "Renamed by hand"}},
		}}}}, &done)
		if err != nil {
			t.Fatal(err)
		}
		if _, titles := poll(); titles[intents[7].SKU] != "Renamed by hand" {
			t.Errorf("%s shows %q in the feed, want the new name", intents[7].SKU, titles[intents[7].SKU])
		}
	})

	t.Run("ABatchTakesARequestForEachStepAndNotForEachListing", func(t *testing.T) {
		c, n := openReal(t, v, nil)
		if _, err := c.ReadPage(ctx, "", 1); err != nil {
			t.Fatal(err)
		}
		for options, want := range map[bool]int{false: 3, true: 4} {
			before := n.others
			intents := fill(fmt.Sprintf("few-%v", options), createBatch, options)
			outcomes, err := c.CreateListings(ctx, intents)
			if got := n.others - before; got != want {
				t.Errorf("%d products, with options %v: %d requests, want %d", len(intents), options, got, want)
			}
			verified(t, ctx, c, intents, outcomes, err)
		}
	})

	const unstorable = "PostgreSQL stores no \x00"
	for name, spoil := range map[string]func(*driver.Content){
		"AProductThatTheShopCannotStoreHarmsNoOther": func(c *driver.Content) { c.Product.Title = unstorable },
		"AnOptionThatTheShopCannotStoreHarmsNoOther": func(c *driver.Content) { c.Options[1].Value = unstorable },
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := openReal(t, v, nil)
			intents := fill(strings.ToLower(name[2:9]), 7, true)
			spoil(intents[3].Content)
			outcomes, err := c.CreateListings(ctx, intents)
			if err != nil {
				t.Fatal(err)
			}
			if kind := outcomes[3].Kind; kind != driver.Failed && kind != driver.Rejected {
				t.Errorf("the one to blame: %+v, want Failed or Rejected", outcomes[3])
			}
			verified(t, ctx, c, append(intents[:3:3], intents[4:]...), append(outcomes[:3:3], outcomes[4:]...), nil)
		})
	}

	t.Run("AnOptionThatTheShopCannotStoreHarmsNoSibling", func(t *testing.T) {
		c, _ := openReal(t, v, nil)
		intents := fill("sibling", 4, true)
		for i := range intents {
			intents[i].Content.Product.Key, intents[i].Content.Product.Title = "siblings", "Siblings"
			intents[i].Content.Options[0].Value = fmt.Sprint(i)
		}
		intents[1].Content.Options[0].Value = unstorable
		outcomes, err := c.CreateListings(ctx, intents)
		if err != nil {
			t.Fatal(err)
		}
		if kind := outcomes[1].Kind; kind != driver.Failed && kind != driver.Rejected {
			t.Errorf("the one to blame: %+v, want Failed or Rejected", outcomes[1])
		}
		verified(t, ctx, c, append(intents[:1:1], intents[2:]...), append(outcomes[:1:1], outcomes[2:]...), nil)
	})

	t.Run("AVariantThatTheShopRefusesHarmsNoOther", func(t *testing.T) {
		c, _ := openReal(t, v, nil)
		intents := fill("refused", 9, true)
		// The same options of the same product as another.
		intents[5].Content.Product = intents[4].Content.Product
		outcomes, err := c.CreateListings(ctx, intents)
		if err != nil {
			t.Fatal(err)
		}
		if outcomes[5].Kind != driver.Rejected {
			t.Errorf("the one to blame: %+v, want Rejected", outcomes[5])
		}
		verified(t, ctx, c, append(intents[:5:5], intents[6:]...), append(outcomes[:5:5], outcomes[6:]...), nil)
	})

	// The shop does not say which variant it cannot store: whoever calls halves.
	t.Run("ABatchThatTheShopCannotStoreIsOneError", func(t *testing.T) {
		c, _ := openReal(t, v, nil)
		intents := fill("halved", 4, false)
		intents[2].Content.Title = unstorable
		if _, err := c.CreateListings(ctx, intents); err == nil || driver.ClassOf(err) != driver.ClassTransient {
			t.Errorf("got %v, want class Transient", err)
		}
		rest := append(intents[:2:2], intents[3])
		outcomes, err := c.CreateListings(ctx, rest)
		verified(t, ctx, c, rest, outcomes, err)
	})

	t.Run("ASKUNamedTwiceIsMadeOnceAndOneThatExistsIsUpdated", func(t *testing.T) {
		c, _ := openReal(t, v, nil)
		intents := fill("again", 3, true)
		outcomes, err := c.CreateListings(ctx, intents[:1])
		verified(t, ctx, c, intents[:1], outcomes, err)
		again := intents[1]
		again.Price = &driver.Money{Minor: 999, Currency: "USD"}
		intents[0].Stock = &driver.StockWrite{Quantity: 77}
		outcomes, err = c.CreateListings(ctx, append(intents, again))
		if err != nil {
			t.Fatal(err)
		}
		verified(t, ctx, c, []driver.Intent{intents[0], again, intents[2]}, []driver.Outcome{outcomes[0], outcomes[3], outcomes[2]}, nil)
	})

	t.Run("ASlugThatIsTakenMeanwhileIsToldAndNothingIsLeft", func(t *testing.T) {
		root, _ := openReal(t, v, nil)
		c, n := openReal(t, v, nil)
		intents := fill("taken", 3, true)
		rival := intents[1]
		rival.SKU = "RIVAL"
		n.beforeCreate = func() {
			outcomes, err := root.CreateListings(ctx, []driver.Intent{rival})
			verified(t, ctx, root, []driver.Intent{rival}, outcomes, err)
		}
		outcomes, err := c.CreateListings(ctx, intents)
		if err != nil {
			t.Fatal(err)
		}
		if outcomes[1].Kind != driver.Rejected || outcomes[1].Reason != "SlugTaken" {
			t.Errorf("got %+v, want SlugTaken", outcomes[1])
		}
		verified(t, ctx, c, []driver.Intent{intents[0], intents[2]}, []driver.Outcome{outcomes[0], outcomes[2]}, nil)
		var data struct {
			Products struct {
				Items []struct {
					Slug string `json:"slug"`
				} `json:"items"`
			} `json:"products"`
		}
		err = c.api.do(ctx, operation{what: "test", query: `query { products(options: {filter: {slug: {contains: "taken"}}, sort: {slug: ASC}}) { items { slug } } }`}, &data)
		if err != nil || fmt.Sprint(data.Products.Items) != "[{taken-000} {taken-001} {taken-002}]" {
			t.Errorf("the shop has the products %v, %v", data.Products.Items, err)
		}
	})
}
