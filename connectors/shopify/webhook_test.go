package shopify_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"selaras.dev/selaras/connectors/driver"
	sim "selaras.dev/selaras/test/simulators/shopify"
)

func TestTopicsLeadToWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t)
	for _, one := range []struct{ topic, body, want string }{
		{"products/update", `{"id":7,"variants":[{"id":8,"sku":"A"},{"id":9,"sku":"B"},{"id":10,"sku":null}]}`, "[Listing A 8  Listing B 9 ]"},
		{"products/update", `{"id":7}`, "[Listing  p7 ]"},
		{"products/delete", `{"id":7}`, "[Listing  p7 ]"},
		{"inventory_levels/update", `{"inventory_item_id":11,"location_id":12,"available":3}`, "[Listing  i11 ]"},
		{"inventory_items/update", `{"id":11,"sku":"C"}`, "[Listing C i11 ]"},
		{"orders/create", `{"id":820982911946154508,"email":"x@customer.test"}`, "[Order   820982911946154508]"},
		{"orders/edited", `{"order_edit":{"id":1,"order_id":5}}`, "[Order   5]"},
		{"refunds/create", `{"id":1,"order_id":5}`, "[Order   5]"},
		{"fulfillments/update", `{"id":1,"order_id":5}`, "[Order   5]"},
		{"app/uninstalled", `{"id":1}`, "[]"},
		{"shop/update", `{}`, "[]"},
	} {
		signals, err := c.ReceiveWebhook(t.Context(), driver.Delivery{Header: signed(shop, one.topic, []byte(one.body)), Body: []byte(one.body)})
		if err != nil {
			t.Errorf("%s: %v", one.topic, err)
		}
		got := make([]string, len(signals))
		for i, s := range signals {
			got[i] = fmt.Sprintf("%s %s %s %s", s.Kind, s.Key.SKU, s.Key.Ref, s.Order)
		}
		if fmt.Sprint(got) != one.want {
			t.Errorf("%s %s: got %v, want %s", one.topic, one.body, got, one.want)
		}
	}
}

// An inventory item that was read before is named by its SKU.
func TestALevelIsSignalledByItsSKUWhereThatIsKnown(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t)
	one(t, c, "A")
	received := &inbox{}
	url := received.open(t)
	shop.Subscribe(clientID, url)
	if err := shop.SetAvailable("A", 3); err != nil {
		t.Fatal(err)
	}
	soon(t, "a delivery", func() bool { return len(received.list()) > 0 }, func() any { return received.list() })
	signals, err := c.ReceiveWebhook(t.Context(), received.list()[0])
	if err != nil || len(signals) != 1 || signals[0].Key.SKU != "A" {
		t.Errorf("got %+v, %v", signals, err)
	}
	found := read(t, shop.open(t), driver.Key{Ref: signals[0].Key.Ref})
	if len(found) != 1 || found[0].Stock.Available != 3 {
		t.Errorf("the signal leads to %+v", found)
	}
}

// One app may be installed in several shops, and signs with one secret.
func TestADeliveryOfAnotherShopIsRefused(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t)
	one(t, c, "A")
	body := []byte(`{"id":5}`)
	header := signed(shop, "orders/create", body)
	header.Set("X-Shopify-Shop-Domain", "another.myshopify.com")
	_, err := c.ReceiveWebhook(t.Context(), driver.Delivery{Header: header, Body: body})
	if e := failure(t, err, driver.ClassInvalid); e.Reason != "OtherShop" {
		t.Errorf("got %v", e)
	}
}

// The newer events have headers without the prefix.
func TestHeadersWithoutPrefixAreUnderstood(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	body := []byte(`{"id":5}`)
	header := http.Header{}
	header.Set("Shopify-Topic", "orders/create")
	header.Set("Shopify-Hmac-Sha256", signed(shop, "orders/create", body).Get("X-Shopify-Hmac-Sha256"))
	signals, err := shop.open(t).ReceiveWebhook(t.Context(), driver.Delivery{Header: header, Body: body})
	if err != nil || len(signals) != 1 || signals[0].Order != "5" {
		t.Errorf("got %+v, %v", signals, err)
	}
}

// Whatever a body is, it is understood or refused; nothing else happens.
func FuzzReceiveWebhook(f *testing.F) {
	for _, topic := range []string{"products/update", "inventory_levels/update", "orders/edited", "refunds/create", "shop/update", ""} {
		f.Add(topic, []byte(`{"id":1,"order_id":2,"inventory_item_id":3,"variants":[{"id":4,"sku":"A"}]}`))
		f.Add(topic, []byte(`[]`))
	}
	shop := &testShop{Shop: sim.New(sim.Options{}), url: "https://simulated.myshopify.com"}
	shop.credentials = install(shop.Shop, clientID)
	f.Fuzz(func(t *testing.T, topic string, body []byte) {
		c := shop.open(t)
		signals, err := c.ReceiveWebhook(t.Context(), driver.Delivery{Header: signed(shop, topic, body), Body: body})
		if err != nil {
			_ = failure(t, err, driver.ClassInvalid)
			return
		}
		for _, s := range signals {
			if s.Key.SKU == "" && s.Key.Ref == "" && s.Order == "" {
				t.Errorf("a signal leads nowhere: %+v", s)
			}
		}
	})
}

// Subscriptions that Shopify deleted after failures are made again, without what
// orders say of their buyers.
func TestSubscriptionsAreMadeAndMadeAgain(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	received := &inbox{}
	url := received.open(t)
	c := shop.open(t, configured(`{"webhookURL":"`+url+`"}`))
	for range 2 {
		for range 2 {
			if _, err := c.Account(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := shop.Subscribed(); !slices.Equal(got, sim.Topics) {
			t.Errorf("subscribed to %v, want each of %v once", got, sim.Topics)
		}
		shop.Unsubscribe()
	}
	if _, err := c.Account(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.PlaceOrder(sim.Line{SKU: "A", Units: 1}); err != nil {
		t.Fatal(err)
	}
	soon(t, "the order and the level are told", func() bool { return len(received.list()) == 2 }, func() any { return received.list() })
	for _, d := range received.list() {
		if signals, err := c.ReceiveWebhook(t.Context(), d); err != nil || len(signals) != 1 {
			t.Errorf("%s: %v, %v", d.Body, signals, err)
		}
		if strings.Contains(string(d.Body), "customer.test") {
			t.Errorf("the delivery holds personal data: %s", d.Body)
		}
	}
}

// Whose account it is does not depend on webhooks.
func TestSubscriptionsThatCannotBeMadeAreNoFailureOfTheAccount(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	log := &logged{}
	logging := func(s *driver.Settings) { s.Log = slog.New(slog.NewTextHandler(log, nil)) }
	c := shop.open(t, configured(`{"webhookURL":"http://hooks.example.com/x"}`), logging)
	if _, err := c.Account(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if got := log.text.String(); !strings.Contains(got, "http:// is not supported") || len(shop.Subscribed()) != 0 {
		t.Errorf("logged %q, subscribed to %v", got, shop.Subscribed())
	}
}
