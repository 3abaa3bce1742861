package connector

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// withhold lets a shop do a call and keeps its answer back until the returned
// function is called: the first call for which pick is true.
func (s *shop) withhold(pick func(path string) bool) (done <-chan struct{}, release func()) {
	gate, did := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.answers.Store(&answerGate{pick: pick, did: func() bool {
		first := false
		once.Do(func() { first = true })
		return first
	}, done: did, gate: gate})
	return did, sync.OnceFunc(func() { close(gate) })
}

type answerGate struct {
	pick func(path string) bool
	did  func() bool
	done chan struct{}
	gate chan struct{}
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/orders") && sleep(r.Context(), time.Duration(s.slowOrders.Load())) != nil {
		return
	}
	g := s.answers.Load()
	if g == nil || !g.pick(strings.TrimPrefix(r.URL.Path, "/")) || !g.did() {
		s.Shop.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	s.Shop.ServeHTTP(rec, r)
	close(g.done)
	<-g.gate
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// settled waits until what a shop has on hand is what its connector knows, with
// nothing left to do.
func (s *shop) settled(sku string, onHand int64) {
	s.w.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		var r record
		e := s.engine.Load()
		e.view(func() { _, _ = e.store.readRecord(sku, &r) })
		if l, ok := s.Listing(sku); ok && l.Stock.OnHand == onHand && r.shown.onHand == onHand && !r.settling && !r.sending && !r.unread && r.pending == 0 {
			return
		}
		_ = sleepFor(s.w.ctx, 5)
	}
	s.w.t.Fatalf("%s is not settled at %d on hand\n%s", s.name, onHand, s.explain(sku))
}

// pair is a source and a target that sell the same stock.
func pair(t *testing.T, o shoptest.Options) (w *world, source, one *shop) {
	t.Helper()
	w = newWorld(t)
	source, one = w.shop("source", o), w.shop("one", o)
	w.sync(workload.SyncConfig{
		Name: "main", Source: "source", Fields: allFields,
		Channels: map[string]workload.SyncChannel{"one": {Groups: every}, "source": {Groups: []string{"stock"}}},
	})
	w.fold()
	return w, source, one
}

func slow() shoptest.Options {
	o := habits()
	o.Traits.RequestTimeout = 15 * time.Second
	return o
}

func (w *world) orderTold(id string, fulfilled int64) func() bool {
	return func() bool {
		return len(w.told(func(f catalog.Fact) bool {
			return f.OrderChanged != nil && f.OrderChanged.Order.ID == id && f.OrderChanged.Order.Lines[0].Fulfilled == fulfilled
		})) > 0
	}
}

// What is shipped while the answer of a read-back is on its way is counted once,
// though the order could be told before the write is (conservation of stock).
func TestAShipmentDuringAReadBackIsCountedOnce(t *testing.T) {
	t.Parallel()
	w, source, one := pair(t, slow())
	source.Add("A", "Item", eur(100), 10)
	source.start()
	one.start()
	one.shows("A", 100, 10)
	one.inSync("main", 1)
	id := source.Sell("A", 2)
	one.shows("A", 100, 8)
	source.inSync("main", 1)
	wrote := false
	var mu sync.Mutex
	read, release := source.withhold(func(path string) bool {
		mu.Lock()
		defer mu.Unlock()
		if path == "write" {
			wrote = true
		}
		return wrote && path == "read"
	})
	defer release()
	one.Sell("A", 1) // the source is to show one less
	<-read           // it does, and the answer to the read-back is slow
	source.Fulfil(id)
	orders := source.Calls(driver.OpOrders)
	eventually(t, "the order asked for", func() bool { return source.Calls(driver.OpOrders) > orders })
	if err := sleepFor(t.Context(), 300); err != nil { // the shipment may be told meanwhile
		t.Fatal(err)
	}
	release()
	eventually(t, "the shipment told", w.orderTold(id, 2))
	source.settled("A", 7)
	source.shows("A", 100, 7)
	one.shows("A", 100, 7)
}

