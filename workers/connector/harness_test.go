package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// One hub serves all tests; each has a namespace of its own.
var testHub struct {
	server    *hub.Server
	authority *hub.Authority
	next      int
	mu        sync.Mutex
}

func TestMain(m *testing.M) { os.Exit(withHub(m)) }

func withHub(m *testing.M) int {
	dir, err := os.MkdirTemp("", "connector-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	keys, err := hub.GenerateKeys(filepath.Join(dir, "keys"))
	if err == nil {
		// Namespaces reserve what they may store and are never full: how
		// large the disk is does not matter.
		testHub.server, err = hub.StartServer(hub.ServerOptions{Dir: filepath.Join(dir, "hub"), MaxStore: 1 << 40, Trust: keys.Trust(), Logger: quiet()})
	}
	if err == nil {
		testHub.authority, err = hub.NewAuthority(hub.AuthorityOptions{URL: testHub.server.URL(), Keys: keys, Logger: quiet()})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	testHub.authority.Close()
	testHub.server.Shutdown()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

func quiet() *slog.Logger {
	level := slog.LevelError
	if os.Getenv("CONNECTOR_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// world is a namespace with a catalog worker in it: everything around the
// connectors under test.
type world struct {
	t         *testing.T
	ctx       context.Context
	namespace string
	operator  *hub.Space
	topology  *catalog.Topology
	resume    func() // the fold
	hold      func()
	lag       atomic.Int64 // how old a fact is when it is folded, in nanoseconds
	mu        sync.Mutex
	facts     []catalog.Fact
}

const patience = 30 * time.Second

func newWorld(t *testing.T) *world {
	t.Helper()
	testHub.mu.Lock()
	testHub.next++
	namespace := fmt.Sprintf("ns-%d", testHub.next)
	testHub.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	if err := testHub.authority.EnsureNamespace(ctx, namespace, hub.Limits{MaxBytes: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	operator, err := testHub.authority.Space(ctx, namespace)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(operator.Close)
	return &world{
		t: t, ctx: ctx, namespace: namespace, operator: operator,
		topology: &catalog.Topology{Sources: map[string]bool{}, StockSource: map[string]string{}, AdoptsStock: map[string]bool{}},
	}
}

func (w *world) as(kind hub.Workload) *hub.Space {
	w.t.Helper()
	creds, err := testHub.authority.Credentials(w.namespace, kind)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := hub.Dial(w.ctx, hub.DialOptions{URL: testHub.server.URL(), Credentials: creds, Name: w.t.Name(), Logger: quiet()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	return s
}

// fold runs a catalog worker with its state in memory until the test ends.
func (w *world) fold() {
	w.t.Helper()
	space := w.as(hub.Workload{Kind: hub.Catalog})
	state := &memory{items: map[[2]string]catalog.Item{}, ledgers: map[[2]string]catalog.Ledger{}, lines: map[[2]string]catalog.Line{}}
	cursor, err := space.ReadCursor(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	gate := make(chan struct{}, 1)
	gate <- struct{}{}
	w.hold = func() { <-gate }
	w.resume = func() { gate <- struct{}{} }
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(w.ctx)
	w.t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		err := space.ReadFacts(ctx, hub.Position{Seq: cursor.FactSeq, Epoch: cursor.Epoch}, func(facts []hub.Fact) error {
			select {
			case <-gate:
				defer func() { gate <- struct{}{} }()
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := sleep(ctx, time.Until(facts[len(facts)-1].Time.Add(time.Duration(w.lag.Load())))); err != nil {
				return err
			}
			for len(facts) > 0 {
				n := min(len(facts), 200)
				records := map[hub.Subject][]byte{}
				for _, f := range facts[:n] {
					fact, err := catalog.DecodeFact(f.Channel, f.Type, f.Data, f.Seq, f.Time)
					if err != nil {
						return err
					}
					w.mu.Lock()
					w.facts = append(w.facts, fact)
					w.mu.Unlock()
					changes, err := catalog.Fold(state, w.topology, &fact)
					if err != nil {
						return err
					}
					if err := state.apply(changes, records); err != nil {
						return err
					}
				}
				out := make([]hub.Record, 0, len(records))
				for s, data := range records {
					out = append(out, hub.Record{Subject: s, Data: data})
				}
				next, err := space.Fold(ctx, cursor, hub.Cursor{FactSeq: facts[n-1].Seq, Epoch: cursor.Epoch}, out)
				if err != nil {
					return err
				}
				cursor = next
				facts = facts[n:]
			}
			return nil
		})
		if ctx.Err() == nil {
			w.t.Errorf("the worker of the test ended: %v", err)
		}
	}()
}

// memory is the state of a fold.
type memory struct {
	items   map[[2]string]catalog.Item
	ledgers map[[2]string]catalog.Ledger
	lines   map[[2]string]catalog.Line
}

func (m *memory) Item(source, sku string) (catalog.Item, bool, error) {
	i, ok := m.items[[2]string{source, sku}]
	return i, ok, nil
}

func (m *memory) Ledger(source, sku string) (catalog.Ledger, bool, error) {
	l, ok := m.ledgers[[2]string{source, sku}]
	return l, ok, nil
}

func (m *memory) Line(channel, line string) (catalog.Line, bool, error) {
	l, ok := m.lines[[2]string{channel, line}]
	return l, ok, nil
}

func (m *memory) apply(c catalog.Changes, records map[hub.Subject][]byte) error {
	for _, i := range c.Items {
		m.items[[2]string{i.Source, i.SKU}] = *i.Item
		s, err := hub.ItemSubject(i.Source, i.SKU)
		if err != nil {
			return err
		}
		if records[s], err = json.Marshal(i.Item); err != nil {
			return err
		}
	}
	for _, l := range c.Ledgers {
		m.ledgers[[2]string{l.Source, l.SKU}] = *l.Ledger
	}
	for _, l := range c.Lines {
		if l.Line != nil {
			m.lines[[2]string{l.Channel, l.ID}] = *l.Line
		}
	}
	return nil
}

// told returns the facts folded so far that match.
func (w *world) told(match func(catalog.Fact) bool) []catalog.Fact {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []catalog.Fact
	for _, f := range w.facts {
		if match(f) {
			out = append(out, f)
		}
	}
	return out
}

// put sets a key of the configuration.
func (w *world) put(key string, value any) {
	w.t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.operator.Put(w.ctx, key, data); err != nil {
		w.t.Fatal(err)
	}
}

// sync configures one sync and what the worker makes of it.
func (w *world) sync(c workload.SyncConfig) {
	w.t.Helper()
	if c.Mode == "" {
		c.Mode = workload.Enforce
	}
	c.Generation++
	w.topology.Sources[c.Source] = true
	if _, ok := c.Fields["stock"]; ok {
		w.topology.StockSource[c.Source] = c.Source
		w.topology.AdoptsStock[c.Source] = true
		for name := range c.Channels {
			w.topology.StockSource[name] = c.Source
		}
	}
	w.put(workload.ConfigSyncPrefix+c.Name, c)
}

var (
	allFields = map[string]workload.FieldConfig{
		"content": {Drift: workload.DriftEnforce}, "price": {Drift: workload.DriftEnforce}, "stock": {Drift: workload.DriftEnforce},
	}
	every = []string{"content", "price", "stock"}
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
		Health: listen(), Webhooks: listen(), began: func(e *engine) { s.engine.Store(e) },
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

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func eur(minor int64) driver.Money { return driver.Money{Minor: minor, Currency: "EUR"} }

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

func encode(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sleepFor waits some milliseconds, to set a pace.
func sleepFor(ctx context.Context, ms int) error {
	return sleep(ctx, time.Duration(ms)*time.Millisecond)
}
