package woocommerce

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selaras.dev/selaras/connectors/driver"
	sim "selaras.dev/selaras/test/simulators/woocommerce"
)

// What the suite, which knows no shop, cannot ask of WooCommerce.

// world is a simulated shop, and a connection to it.
type world struct {
	*connection
	shop   *sim.Shop
	server *httptest.Server
	key    sim.Key

	mu sync.Mutex
	// before is called with each request before it is sent.
	before func(*http.Request)
}

func open(t *testing.T, options sim.Options, change ...func(*driver.Settings)) *world {
	t.Helper()
	w := &world{shop: sim.New(options)}
	w.server = httptest.NewServer(w.shop)
	t.Cleanup(func() {
		w.shop.Thaw()
		w.server.Close()
		w.shop.Close()
	})
	w.key = w.shop.NewKey(true)
	currency := options.Currency
	if currency == "" {
		currency = "EUR"
	}
	w.connection = w.connect(t, append([]func(*driver.Settings){func(s *driver.Settings) { s.Currency = currency }}, change...)...)
	return w
}

func (w *world) connect(t *testing.T, change ...func(*driver.Settings)) *connection {
	t.Helper()
	settings := driver.Settings{
		Endpoint: w.server.URL, Currency: "EUR", HTTP: &http.Client{Transport: w, Timeout: 20 * time.Second},
		Credentials: map[string]string{
			KeyConsumerKey: w.key.ConsumerKey, KeyConsumerSecret: w.key.ConsumerSecret, KeyWebhookSecret: "secret",
		},
	}
	for _, alter := range change {
		alter(&settings)
	}
	c, err := New().Open(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*connection)
}

// RoundTrip implements http.RoundTripper.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	before := w.before
	w.mu.Unlock()
	if before != nil {
		before(r)
	}
	return w.server.Client().Transport.RoundTrip(r)
}

