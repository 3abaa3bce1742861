package woocommerce

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAWebhookIsAnnouncedAndSigned(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	h, address := startHooked(t)
	made := ok[object](t, s.call(t, http.MethodPost, "/webhooks", fmt.Sprintf(`{"topic":"product.updated","delivery_url":%q,"secret":"s"}`, address)))
	s.settle(t)
	ping := h.list()[0]
	if ping.body != fmt.Sprintf("webhook_id=%s", made["id"]) || ping.header.Get("X-WC-Webhook-Signature") != "" ||
		ping.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("announced by %q, %v", ping.body, ping.header)
	}
	id := s.AddVariable("Shirt", "SHIRT", Item{SKU: "A", Price: "2.00", Stock: 10, Option: "S"})
	if err := s.Change("A", func(f *Fields) { f.Stock = 9 }); err != nil {
		t.Fatal(err)
	}
	s.settle(t)
	told := map[string]string{}
	for _, d := range h.list()[1:] {
		mac := hmac.New(sha256.New, []byte("s"))
		_, _ = mac.Write([]byte(d.body))
		if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); d.header.Get("X-WC-Webhook-Signature") != want {
			t.Errorf("signed %s, want %s", d.header.Get("X-WC-Webhook-Signature"), want)
		}
		var p struct {
			ID   json.Number
			Type string
		}
		if err := json.Unmarshal([]byte(d.body), &p); err != nil || d.header.Get("X-WC-Webhook-Topic") != "product.updated" || d.header.Get("X-WC-Webhook-Event") != "updated" {
			t.Fatalf("%v: %v %s", err, d.header, d.body)
		}
		told[p.ID.String()] = p.Type
	}
	if told[fmt.Sprint(id)] != typeVariable || told[fmt.Sprint(id+1)] != typeVariation {
		t.Errorf("a change of a variation tells of %v, want it and its product", told)
	}
}

func TestDeliveriesWithinASecondShareTheirID(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	s := newSite(t, Options{Clock: func() time.Time { return now }})
	h, address := startHooked(t)
	s.AddProduct(Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	if _, err := s.AddWebhooks(address, "s", "product.updated"); err != nil {
		t.Fatal(err)
	}
	for n, pass := range []time.Duration{0, 0, time.Second} {
		s.Pass(pass)
		if err := s.Change("A", func(f *Fields) { f.Stock = int64(n) }); err != nil {
			t.Fatal(err)
		}
		s.settle(t)
	}
	var got []string
	for _, d := range h.list()[1:] {
		got = append(got, d.header.Get("X-WC-Webhook-Delivery-ID"))
	}
	if len(got) != 3 || got[0] != got[1] || got[1] == got[2] {
		t.Errorf("ids %v, want the first two alike", got)
	}
}

// More than five failures in a row disable a webhook. Made active again, the next
// failure disables it at once; a success forgives all.
func TestAWebhookThatFailsIsDisabled(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	h, address := startHooked(t)
	s.AddProduct(Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	made, err := s.AddWebhooks(address, "s", "product.updated")
	if err != nil {
		t.Fatal(err)
	}
	s.settle(t)
	deliver := func(status int) string {
		t.Helper()
		h.answer(status)
		if err := s.Change("A", func(f *Fields) { f.Stock++ }); err != nil {
			t.Fatal(err)
		}
		s.settle(t)
		return s.WebhookStatus(made[0])
	}
	for n := range 6 {
		if got := deliver(500); got != "active" {
			t.Fatalf("after %d failures it is %s", n+1, got)
		}
	}
	if got := deliver(303); got != "disabled" {
		t.Fatalf("after seven failures it is %s", got)
	}
	before := len(h.list())
	if deliver(200); len(h.list()) != before {
		t.Error("a disabled webhook delivered")
	}
	wake := func() {
		t.Helper()
		if got := get[[]object](t, s, "/webhooks?status=disabled"); len(got) != 1 || got[0]["delivery_url"] != address {
			t.Fatalf("disabled are %v", got)
		}
		ok[object](t, s.call(t, http.MethodPut, fmt.Sprintf("/webhooks/%d", made[0]), `{"status":"active"}`))
	}
	wake()
	if got := deliver(500); got != "disabled" {
		t.Errorf("made active, the next failure leaves it %s", got)
	}
	wake()
	if got := deliver(302); got != "active" {
		t.Errorf("a redirection leaves it %s", got)
	}
	for range 6 {
		deliver(404)
	}
	if got := s.WebhookStatus(made[0]); got != "active" {
		t.Errorf("six failures after a success leave it %s", got)
	}
}

func TestMischiefHappensToDeliveries(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	h, address := startHooked(t)
	if _, err := s.AddWebhooks(address, "s", "product.created"); err != nil {
		t.Fatal(err)
	}
	s.settle(t)
	s.SetMischief(Mischief{Lose: func(n int) bool { return n%2 == 0 }, Duplicate: func(n int) bool { return n == 1 }, Shuffle: true})
	for n := range 6 {
		s.AddProduct(Item{SKU: fmt.Sprint("A", n), Name: "A", Price: "1.00", Stock: 1})
	}
	eventually(t, "three of six arrive, one of them twice", func() error {
		if got := len(h.list()) - 1; got != 4 {
			return fmt.Errorf("%d arrived", got)
		}
		return nil
	})
	count := map[string]int{}
	for _, d := range h.list()[1:] {
		_, sku, _ := strings.Cut(d.body, `"sku":"`)
		count[sku[:2]]++
	}
	if count["A1"] != 2 || count["A3"] != 1 || count["A5"] != 1 {
		t.Errorf("arrived %v", count)
	}
	// What is deleted is told of by its id.
	if _, err := s.AddWebhooks(address, "s", "product.deleted", "order.updated"); err != nil {
		t.Fatal(err)
	}
	s.SetMischief(Mischief{})
	if err := s.Delete("A1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deletion is told", func() error {
		for _, d := range h.list() {
			if d.header.Get("X-WC-Webhook-Topic") == "product.deleted" && strings.HasPrefix(d.body, `{"id":`) && !strings.Contains(d.body, "sku") {
				return nil
			}
		}
		return errors.New("it is not")
	})
}
