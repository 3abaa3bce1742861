package shopify_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"selaras.dev/selaras/test/simulators/shopify"
)

// inbox takes deliveries.
type inbox struct {
	mu     sync.Mutex
	ids    []string
	bodies map[string][]byte
	header map[string]http.Header
	status int
}

func (b *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	id := r.Header.Get("X-Shopify-Webhook-Id")
	b.ids = append(b.ids, id)
	b.bodies[id], b.header[id] = body, r.Header.Clone()
	w.WriteHeader(b.status)
}

func (b *inbox) got() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.ids)
}

func openInbox(t *testing.T, status int) (*inbox, string) {
	t.Helper()
	b := &inbox{bodies: map[string][]byte{}, header: map[string]http.Header{}, status: status}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, server.URL
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

func TestDeliveriesAreSignedAndComeLateTwiceOrNotAtAll(t *testing.T) {
	t.Parallel()
	b, url := openInbox(t, http.StatusOK)
	c := start(t, shopify.Options{Hooks: shopify.HookOptions{
		Delay:  func(n int) time.Duration { return time.Duration(max(0, 4-n)) * 100 * time.Millisecond },
		Lose:   func(n int) bool { return n == 2 },
		Repeat: func(n int) bool { return n == 3 },
	}})
	secret := c.shop.Install("hooked")
	c.shop.Add(shopify.NewProduct{SKU: "A", Title: "A", Price: "1.00"})
	c.shop.Subscribe("hooked", url)
	for _, title := range []string{"one", "two", "three", "four"} {
		if err := c.shop.SetTitle("A", title); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"webhook-4", "webhook-3", "webhook-3", "webhook-1"}
	soon(t, "four deliveries", func() bool { return slices.Equal(b.got(), want) }, func() any { return b.got() })
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, body := range b.bodies {
		h := b.header[id]
		if h.Get("X-Shopify-Hmac-Sha256") != shopify.Signature(secret, body) || h.Get("X-Shopify-Topic") != "products/update" || h.Get("X-Shopify-Shop-Domain") != c.shop.Domain() || h.Get("X-Shopify-Triggered-At") == "" {
			t.Errorf("%s: %v", id, h)
		}
	}
}

// A subscription ends with a delivery that fails to the last; the others go on.
func TestASubscriptionEndsAfterFailures(t *testing.T) {
	t.Parallel()
	b, url := openInbox(t, http.StatusServiceUnavailable)
	c := start(t, shopify.Options{Hooks: shopify.HookOptions{Retries: 8, RetryAfter: time.Millisecond}})
	c.shop.Install("hooked")
	c.shop.Add(shopify.NewProduct{SKU: "A", Title: "A", Price: "1.00"})
	c.shop.Subscribe("hooked", url)
	if err := c.shop.SetTitle("A", "one"); err != nil {
		t.Fatal(err)
	}
	ended := func() bool { return !slices.Contains(c.shop.Subscribed(), "products/update") }
	soon(t, "the end of the subscription", ended, func() any { return b.got() })
	if got := b.got(); len(got) != 9 || len(slices.Compact(got)) != 1 {
		t.Errorf("%d tries of %v, want 9 of one delivery", len(got), got)
	}
	if !slices.Contains(c.shop.Subscribed(), "orders/create") {
		t.Error("subscriptions of other topics ended, too")
	}
	before := len(b.got())
	if err := c.shop.SetTitle("A", "two"); err != nil {
		t.Fatal(err)
	}
	if got := len(b.got()); got != before {
		t.Errorf("%d deliveries after the end", got-before)
	}
}
