package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// shop is a simulated shop with a connector that drives it.
type shop struct {
	*shoptest.Shop
	w       *world
	name    string
	server  *httptest.Server
	options shoptest.Options
	config  workload.ChannelConfig
	creds   string
	dir     string
	space   *hub.Space
	tune    func(*Options)
	health  string
	hooks   string
	answers atomic.Pointer[answerGate]
	// slowOrders is how long the shop takes to list orders, in nanoseconds.
	slowOrders atomic.Int64

	stop   context.CancelFunc
	done   chan error
	engine atomic.Pointer[engine]
	taking atomic.Pointer[webhooks]
}

// explain says what the connector thinks of a SKU, for failed tests.
func (s *shop) explain(sku string) string {
	e := s.engine.Load()
	if e == nil {
		return s.name + ": not running"
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var r record
	found, err := e.store.readRecord(sku, &r)
	w, werr := e.routes.project(sku, e.store.readItem)
	text := fmt.Sprintf("%s: found %v %v\n  record %+v\n  want %+v %v\n  meta %+v ordersSeq %d settled %v caught %v comparing %v backlog %d", s.name, found, err, r, w, werr, e.meta, e.ordersSeq, e.ordersSettled(), e.caught, e.comparing, e.queue.backlog(allGroups))
	if x := e.queue.entries[sku]; x != nil {
		text += fmt.Sprintf("\n  entry work %+v pending %v inflight %v attempts %d notBefore %v backoff %v ordersAfter %v (orders %v) listed %v heap %d", x.work, x.pending, x.inflight, x.attempts, time.Until(x.notBefore), time.Until(x.backoff), x.ordersAfter, e.ordersStart, x.in != nil, x.heapIndex)
	}
	l, _ := s.Listing(sku)
	return text + fmt.Sprintf("\n  listing %+v %v %+v", l.Content, l.Price, l.Stock)
}

// habits are fast ones, so that tests need not wait.
func habits() shoptest.Options {
	return shoptest.Options{Traits: driver.Traits{
		PageSize: 100, ReadBatch: 50, WriteBatch: 20, CreateBatch: 20, RequestsPerSecond: 2000, Burst: 200, Concurrency: 2,
		RequestTimeout: 2 * time.Second, StockMode: driver.StockSet, StockBasis: driver.BasisOnHand,
		OrderVisibility: 50 * time.Millisecond, LateWriteHorizon: 20 * time.Second,
	}}
}

func (w *world) shop(name string, o shoptest.Options) *shop {
	w.t.Helper()
	s := &shop{Shop: shoptest.New(o), w: w, name: name, options: o, dir: w.t.TempDir(), creds: w.t.TempDir()}
	s.server = httptest.NewServer(s)
	w.t.Cleanup(s.server.Close)
	w.t.Cleanup(func() { s.server.CloseClientConnections() })
	s.config = workload.ChannelConfig{
		Generation: 1, UID: "uid-" + name, Type: "simulated", Endpoint: s.server.URL, Currency: "EUR",
		State: workload.Running, PollInterval: 50 * time.Millisecond,
	}
	s.token(o.Token)
	s.configure()
	s.space = w.as(hub.Workload{Kind: hub.Connector, Name: name})
	return s
}

func (s *shop) token(token string) {
	if err := os.WriteFile(filepath.Join(s.creds, "token"), []byte(token+"\n"), 0o600); err != nil {
		s.w.t.Fatal(err)
	}
}

// configure tells the hub the channel's configuration.
func (s *shop) configure() {
	s.w.t.Helper()
	s.w.put(workload.ConfigChannelPrefix+s.name, s.config)
}

// start starts the connector; it is stopped at the end of the test.
func (s *shop) start() {
	s.w.t.Helper()
	ctx, cancel := context.WithCancel(s.w.ctx)
	s.stop, s.done = cancel, make(chan error, 1)
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.w.t.Fatal(err)
		}
		return l
	}
	o := Options{
		Space: s.space, Channel: s.name, Namespace: s.w.namespace, Driver: shoptest.Driver(s.options),
		DataDir: s.dir, CredentialsDir: s.creds, Logger: quiet(), Registry: prometheus.NewRegistry(), LeaseDuration: 2500 * time.Millisecond,
		Health: listen(), Webhooks: listen(), began: func(e *engine, w *webhooks) { s.engine.Store(e); s.taking.Store(w) },
	}
	s.health, s.hooks = "http://"+o.Health.Addr().String(), "http://"+o.Webhooks.Addr().String()
	if s.tune != nil {
		s.tune(&o)
	}
	go func() { s.done <- Run(ctx, o) }()
	s.w.t.Cleanup(s.halt)
}

// halt stops the connector and waits for its end.
func (s *shop) halt() {
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	select {
	case err := <-s.done:
		if err != nil {
			s.w.t.Errorf("connector %s: %v", s.name, err)
		}
	case <-time.After(patience):
		s.w.t.Errorf("connector %s does not stop", s.name)
	}
}

// report returns the channel's last report.
func (s *shop) report() workload.ChannelReport {
	s.w.t.Helper()
	var r workload.ChannelReport
	e, err := s.w.operator.Get(s.w.ctx, workload.ReportChannelPrefix+s.name)
	if err != nil {
		return r
	}
	if err := json.Unmarshal(e.Data, &r); err != nil {
		s.w.t.Fatal(err)
	}
	return r
}

// shows waits until a shop shows a price and stock for a SKU.
func (s *shop) shows(sku string, price, available int64) {
	s.w.t.Helper()
	var last driver.Listing
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		l, ok := s.Listing(sku)
		last = l
		if ok && l.Price != nil && l.Price.Minor == price && l.Stock.Available == available {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.w.t.Fatalf("%s shows %v, %+v for %s; want %d and %d available\n%s", s.name, last.Price, last.Stock, sku, price, available, s.explain(sku))
}

// inSync waits until the report says that everything is as it should be.
func (s *shop) inSync(sync string, items int) {
	s.w.t.Helper()
	deadline := time.Now().Add(patience)
	var p workload.Progress
	for time.Now().Before(deadline) {
		p = s.report().Progress[sync]
		if p.InSync == items && p.Pending == 0 && p.Failed == 0 && p.Drifted == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	var stuck string
	if e := s.engine.Load(); e != nil {
		e.view(func() {
			for name := range e.queue.entries {
				stuck = name
			}
		})
	}
	s.w.t.Fatalf("%s is not in sync with %d items: %+v\n%s", s.name, items, p, s.explain(stuck))
}

// titled waits until a shop shows a title for a SKU.
func (s *shop) titled(sku, title string) {
	s.w.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if l, ok := s.Listing(sku); ok && l.Content.Title == title {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.w.t.Fatalf("%s does not show the title %q\n%s", s.name, title, s.explain(sku))
}

// deliveries are the webhooks that are being taken in.
func (s *shop) deliveries() int {
	w := s.taking.Load()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.waits)
	if w.busy {
		n++
	}
	return n
}
