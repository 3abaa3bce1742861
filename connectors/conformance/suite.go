package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// Run checks every promise of the contract against the shop, one subtest for
// each. Cases that need what the shop cannot do are listed as not applicable.
func Run(t *testing.T, shop Shop) {
	t.Helper()
	s := &suite{shop: shop, description: shop.Driver.Describe()}
	if s.description.Traits.RequestTimeout == 0 {
		s.description.Traits.RequestTimeout = 30 * time.Second
	}
	var inapplicable []string
	for _, c := range s.cases() {
		missing := ""
		for _, n := range c.needs {
			if !n.have {
				missing = n.what
			}
		}
		if missing != "" {
			inapplicable = append(inapplicable, fmt.Sprintf("not applicable: %s (the shop or its driver has no %s)", c.name, missing))
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
	if len(inapplicable) > 0 {
		t.Log("\n" + strings.Join(inapplicable, "\n"))
	}
}

type suite struct {
	shop        Shop
	description driver.Description

	mu   sync.Mutex
	next int
}

func (s *suite) cases() []testCase {
	var all []testCase
	for _, some := range [][]testCase{
		s.readCases(), s.changeCases(), s.writeCases(), s.stockCases(), s.moneyCases(),
		s.createCases(), s.orderCases(), s.webhookCases(), s.accountCases(), s.faultCases(),
	} {
		for _, c := range some {
			// They look at the result through the driver.
			c.needs = append(c.needs, s.has(driver.CanGetListings))
			all = append(all, c)
		}
	}
	return append(append(s.descriptionCases(), s.pagingCases()...), append(all, s.addressCases()...)...)
}

func (s *suite) has(c driver.Capability) needs {
	for _, have := range s.description.Capabilities {
		if have == c {
			return needs{string(c), true}
		}
	}
	return needs{string(c), false}
}

// waitLimit bounds the wait for anything the shop does by itself.
const waitLimit = 60 * time.Second

func (s *suite) context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// sku makes a SKU that no other case uses.
func (s *suite) sku(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return fmt.Sprintf("%s-%04d", prefix, s.next)
}

// firstStock is the stock of a listing that add makes.
const firstStock = 40

// add makes a listing and returns its SKU.
func (s *suite) add(t testing.TB, ctx context.Context, prefix string) string {
	t.Helper()
	sku := s.sku(prefix)
	s.addItem(t, ctx, Item{SKU: sku, Title: "Item " + sku, Price: s.money(1999), OnHand: firstStock})
	return sku
}

func (s *suite) addItem(t testing.TB, ctx context.Context, item Item) {
	t.Helper()
	if err := s.shop.Add(ctx, item); err != nil {
		t.Fatalf("adding %s to the shop: %v", item.SKU, err)
	}
}

func (s *suite) money(minor int64) driver.Money {
	return driver.Money{Minor: minor, Currency: s.shop.Settings.Currency}
}

// transport watches what a driver sends.
type transport struct {
	mu         sync.Mutex
	operations map[driver.Operation]int
	requests   int
	// failFrom is the number of the request from which on all fail before they
	// are sent; negative for none.
	failFrom int
	// beforeWrite is called once, before the next request that may write.
	beforeWrite func()
	// patience is how long a request waits for its answer; zero for as long as
	// the client does.
	patience time.Duration
}

var errCut = errors.New("the test cut the connection")

// cutAfter lets that many more requests through.
func (tr *transport) cutAfter(requests int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.failFrom = tr.requests + requests
}

// onWrite calls do before the next request that may write: a driver may have to
// read before it writes, and what is cut off there is no write.
func (tr *transport) onWrite(do func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.beforeWrite = do
}

// waitAtMost bounds the requests from now on.
func (tr *transport) waitAtMost(patience time.Duration) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.patience = patience
}

func (tr *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	tr.mu.Lock()
	tr.requests++
	tr.operations[driver.OperationOf(r.Context())]++
	cut := tr.failFrom >= 0 && tr.requests > tr.failFrom
	var before func()
	if mayWrite(r) {
		before, tr.beforeWrite = tr.beforeWrite, nil
	}
	tr.mu.Unlock()
	if before != nil {
		before()
	}
	if cut {
		return nil, errCut
	}
	tr.mu.Lock()
	patience := tr.patience
	tr.mu.Unlock()
	if patience > 0 {
		ctx, cancel := context.WithCancelCause(r.Context())
		time.AfterFunc(patience, func() { cancel(context.DeadlineExceeded) })
		r = r.WithContext(ctx)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// mayWrite says that the request may change the shop: any but a GET and a query
// of GraphQL, which is a POST that changes nothing.
func mayWrite(r *http.Request) bool {
	if r.Method == http.MethodGet {
		return false
	}
	if r.GetBody == nil {
		return true
	}
	body, err := r.GetBody()
	if err != nil {
		return true
	}
	defer func() { _ = body.Close() }()
	var operation struct {
		Query string `json:"query"`
	}
	if json.NewDecoder(io.LimitReader(body, 1<<20)).Decode(&operation) != nil {
		return true
	}
	return !strings.HasPrefix(strings.TrimSpace(operation.Query), "query")
}

// client is one opened connection and what is known of it.
type client struct {
	driver.Connection
	transport *transport
	s         *suite
	// secrets must not appear in errors.
	secrets []string
}

// open makes a connection; change alters the settings before.
func (s *suite) open(t testing.TB, change ...func(*driver.Settings)) *client {
	t.Helper()
	settings := s.shop.Settings
	tr := &transport{operations: map[driver.Operation]int{}, failFrom: -1}
	settings.HTTP = &http.Client{Transport: tr, Timeout: s.description.Traits.RequestTimeout}
	settings.Log = slog.New(slog.DiscardHandler)
	for _, alter := range change {
		alter(&settings)
	}
	connection, err := s.shop.Driver.Open(s.context(t), settings)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	c := &client{Connection: connection, transport: tr, s: s}
	for _, key := range s.description.Credentials {
		// Names are no secrets.
		if v := settings.Credentials[key.Name]; v != "" && !strings.Contains(strings.ToLower(key.Name), "name") {
			c.secrets = append(c.secrets, v)
		}
	}
	return c
}

func withEndpoint(endpoint string) func(*driver.Settings) {
	return func(s *driver.Settings) { s.Endpoint = endpoint }
}

func withCurrency(code string) func(*driver.Settings) {
	return func(s *driver.Settings) { s.Currency = code }
}

func withCredentials(values map[string]string) func(*driver.Settings) {
	return func(s *driver.Settings) { s.Credentials = values }
}

// failed checks that the error is a driver's error of one of the classes, says
// what was tried, and holds no secret.
func (c *client) failed(t testing.TB, err error, classes ...driver.Class) {
	t.Helper()
	_ = c.failure(t, err, classes...)
}

// failure is failed, and returns the error.
func (c *client) failure(t testing.TB, err error, classes ...driver.Class) *driver.Error {
	t.Helper()
	var e *driver.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *driver.Error of class %v", err, classes)
	}
	for _, secret := range c.secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds a credential: %v", strings.ReplaceAll(err.Error(), secret, "<secret>"))
		}
	}
	if e.Op == "" || e.Reason == "" {
		t.Errorf("the error does not say what was tried and why it failed: %#v", e)
	}
	for _, class := range classes {
		if e.Class == class {
			return e
		}
	}
	t.Fatalf("got class %s (%v), want %v", e.Class, err, classes)
	return nil
}

