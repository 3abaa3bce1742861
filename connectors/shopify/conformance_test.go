package shopify_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/conformance"
	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/shopify"
	sim "selaras.dev/selaras/test/simulators/shopify"
)

const clientID = "selaras-app"

// The suite against the simulator with 1,200 variants, whose searches are behind
// the data. There is no Shopify server to run it against.
func TestShopifyConformsToTheContract(t *testing.T) {
	t.Parallel()
	shop := startShop(t, sim.Options{
		IndexLag: 150 * time.Millisecond, BucketSize: 400_000, RestoreRate: 20_000,
		Hooks: sim.HookOptions{
			Delay:  func(n int) time.Duration { return time.Duration(n%5) * 30 * time.Millisecond },
			Repeat: func(n int) bool { return n%2 == 0 },
			Lose:   func(n int) bool { return n%7 == 0 },
		},
	})
	var stock []sim.NewProduct
	for n := range 1200 {
		stock = append(stock, sim.NewProduct{SKU: fmt.Sprintf("STOCK-%04d", n), Title: fmt.Sprintf("Item %d", n), Price: "10.00", Available: 100})
	}
	shop.Add(stock...)
	conformance.Run(t, suiteShop(shop))
}

// testShop is a simulator behind an address.
type testShop struct {
	*sim.Shop
	url string
	// secrets are the client secrets by app.
	credentials map[string]string
}

func startShop(t *testing.T, o sim.Options) *testShop {
	t.Helper()
	s := sim.New(o)
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Thaw()
		server.CloseClientConnections()
		server.Close()
		s.Close()
	})
	return &testShop{Shop: s, url: server.URL, credentials: install(s, clientID)}
}

func install(s *sim.Shop, id string) map[string]string {
	return map[string]string{shopify.KeyClientID: id, shopify.KeyClientSecret: s.Install(id)}
}

func suiteShop(shop *testShop) conformance.Shop {
	apps := 0
	return conformance.Shop{
		Driver:           shopify.New(),
		Settings:         driver.Settings{Endpoint: shop.url, Currency: "USD", Credentials: shop.credentials},
		SKUs:             func(context.Context) ([]string, error) { return shop.SKUs(), nil },
		Show:             func(_ context.Context, sku string) (conformance.Shown, error) { return show(shop, sku) },
		AllowsDuplicates: true,
		Add: func(ctx context.Context, item conformance.Item) error {
			shop.Add(sim.NewProduct{SKU: item.SKU, Title: item.Title, Price: item.Price.Decimal(), Available: item.OnHand})
			return shop.Settle(ctx)
		},
		SetPrice: func(_ context.Context, sku string, price driver.Money) error {
			return shop.SetPrice(sku, price.Decimal())
		},
		SetStock: func(_ context.Context, sku string, onHand int64) error { return shop.SetAvailable(sku, onHand) },
		SetTitle: func(_ context.Context, sku, title string) error { return shop.SetTitle(sku, title) },
		Delete:   func(_ context.Context, sku string) error { return shop.Delete(sku) },
		PlaceOrder: func(ctx context.Context, lines ...conformance.Line) (string, error) {
			id, err := shop.PlaceOrder(shopLines(lines)...)
			if err != nil {
				return "", err
			}
			// The first reading of a suite comes at once, and searches.
			return strconv.FormatInt(id, 10), shop.Settle(ctx)
		},
		Fulfil: func(ctx context.Context, order string, lines ...conformance.Line) error {
			return onOrder(ctx, shop, order, lines, shop.Fulfil)
		},
		Cancel: func(ctx context.Context, order string, lines ...conformance.Line) error {
			return onOrder(ctx, shop, order, lines, shop.Refund)
		},
		// A cart holds nothing in Shopify.
		OpenCart: func(context.Context, conformance.Line) error { return nil },
		Personal: []string{"customer.test", "Shopper"},
		Freeze:   shop.Freeze,
		Thaw:     shop.Thaw,
		Limited: func(t testing.TB) string {
			server := httptest.NewServer(shop.Edge(4, 8, time.Second))
			t.Cleanup(server.Close)
			return server.URL
		},
		StopDatabase:  shop.Break,
		StartDatabase: func(context.Context) error { shop.Mend(); return nil },
		NewAccount: func(context.Context) (map[string]string, error) {
			apps++
			return install(shop.Shop, fmt.Sprintf("app-%d", apps)), nil
		},
		Rotate: func(_ context.Context, old map[string]string) (map[string]string, error) {
			fresh := maps.Clone(old)
			fresh[shopify.KeyClientSecret] = shop.Rotate(old[shopify.KeyClientID])
			return fresh, nil
		},
		Revoke: func(_ context.Context, c map[string]string) error {
			shop.Uninstall(c[shopify.KeyClientID])
			return nil
		},
		SendWebhooks: func(url string) error {
			shop.Unsubscribe()
			if url != "" {
				shop.Subscribe(clientID, url)
			}
			return nil
		},
		SignWebhook: func(body []byte) http.Header { return signed(shop, "orders/updated", body) },
		Webhooks:    conformance.WebhookBodies{Good: `{"id":820982911946154508}`, WrongTypes: `{"id":{"x":1}}`},
	}
}

// signed are the headers of a delivery of the topic.
func signed(shop *testShop, topic string, body []byte) http.Header {
	h := http.Header{}
	h.Set("X-Shopify-Topic", topic)
	h.Set("X-Shopify-Shop-Domain", shop.Domain())
	h.Set("X-Shopify-Webhook-Id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043")
	h.Set("X-Shopify-Hmac-Sha256", sim.Signature(shop.credentials[shopify.KeyClientSecret], body))
	return h
}

func show(shop *testShop, sku string) (conformance.Shown, error) {
	l, err := shop.Show(sku)
	if err != nil {
		return conformance.Shown{}, err
	}
	price, err := driver.ParseMoney(l.Price, "USD")
	return conformance.Shown{Title: l.Title, Enabled: l.OnSale, OnHand: l.Available, Prices: map[string]int64{"USD": price.Minor}}, err
}

func shopLines(lines []conformance.Line) []sim.Line {
	all := make([]sim.Line, len(lines))
	for i, l := range lines {
		all[i] = sim.Line{SKU: l.SKU, Units: l.Units}
	}
	return all
}

// onOrder does something to an order, and waits until searches find it.
func onOrder(ctx context.Context, shop *testShop, order string, lines []conformance.Line, do func(int64, ...sim.Line) error) error {
	id, err := strconv.ParseInt(strings.TrimSpace(order), 10, 64)
	if err != nil {
		return err
	}
	if err := do(id, shopLines(lines)...); err != nil {
		return err
	}
	return shop.Settle(ctx)
}
