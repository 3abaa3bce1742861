package woocommerce

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
	sim "selaras.dev/selaras/test/simulators/woocommerce"
)

// orderBook keeps the newest state of each order, as a connector does.
type orderBook struct {
	w      *world
	cursor driver.Cursor
	orders map[string]driver.Order
}

func (b *orderBook) poll(t interface{ Fatal(...any) }, ctx func() (driver.OrderPage, error)) {
	for {
		page, err := ctx()
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Orders {
			b.orders[o.ID] = o
		}
		if b.cursor = page.Next; !page.More {
			return
		}
	}
}

// available is what the orders make of the first stock.
func (b *orderBook) available(sku string, first int64) int64 {
	for _, o := range b.orders {
		for _, l := range o.Lines {
			if l.SKU == sku {
				first += l.Cancelled + l.Returned - l.Ordered
			}
		}
	}
	return first
}

// The ledger's arithmetic, whatever a merchant does to orders and in whatever
// order: the shop's stock is the first stock and the lines.
func TestOrdersExplainTheStockWhateverHappensToThem(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		simple, variation := fmt.Sprintf("S%d", n), fmt.Sprintf("V%d", n)
		const first = 1000
		w.shop.AddProduct(sim.Item{SKU: simple, Name: simple, Price: "3.00", Stock: first})
		w.shop.AddVariable("Product", "P"+variation, sim.Item{SKU: variation, Price: "5.00", Stock: first, Option: "S"})
		b := &orderBook{w: w, orders: map[string]driver.Order{}}
		poll := func() {
			b.poll(t, func() (driver.OrderPage, error) { return w.ReadOrders(t.Context(), b.cursor, 7) })
		}
		poll()
		clear(b.orders)
		var ids []string
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			w.shop.Pass(time.Second)
			if len(ids) == 0 || rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				id, err := w.shop.PlaceOrder(rapid.SampledFrom([]string{"pending", "on-hold", "processing"}).Draw(t, "placed"),
					sim.Line{SKU: simple, Units: rapid.Int64Range(1, 5).Draw(t, "units")}, sim.Line{SKU: variation, Units: 2})
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			} else {
				id := rapid.SampledFrom(ids).Draw(t, "order")
				var err error
				if rapid.IntRange(0, 2).Draw(t, "how") == 0 {
					err = w.shop.Refund(id, rapid.Bool().Draw(t, "restock"), sim.Line{SKU: rapid.SampledFrom([]string{simple, variation}).Draw(t, "of"), Units: 1})
				} else {
					err = w.shop.SetStatus(id, rapid.SampledFrom([]string{"pending", "on-hold", "processing", "completed", "cancelled", "refunded", "failed"}).Draw(t, "status"))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			poll()
			for _, sku := range []string{simple, variation} {
				shown, err := w.shop.Show(sku)
				if err != nil {
					t.Fatal(err)
				}
				if got := b.available(sku, first); got != shown.Stock {
					t.Fatalf("%s: the orders make %d of it, the shop shows %d: %+v", sku, got, shown.Stock, b.orders)
				}
			}
		}
	})
}

// Orders are found in the first reading whatever status a plugin gives them, and
// those that are not paid yet are known before they are.
func TestTheFirstReadingHoldsWhatMayBePaidOrShipped(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "3.00", Stock: 100})
	want := map[string]bool{"pending": true, "processing": true, "on-hold": true}
	ids := map[string]string{}
	for _, status := range []string{"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft"} {
		id, err := w.shop.PlaceOrder(status, sim.Line{SKU: "A", Units: 1})
		if err != nil {
			t.Fatal(err)
		}
		ids[id] = status
	}
	page, err := w.ReadOrders(t.Context(), "", 50)
	if err != nil || !page.More {
		t.Fatalf("got %+v, %v", page, err)
	}
	for _, o := range page.Orders {
		if !want[ids[o.ID]] {
			t.Errorf("an order that is %s is returned", ids[o.ID])
		}
		delete(want, ids[o.ID])
		if effect := o.Lines[0].Ordered - o.Lines[0].Cancelled; (effect == 0) != (ids[o.ID] == "pending") {
			t.Errorf("an order that is %s holds %d units: %+v", ids[o.ID], effect, o)
		}
	}
	if len(want) > 0 {
		t.Errorf("not returned: %v", want)
	}
}

// A replica of the database lags: what it does not show yet is found later.
func TestWhatAReplicaShowsLateIsFound(t *testing.T) {
	t.Parallel()
	w := open(t, sim.Options{})
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "3.00", Stock: 100})
	w.shop.Pass(time.Minute)
	cursor := driver.Cursor("")
	changed := func() (prices []int64) {
		for {
			page, err := w.ReadChanges(t.Context(), cursor, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range page.Listings {
				prices = append(prices, l.Price.Minor)
			}
			if cursor = page.Next; !page.More {
				return prices
			}
		}
	}
	changed()
	w.shop.Lag(5 * time.Second)
	w.put(t, priced("A", 250))
	if got := changed(); slices.Contains(got, 250) {
		t.Fatalf("the replica shows %v at once", got)
	}
	w.shop.Pass(6 * time.Second)
	if got := changed(); !slices.Contains(got, 250) {
		t.Errorf("once the replica shows it: %v, want 250", got)
	}
}

// receiver takes webhooks as a connector does, and can refuse them.
type receiver struct {
	mu      sync.Mutex
	refuse  bool
	got     []driver.Delivery
	arrived int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrived++
	if err != nil || r.refuse {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	r.got = append(r.got, driver.Delivery{Header: req.Header.Clone(), Body: body})
}

func (r *receiver) set(refuse bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = refuse
}

func (r *receiver) seen() (deliveries []driver.Delivery, arrived int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got), r.arrived
}

