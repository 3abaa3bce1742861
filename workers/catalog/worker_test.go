package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
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

func TestFactsBecomeItemsAndStock(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	w := n.start(t, t.TempDir(), nil)
	defer w.stop()
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10), order("market", "m", "A", 1, 3, 0)))
	n.ats(t, "A", 7)
	// A fact that changes nothing moves the cursor as well: connectors wait for it.
	before := n.records(t)
	n.folded(t, n.append(t, order("market", "m", "A", 1, 3, 0)))
	if after := n.records(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("a repetition changed %v to %v", before, after)
	}
	if err := w.Ready(); err != nil || !w.Active() {
		t.Errorf("active %v, ready: %v", w.Active(), err)
	}
}

func TestAWorkerGoesOnWhereItStoppedWithAndWithoutItsStore(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	dir := t.TempDir()
	var last uint64
	for i, dir := range []string{dir, dir, t.TempDir(), dir} {
		if i == 0 {
			n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 100))
		}
		n.append(t, order("market", fmt.Sprint("o", i), "A", 1, 3, 0), itemSeen(fmt.Sprint("B", i), "Blue"))
		w := n.start(t, dir, nil)
		last = n.append(t, order("market", fmt.Sprint("o", i), "A", 2, 3, 1))
		n.folded(t, last)
		wait(t, n.ctx, func() string {
			w.mu.Lock()
			defer w.mu.Unlock()
			if got := w.meta.Items["shop"]; got != i+2 {
				return fmt.Sprintf("%d items are counted, want %d", got, i+2)
			}
			return ""
		})
		w.stop()
	}
	n.ats(t, "A", 88)
}

func TestAKillBetweenHubAndStoreHasNoEffectTwice(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	dir := t.TempDir()
	killed := make(chan struct{})
	var once sync.Once
	w := n.start(t, dir, func(w *Worker) {
		w.afterFold = func(hub.Cursor) error {
			once.Do(func() { close(killed) })
			return errStop
		}
	})
	n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10), order("market", "m", "A", 1, 3, 2))
	<-killed
	w.crash()
	w = n.start(t, dir, nil)
	defer w.stop()
	n.folded(t, n.append(t, order("market", "m", "A", 2, 3, 3)))
	n.ats(t, "A", 7)
}

func TestAStaleOwnerLandsNothingAndStartsAgain(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	var armed atomic.Bool
	paused, resume := make(chan struct{}), make(chan struct{})
	w := n.start(t, t.TempDir(), func(w *Worker) {
		w.beforeFold = func(int) error {
			if armed.CompareAndSwap(true, false) {
				close(paused)
				<-resume
			}
			return nil
		}
	})
	defer w.stop()
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10)))
	armed.Store(true)
	seq := n.append(t, order("market", "m", "A", 1, 3, 0))
	<-paused
	// Meanwhile another owner folds the same fact to something else.
	subject, err := hub.ItemSubject("shop", "A")
	if err != nil {
		t.Fatal(err)
	}
	item := n.item(t, "A")
	item.Content.Title = "folded by another"
	data, err := json.Marshal(item)
	if err != nil {
		t.Fatal(err)
	}
	cursor, err := n.space.ReadCursor(n.ctx)
	if err != nil {
		t.Fatal(err)
	}
	other, err := n.space.Fold(n.ctx, cursor, hub.Cursor{FactSeq: seq, Epoch: cursor.Epoch}, []hub.Record{{Subject: subject, Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	close(resume)
	// The fact is not folded again; the next one is, on the other's state.
	n.folded(t, n.append(t, order("market", "n", "A", 1, 1, 0)))
	n.ats(t, "A", 9)
	if got := n.item(t, "A"); got.Content.Title != "folded by another" {
		t.Errorf("the stale batch overwrote the item: %+v", got)
	}
	if now, err := n.space.ReadCursor(n.ctx); err != nil || now.Seq <= other.Seq {
		t.Errorf("the cursor is %+v, %v; it was %+v", now, err, other)
	}
}

func TestAStandbyTakesOver(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	first := n.start(t, t.TempDir(), nil)
	defer first.stop()
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10)))
	second := n.start(t, t.TempDir(), nil)
	defer second.stop()
	wait(t, n.ctx, func() string {
		if err := second.Ready(); err != nil {
			return err.Error()
		}
		return ""
	})
	if second.Active() {
		t.Fatal("two workers are active")
	}
	first.stop()
	n.folded(t, n.append(t, order("market", "m", "A", 1, 3, 0)))
	n.ats(t, "A", 7)
	if !second.Active() {
		t.Error("nobody is active")
	}
}

