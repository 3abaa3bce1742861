package conformance

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selaras.dev/selaras/connectors/driver"
)

func (s *suite) writeCases() []testCase {
	content, price, stock := s.has(driver.CanWriteContent), s.has(driver.CanWritePrice), s.has(driver.CanWriteStock)
	return []testCase{
		{"AWriteIsReadBack", []needs{content, price, stock}, writeIsReadBack},
		{"FieldsThatAreNotSetAreLeftAlone", []needs{price, stock}, unsetFieldsStay},
		{"TheSameWriteAgainChangesNothing", []needs{price, stock}, sameWriteAgain},
		{"WhatAWriteAnswersIsWhatIsStored", []needs{price, stock, {"WriteReturnsStored", s.description.Traits.WriteReturnsStored}}, answersAreStored},
		{"APoisonItemIsFoundAndTheOthersAreWritten", []needs{price}, poisonItem},
		{"AnUnknownSKUIsRejectedAlone", []needs{price}, unknownSKU},
		{"ParallelWritesOnDisjointListingsSucceed", []needs{price, stock}, parallelWrites},
		{"AListingThatWasMadeAnewIsFoundBySKU", []needs{price}, madeAnew},
	}
}

func (s *suite) stockWrite(units int64, l driver.Listing) *driver.StockWrite {
	w := &driver.StockWrite{Quantity: units}
	if l.Stock != nil {
		w.Previous = &l.Stock.OnHand
	}
	return w
}

func writeIsReadBack(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "WRITE")
	c := s.open(t)
	l := c.listing(t, ctx, sku)
	want := l.Content
	want.Title, want.Product.Title, want.Product.Description = "Neuer Titel 新", "Produkt „neu“", "<p>Text &amp; 🧦</p>"
	price := s.money(4242)
	outcomes, err := c.write(ctx, driver.Intent{Key: driver.Key{SKU: sku, Ref: l.Ref}, Content: &want, Price: &price, Stock: s.stockWrite(7, l)})
	if err != nil {
		t.Fatal(err)
	}
	c.taken(t, outcomes[0])
	got := c.listing(t, ctx, sku)
	if diff := cmp.Diff(want, got.Content); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	if got.Price == nil || *got.Price != price || got.Stock == nil || got.Stock.OnHand != 7 {
		t.Errorf("price %v, stock %+v; want %v and 7", got.Price, got.Stock, price)
	}
	shown, err := s.shop.Show(ctx, sku)
	if err != nil {
		t.Fatal(err)
	}
	if shown.Title != want.Title || shown.OnHand != 7 || shown.Prices[price.Currency] != price.Minor || !shown.Enabled {
		t.Errorf("the shop stores %+v", shown)
	}
	for _, enabled := range []bool{false, true} {
		want.Enabled = enabled
		outcomes, err := c.write(ctx, driver.Intent{Key: driver.Key{SKU: sku, Ref: l.Ref}, Content: &want})
		if err != nil {
			t.Fatal(err)
		}
		c.taken(t, outcomes[0])
		if got := c.listing(t, ctx, sku); got.Content.Enabled != enabled {
			t.Errorf("enabled is %v, want %v", got.Content.Enabled, enabled)
		}
	}
	c.onlyUnder(t, driver.OpWrite, driver.OpRead, driver.OpAccount)
}

func unsetFieldsStay(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "PART")
	c := s.open(t)
	before := c.listing(t, ctx, sku)
	price := s.money(333)
	for _, intent := range []driver.Intent{
		{Key: driver.Key{SKU: sku}, Price: &price},
		{Key: driver.Key{SKU: sku}, Stock: s.stockWrite(3, before)},
	} {
		outcomes, err := c.write(ctx, intent)
		if err != nil {
			t.Fatal(err)
		}
		c.taken(t, outcomes[0])
	}
	after := c.listing(t, ctx, sku)
	if diff := cmp.Diff(before.Content, after.Content); diff != "" {
		t.Errorf("content changed (-before +after):\n%s", diff)
	}
	if *after.Price != price || after.Stock.OnHand != 3 {
		t.Errorf("price %v and stock %+v, want %v and 3", after.Price, after.Stock, price)
	}
}

func sameWriteAgain(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "SAME")
	c := s.open(t)
	price := s.money(888)
	l := c.listing(t, ctx, sku)
	intent := driver.Intent{Key: driver.Key{SKU: sku, Ref: l.Ref}, Price: &price, Stock: s.stockWrite(8, l)}
	for range 3 {
		outcomes, err := c.write(ctx, intent)
		if err != nil {
			t.Fatal(err)
		}
		c.taken(t, outcomes[0])
		l = c.listing(t, ctx, sku)
		if *l.Price != price || l.Stock.OnHand != 8 {
			t.Fatalf("price %v and stock %+v, want %v and 8", l.Price, l.Stock, price)
		}
		intent.Stock = s.stockWrite(8, l)
	}
}