func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		timer := time.NewTimer(20 * time.Millisecond)
		<-timer.C
	}
}

// The webhooks of a channel are made where they are missing, left alone where
// somebody paused them, and active again where they failed too often, with the
// secret that is right by now.
func TestTheWebhooksOfAChannelAreKept(t *testing.T) {
	t.Parallel()
	r := &receiver{}
	server := httptest.NewServer(r)
	defer server.Close()
	mine := server.URL + "/mine"
	w := open(t, sim.Options{}, func(s *driver.Settings) { s.Config = fmt.Appendf(nil, `{"webhookURL":%q}`, mine) })
	w.shop.AddProduct(sim.Item{SKU: "A", Name: "A", Price: "3.00", Stock: 100})
	updated, err := w.shop.AddWebhooks(mine, "an old secret", "product.updated")
	if err != nil {
		t.Fatal(err)
	}
	paused, err := w.shop.AddWebhooks(mine, "secret", "order.updated")
	if err != nil {
		t.Fatal(err)
	}
	w.shop.SetWebhookStatus(paused[0], "paused")
	others, err := w.shop.AddWebhooks(server.URL+"/other", "secret", "product.updated")
	if err != nil {
		t.Fatal(err)
	}
	r.set(true)
	for n := range 10 {
		if err := w.shop.Change("A", func(f *sim.Fields) { f.Stock = int64(n) }); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both webhooks are disabled", func() error {
		if a, b := w.shop.WebhookStatus(updated[0]), w.shop.WebhookStatus(others[0]); a != "disabled" || b != "disabled" {
			return fmt.Errorf("they are %s and %s", a, b)
		}
		return nil
	})
	r.set(false)
	for range 2 {
		if _, err := w.Account(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if a, b, c := w.shop.WebhookStatus(updated[0]), w.shop.WebhookStatus(others[0]), w.shop.WebhookStatus(paused[0]); a != "active" || b != "disabled" || c != "paused" {
		t.Errorf("the channel's are %s and %s, the other %s; want active, paused, disabled", a, c, b)
	}
	want := map[string]int{"product.updated " + server.URL + "/other": 1}
	for _, topic := range keptTopics {
		want[topic+" "+mine] = 1
	}
	if got := w.shop.Webhooks(); !cmp.Equal(got, want) {
		t.Errorf("(-want +got)\n%s", cmp.Diff(want, got))
	}
	before, _ := r.seen()
	if err := w.shop.Change("A", func(f *sim.Fields) { f.Stock = 77 }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it delivers again", func() error {
		for _, d := range after(r, len(before)) {
			if signals, err := w.ReceiveWebhook(t.Context(), d); err == nil && len(signals) == 1 && signals[0].Key.SKU == "A" {
				return nil
			}
		}
		return errors.New("nothing of A arrived")
	})
}

func TestTheAddressOfWebhooksIsOne(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{"": true, "https://hooks.test/x": true, "hooks.test": false, "https://u:p@hooks.test/": false, "::": false} {
		if err := checkWebhookURL(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func after(r *receiver, n int) []driver.Delivery {
	all, _ := r.seen()
	return all[n:]
}

// Whatever happens to webhooks on their way, those that arrive are understood,
// and polling finds the rest.
func TestLostDoubledAndShuffledWebhooksDoNoHarm(t *testing.T) {
	t.Parallel()
	r := &receiver{}
	server := httptest.NewServer(r)
	defer server.Close()
	w := open(t, sim.Options{})
	w.addShirt("SHIRT-S", "SHIRT-M")
	for n := range 20 {
		w.shop.AddProduct(sim.Item{SKU: fmt.Sprintf("A%02d", n), Name: "A", Price: "3.00", Stock: 100})
	}
	if _, err := w.shop.AddWebhooks(server.URL, "secret", "product.updated", "order.created", "order.updated"); err != nil {
		t.Fatal(err)
	}
	w.shop.SetMischief(sim.Mischief{
		Lose: func(n int) bool { return n%3 == 0 }, Duplicate: func(n int) bool { return n%4 == 0 }, Shuffle: true,
	})
	start, err := w.ReadChanges(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if err := w.shop.Change(fmt.Sprintf("A%02d", n), func(f *sim.Fields) { f.Stock = int64(n) }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.shop.PlaceOrder("processing", sim.Line{SKU: "SHIRT-S", Units: 1}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all deliveries are made", func() error {
		if !w.shop.Idle() {
			return errors.New("some wait")
		}
		return nil
	})
	deliveries, _ := r.seen()
	listings := 0
	for _, d := range deliveries {
		signals, err := w.ReceiveWebhook(t.Context(), d)
		if err != nil {
			t.Fatalf("%s: %v", d.Body, err)
		}
		for _, s := range signals {
			if s.Kind == driver.SignalListing {
				listings++
			}
		}
	}
	if listings < 10 {
		t.Errorf("%d signals of listings in %d deliveries, want those that were not lost", listings, len(deliveries))
	}
	found := map[string]int64{}
	for cursor, more := start.Next, true; more; {
		page, err := w.ReadChanges(t.Context(), cursor, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Listings {
			found[l.SKU] = l.Stock.OnHand
		}
		cursor, more = page.Next, page.More
	}
	for n := range 20 {
		if got, ok := found[fmt.Sprintf("A%02d", n)]; !ok || got != int64(n) {
			t.Errorf("A%02d: polling found %d (%v), want %d", n, got, ok, n)
		}
	}
	if found["SHIRT-S"] != 39 {
		t.Errorf("the sale of a variation: polling found %d, want 39", found["SHIRT-S"])
	}
}
