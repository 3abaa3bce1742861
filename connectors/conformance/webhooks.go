package conformance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

func (s *suite) webhookCases() []testCase {
	receive := s.has(driver.CanReceiveWebhook)
	return []testCase{
		{"WebhooksOfTheShopAreUnderstood", []needs{receive, {"webhooks", s.shop.SendWebhooks != nil}, {"orders", s.shop.PlaceOrder != nil}}, webhooksUnderstood},
		{"ForgedWebhooksAreRefused", []needs{receive, {"a webhook signature", s.shop.SignWebhook != nil}}, webhooksForged},
	}
}

// deliveries collects what a shop sends.
type deliveries struct {
	mu  sync.Mutex
	all []driver.Delivery
}

func (d *deliveries) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, "cannot read", http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, driver.Delivery{Header: r.Header.Clone(), Body: body})
	w.WriteHeader(http.StatusNoContent)
}

func (d *deliveries) list() []driver.Delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]driver.Delivery(nil), d.all...)
}

func (c *client) receive(ctx context.Context, d driver.Delivery) ([]driver.Signal, error) {
	return c.Connection.(driver.WebhookReceiver).ReceiveWebhook(ctx, d)
}

func webhooksUnderstood(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "HOOK")
	c := s.open(t)
	received := &deliveries{}
	server := httptest.NewServer(received)
	defer server.Close()
	if err := s.shop.SendWebhooks(server.URL); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.shop.SendWebhooks(""); err != nil {
			t.Error(err)
		}
	}()
	if err := s.shop.SetPrice(ctx, sku, s.money(3131)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.shop.PlaceOrder(ctx, Line{sku, 1}); err != nil {
		t.Fatal(err)
	}
	signals := func() (listings []driver.Key, orders int) {
		for _, d := range received.list() {
			got, err := c.receive(ctx, d)
			if err != nil {
				t.Fatalf("a delivery of the shop: %v\n%s", err, d.Body)
			}
			for _, signal := range got {
				switch signal.Kind {
				case driver.SignalListing:
					listings = append(listings, signal.Key)
				case driver.SignalOrder:
					orders++
				case driver.SignalPing:
				}
			}
		}
		return listings, orders
	}
	eventually(t, "the listing and the order are signalled", func() (bool, string) {
		keys, orders := signals()
		if len(keys) == 0 || orders == 0 {
			return false, fmt.Sprintf("%d deliveries, listings %v, %d orders", len(received.list()), keys, orders)
		}
		found, err := c.Connection.(driver.ListingGetter).ReadListings(ctx, keys)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range found {
			if l.SKU == sku && l.Price != nil && *l.Price == s.money(3131) {
				return true, ""
			}
		}
		return false, fmt.Sprintf("the signals lead to %v", found)
	})
	// Each delivery may come twice, and says the same.
	for _, d := range received.list()[:1] {
		a, errA := c.receive(ctx, d)
		b, errB := c.receive(ctx, d)
		if errA != nil || errB != nil || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("the same delivery twice: %v %v, %v %v", a, errA, b, errB)
		}
	}
}

func webhooksForged(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	bodies := s.shop.Webhooks
	if bodies.Good == "" {
		bodies = WebhookBodies{Good: `{"type":"ping","data":{}}`, WrongTypes: `{"type": 5, "data": {"variantIds": "x"}}`}
	}
	body := []byte(bodies.Good)
	signed := s.shop.SignWebhook(body)
	if _, err := c.receive(ctx, driver.Delivery{Header: signed, Body: body}); err != nil {
		t.Errorf("a good delivery: %v", err)
	}
	for name, d := range map[string]driver.Delivery{
		"no headers":     {Header: nil, Body: body},
		"another body":   {Header: signed, Body: append([]byte(" "), body...)},
		"an empty body":  {Header: signed, Body: nil},
		"another secret": {Header: corrupt(signed), Body: body},
	} {
		if _, err := c.receive(ctx, d); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			c.failed(t, err, driver.ClassUnauthorized)
		}
	}
	for name, body := range map[string]string{
		"no JSON":       "<html>",
		"another shape": `[1,2,3]`,
		"cut":           bodies.Good[:len(bodies.Good)-1],
		"nothing in it": `{}`,
		"wrong types":   bodies.WrongTypes,
		"too large":     bodies.Good[:len(bodies.Good)-1] + `,"x":"` + strings.Repeat("x", 2<<20) + `"}`,
	} {
		if _, err := c.receive(ctx, driver.Delivery{Header: s.shop.SignWebhook([]byte(body)), Body: []byte(body)}); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			c.failed(t, err, driver.ClassInvalid)
		}
	}
}

// corrupt changes a character of every header that holds a signature.
func corrupt(h http.Header) http.Header {
	bad := h.Clone()
	for name, values := range bad {
		if !strings.Contains(strings.ToLower(name), "sign") && !strings.Contains(strings.ToLower(name), "hmac") {
			continue
		}
		for i, v := range values {
			last := "A"
			if strings.HasSuffix(strings.TrimRight(v, "="), "A") {
				last = "B"
			}
			trimmed := strings.TrimRight(v, "=")
			values[i] = trimmed[:len(trimmed)-2] + last + last + v[len(trimmed):]
		}
	}
	return bad
}