func TestFactsAreFoldedByAConfigurationThatWasThereBeforeThem(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	w := n.start(t, t.TempDir(), nil)
	defer w.stop()
	// Nobody's business yet; the order is kept for later.
	n.folded(t, n.append(t, itemSeen("A", "Red"), order("market", "m", "A", 1, 5, 2)))
	if got := n.records(t); len(got) != 1 {
		t.Errorf("without a sync there is %v", got)
	}
	// A connector that saw the configuration states its facts at once.
	n.sync(t, "market")
	n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10))
	n.folded(t, n.append(t, order("market", "m", "A", 1, 5, 2)))
	n.ats(t, "A", 7)
	if err := n.space.Delete(n.ctx, workload.ConfigSyncPrefix+"main"); err != nil {
		t.Fatal(err)
	}
	wait(t, n.ctx, func() string {
		if topology, _ := w.config.current(); len(topology.Sources) > 0 {
			return "the deleted sync is still followed"
		}
		return ""
	})
	n.folded(t, n.append(t, itemSeen("A", "Blue")))
	if got := n.item(t, "A"); got.Content.Title != "Red" {
		t.Errorf("a channel without sync changed the item to %+v", got)
	}
}

func TestAFullHubRecoversWhenItsFactsAreFolded(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 4<<20)
	n.sync(t)
	long := itemSeen("A", strings.Repeat("x", 60_000))
	typ, data, err := catalog.EncodeFact(long)
	if err != nil {
		t.Fatal(err)
	}
	full := func() error {
		ctx, cancel := context.WithTimeout(n.ctx, 5*time.Second)
		defer cancel()
		_, err := n.space.Append(ctx, hub.Fact{Channel: "shop", Type: typ, Data: data})
		return err
	}
	for err == nil {
		err = full()
	}
	if !errors.Is(err, hub.ErrHubFull) {
		t.Fatalf("filling the hub ended with %v", err)
	}
	w := n.start(t, t.TempDir(), nil)
	defer w.stop()
	wait(t, n.ctx, func() string {
		if err := full(); err != nil {
			return err.Error()
		}
		return ""
	})
	n.folded(t, n.append(t, stockSeen("shop", "A", 5)))
	n.ats(t, "A", 5)
}

func TestAnOrderLargerThanABatchCountsOnce(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	dir := t.TempDir()
	var folds atomic.Int64
	w := n.start(t, dir, func(w *Worker) {
		w.afterFold = func(hub.Cursor) error {
			if folds.Add(1) == 3 {
				return errors.New("stopped in the middle")
			}
			return nil
		}
	})
	defer w.stop()
	n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 5000))
	large := order("market", "m", "A", 1, 1, 0)
	for i := range 1999 {
		line := driver.OrderLine{ID: fmt.Sprint("l", i), SKU: fmt.Sprint("S", i%700), Ordered: 1}
		large.OrderChanged.Order.Lines = append(large.OrderChanged.Order.Lines, line)
	}
	n.folded(t, n.append(t, large))
	n.ats(t, "A", 4999)
	committed := int64(0)
	for key, data := range n.records(t) {
		if strings.HasPrefix(key, "ledger.") {
			var l catalog.Ledger
			if err := json.Unmarshal([]byte(data), &l); err != nil {
				t.Fatal(err)
			}
			committed += l.Committed
		}
	}
	if committed != 2000 {
		t.Errorf("%d units are committed, want 2000", committed)
	}
	if folds.Load() < 4 {
		t.Errorf("the order took %d folds", folds.Load())
	}
}

func TestFactsThatCannotBeReadAreLeftOut(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t)
	w := n.start(t, t.TempDir(), nil)
	defer w.stop()
	for _, raw := range []hub.Fact{
		{Channel: "shop", Type: "item.praised", Data: []byte(`{}`)},
		{Channel: "shop", Type: catalog.TypeItemObserved, Data: []byte(`{`)},
		{Channel: "_ingest", Type: catalog.TypeOrderChanged, Data: []byte(`{"order":{"id":"o","lines":[{"id":"l","sku":"A","ordered":1}]}}`)},
	} {
		if _, err := n.space.Append(n.ctx, raw); err != nil {
			t.Fatal(err)
		}
	}
	n.folded(t, n.append(t, itemSeen("A", "Red")))
	wait(t, n.ctx, func() string {
		w.counts.mu.Lock()
		defer w.counts.mu.Unlock()
		if c := w.counts.n; c["unknown"] != 1 || c["invalid"] != 2 || c[catalog.TypeItemObserved] != 1 {
			return fmt.Sprintf("counted %v", c)
		}
		return ""
	})
}

