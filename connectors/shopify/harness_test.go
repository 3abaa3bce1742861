package shopify_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/shopify"
	sim "selaras.dev/selaras/test/simulators/shopify"
)

// connection is one that implements everything.
type connection interface {
	driver.Connection
	driver.ListingReader
	driver.ListingGetter
	driver.ChangeReader
	driver.IntentWriter
	driver.ListingCreator
	driver.ListingRemover
	driver.OrderReader
	driver.WebhookReceiver
}

// open opens a connection; change alters the settings before.
func (s *testShop) open(t *testing.T, change ...func(*driver.Settings)) connection {
	t.Helper()
	settings := driver.Settings{
		Endpoint: s.url, Currency: "USD", Credentials: s.credentials,
		HTTP: &http.Client{Timeout: 20 * time.Second}, Log: slog.New(slog.DiscardHandler),
	}
	for _, alter := range change {
		alter(&settings)
	}
	c, err := shopify.New().Open(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(connection)
}

func configured(config string) func(*driver.Settings) {
	return func(s *driver.Settings) { s.Config = []byte(config) }
}

// late makes a write whose caller gives up once it was sent, and which the shop
// keeps until it is told to land.
func (s *testShop) late(t *testing.T, c connection, intent driver.Intent) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.Fault(func(r sim.Request) sim.Fault { return sim.Fault{Late: r.Operation == "SetQuantities"} })
	s.Before("SetQuantities", cancel)
	_, err := c.WriteIntents(ctx, []driver.Intent{intent})
	_ = failure(t, err, driver.ClassUnknown)
	soon(t, "the late write", func() bool { return s.Waiting() == 1 }, func() any { return s.Waiting() })
	s.Fault(nil)
}

// soon waits for a condition.
func soon(t *testing.T, what string, condition func() bool, seen func() any) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come true in 20s: %v", what, seen())
		}
		timer := time.NewTimer(10 * time.Millisecond)
		<-timer.C
	}
}

// stockShop is a shop with one product for each SKU, 10 units each.
func stockShop(t *testing.T, o sim.Options, skus ...string) *testShop {
	t.Helper()
	shop := startShop(t, o)
	for _, sku := range skus {
		shop.Add(sim.NewProduct{SKU: sku, Handle: "product-" + sku, Title: "Item " + sku, Price: "10.00", Available: 10})
	}
	if err := shop.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return shop
}

// set is an intent that sets a quantity from what was read.
func set(sku string, to, from int64) driver.Intent {
	return driver.Intent{Key: driver.Key{SKU: sku}, Version: driver.Version{Epoch: 1, Sequence: 1}, Stock: &driver.StockWrite{Quantity: to, Previous: &from}}
}

func price(sku string, minor int64) driver.Intent {
	return driver.Intent{Key: driver.Key{SKU: sku}, Price: &driver.Money{Minor: minor, Currency: "USD"}}
}

// written are the outcomes of a write that must not fail as a whole.
func written(t *testing.T, c connection, intents ...driver.Intent) []driver.Outcome {
	t.Helper()
	outcomes, err := c.WriteIntents(t.Context(), intents)
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != len(intents) {
		t.Fatalf("%d outcomes for %d intents", len(outcomes), len(intents))
	}
	return outcomes
}

// is checks what became of items, as kind and reason.
func is(t *testing.T, got []driver.Outcome, want ...string) {
	t.Helper()
	all := make([]string, len(got))
	for i, o := range got {
		all[i] = string(o.Kind)
		if o.Reason != "" {
			all[i] += " " + o.Reason
		}
	}
	if !slices.Equal(all, want) {
		t.Errorf("got %q, want %q: %+v", all, want, got)
	}
}

// has checks what is available of each SKU.
func (s *testShop) has(t *testing.T, want map[string]int64) {
	t.Helper()
	for sku, units := range want {
		if shown, err := s.Show(sku); err != nil || shown.Available != units {
			t.Errorf("%s: %+v (%v), want %d available", sku, shown, err, units)
		}
	}
}

// sent are the variables of the requests of an operation.
func (s *testShop) sent(operation string) []map[string]any {
	var all []map[string]any
	for _, r := range s.Requests() {
		if r.Operation == operation {
			all = append(all, r.Variables)
		}
	}
	return all
}

func read(t *testing.T, c connection, keys ...driver.Key) []driver.Listing {
	t.Helper()
	found, err := c.ReadListings(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func one(t *testing.T, c connection, sku string) driver.Listing {
	t.Helper()
	found := read(t, c, driver.Key{SKU: sku})
	if len(found) != 1 {
		t.Fatalf("%d listings of %s, want 1", len(found), sku)
	}
	return found[0]
}

// failure checks that an error is of a class, and returns it.
func failure(t *testing.T, err error, class driver.Class) *driver.Error {
	t.Helper()
	e, ok := err.(*driver.Error) //nolint:errorlint // drivers return it bare
	if !ok || e.Class != class {
		t.Fatalf("got %v, want an error of class %s", err, class)
	}
	return e
}

// inbox takes deliveries.
type inbox struct {
	mu  sync.Mutex
	all []driver.Delivery
}

func (b *inbox) open(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			http.Error(w, "cannot read", http.StatusBadRequest)
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.all = append(b.all, driver.Delivery{Header: r.Header.Clone(), Body: body})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (b *inbox) list() []driver.Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}