// eventually polls until the condition holds.
func eventually(t testing.TB, what string, condition func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(waitLimit)
	for {
		ok, state := condition()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come true in %s: %s", what, waitLimit, state)
		}
		timer := time.NewTimer(100 * time.Millisecond)
		<-timer.C
	}
}

// listing reads the one listing of the SKU.
func (c *client) listing(t testing.TB, ctx context.Context, sku string) driver.Listing {
	t.Helper()
	found, err := c.get(ctx, sku)
	if err != nil {
		t.Fatalf("reading %s: %v", sku, err)
	}
	if len(found) != 1 {
		t.Fatalf("reading %s: got %d listings, want 1", sku, len(found))
	}
	return found[0]
}

func (c *client) get(ctx context.Context, skus ...string) ([]driver.Listing, error) {
	keys := make([]driver.Key, len(skus))
	for i, sku := range skus {
		keys[i] = driver.Key{SKU: sku}
	}
	return c.Connection.(driver.ListingGetter).ReadListings(ctx, keys)
}

// write writes intents that must all be taken, bisecting as a connector does.
func (c *client) write(ctx context.Context, intents ...driver.Intent) ([]driver.Outcome, error) {
	outcomes, err := c.Connection.(driver.IntentWriter).WriteIntents(ctx, intents)
	if err != nil && driver.ClassOf(err) == driver.ClassBatchRejected && len(intents) > 1 {
		half := len(intents) / 2
		first, err := c.write(ctx, intents[:half]...)
		if err != nil {
			return nil, err
		}
		second, err := c.write(ctx, intents[half:]...)
		return append(first, second...), err
	}
	if err == nil && len(outcomes) != len(intents) {
		return nil, fmt.Errorf("%d outcomes for %d intents", len(outcomes), len(intents))
	}
	return outcomes, err
}

// done says that the outcome is that of something that was done, as far as this
// driver's answers tell.
func (s *suite) done(o driver.Outcome) bool {
	return o.Kind == driver.Verified || o.Kind == driver.Accepted && !s.description.Traits.WriteReturnsStored
}

// taken checks that the outcome is that of a write that was taken.
func (c *client) taken(t testing.TB, o driver.Outcome) {
	t.Helper()
	switch {
	case o.Kind == driver.Verified && o.Stored == nil && c.s.description.Traits.WriteReturnsStored:
		t.Fatalf("Verified without Stored, although the driver declares WriteReturnsStored")
	case !c.s.done(o):
		t.Fatalf("got outcome %s (%s: %s), want a write that was taken", o.Kind, o.Reason, o.Message)
	}
}