func TestAHubMadeAnewIsFoldedFromItsStart(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	n := h.namespace(t, testContext(t), 0)
	n.sync(t)
	dir := t.TempDir()
	w := n.start(t, dir, nil)
	n.folded(t, n.append(t, itemSeen("A", "Red"), itemSeen("B", "Red"), itemSeen("C", "Red")))
	w.stop()
	if err := h.authority.DeleteNamespace(n.ctx, n.name); err != nil {
		t.Fatal(err)
	}
	if err := h.authority.EnsureNamespace(n.ctx, n.name, hub.Limits{}); err != nil {
		t.Fatal(err)
	}
	n.sync(t)
	w = n.start(t, dir, nil)
	defer w.stop()
	n.folded(t, n.append(t, itemSeen("D", "Red")))
	if got := n.records(t); len(got) != 1 {
		t.Errorf("the new hub holds %v", got)
	}
	wait(t, n.ctx, func() string {
		w.mu.Lock()
		defer w.mu.Unlock()
		if got := w.meta.Items["shop"]; got != 1 {
			return fmt.Sprintf("%d items are counted, want 1", got)
		}
		return ""
	})
}

func TestTheCursorFitsTheLogOfFacts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cursor hub.Cursor
		facts  hub.StreamState
		want   uint64
		moved  bool
	}{
		"as it was":             {hub.Cursor{FactSeq: 5, Epoch: 1}, hub.StreamState{Epoch: 1, FirstSeq: 3, LastSeq: 9, Messages: 7}, 5, false},
		"all folded and gone":   {hub.Cursor{FactSeq: 9, Epoch: 1}, hub.StreamState{Epoch: 1, FirstSeq: 10, LastSeq: 9}, 9, false},
		"never folded":          {hub.Cursor{}, hub.StreamState{Epoch: 1, FirstSeq: 1, LastSeq: 9, Messages: 9}, 0, false},
		"made anew":             {hub.Cursor{FactSeq: 5, Epoch: 1}, hub.StreamState{Epoch: 2, FirstSeq: 1, LastSeq: 9, Messages: 9}, 0, true},
		"restored":              {hub.Cursor{FactSeq: 5, Epoch: 1}, hub.StreamState{Epoch: 1, FirstSeq: 1, LastSeq: 3, Messages: 3}, 3, true},
		"begins later":          {hub.Cursor{FactSeq: 5, Epoch: 1}, hub.StreamState{Epoch: 1, FirstSeq: 8, LastSeq: 9, Messages: 2}, 7, true},
		"emptied before a fold": {hub.Cursor{FactSeq: 5, Epoch: 1}, hub.StreamState{Epoch: 1, FirstSeq: 10, LastSeq: 9}, 9, true},
	} {
		got, why := fitCursor(c.cursor, c.facts)
		if got.FactSeq != c.want || (why != "") != c.moved {
			t.Errorf("%s: going on after %d because %q; want %d", name, got.FactSeq, why, c.want)
		}
		if c.moved && got.Epoch != c.facts.Epoch {
			t.Errorf("%s: the epoch stayed %d", name, got.Epoch)
		}
	}
}

func TestClosedLinesExpire(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	dir := t.TempDir()
	closed := order("market", "m", "A", 1, 3, 3)
	closed.OrderChanged.Order.Closed = true
	w := n.start(t, dir, nil)
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10), closed, order("market", "open", "A", 1, 1, 0)))
	w.stop()
	line, err := hub.LineSubject("market", "m-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := n.records(t)[line.String()]; !ok {
		t.Fatal("the line is not there to begin with")
	}
	w = n.start(t, dir, func(w *Worker) {
		w.now = func() time.Time { return time.Now().Add(catalog.Retention + time.Hour) }
	})
	defer w.stop()
	wait(t, n.ctx, func() string {
		if _, ok := n.records(t)[line.String()]; ok {
			return "the closed line is still there"
		}
		return ""
	})
	n.folded(t, n.append(t, closed)) // comes again
	n.ats(t, "A", 6)
}