// A write whose answer was lost and a shipment after it are told apart: the
// difference to what was shown before is nobody's change.
func TestAShipmentAfterAWriteOfUnknownFateIsCountedOnce(t *testing.T) {
	t.Parallel()
	o := slow()
	o.Traits.RequestTimeout = 300 * time.Millisecond
	w, source, one := pair(t, o)
	source.Add("A", "Item", eur(100), 10)
	source.start()
	one.start()
	one.shows("A", 100, 10)
	id := source.Sell("A", 2)
	one.shows("A", 100, 8)
	source.inSync("main", 1)
	var once sync.Once
	source.Fault(func(op driver.Operation, _ int) shoptest.Fault {
		f := shoptest.Fault{}
		if op == driver.OpWrite {
			once.Do(func() { f.Lose = true })
		}
		return f
	})
	one.Sell("A", 1)
	eventually(t, "written", func() bool { l, _ := source.Listing("A"); return l.Stock.OnHand == 9 })
	source.Fulfil(id)
	eventually(t, "the shipment told", w.orderTold(id, 2))
	source.settled("A", 7)
	source.shows("A", 100, 7)
	one.shows("A", 100, 7)
}

// A write of unknown fate that is found done is told to the ledger, whoever
// reads it first; later changes of the merchant are then taken in whole.
func TestAWriteOfUnknownFateIsConfirmedWhenFound(t *testing.T) {
	t.Parallel()
	o := slow()
	o.Traits.RequestTimeout = 300 * time.Millisecond
	_, source, one := pair(t, o)
	const n = 10
	sku := func(i int) string { return fmt.Sprintf("S%02d", i) }
	for i := range n {
		source.Add(sku(i), "Item", eur(100), 10)
	}
	source.start()
	one.start()
	one.inSync("main", n)
	source.inSync("main", n)
	until := time.Now().Add(1500 * time.Millisecond)
	source.Fault(func(op driver.Operation, _ int) shoptest.Fault {
		if op == driver.OpWrite && time.Now().Before(until) {
			return shoptest.Fault{Lose: true}
		}
		return shoptest.Fault{}
	})
	for i := range n {
		one.Sell(sku(i), 1)
	}
	for i := range n {
		source.settled(sku(i), 9)
	}
	for i := range n {
		source.SetStock(sku(i), 14)
	}
	for i := range n {
		one.shows(sku(i), 100, 14)
		source.shows(sku(i), 100, 14)
	}
}

// A source whose stock joins a sync later tells it then, not at its next change.
func TestStockThatJoinsASyncLaterIsSeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source, one := w.shop("source", habits()), w.shop("one", habits())
	conf := workload.SyncConfig{
		Name: "main", Source: "source",
		Fields:   map[string]workload.FieldConfig{"content": {Drift: workload.DriftEnforce}, "price": {Drift: workload.DriftEnforce}},
		Channels: map[string]workload.SyncChannel{"one": {Groups: []string{"content", "price"}}},
	}
	w.sync(conf)
	w.fold()
	source.Add("A", "Item", eur(100), 10)
	one.Add("A", "Item", eur(100), 3)
	source.start()
	one.start()
	one.inSync("main", 1)
	conf.Fields = allFields
	conf.Generation = 1
	conf.Channels = map[string]workload.SyncChannel{"one": {Groups: every}, "source": {Groups: []string{"stock"}}}
	w.hold()
	w.sync(conf)
	w.resume()
	one.shows("A", 100, 10)
}

// A channel that becomes the source tells at once what it has shown all along.
func TestATargetThatBecomesTheSourceTellsItsItems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := habits()
	o.Traits.LateWriteHorizon = time.Hour // no second comparison of itself
	a, b := w.shop("a", o), w.shop("b", o)
	conf := workload.SyncConfig{Name: "main", Source: "a", Fields: map[string]workload.FieldConfig{"content": {Drift: workload.DriftEnforce}, "price": {Drift: workload.DriftEnforce}},
		Channels: map[string]workload.SyncChannel{"b": {Groups: []string{"content", "price"}}}}
	w.sync(conf)
	w.topology.Sources["b"] = true
	w.fold()
	a.Add("A", "Item", eur(100), 10)
	a.start()
	b.start()
	b.inSync("main", 1)
	conf.Source, conf.Generation = "b", 1
	conf.Channels = map[string]workload.SyncChannel{"a": {Groups: []string{"content", "price"}}}
	w.hold()
	w.sync(conf)
	w.resume()
	a.inSync("main", 1)
}

