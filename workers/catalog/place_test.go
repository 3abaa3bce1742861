package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testLog() *slog.Logger {
	out := io.Discard
	if os.Getenv("CATALOG_TEST_LOG") != "" {
		out = os.Stderr
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// testHub is an embedded hub with as many namespaces as a test wants.
type testHub struct {
	server    *hub.Server
	authority *hub.Authority
	spaces    atomic.Int64
}

func startHub(t *testing.T) *testHub {
	t.Helper()
	dir := t.TempDir()
	keys, err := hub.GenerateKeys(dir + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	server, err := hub.StartServer(hub.ServerOptions{Dir: dir + "/data", Trust: keys.Trust(), Logger: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	authority, err := hub.NewAuthority(hub.AuthorityOptions{URL: server.URL(), Keys: keys, Logger: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authority.Close)
	return &testHub{server: server, authority: authority}
}

// namespace is one namespace of a test, with everybody's rights.
type namespace struct {
	hub   *testHub
	name  string
	ctx   context.Context
	space *hub.Space // the operator's
}

func (h *testHub) namespace(t tester, ctx context.Context, maxBytes int64) *namespace {
	t.Helper()
	name := fmt.Sprintf("shop-%d", h.spaces.Add(1))
	if err := h.authority.EnsureNamespace(ctx, name, hub.Limits{MaxBytes: maxBytes}); err != nil {
		t.Fatalf("make the namespace: %v", err)
	}
	space, err := h.authority.Space(ctx, name)
	if err != nil {
		t.Fatalf("open the namespace: %v", err)
	}
	return &namespace{hub: h, name: name, ctx: ctx, space: space}
}

// dial opens the namespace as its catalog worker.
func (n *namespace) dial(t tester) *hub.Space {
	t.Helper()
	creds, err := n.hub.authority.Credentials(n.name, hub.Workload{Kind: hub.Catalog})
	if err != nil {
		t.Fatalf("sign credentials: %v", err)
	}
	space, err := hub.Dial(n.ctx, hub.DialOptions{URL: n.hub.server.URL(), Credentials: creds, Name: "catalog", Logger: testLog()})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	return space
}

// running is a worker under test.
type running struct {
	*Worker
	stop  func()
	crash func() // waits for the end that a hook brings about
}

// start runs a worker on a directory. prepare may set hooks.
func (n *namespace) start(t tester, dir string, prepare func(*Worker)) *running {
	t.Helper()
	return n.run(t, dir, nil, prepare)
}

// startOn runs a worker whose store lies on a disk in memory.
func (n *namespace) startOn(t tester, disk vfs.FS, prepare func(*Worker)) *running {
	t.Helper()
	return n.run(t, "store", disk, prepare)
}

func (n *namespace) run(t tester, dir string, disk vfs.FS, prepare func(*Worker)) *running {
	t.Helper()
	space := n.dial(t)
	w, err := newWorker(Options{Space: space, Namespace: n.name, DataDir: dir, Holder: "test", Logger: testLog(), LeaseDuration: 2 * time.Second}, disk)
	if err != nil {
		t.Fatalf("open the worker: %v", err)
	}
	w.stateEvery = 50 * time.Millisecond
	if prepare != nil {
		prepare(w)
	}
	ctx, cancel := context.WithCancel(n.ctx)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var once sync.Once
	end := func(crash bool) {
		t.Helper()
		once.Do(func() {
			if !crash {
				cancel()
			}
			// A hook may strike while the test has seen all it wanted.
			if err := <-done; crash && err == nil || !crash && err != nil && !errors.Is(err, errCrash) {
				t.Errorf("the worker ended with %v", err)
			}
			cancel()
			space.Close()
		})
	}
	return &running{Worker: w, stop: func() { end(false) }, crash: func() { end(true) }}
}

func (n *namespace) append(t tester, facts ...catalog.Fact) uint64 {
	t.Helper()
	raw := make([]hub.Fact, len(facts))
	for i, fact := range facts {
		typ, data, err := catalog.EncodeFact(fact)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		raw[i] = hub.Fact{Channel: fact.Channel, Type: typ, Data: data}
	}
	last, err := n.space.Append(n.ctx, raw...)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return last
}

func (n *namespace) put(t tester, key string, value any) {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	if _, err := n.space.Put(n.ctx, key, data); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

// sync puts a CatalogSync of shop's catalog on other channels.
func (n *namespace) sync(t tester, channels ...string) {
	t.Helper()
	s := workload.SyncConfig{
		Name: "main", Generation: 3, UID: "uid", Mode: workload.Enforce, Source: "shop", MaxLag: 10 * time.Second,
		Fields:   map[string]workload.FieldConfig{"content": {}, "price": {}, "stock": {Drift: workload.DriftEnforce}},
		Channels: map[string]workload.SyncChannel{"shop": {Groups: []string{"stock"}}},
	}
	for _, channel := range channels {
		s.Channels[channel] = workload.SyncChannel{Groups: []string{"content", "price", "stock"}}
	}
	n.put(t, workload.ConfigSyncPrefix+"main", s)
}

// folded waits until the cursor covers a fact.
func (n *namespace) folded(t tester, seq uint64) hub.Cursor {
	t.Helper()
	var cursor hub.Cursor
	wait(t, n.ctx, func() string {
		var err error
		if cursor, err = n.space.ReadCursor(n.ctx); err != nil {
			return err.Error()
		}
		if cursor.FactSeq < seq {
			return fmt.Sprintf("folded up to %d of %d", cursor.FactSeq, seq)
		}
		return ""
	})
	return cursor
}

// wait asks until there is nothing missing.
func wait(t tester, ctx context.Context, missing func() string) {
	t.Helper()
	deadline, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		what := missing()
		if what == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// records reads the whole state from the hub.
func (n *namespace) records(t tester) map[string]string {
	t.Helper()
	state := map[string]string{}
	err := n.space.ReadRecords(n.ctx, hub.ReadOptions{Kinds: hub.Items | hub.Ledgers | hub.Lines}, func(b hub.Batch) error {
		for _, r := range b.Records {
			if r.Deleted {
				delete(state, r.Subject.String())
			} else {
				state[r.Subject.String()] = string(r.Data)
			}
		}
		if b.Caught {
			return io.EOF
		}
		return nil
	})
	if !errors.Is(err, io.EOF) {
		t.Fatalf("read the records: %v", err)
	}
	return state
}

func (n *namespace) item(t tester, sku string) catalog.Item {
	t.Helper()
	subject, err := hub.ItemSubject("shop", sku)
	if err != nil {
		t.Fatalf("subject: %v", err)
	}
	var item catalog.Item
	if data, ok := n.records(t)[subject.String()]; !ok || json.Unmarshal([]byte(data), &item) != nil {
		t.Fatalf("there is no item %s: %q", sku, data)
	}
	return item
}

func (n *namespace) ats(t tester, sku string, want int64) {
	t.Helper()
	item := n.item(t, sku)
	if item.ATS == nil || *item.ATS != want {
		t.Errorf("to sell of %s: %v, want %d", sku, item.ATS, want)
	}
}

var start = time.Now().UTC().Truncate(time.Second)

func itemSeen(sku, title string) catalog.Fact {
	return catalog.Fact{Channel: "shop", ItemObserved: &catalog.ItemObserved{
		SKU: sku, Content: &driver.Content{Product: driver.Product{Key: "mug", Title: "Mug"}, Title: title, Enabled: true},
		Price: &driver.Money{Minor: 1000, Currency: "EUR"}, ChangedAt: start,
	}}
}

func stockSeen(channel, sku string, onHand int64) catalog.Fact {
	return catalog.Fact{Channel: channel, StockObserved: &catalog.StockObserved{SKU: sku, OnHand: onHand, Basis: driver.BasisOnHand, ChangedAt: start}}
}

func order(channel, id, sku string, state int, ordered, fulfilled int64) catalog.Fact {
	return catalog.Fact{Channel: channel, OrderChanged: &catalog.OrderChanged{Order: driver.Order{
		ID: id, PlacedAt: start, ChangedAt: start.Add(time.Duration(state) * time.Millisecond),
		Lines: []driver.OrderLine{{ID: id + "-1", SKU: sku, Ordered: ordered, Fulfilled: fulfilled}},
	}}}
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
