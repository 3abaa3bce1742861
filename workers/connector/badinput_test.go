package connector

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// answers is a driver whose channel answers what the test says.
type answers struct {
	mu      sync.Mutex
	account error
}

func (a *answers) say(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.account = err
}

func (a *answers) Describe() driver.Description { return driver.Description{Type: "answers"} }

func (a *answers) Open(context.Context, driver.Settings) (driver.Connection, error) { return a, nil }

func (a *answers) Account(context.Context) (driver.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return driver.Account{ID: "the shop"}, a.account
}

func (a *answers) Close() error { return nil }

// newTestLink keeps a link until the test ends; became waits for its health.
func newTestLink(t *testing.T, d driver.Driver, o Options) (l *link, became func(what string, is func(health) bool)) {
	t.Helper()
	o.Logger, o.now = quiet(), time.Now
	l = newLink(d, newBudget(time.Now, newMetrics(prometheus.NewRegistry(), "ns", "shop"), func(context.Context, time.Duration) error { return nil }), &o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = l.keep(ctx) }()
	t.Cleanup(func() { cancel(); <-done; l.close() })
	return l, func(what string, is func(health) bool) {
		t.Helper()
		eventually(t, what, func() bool { h, _ := l.status(); return is(h) })
	}
}

// What only the shop can refuse (a currency it does not sell in, an endpoint
// that is no such shop) is a problem of the spec, which its author is told;
// where it worked before, the same answer is an outage. Both end by
// themselves.
func TestWhatTheShopDoesNotHaveIsTold(t *testing.T) {
	t.Parallel()
	d := &answers{}
	refusal := &driver.Error{Class: driver.ClassInvalid, Op: "read the shop's settings", Reason: "CurrencyNotAvailable", Message: "only EUR"}
	d.say(refusal)
	l, became := newTestLink(t, d, Options{})
	l.configure(&workload.ChannelConfig{Currency: "USD"})
	became("the problem", func(h health) bool {
		return h.problem == "CurrencyNotAvailable" && h.about == "read the shop's settings: only EUR" && !h.connected && h.reason == h.problem
	})
	// Calls that are refused for the same reason do not hide it.
	l.note(t.Context(), refusal)
	if h, _ := l.status(); h.connected || h.problem == "" {
		t.Errorf("after a refused call: %+v", h)
	}
	d.say(nil)
	became("the end of the problem", func(h health) bool { return h.problem == "" && h.connected && h.account.ID == "the shop" })

	l.set(func(h *health) { h.connected = false }) // a call failed: it is asked again
	d.say(refusal)
	became("the outage", func(h health) bool { return !h.connected && h.reason == "CurrencyNotAvailable" && h.problem == "" })
	d.say(nil)
	became("the end of the outage", func(h health) bool { return h.connected })

	d.say(refusal)
	l.configure(&workload.ChannelConfig{Currency: "JPY"})
	became("the problem of the new spec", func(h health) bool { return h.problem == "CurrencyNotAvailable" })
}

// A bundle of certificate authorities that is none is told, under a connection
// that works too, and mending the file is enough.
func TestABrokenCABundleIsToldUntilItIsMended(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ca.crt")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, became := newTestLink(t, &answers{}, Options{CABundleFile: file})
	l.configure(&workload.ChannelConfig{})
	for range 2 {
		became("connected", func(h health) bool { return h.connected && h.problem == "" })
		write("not a certificate")
		became("the problem", func(h health) bool {
			return h.problem == "InvalidTLS" && !h.connected && strings.Contains(h.about, "no PEM certificate")
		})
		write("") // an empty bundle is none
	}
	became("connected", func(h health) bool { return h.connected && h.problem == "" })
}