// The proof behind Traits.WriteReturnsStored: under writes in parallel, every
// answer is compared with what the shop shows by another way.
func answersAreStored(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	const writers, rounds, each = 4, 5, 5
	skus := make([][]string, writers)
	for w := range skus {
		for range each {
			skus[w] = append(skus[w], s.add(t, ctx, "STORED"))
		}
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for round := range rounds {
				var intents []driver.Intent
				for n, sku := range skus[w] {
					price := s.money(int64(1 + w + 10*round + 100*n))
					intents = append(intents, driver.Intent{Key: driver.Key{SKU: sku}, Price: &price, Stock: s.stockWrite(int64(round*7+n), driver.Listing{})})
				}
				outcomes, err := c.write(ctx, intents...)
				if err != nil {
					t.Error(err)
					return
				}
				for n, o := range outcomes {
					shown, err := s.shop.Show(ctx, skus[w][n])
					if err != nil {
						t.Error(err)
						return
					}
					if o.Kind != driver.Verified || o.Stored == nil || o.Stored.Price == nil || o.Stored.Stock == nil {
						t.Errorf("%s: outcome %+v, want Verified with all that is stored", skus[w][n], o)
						return
					}
					if o.Stored.SKU != skus[w][n] || o.Stored.Price.Minor != shown.Prices[o.Stored.Price.Currency] || o.Stored.Stock.OnHand != shown.OnHand || o.Stored.Content.Title != shown.Title {
						t.Errorf("%s: the write answered %+v and the shop stores %+v", skus[w][n], *o.Stored, shown)
					}
				}
			}
		})
	}
	wg.Wait()
}

// One item of the batch is gone from the shop while the connector still knows
// it: the batch fails as a whole, or that item alone.
func poisonItem(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	var intents []driver.Intent
	price := s.money(515)
	poison := 5
	for n := range 8 {
		sku := s.add(t, ctx, "POISON")
		l := c.listing(t, ctx, sku)
		intents = append(intents, driver.Intent{Key: driver.Key{SKU: sku, Ref: l.Ref}, Price: &price})
		if n == poison {
			if err := s.shop.Delete(ctx, sku); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := c.Connection.(driver.IntentWriter).WriteIntents(ctx, intents)
	if err != nil {
		c.failed(t, err, driver.ClassBatchRejected)
		for n, intent := range intents {
			if n == poison {
				continue
			}
			if shown, err := s.shop.Show(ctx, intent.SKU); err != nil || shown.Prices[price.Currency] == price.Minor {
				t.Errorf("BatchRejected says that nothing was applied, and %s was (%+v, %v)", intent.SKU, shown, err)
			}
		}
	}
	outcomes, err := c.write(ctx, intents...)
	if err != nil {
		t.Fatal(err)
	}
	for n, o := range outcomes {
		if n == poison {
			if o.Kind != driver.Rejected || o.Reason == "" || o.Message == "" {
				t.Errorf("the poison item: %+v, want Rejected with reason and message", o)
			}
			continue
		}
		c.taken(t, o)
		if l := c.listing(t, ctx, intents[n].SKU); *l.Price != price {
			t.Errorf("%s costs %v, want %v", l.SKU, l.Price, price)
		}
	}
}

func unknownSKU(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	good, price := s.add(t, ctx, "KNOWN"), s.money(99)
	outcomes, err := c.write(ctx,
		driver.Intent{Key: driver.Key{SKU: s.sku("NOWHERE")}, Price: &price},
		driver.Intent{Key: driver.Key{SKU: good}, Price: &price},
	)
	if err != nil {
		t.Fatal(err)
	}
	if outcomes[0].Kind != driver.Rejected || outcomes[0].Reason == "" {
		t.Errorf("unknown SKU: %+v, want Rejected", outcomes[0])
	}
	c.taken(t, outcomes[1])
	none, err := c.write(ctx)
	if err != nil || len(none) != 0 {
		t.Errorf("no intents: %v, %v", none, err)
	}
}

func parallelWrites(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	all, err := s.shop.SKUs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	batch := s.description.Traits.WriteBatch
	var wg sync.WaitGroup
	for w := range s.description.Traits.Concurrency {
		mine := all[500+w*batch : 500+(w+1)*batch]
		wg.Go(func() {
			for round := range 3 {
				var intents []driver.Intent
				for n := range mine {
					// In another order each time: the driver sorts.
					sku := mine[(n*7+round)%len(mine)]
					price := s.money(int64(1000*w + round))
					intents = append(intents, driver.Intent{Key: driver.Key{SKU: sku}, Price: &price, Stock: s.stockWrite(int64(round), driver.Listing{})})
				}
				outcomes, err := c.Connection.(driver.IntentWriter).WriteIntents(ctx, intents)
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				for n, o := range outcomes {
					if o.Kind != driver.Verified && o.Kind != driver.Accepted {
						t.Errorf("writer %d, %s: %+v", w, intents[n].SKU, o)
					}
				}
			}
		})
	}
	wg.Wait()
}

// A merchant deletes an item and enters it again: the Ref that the connector
// knows leads nowhere, the SKU does.
func madeAnew(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	sku := s.add(t, ctx, "ANEW")
	l := c.listing(t, ctx, sku)
	if err := s.shop.Delete(ctx, sku); err != nil {
		t.Fatal(err)
	}
	s.addItem(t, ctx, Item{SKU: sku, Title: "Again", Price: s.money(1), OnHand: 1})
	price := s.money(1212)
	outcomes, err := c.write(ctx, driver.Intent{Key: driver.Key{SKU: sku, Ref: l.Ref}, Price: &price})
	if err != nil {
		t.Fatal(err)
	}
	c.taken(t, outcomes[0])
	if got := c.listing(t, ctx, sku); *got.Price != price {
		t.Errorf("got %v, want %v", got.Price, price)
	}
}

// levels are what the stock and order cases compare.
type levels struct{ OnHand, Reserved, Available int64 }

func (c *client) levels(t testing.TB, ctx context.Context, sku string) levels {
	t.Helper()
	l := c.listing(t, ctx, sku)
	if l.Stock == nil {
		t.Fatalf("%s has no stock", sku)
	}
	return levels{l.Stock.OnHand, l.Stock.Reserved, l.Stock.Available}
}

func (l levels) String() string {
	return fmt.Sprintf("%d on hand, %d reserved, %d available", l.OnHand, l.Reserved, l.Available)
}
