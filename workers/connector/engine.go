package connector

import (
	"bytes"
	fifo "container/list"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// engine is the one place where the state of SKUs changes. Its methods take
// its lock; none of them waits for a network. Every change goes through a
// txn, which stores it and then brings counters and queue in line.
type engine struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	store   *store
	meta    meta
	routes  *routes
	can     abilities
	queue   *queue
	counts  counters
	fence   fence
	suspect map[string]int64 // next reading, Unix nanoseconds
	settles map[string]*settlement
	// settling are those of settles that a poll of the orders ends, oldest
	// first.
	settling fifo.List
	caught   bool // the hub's backlog at the start is in
	// ordersStart is when the newest order poll began whose facts are durable,
	// ordersSeq the last of them.
	ordersStart time.Time
	ordersTook  time.Duration // of that poll, until its facts were durable
	ordersSeq   uint64
	polls       []polled // oldest first
	// moved are the SKUs of orders that the fold has not reached, with the last
	// fact that tells of them.
	moved  map[string]uint64
	loaded bool // the records of the store are in queue and counters
	// comparing is set during the first full comparison: SKUs that were never
	// read wait for it rather than being read one by one.
	comparing bool

	// lives counts how often everything was forgotten.
	lives int
	// tenure is the epoch of the lease that the engine works under.
	tenure uint64
	// revision is the last number given to a reading of stock.
	revision uint64
	// failure is why the store cannot be written any more: nothing is, from
	// then on, and failed is closed.
	failure error
	failed  chan struct{}
	// changed is closed and replaced at every change that someone may wait for.
	changed chan struct{}
	// meter takes what was measured.
	meter meter
	// holds reports whether the lease is held.
	holds func() bool
}

// meter takes the times that confirmations tell.
type meter interface {
	confirmed(syncs []target, g groups, propagation, endToEnd time.Duration)
}

func newEngine(s *store, log *slog.Logger, now func() time.Time, m meter) (*engine, error) {
	state, err := s.readMeta()
	if err != nil {
		return nil, err
	}
	return &engine{
		log: log, now: now, store: s, meta: state, queue: newQueue(), meter: m,
		suspect: make(map[string]int64), moved: make(map[string]uint64), settles: make(map[string]*settlement),
		changed: make(chan struct{}), failed: make(chan struct{}), routes: &routes{}, holds: func() bool { return true },
	}, nil
}

// signal wakes whoever waits for a change; the lock is held.
func (e *engine) signal() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// change returns a channel that is closed at the next change.
func (e *engine) change() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

// view calls fn under the lock, for reading.
func (e *engine) view(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn()
}

// txn is one batch of changes.
type txn struct {
	e     *engine
	c     *change
	skus  map[string]*sku
	items map[[2]string]*storedItem // items written in this batch, nil = dropped
	// meta is stored when putMeta was set.
	meta    meta
	putMeta bool
	now     time.Time
}

// sku is one SKU within a txn.
type sku struct {
	name   string
	record record
	before class
	stored bool
	was    []byte     // as it was stored
	listed driver.Ref // as it was published
	want   want
	wanted bool
	// delay and entry are hints for the queue.
	delay   time.Duration
	attempt attempt
	landed  bool
	// ordersAfter asks that an order poll begins after it before stock is
	// written.
	ordersAfter time.Time
	// sample is a reading that is to settle now; latest is that of a SKU of
	// which one settles already, if read.
	sample *settlement
	latest int64
	read   bool
}

// attempt is how the last try of a SKU went, as far as the queue minds.
type attempt uint8

const (
	attemptNone  attempt = iota
	attemptGood          // reset the count
	attemptBad           // count and back off
	attemptCall          // count, and back off a little: it may not be the SKU's fault
	attemptSplit         // try one group at a time
)

// update runs fn on a txn and stores what it did. On an error nothing changed.
func (e *engine) update(synced bool, fn func(*txn) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.updateLocked(synced, fn)
}