// Forged deliveries between good ones cannot make the state of the webhooks
// change with each of them (I7).
func TestForgedDeliveriesDoNotMakeTheReportBusy(t *testing.T) {
	t.Parallel()
	begun := time.Unix(1_000_000, 0)
	w, said, changes := webhookHealth{served: true}, "Healthy", 0
	for n := range 600 { // a minute of bad ones of two kinds and good ones in turn
		now := begun.Add(time.Duration(n) * 100 * time.Millisecond)
		switch n % 3 {
		case 0:
			w.refused(now, "forged")
		case 1:
			w.refused(now, "too large")
		default:
			w.took(now)
		}
		if state, message := w.say(now); state+message != said {
			said, changes = state+message, changes+1
		}
	}
	if !strings.HasPrefix(said, "Failing") || changes > 7 {
		t.Errorf("the report says %q after %d changes, want Failing after 7 at most", said, changes)
	}
	w.took(w.lastBad.Add(time.Second))
	if said, _ := w.say(w.lastBad.Add(badFor)); said != "Healthy" {
		t.Errorf("when the forgeries have ended the state is %s", said)
	}
}

// Listings without a SKU, or with one that cannot be, are counted and left
// alone; the others go on.
func TestListingsWithoutASKUAreCountedAndLeftAlone(t *testing.T) {
	t.Parallel()
	w, source, one, _ := three(t)
	for _, sku := range []string{"", strings.Repeat("x", 129), "a\x00b", "A"} {
		source.Add(sku, "Item", eur(100), 10)
	}
	source.start()
	one.start()
	one.shows("A", 100, 10)
	eventually(t, "the count", func() bool { return source.report().UnusableSKUs == 3 })
	if told := w.told(func(f catalog.Fact) bool { return f.ItemObserved != nil && f.ItemObserved.SKU != "A" }); len(told) != 0 {
		t.Errorf("told: %+v", told)
	}
}

// I3: while the hub is full, a delivery is answered 503 and the position in the
// channel's changes stays; with room again, everything is told.
func TestAFullHubRefusesDeliveriesAndLosesNothing(t *testing.T) {
	t.Parallel()
	w, source, _, _ := three(t)
	source.Add("A", "Item", eur(100), 10)
	source.start()
	eventually(t, "told", func() bool { return len(w.told(observedOf("A"))) == 1 })

	limit := func(bytes int64) {
		t.Helper()
		if err := testHub.authority.EnsureNamespace(w.ctx, w.namespace, hub.Limits{MaxBytes: bytes}); err != nil {
			t.Fatal(err)
		}
	}
	limit(2 << 20)
	filler := w.as(hub.Workload{Kind: hub.Connector, Name: "source"})
	for size := 100_000; size > 0; size /= 10 {
		var err error
		for err == nil {
			_, err = filler.Append(w.ctx, hub.Fact{Channel: "source", Type: catalog.TypeItemRemoved, Data: encode(t, map[string]string{"x": strings.Repeat("x", size)})})
		}
		if !errors.Is(err, hub.ErrHubFull) {
			t.Fatal(err)
		}
	}
	position := func() (at string) {
		source.engine.Load().view(func() { at = source.engine.Load().meta.Changes })
		return at
	}
	before := position()
	source.SetPrice("A", eur(300))
	send := func() (int, string) {
		t.Helper()
		body := encode(t, []driver.Signal{{Kind: driver.SignalListing, Key: driver.Key{SKU: "A"}}})
		req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, source.hooks, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = source.Sign(body)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	if status, after := send(); status != http.StatusServiceUnavailable || after == "" {
		t.Errorf("a delivery into a full hub: status %d, Retry-After %q; want 503 and a time", status, after)
	}
	if now := position(); now != before {
		t.Errorf("the position moved from %s to %s past what is not durable", before, now)
	}
	limit(256 << 20)
	eventually(t, "200", func() bool { status, _ := send(); return status == http.StatusOK })
	eventually(t, "the price told", func() bool {
		return len(w.told(func(f catalog.Fact) bool {
			return f.ItemObserved != nil && f.ItemObserved.Price != nil && f.ItemObserved.Price.Minor == 300
		})) == 1
	})
}