func (w *world) onRequest(before func(*http.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = before
}

// onWrite calls do once, before the next request that may write.
func (w *world) onWrite(do func()) {
	w.onRequest(func(r *http.Request) {
		if r.Method != http.MethodGet {
			w.onRequest(nil)
			do()
		}
	})
}

func (w *world) one(t *testing.T, sku string) driver.Listing {
	t.Helper()
	found, err := w.ReadListings(t.Context(), []driver.Key{{SKU: sku}})
	if err != nil || len(found) != 1 {
		t.Fatalf("reading %s: %v, %v; want one listing", sku, found, err)
	}
	return found[0]
}

func (w *world) put(t *testing.T, intents ...driver.Intent) []driver.Outcome {
	t.Helper()
	outcomes, err := w.WriteIntents(t.Context(), intents)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

func priced(sku string, minor int64) driver.Intent {
	return driver.Intent{Key: driver.Key{SKU: sku}, Price: &driver.Money{Minor: minor, Currency: "EUR"}}
}

func stocked(sku string, quantity int64) driver.Intent {
	return driver.Intent{Key: driver.Key{SKU: sku}, Stock: &driver.StockWrite{Quantity: quantity}}
}

func (w *world) addShirt(skus ...string) {
	var items []sim.Item
	for _, sku := range skus {
		_, size, _ := strings.Cut(sku, "-")
		items = append(items, sim.Item{SKU: sku, Price: "20.00", Stock: 40, Option: size})
	}
	w.shop.AddVariable("Shirt", "SHIRT", items...)
}

func kinds(outcomes []driver.Outcome) string {
	var all []string
	for _, o := range outcomes {
		all = append(all, string(o.Kind)+" "+o.Reason)
	}
	return strings.Join(all, ", ")
}

// Over plain HTTP anybody can read along: neither the secret nor the key's
// password is in a request. Over TLS the key goes along as user and password.
func TestPlainHTTPIsSignedAndTLSIsNot(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	w.onRequest(func(r *http.Request) {
		text, err := httputil.DumpRequestOut(r, false)
		if err != nil {
			t.Error(err)
		}
		for _, secret := range []string{w.key.ConsumerSecret, base64.StdEncoding.EncodeToString([]byte(w.key.ConsumerKey + ":" + w.key.ConsumerSecret))} {
			if strings.Contains(string(text), secret) {
				t.Errorf("a request over plain HTTP holds the secret:\n%s", text)
			}
		}
		if !strings.HasPrefix(r.Header.Get("Authorization"), "OAuth ") || r.URL.Query().Has("oauth_signature") {
			t.Errorf("the request is not signed in its header: %s", text)
		}
	})
	if _, err := w.Account(t.Context()); err != nil {
		t.Error(err)
	}
	if o := w.put(t, priced("A", 250)); o[0].Kind != driver.Accepted {
		t.Errorf("a signed write: %+v", o)
	}

	secure := httptest.NewTLSServer(w.shop)
	defer secure.Close()
	c := w.connect(t, func(s *driver.Settings) { s.Endpoint, s.HTTP = secure.URL, secure.Client() })
	if _, err := c.Account(t.Context()); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	if found, err := c.ReadListings(t.Context(), []driver.Key{{SKU: "A"}}); err != nil || len(found) != 1 || found[0].Price.Minor != 250 {
		t.Errorf("over TLS: %v, %v; want A at 2.50", found, err)
	}
}

func TestAKeyThatMayOnlyReadIsUnauthorizedToWrite(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	w.key = w.shop.NewKey(false)
	c := w.connect(t)
	if _, err := c.Account(t.Context()); err != nil {
		t.Error(err)
	}
	_, err := c.WriteIntents(t.Context(), []driver.Intent{priced("A", 250)})
	if driver.ClassOf(err) != driver.ClassUnauthorized || !strings.Contains(err.Error(), "write permission") {
		t.Errorf("got %v, want Unauthorized with the shop's words", err)
	}
}

func TestTheAccountIsTheShopsOwn(t *testing.T) {
	t.Parallel()
	a, b := open(t, sim.Options{}), open(t, sim.Options{})
	first, err := a.Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other, err := b.Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The same shop by another address.
	second := httptest.NewServer(a.shop)
	defer second.Close()
	moved, err := a.connect(t, func(s *driver.Settings) { s.Endpoint = second.URL + "/wp-json/wc/v3/" }).Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.Shop == "" || first.Shop == other.Shop || first.ID == other.ID {
		t.Errorf("two shops are %+v and %+v", first, other)
	}
	if moved.Shop != first.Shop || moved.ID == first.ID || first.Currency != "EUR" {
		t.Errorf("one shop is %+v, and by another address %+v", first, moved)
	}
	if n := a.shop.Lookups(); n != 0 {
		t.Errorf("the shop was made to look for other sites %d times", n)
	}
}

func TestAnotherCurrencyIsToldAtOnce(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{Currency: "IDR"}, func(s *driver.Settings) { s.Currency = "EUR" })
	_, err := w.ReadPage(t.Context(), "", 10)
	if driver.ClassOf(err) != driver.ClassInvalid || !hasReason(err, "CurrencyNotAvailable") {
		t.Errorf("got %v, want Invalid (CurrencyNotAvailable)", err)
	}
}

func TestPricesKeepTheDecimalsOfTheirCurrency(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		currency string
		decimals int
		stored   map[int64]string // empty for refused
	}{
		{"EUR", 2, map[int64]string{0: "0.00", 1: "0.01", 1990: "19.90", 100000000: "1000000.00"}},
		{"JPY", 0, map[int64]string{0: "0", 1: "1", 1990: "1990", 100000000: "100000000"}},
		{"BHD", 3, map[int64]string{1: "0.001", 1990: "1.990", 1234567: "1234.567"}},
		{"BHD", 2, map[int64]string{1: "", 1990: "1.990", 1234567: ""}},
		{"EUR", 0, map[int64]string{1990: "", 2000: "20.00"}},
	} {
		w := open(t, sim.Options{Currency: c.currency, Decimals: c.decimals})
		w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "77", Stock: 1})
		for minor, want := range c.stored {
			price := driver.Money{Minor: minor, Currency: c.currency}
			before, _ := w.shop.Show("A")
			o := w.put(t, driver.Intent{Key: driver.Key{SKU: "A"}, Price: &price})[0]
			got, err := w.shop.Show("A")
			if err != nil {
				t.Fatal(err)
			}
			if want == "" && (o.Kind != driver.Rejected || o.Reason != reasonInvalidPrice || got.Price != before.Price) {
				t.Errorf("%s in a shop of %d decimals: %+v, stored %s; want a refusal", price, c.decimals, o, got.Price)
			}
			if want != "" && (got.Price != want || *w.one(t, "A").Price != price) {
				t.Errorf("%s in a shop of %d decimals is stored as %q, want %q", price, c.decimals, got.Price, want)
			}
		}
	}
}

