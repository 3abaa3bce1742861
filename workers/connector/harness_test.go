package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
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
