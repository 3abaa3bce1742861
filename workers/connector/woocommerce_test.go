package connector

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/woocommerce"
	"selaras.dev/selaras/internal/workload"
	sim "selaras.dev/selaras/test/simulators/woocommerce"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// wooShop is a simulated WooCommerce shop with a connector of its own driver.
type wooShop struct {
	*shop
	sim *sim.Shop
}

const hookSecret = "a secret of the shop"

// woo opens a WooCommerce shop behind what its host puts in front of it.
func (w *world) woo(name string, front *sim.Front) *wooShop {
	w.t.Helper()
	s := &wooShop{shop: w.shop(name, shoptest.Options{}), sim: sim.New(sim.Options{})}
	w.t.Cleanup(s.sim.Close)
	front.Shop = s.sim
	server := httptest.NewServer(front)
	w.t.Cleanup(server.Close)
	key := s.sim.NewKey(true)
	for file, text := range map[string]string{
		woocommerce.KeyConsumerKey: key.ConsumerKey, woocommerce.KeyConsumerSecret: key.ConsumerSecret,
		woocommerce.KeyWebhookSecret: hookSecret,
	} {
		if err := os.WriteFile(filepath.Join(s.creds, file), []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	s.config.Type, s.config.Endpoint = woocommerce.Type, server.URL
	s.configure()
	s.tune = func(o *Options) { o.Driver = hasty{woocommerce.New()} }
	return s
}

// hasty is the driver with times that a test can wait for.
type hasty struct{ driver.Driver }

func (h hasty) Describe() driver.Description {
	d := h.Driver.Describe()
	d.Traits.OrderVisibility, d.Traits.RequestTimeout, d.Traits.LateWriteHorizon = 200*time.Millisecond, 2*time.Second, 20*time.Second
	d.Traits.RequestsPerSecond, d.Traits.Burst = 200, 50
	return d
}

// stores waits until the shop stores a price and a stock.
func (s *wooShop) stores(sku, price string, stock int64) {
	s.w.t.Helper()
	var last sim.Shown
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if last, _ = s.sim.Show(sku); last.Price == price && last.Stock == stock {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.w.t.Fatalf("%s stores %+v for %s; want %s and %d\n%s", s.name, last, sku, price, stock, s.explain(sku))
}

// beside makes a source and a WooCommerce shop that is kept the same.
func beside(t *testing.T, front *sim.Front) (source *shop, target *wooShop) {
	t.Helper()
	w := newWorld(t)
	source, target = w.shop("source", habits()), w.woo("target", front)
	w.sync(workload.SyncConfig{
		Name: "main", UID: "main", Source: "source", Fields: allFields,
		Channels: map[string]workload.SyncChannel{"source": {Groups: []string{"stock"}}, "target": {Groups: every}},
	})
	w.fold()
	return source, target
}

// I1 with a shop that takes quantities blindly and counts what may be sold: it
// is filled, follows the source, and its orders lower and raise everybody's stock.
func TestAWooCommerceShopIsKeptTheSame(t *testing.T) {
	t.Parallel()
	source, target := beside(t, &sim.Front{Rate: 1000, Burst: 1000, Timeout: 10 * time.Second})
	const n = 60
	for i := range n {
		source.Add(fmt.Sprintf("sku-%03d", i), fmt.Sprintf("Item %d", i), eur(int64(1000+i)), int64(20+i))
	}
	target.sim.AddProduct(sim.Item{SKU: "sku-007", Name: "sku-007", Price: "0.50", Stock: 3})
	if err := target.sim.Change("sku-007", func(f *sim.Fields) { f.Name = "An old name" }); err != nil {
		t.Fatal(err)
	}
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

	id, err := target.sim.PlaceOrder("processing", sim.Line{SKU: "sku-010", Units: 4}, sim.Line{SKU: "sku-012", Units: 2})
	if err != nil {
		t.Fatal(err)
	}
	source.shows("sku-010", 4200, 26)
	source.shows("sku-012", 1012, 30)
	if err := target.sim.Refund(id, true, sim.Line{SKU: "sku-010", Units: 1}); err != nil {
		t.Fatal(err)
	}
	source.shows("sku-010", 4200, 27)
	if err := target.sim.SetStatus(id, "completed"); err != nil {
		t.Fatal(err)
	}
	later, err := target.sim.PlaceOrder("pending", sim.Line{SKU: "sku-012", Units: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := target.sim.SetStatus(later, "on-hold"); err != nil {
		t.Fatal(err)
	}
	source.shows("sku-012", 1012, 25)
	if err := target.sim.SetStatus(later, "cancelled"); err != nil {
		t.Fatal(err)
	}
	source.shows("sku-012", 1012, 30)
	target.stores("sku-010", "42.00", 27)
	target.stores("sku-012", "10.12", 30)
	target.inSync("main", n)
}

// A host that limits, batches that are cut off, answers that never come, writes
// that land after newer ones, and webhooks that are lost, doubled and shuffled:
// once it is over, everything is as it should be.
func TestAWooCommerceShopInTroubleConverges(t *testing.T) {
	t.Parallel()
	source, target := beside(t, &sim.Front{Rate: 60, Burst: 30, Timeout: time.Second})
	const n = 40
	for i := range n {
		source.Add(fmt.Sprintf("sku-%03d", i), fmt.Sprintf("Item %d", i), eur(1000), 100)
	}
	source.start()
	target.start()
	target.inSync("main", n)
	if _, err := target.sim.AddWebhooks(target.hooks, hookSecret, "product.updated", "order.created", "order.updated"); err != nil {
		t.Fatal(err)
	}
	target.sim.SetMischief(sim.Mischief{
		Lose: func(n int) bool { return n%3 == 1 }, Duplicate: func(n int) bool { return n%2 == 0 }, Shuffle: true,
	})
	sold := map[string]int64{}
	for round := range 4 {
		switch round {
		case 0:
			target.sim.DieInBatch(5)
		case 1:
			target.sim.LandLate(1)
		case 2:
			target.sim.StopDatabase()
		case 3:
			target.sim.Lag(500 * time.Millisecond)
		}
		for i := range n {
			source.SetPrice(fmt.Sprintf("sku-%03d", i), eur(int64(2000+100*round+i)))
		}
		for i := range 5 {
			sku := fmt.Sprintf("sku-%03d", 7*i+round)
			if _, err := target.sim.PlaceOrder("processing", sim.Line{SKU: sku, Units: 2}); err != nil {
				t.Fatal(err)
			}
			sold[sku] += 2
		}
		if err := sleepFor(target.w.ctx, 1500); err != nil {
			t.Fatal(err)
		}
		target.sim.StartDatabase()
	}
	target.sim.Lag(0)
	if n := target.sim.Land(); n != 1 {
		t.Errorf("%d writes landed late, want 1", n)
	}
	for i := range n {
		sku := fmt.Sprintf("sku-%03d", i)
		price := 2300 + i
		target.stores(sku, fmt.Sprintf("%d.%02d", price/100, price%100), 100-sold[sku])
		source.shows(sku, int64(price), 100-sold[sku])
	}
	target.inSync("main", n)
}

// A WooCommerce shop owns the catalog: what its merchant changes and its buyers
// take is shown by the other shop, and what is bought there is taken from it.
func TestAWooCommerceShopIsTheSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source, target := w.woo("source", &sim.Front{Rate: 1000, Burst: 1000, Timeout: 10 * time.Second}), w.shop("target", habits())
	w.sync(workload.SyncConfig{
		Name: "main", UID: "main", Source: "source", Fields: allFields,
		Channels: map[string]workload.SyncChannel{"source": {Groups: []string{"stock"}}, "target": {Groups: every}},
	})
	w.fold()
	source.sim.AddProduct(sim.Item{SKU: "tea", Name: "Tea &amp; coffee", Price: "3.50", Stock: 20})
	source.sim.AddVariable("Shirt", "shirt", sim.Item{SKU: "shirt-s", Price: "20", Stock: 10, Option: "S"}, sim.Item{SKU: "shirt-m", Price: "21.00", Stock: 11, Option: "M"})
	id, err := source.sim.PlaceOrder("processing", sim.Line{SKU: "shirt-m", Units: 1})
	if err != nil {
		t.Fatal(err)
	}
	source.start()
	target.start()
	target.shows("tea", 350, 20)
	target.shows("shirt-s", 2000, 10)
	target.shows("shirt-m", 2100, 10)
	target.titled("tea", "Tea & coffee")
	target.titled("shirt-s", "Shirt - S")

	if err := source.sim.Change("tea", func(f *sim.Fields) { f.Price, f.Stock = "4.00", 50 }); err != nil {
		t.Fatal(err)
	}
	target.shows("tea", 400, 50)
	if _, err := source.sim.PlaceOrder("on-hold", sim.Line{SKU: "shirt-s", Units: 3}); err != nil {
		t.Fatal(err)
	}
	target.shows("shirt-s", 2000, 7)
	sold := target.Sell("shirt-s", 2)
	source.stores("shirt-s", "20", 5)
	target.Fulfil(sold)
	for _, status := range []string{"completed", "refunded"} {
		if err := source.sim.SetStatus(id, status); err != nil {
			t.Fatal(err)
		}
	}
	if err := source.sim.Change("shirt-m", func(f *sim.Fields) { f.Stock += 5 }); err != nil {
		t.Fatal(err)
	}
	target.shows("shirt-m", 2100, 15)
	target.shows("shirt-s", 2000, 5)
	source.stores("shirt-s", "20", 5)
	target.inSync("main", 3)
}
