package woocommerce_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/conformance"
	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/woocommerce"
	sim "selaras.dev/selaras/test/simulators/woocommerce"
)

const webhookSecret = "s3cret & <quoted>"

// The suite against a simulated shop with 1,200 listings. What the simulator is
// worth its own tests say.
func TestWooCommerceConformsToTheContract(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]sim.Options{
		"10.3":   {},
		"before": {Before103: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shop, server := startShop(t, options)
			seed(shop)
			conformance.Run(t, suiteShop(shop, server))
		})
	}
}

func startShop(t testing.TB, options sim.Options) (*sim.Shop, *httptest.Server) {
	t.Helper()
	shop := sim.New(options)
	server := httptest.NewServer(shop)
	t.Cleanup(func() {
		// Who waits in a frozen shop would keep the server from closing.
		shop.Thaw()
		server.Close()
		shop.Close()
	})
	return shop, server
}

// seed fills the shop: simple products, and products of four variations.
func seed(shop *sim.Shop) {
	for n := range 800 {
		shop.AddProduct(sim.Item{SKU: fmt.Sprintf("SIMPLE-%04d", n), Name: fmt.Sprintf("Item %d", n), Price: "19.99", Stock: 40})
	}
	for n := range 100 {
		var items []sim.Item
		for _, size := range []string{"S", "M", "L", "XL"} {
			items = append(items, sim.Item{SKU: fmt.Sprintf("SHIRT-%03d-%s", n, size), Price: "29.99", Stock: 40, Option: size})
		}
		shop.AddVariable(fmt.Sprintf("Shirt %d", n), fmt.Sprintf("SHIRT-%03d", n), items...)
	}
}

func credentials(k sim.Key) map[string]string {
	return map[string]string{
		woocommerce.KeyConsumerKey: k.ConsumerKey, woocommerce.KeyConsumerSecret: k.ConsumerSecret,
		woocommerce.KeyWebhookSecret: webhookSecret,
	}
}

func suiteShop(shop *sim.Shop, server *httptest.Server) conformance.Shop {
	return conformance.Shop{
		Driver: woocommerce.New(),
		Settings: driver.Settings{
			Endpoint: server.URL, Currency: "EUR", Credentials: credentials(shop.NewKey(true)),
		},
		SKUs: func(context.Context) ([]string, error) { return shop.SKUs(), nil },
		Show: func(_ context.Context, sku string) (conformance.Shown, error) { return show(shop, sku) },
		Add: func(_ context.Context, i conformance.Item) error {
			shop.AddProduct(sim.Item{SKU: i.SKU, Name: i.Title, Price: i.Price.Decimal(), Stock: i.OnHand})
			return nil
		},
		SetPrice: func(_ context.Context, sku string, price driver.Money) error {
			return shop.Change(sku, func(f *sim.Fields) { f.Price = price.Decimal() })
		},
		SetStock: func(_ context.Context, sku string, units int64) error {
			return shop.Change(sku, func(f *sim.Fields) { f.Stock = units })
		},
		SetTitle: func(_ context.Context, sku, title string) error {
			return shop.Change(sku, func(f *sim.Fields) { f.Name = title })
		},
		Delete: func(_ context.Context, sku string) error { return shop.Delete(sku) },
		PlaceOrder: func(_ context.Context, lines ...conformance.Line) (string, error) {
			return shop.PlaceOrder("processing", simLines(lines)...)
		},
		FulfilsWhole: true,
		Fulfil: func(_ context.Context, order string, _ ...conformance.Line) error {
			shop.Pass(time.Second)
			return shop.SetStatus(order, "completed")
		},
		Cancel: func(_ context.Context, order string, lines ...conformance.Line) error {
			shop.Pass(time.Second)
			if len(lines) == 0 {
				return shop.SetStatus(order, "cancelled")
			}
			return shop.Refund(order, true, simLines(lines)...)
		},
		OpenCart: func(_ context.Context, line conformance.Line) error {
			_, err := shop.PlaceOrder("checkout-draft", simLines([]conformance.Line{line})...)
			return err
		},
		Personal: []string{"customer.test", "Shopper", "Main Street", "Vienna"},
		Freeze:   shop.Freeze,
		Thaw:     shop.Thaw,
		Limited: func(t testing.TB) string {
			front := httptest.NewServer(&sim.Front{Shop: shop, Rate: 4, Burst: 8, Timeout: time.Second})
			t.Cleanup(front.Close)
			return front.URL
		},
		StopDatabase: shop.StopDatabase,
		StartDatabase: func(context.Context) error {
			shop.StartDatabase()
			return nil
		},
		NewAccount: func(context.Context) (map[string]string, error) { return credentials(shop.NewKey(true)), nil },
		Rotate: func(_ context.Context, old map[string]string) (map[string]string, error) {
			shop.Revoke(old[woocommerce.KeyConsumerKey])
			return credentials(shop.NewKey(true)), nil
		},
		Revoke: func(_ context.Context, old map[string]string) error {
			shop.Revoke(old[woocommerce.KeyConsumerKey])
			return nil
		},
		SendWebhooks: func(url string) error {
			if url == "" {
				shop.RemoveWebhooks()
				return nil
			}
			_, err := shop.AddWebhooks(url, webhookSecret, "product.created", "product.updated", "product.deleted", "order.created", "order.updated")
			return err
		},
		SignWebhook: func(body []byte) http.Header { return sign(body, "product.updated") },
		Webhooks: conformance.WebhookBodies{
			Good: `{"id":17,"type":"simple","sku":"A-1","parent_id":0}`, WrongTypes: `{"id":"17x","type":{},"sku":[]}`,
		},
	}
}

func show(shop *sim.Shop, sku string) (conformance.Shown, error) {
	s, err := shop.Show(sku)
	if err != nil {
		return conformance.Shown{}, err
	}
	shown := conformance.Shown{
		Title: s.Name, Enabled: s.Status == "publish" && s.ParentStatus == "publish", OnHand: s.Stock, Prices: map[string]int64{},
	}
	// A title that WooCommerce has no place for is kept beside the name.
	if kept, ok := shop.Meta(sku, "selaras_title").(string); ok && kept != "" {
		shown.Title = kept
	}
	if s.Price != "" {
		money, err := driver.ParseMoney(s.Price, "EUR")
		if err != nil {
			return shown, err
		}
		shown.Prices["EUR"] = money.Minor
	}
	return shown, nil
}

func simLines(lines []conformance.Line) []sim.Line {
	var all []sim.Line
	for _, l := range lines {
		all = append(all, sim.Line{SKU: l.SKU, Units: l.Units})
	}
	return all
}

func sign(body []byte, topic string) http.Header {
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	_, _ = mac.Write(body)
	h := http.Header{}
	h.Set("X-WC-Webhook-Topic", topic)
	h.Set("X-WC-Webhook-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return h
}