// A product may have more variations than a page holds listings.
func TestAProductOfManyVariationsIsReadInParts(t *testing.T) {
	t.Parallel()
	for _, options := range []sim.Options{{}, {Before103: true}} {
		w := open(t, options)
		var skus []string
		for n := range 130 {
			skus = append(skus, fmt.Sprintf("SHIRT-%03d", n))
		}
		w.shop.AddProduct(sim.Item{SKU: "FIRST", Name: "First", Price: "1.00", Stock: 1})
		w.addShirt(skus...)
		w.shop.AddProduct(sim.Item{SKU: "LAST", Name: "Last", Price: "1.00", Stock: 1})
		for _, limit := range []int{1, 7, 99} {
			var read []string
			for cursor := driver.Cursor(""); ; {
				page, err := w.ReadPage(t.Context(), cursor, limit)
				if err != nil {
					t.Fatal(err)
				}
				if len(page.Listings) > limit {
					t.Fatalf("a page of %d listings, want at most %d", len(page.Listings), limit)
				}
				for _, l := range page.Listings {
					read = append(read, l.SKU)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			if want := slices.Concat([]string{"FIRST"}, skus, []string{"LAST"}); !slices.Equal(read, want) {
				t.Errorf("before 10.3 %v, pages of %d: got %d listings %v, want %d", options.Before103, limit, len(read), read, len(want))
			}
		}
	}
}

// What is in lists of products and is no listing: groups, goods of others, and
// products of variations themselves.
func TestOnlyWhatIsSoldIsAListing(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	for _, kind := range []string{"grouped", "external", "bundle"} {
		w.shop.AddProduct(sim.Item{SKU: kind, Name: kind, Price: "1.00", Stock: 1})
		if err := w.shop.Change(kind, func(f *sim.Fields) { f.Type = kind }); err != nil {
			t.Fatal(err)
		}
	}
	w.addShirt("SHIRT-S", "SHIRT-M")
	page, err := w.ReadPage(t.Context(), "", 99)
	if err != nil {
		t.Fatal(err)
	}
	var skus []string
	for _, l := range page.Listings {
		skus = append(skus, l.SKU)
	}
	if want := []string{"bundle", "SHIRT-S", "SHIRT-M"}; !slices.Equal(skus, want) {
		t.Errorf("got %v, want %v", skus, want)
	}
	if found, err := w.ReadListings(t.Context(), []driver.Key{{SKU: "SHIRT"}, {SKU: "grouped"}, {SKU: "shirt-s"}}); err != nil || len(found) != 0 {
		t.Errorf("by SKU: %v, %v; want none", found, err)
	}
	// A SKU with a comma is one SKU.
	w.shop.AddProduct(sim.Item{SKU: "A,B", Name: "A, B", Price: "1.00", Stock: 1})
	w.one(t, "A,B")
}

func TestStockOfItsOwnIsTheOnlyStock(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.addShirt("SHIRT-S", "SHIRT-M")
	w.shop.AddProduct(sim.Item{SKU: "SERVICE", Name: "Service", Price: "1.00", Stock: 1})
	for sku, change := range map[string]func(*sim.Fields){
		"SHIRT-S": func(f *sim.Fields) { f.ManageStock = false },
		"SERVICE": func(f *sim.Fields) { f.ManageStock = false },
	} {
		if err := w.shop.Change(sku, change); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.shop.ChangeParent("SHIRT-S", func(f *sim.Fields) { f.ManageStock, f.Stock = true, 9 }); err != nil {
		t.Fatal(err)
	}
	outcomes := w.put(t, stocked("SHIRT-S", 3), stocked("SHIRT-M", 3), stocked("SERVICE", 3))
	if got, want := kinds(outcomes), "Rejected StockNotTracked, Accepted , Rejected StockNotTracked"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for sku, want := range map[string]*driver.Stock{"SHIRT-S": nil, "SHIRT-M": {OnHand: 3, Available: 3}, "SERVICE": nil} {
		if got := w.one(t, sku).Stock; !cmp.Equal(got, want) {
			t.Errorf("%s: stock %+v, want %+v", sku, got, want)
		}
	}
}

// The figures of docs/channels/woocommerce.md.
func TestAFullReadingTakesFewRequests(t *testing.T) {
	t.Parallel()
	for before103, want := range map[bool]int{false: 33, true: 273} {
		w := open(t, sim.Options{Before103: before103})
		for n := range 1000 {
			w.shop.AddProduct(sim.Item{SKU: fmt.Sprint("A", n), Name: "A", Price: "1.00", Stock: 1})
		}
		for n := range 250 {
			var items []sim.Item
			for _, size := range []string{"S", "M", "L", "XL"} {
				items = append(items, sim.Item{SKU: fmt.Sprint("B", n, size), Price: "1.00", Stock: 1, Option: size})
			}
			w.shop.AddVariable("B", fmt.Sprint("B", n), items...)
		}
		var mu sync.Mutex
		requests, read := 0, 0
		w.onRequest(func(*http.Request) {
			mu.Lock()
			defer mu.Unlock()
			requests++
		})
		for cursor := driver.Cursor(""); ; {
			page, err := w.ReadPage(t.Context(), cursor, pageSize)
			if err != nil {
				t.Fatal(err)
			}
			read += len(page.Listings)
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if read != 2000 || requests != want {
			t.Errorf("before 10.3 %v: %d listings by %d requests, want 2000 by %d", before103, read, requests, want)
		}
	}
}
