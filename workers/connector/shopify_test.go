package connector

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/shopify"
	"selaras.dev/selaras/internal/workload"
	sim "selaras.dev/selaras/test/simulators/shopify"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// shopifyShop is a simulated Shopify shop with a connector of its own driver.
type shopifyShop struct {
	*shop
	sim *sim.Shop
}

const shopifyApp = "selaras-app"

// besideShopify makes a source and a Shopify shop that is kept the same.
func besideShopify(t *testing.T, o sim.Options) (source *shop, target *shopifyShop) {
	t.Helper()
	w := newWorld(t)
	o.Currency = "EUR"
	source, target = w.shop("source", habits()), &shopifyShop{shop: w.shop("target", shoptest.Options{}), sim: sim.New(o)}
	server := httptest.NewServer(target.sim)
	t.Cleanup(func() {
		target.sim.Thaw()
		server.CloseClientConnections()
		server.Close()
		target.sim.Close()
	})
	for file, text := range map[string]string{shopify.KeyClientID: shopifyApp, shopify.KeyClientSecret: target.sim.Install(shopifyApp)} {
		if err := os.WriteFile(filepath.Join(target.creds, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	target.config.Type, target.config.Endpoint = shopify.Type, server.URL
	target.configure()
	target.tune = func(o *Options) { o.Driver = hasty{shopify.New()} }
	w.sync(workload.SyncConfig{
		Name: "main", UID: "main", Source: "source", Fields: allFields,
		Channels: map[string]workload.SyncChannel{"source": {Groups: []string{"stock"}}, "target": {Groups: every}},
	})
	w.fold()
	return source, target
}

// stores waits until the shop stores a price and what is available.
func (s *shopifyShop) stores(sku, price string, available int64) {
	s.w.t.Helper()
	var last sim.Shown
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if last, _ = s.sim.Show(sku); last.Price == price && last.Available == available {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.w.t.Fatalf("%s stores %+v for %s; want %s and %d\n%s", s.name, last, sku, price, available, s.explain(sku))
}

// I1 with a shop that compares before it sets, and whose searches are behind: it
// is filled, follows the source, and its orders lower and raise everybody's
// stock.
func TestAShopifyShopIsKeptTheSame(t *testing.T) {
	t.Parallel()
	source, target := besideShopify(t, sim.Options{IndexLag: 50 * time.Millisecond, BucketSize: 40_000, RestoreRate: 4000})
	const n = 60
	for i := range n {
		source.Add(fmt.Sprintf("sku-%03d", i), fmt.Sprintf("Item %d", i), eur(int64(1000+i)), int64(20+i))
	}
	target.sim.Add(sim.NewProduct{SKU: "sku-007", Handle: "sku-007", Title: "An old name", Price: "0.50", Available: 3})
	source.start()
	target.start()
	target.inSync("main", n)
	for i := range n {
		target.stores(fmt.Sprintf("sku-%03d", i), fmt.Sprintf("%d.%02d", (1000+i)/100, (1000+i)%100), int64(20+i))
	}
	source.SetPrice("sku-010", eur(4200))
	source.SetStock("sku-011", 500)
	target.stores("sku-010", "42.00", 30)
	target.stores("sku-011", "10.11", 500)

	id, err := target.sim.PlaceOrder(sim.Line{SKU: "sku-010", Units: 4}, sim.Line{SKU: "sku-012", Units: 2})
	if err != nil {
		t.Fatal(err)
	}
	source.shows("sku-010", 4200, 26)
	source.shows("sku-012", 1012, 30)
	if err := target.sim.Refund(id, sim.Line{SKU: "sku-010", Units: 1}); err != nil {
		t.Fatal(err)
	}
	source.shows("sku-010", 4200, 27)
	if err := target.sim.Fulfil(id); err != nil {
		t.Fatal(err)
	}
	if err := target.sim.Refund(id, sim.Line{SKU: "sku-012", Units: 2}); err != nil {
		t.Fatal(err)
	}
	source.shows("sku-012", 1012, 32)
	target.stores("sku-010", "42.00", 27)
	target.stores("sku-012", "10.12", 32)
	target.inSync("main", n)
}

// A bucket that is nearly empty, answers that never come, quantities that land
// after newer ones, a shop that fails inside or stands still, tokens that end,
// and webhooks that are lost, doubled and shuffled: once it is over, everything
// is as it should be.
func TestAShopifyShopInTroubleConverges(t *testing.T) {
	t.Parallel()
	source, target := besideShopify(t, sim.Options{
		IndexLag: 100 * time.Millisecond, BucketSize: 2000, RestoreRate: 1000,
		Hooks: sim.HookOptions{
			Lose:   func(n int) bool { return n%3 == 1 },
			Repeat: func(n int) bool { return n%2 == 0 },
			Delay:  func(n int) time.Duration { return time.Duration(n%4) * 40 * time.Millisecond },
		},
	})
	const n = 40
	for i := range n {
		source.Add(fmt.Sprintf("sku-%03d", i), fmt.Sprintf("Item %d", i), eur(1000), 100)
	}
	source.start()
	target.start()
	target.inSync("main", n)
	target.sim.Subscribe(shopifyApp, target.hooks)
	var meets atomic.Pointer[func(sim.Request) sim.Fault]
	target.sim.Fault(func(r sim.Request) sim.Fault {
		if fn := meets.Load(); fn != nil {
			return (*fn)(r)
		}
		return sim.Fault{}
	})
	var late atomic.Int64
	faults := []func(sim.Request) sim.Fault{
		func(r sim.Request) sim.Fault { return sim.Fault{Lose: r.Operation == "UpdateVariants" && r.N%2 == 0} },
		func(r sim.Request) sim.Fault {
			return sim.Fault{Late: r.Operation == "SetQuantities" && late.Add(1) == 1}
		},
		func(r sim.Request) sim.Fault {
			if r.N%3 == 0 {
				return sim.Fault{Status: http.StatusBadGateway}
			}
			return sim.Fault{}
		},
		func(r sim.Request) sim.Fault {
			if r.N%4 == 0 {
				return sim.Fault{Code: "INTERNAL_SERVER_ERROR"}
			}
			return sim.Fault{}
		},
	}
	sold := map[string]int64{}
	for round := range 4 {
		meets.Store(&faults[round])
		target.sim.EndTokens()
		target.sim.Drain(0)
		for i := range n {
			source.SetPrice(fmt.Sprintf("sku-%03d", i), eur(int64(2000+100*round+i)))
		}
		for i := range 5 {
			sku := fmt.Sprintf("sku-%03d", 7*i+round)
			if _, err := target.sim.PlaceOrder(sim.Line{SKU: sku, Units: 2}); err != nil {
				t.Fatal(err)
			}
			sold[sku] += 2
			// A sale elsewhere is a quantity to write here.
			sku = fmt.Sprintf("sku-%03d", 7*i+round+1)
			source.Fulfil(source.Sell(sku, 3))
			sold[sku] += 3
		}
		if err := sleepFor(target.w.ctx, 1500); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			eventually(t, "a quantity that lands late", func() bool { return target.sim.Waiting() == 1 })
		}
	}
	meets.Store(nil)
	target.sim.Land()
	for i := range n {
		sku := fmt.Sprintf("sku-%03d", i)
		price := 2300 + i
		target.stores(sku, fmt.Sprintf("%d.%02d", price/100, price%100), 100-sold[sku])
		source.shows(sku, int64(price), 100-sold[sku])
	}
	target.inSync("main", n)
}