func (e *engine) updateLocked(synced bool, fn func(*txn) error) error {
	t := &txn{e: e, c: e.store.begin(), skus: make(map[string]*sku), meta: e.meta, now: e.now()}
	if err := fn(t); err != nil {
		t.c.abandon()
		return err
	}
	return t.commit(synced)
}

// sku opens a SKU for change.
func (t *txn) sku(name string) (*sku, error) {
	if s := t.skus[name]; s != nil {
		return s, nil
	}
	s := &sku{name: name}
	found, err := t.e.store.get(recordKey(name), func(b []byte) error {
		s.was = append([]byte(nil), b...)
		return s.record.decode(b)
	})
	if err != nil {
		return nil, fmt.Errorf("SKU %q: %w", name, err)
	}
	s.stored = found
	s.before = classOf(&s.record)
	s.listed = s.record.listed()
	t.skus[name] = s
	return s, nil
}

// want projects what the channel should show of the SKU.
func (t *txn) want(s *sku) (*want, error) {
	if !s.wanted {
		w, err := t.e.routes.project(s.name, t.item)
		if err != nil {
			return nil, fmt.Errorf("SKU %q: %w", s.name, err)
		}
		s.want, s.wanted = w, true
	}
	return &s.want, nil
}

// item reads an item through the changes of the batch.
func (t *txn) item(source, name string) (storedItem, bool, error) {
	if i, ok := t.items[[2]string{source, name}]; ok {
		if i == nil {
			return storedItem{}, false, nil
		}
		return *i, true, nil
	}
	return t.e.store.readItem(source, name)
}

func (t *txn) setItem(source, name string, i *storedItem) error {
	if t.items == nil {
		t.items = make(map[[2]string]*storedItem)
	}
	t.items[[2]string{source, name}] = i
	if s := t.skus[name]; s != nil {
		s.wanted = false
	}
	if i == nil {
		return t.c.dropItem(source, name)
	}
	return t.c.putItem(source, name, *i)
}

// evaluate brings a SKU's pending groups in line with its want and record.
func (t *txn) evaluate(s *sku, ev event) error {
	w, err := t.want(s)
	if err != nil {
		return err
	}
	if ev.at == 0 {
		ev.at = t.now.UnixNano()
	}
	if ev.seq == 0 {
		ev.seq = t.e.meta.Seq + 1
	}
	ev.compared = !t.e.meta.Compared.IsZero()
	evaluate(&s.record, w, t.e.routes, &t.e.can, ev)
	return nil
}

// put stores a record if it changed.
func (t *txn) put(name string, s *sku) error {
	if s.record.empty() {
		if s.stored {
			return t.c.dropRecord(name)
		}
		return nil
	}
	now := s.record.encode(make([]byte, 0, 96))
	if s.stored && bytes.Equal(now, s.was) {
		return nil
	}
	return t.c.put(recordKey(name), now)
}

func (t *txn) commit(synced bool) error {
	for name, s := range t.skus {
		if err := t.put(name, s); err != nil {
			t.c.abandon()
			return err
		}
	}
	if err := t.putRefs(); err != nil {
		t.c.abandon()
		return err
	}
	if t.putMeta {
		t.meta.Revision = max(t.meta.Revision, t.e.revision)
		if err := t.c.putMeta(t.meta); err != nil {
			t.c.abandon()
			return err
		}
	}
	e := t.e
	if e.failure == nil {
		e.failure = t.c.commit(synced)
		if e.failure != nil {
			close(e.failed)
		}
	}
	if e.failure != nil {
		return e.failure
	}
	if t.putMeta {
		e.meta = t.meta
	}
	for _, s := range t.skus {
		if e.loaded {
			e.counts.move(s.before, classOf(&s.record))
		}
		if err := e.place(t, s); err != nil {
			return err
		}
	}
	e.signal()
	return nil
}

// empty records need not be stored.
func (r *record) empty() bool {
	return !r.known && r.ref == "" && r.managed == 0 && r.published == 0 && r.sent == driver.Version{} && !r.sending && r.suspectUntil == 0
}