// With drift left alone, what a write of unknown fate left behind is not taken
// for somebody's change: the newer value goes out (I1, I2).
func TestAWriteOfUnknownFateIsNotDrift(t *testing.T) {
	t.Parallel()
	o := habits()
	o.Traits.RequestTimeout = 300 * time.Millisecond
	w := newWorld(t)
	s := w.shop("target", o)
	fields := map[string]workload.FieldConfig{
		"content": {Drift: workload.DriftObserve}, "price": {Drift: workload.DriftObserve}, "stock": {Drift: workload.DriftEnforce},
	}
	w.sync(workload.SyncConfig{Name: "main", Source: "erp", Fields: fields, Channels: map[string]workload.SyncChannel{"target": {Groups: every}}})
	f := &feeder{w: w, space: w.as(hub.Workload{Kind: hub.Catalog})}
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	var once sync.Once
	s.Fault(func(op driver.Operation, _ int) shoptest.Fault {
		x := shoptest.Fault{}
		if op == driver.OpWrite {
			once.Do(func() { x.Lose = true })
		}
		return x
	})
	f.items(item("A", 200, 5))
	eventually(t, "written", func() bool { l, _ := s.Listing("A"); return l.Price.Minor == 200 })
	f.items(item("A", 300, 5))
	s.shows("A", 300, 5)
	s.inSync("main", 1)
}

// Stock goes out although listing orders takes longer than their poll is held
// to be fresh.
func TestASlowListOfOrdersDoesNotStopStock(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, slow())
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	s.slowOrders.Store(int64(3500 * time.Millisecond))
	polls := s.Calls(driver.OpOrders)
	eventually(t, "two slow polls", func() bool { return s.Calls(driver.OpOrders) >= polls+2 })
	f.items(item("A", 100, 4))
	s.shows("A", 100, 4)
}

// What was forgotten with the hub's log is not waited for: neither stock nor a
// settling reading hangs on a place that never comes.
func TestForgettingEndsWaitsForTheOldLog(t *testing.T) {
	t.Parallel()
	disk, err := openStore("/store", vfs.NewMem(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disk.close() })
	e, err := newEngine(disk, quiet(), time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.can.orders, e.routes = true, &routes{stock: true, poll: time.Second}
	e.ordersSeq, e.ordersStart = 5000, time.Now()
	waited := make(chan error, 1)
	go func() { waited <- e.folded(t.Context(), 5000, 0) }()
	if err := e.forget(""); err != nil {
		t.Fatal(err)
	}
	if err := e.update(false, func(*txn) error { return nil }); err != nil {
		t.Fatal(err)
	}
	e.view(func() { e.ordersStart = time.Now() }) // a poll of the new life
	e.view(func() {
		if !e.ordersSettled() {
			t.Error("stock waits for facts of a log that is gone")
		}
	})
	select {
	case err := <-waited:
		if !errors.Is(err, errForgotten) {
			t.Errorf("the wait ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("a reading waits for facts of a log that is gone")
	}
}

// A burst of deliveries about orders costs the budget a poll or two, not one
// each.
func TestABurstOfOrderWebhooksSharesItsPolls(t *testing.T) {
	t.Parallel()
	o := habits()
	o.Latency = 50 * time.Millisecond
	w, source, _ := pair(t, o)
	source.Add("A", "Item", eur(100), 10)
	source.config.PollInterval = time.Hour
	source.configure()
	source.start()
	source.inSync("main", 1)
	body := encode(t, []driver.Signal{{Kind: driver.SignalOrder, Order: "O000001"}})
	id := source.Sell("A", 1)
	before := source.Calls(driver.OpOrders)
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, source.hooks, bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header = source.Sign(body)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d, want %d", resp.StatusCode, http.StatusOK)
			}
		})
	}
	all.Wait()
	eventually(t, "the order told", w.orderTold(id, 0))
	if got := source.Calls(driver.OpOrders) - before; got > 6 {
		t.Errorf("30 deliveries made %d polls of the orders", got)
	}
}

// The numbers of readings do not depend on clocks: a successor without the
// store of its predecessor, on a machine whose clock is behind, is heard.
func TestAClockThatIsBehindLosesNoStock(t *testing.T) {
	t.Parallel()
	_, source, one := pair(t, habits())
	source.Add("A", "Item", eur(100), 10)
	source.tune = func(o *Options) { o.now = func() time.Time { return time.Now().Add(time.Hour) } }
	source.start()
	one.start()
	one.shows("A", 100, 10)
	one.Sell("A", 1)
	source.settled("A", 9)
	source.halt()
	source.tune, source.dir = nil, t.TempDir()
	source.start()
	eventually(t, "the source read again", func() bool {
		e := source.engine.Load()
		var done bool
		e.view(func() { done = !e.meta.Compared.IsZero() && e.meta.Compared.Before(time.Now().Add(time.Minute)) })
		return done
	})
	source.settled("A", 9)
	source.SetStock("A", 15)
	one.shows("A", 100, 15)
}
