package connector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

// observer turns readings of the channel into facts and records. Readings pass
// one at a time: two that overlap could tell the hub an older value last.
type observer struct {
	engine  *engine
	space   *hub.Space
	channel string

	mu sync.Mutex
}

// reading is some listings as the channel showed them.
type reading struct {
	listings []driver.Listing
	// asked are the SKUs that were asked for by name: of these, every listing
	// was returned, and one without is absent. Empty for pages.
	asked []string
	// token of the fence, taken before the channel was asked.
	token uint64
	why   cause
	// then is stored in one batch with the last of the reading.
	then func(*txn) error
}

// take makes the facts of a reading durable and then stores it. Listings that
// may be older than what is known are asked for again soon.
func (o *observer) take(ctx context.Context, r reading) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := bySKU(r.listings)
	renamed, err := o.engine.renamed(r.listings, seen)
	if err != nil {
		return err
	}
	for _, name := range r.asked {
		if _, ok := seen.of[name]; !ok {
			seen.add(name)
		}
	}
	names := seen.names
	for first := true; first || len(names) > 0; first = false {
		n := min(chunk, len(names))
		facts, err := o.facts(&r, seen, names[:n])
		if err != nil {
			return err
		}
		if err := o.append(ctx, facts); err != nil {
			return err
		}
		last := n == len(names)
		err = o.engine.update(false, func(t *txn) error {
			if first {
				if err := t.lookFor(renamed); err != nil {
					return err
				}
			}
			for _, name := range names[:n] {
				if err := t.observe(&r, name, seen.of[name]); err != nil {
					return err
				}
			}
			if last && r.then != nil {
				return r.then(t)
			}
			return nil
		})
		if err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

// append makes facts durable.
func (o *observer) append(ctx context.Context, facts []catalog.Fact) error {
	_, err := appendFacts(ctx, o.space, o.channel, facts)
	return err
}

func appendFacts(ctx context.Context, space *hub.Space, channel string, facts []catalog.Fact) (uint64, error) {
	if len(facts) == 0 {
		return 0, nil
	}
	out := make([]hub.Fact, 0, len(facts))
	// An append whose answer was lost is made again: the revision of a reading,
	// the same in both, tells the fold that it is not a new one.
	for _, f := range facts {
		typ, data, err := catalog.EncodeFact(f)
		if err != nil {
			return 0, fmt.Errorf("encode a fact of %s: %w", channel, err)
		}
		out = append(out, hub.Fact{Channel: channel, Type: typ, Data: data})
	}
	seq, err := space.Append(ctx, out...)
	if err != nil {
		return 0, fmt.Errorf("store %d facts of %s: %w", len(out), channel, err)
	}
	return seq, nil
}

// listings by normalised SKU, in their order.
type listings struct {
	names []string
	of    map[string][]driver.Listing
}

func (l *listings) add(name string, found ...driver.Listing) {
	if _, ok := l.of[name]; !ok {
		l.names = append(l.names, name)
	}
	l.of[name] = append(l.of[name], found...)
}

// bySKU sorts listings; those whose SKU cannot be one are left out.
func bySKU(found []driver.Listing) *listings {
	l := &listings{of: make(map[string][]driver.Listing, len(found))}
	for i := range found {
		if name, ok := catalog.NormalizeSKU(found[i].SKU); ok {
			l.add(name, found[i])
		}
	}
	return l
}

// facts works out what a reading has to tell the hub.
func (o *observer) facts(r *reading, seen *listings, names []string) ([]catalog.Fact, error) {
	e := o.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	var facts []catalog.Fact
	for _, name := range names {
		if e.outdated(name, r.token) {
			continue
		}
		var rec record
		if _, err := e.store.readRecord(name, &rec); err != nil {
			return nil, err
		}
		facts = append(facts, e.tell(name, &rec, seen.of[name], len(r.asked) > 0)...)
	}
	return facts, nil
}

// outdated reports whether a reading may be older than what is known of a SKU.
func (e *engine) outdated(name string, token uint64) bool {
	if x := e.queue.entries[name]; x != nil && x.inflight {
		return true
	}
	return e.fence.stale(name, token)
}

// tell are the facts that the listings of one SKU make; the lock is held.
func (e *engine) tell(name string, r *record, found []driver.Listing, whole bool) []catalog.Fact {
	if len(found) == 0 {
		if e.routes.publishes && r.published != 0 {
			return []catalog.Fact{{ItemRemoved: &catalog.ItemRemoved{SKU: name}}}
		}
		return nil
	}
	if several(found) || r.duplicate && !whole {
		return nil
	}
	l := &found[0]
	var facts []catalog.Fact
	if e.routes.publishes && hashItem(l) != r.published {
		c := l.Content
		facts = append(facts, catalog.Fact{ItemObserved: &catalog.ItemObserved{
			SKU: name, Content: &c, Price: l.Price, ChangedAt: l.ChangedAt,
		}})
	}
	if !e.routes.stock || l.Stock == nil {
		return facts
	}
	now := showing(l)
	q := now.stored(e.can.basis)
	first := !r.known || r.absent || !r.shown.hasStock
	switch {
	case first && e.routes.publishes && e.routes.owns && !e.seeded(name, e.store.readItem):
		facts = append(facts, catalog.Fact{StockObserved: e.stockObserved(name, l)})
	case r.ours(q) && (first || q != r.shown.stored(e.can.basis)),
		!first && q == r.shown.stored(e.can.basis) && r.certain(e.now()):
		facts = append(facts, e.stockConfirmed(name, q))
	}
	return facts
}

func (e *engine) stockObserved(name string, l *driver.Listing) *catalog.StockObserved {
	o := &catalog.StockObserved{
		SKU: name, OnHand: l.Stock.OnHand, Reserved: l.Stock.Reserved, Basis: e.can.basis,
		ChangedAt: l.ChangedAt, Revision: e.nextRevision(),
	}
	if e.can.basis == driver.BasisAvailable {
		o.OnHand, o.Reserved = l.Stock.Available, 0
	}
	return o
}

// observe stores the listings of one SKU, whose facts are durable.
func (t *txn) observe(r *reading, name string, found []driver.Listing) error {
	s, err := t.sku(name)
	if err != nil {
		return err
	}
	if t.e.outdated(name, r.token) {
		s.record.recheck(t.now)
		return nil
	}
	if len(found) == 0 {
		s.record.gone()
		s.record.published = 0
		s.record.looked(t.now)
		return t.evaluate(s, event{why: r.why})
	}
	before := s.record
	ev := t.read(s, found, len(r.asked) > 0)
	ev.why = r.why
	if !before.known || before.absent {
		ev.why = causeBackfill
	}
	// A rejected value is tried again when the whole catalog is compared.
	ev.retry = r.why == causeBackfill && len(r.asked) == 0 && s.record.failed != 0
	if t.e.routes.publishes && !s.record.duplicate {
		s.record.published = hashItem(&found[0])
	}
	if s.record.shown != before.shown {
		t.e.fence.mark(name)
	}
	return t.evaluate(s, ev)
}

// begin starts a reading of the channel.
func (e *engine) begin() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fence.begin()
}

// end ends it.
func (e *engine) end(token uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fence.end(token)
}

// dueSuspects are SKUs to be read for their own sake, at most n, and when the
// next is due after these, zero if there is none.
func (e *engine) dueSuspects(n int) ([]driver.Key, time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	var keys []driver.Key
	var next time.Time
	for name, at := range e.suspect {
		due := time.Unix(0, at)
		if due.After(now) || len(keys) == n {
			next = earlier(next, due)
			continue
		}
		if x := e.queue.entries[name]; x != nil && x.inflight {
			next = earlier(next, now.Add(settleCheck))
			continue
		}
		var r record
		if _, err := e.store.readRecord(name, &r); err != nil {
			continue // the next change of the store will tell
		}
		keys = append(keys, driver.Key{SKU: name, Ref: r.ref})
	}
	return keys, next
}
