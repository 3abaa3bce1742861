package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
)

// load reads the records of the store into counters and queue. The routes
// must be set.
func (e *engine) load(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var work []string
	after := ""
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		after, more, err = e.store.glanceEach(after, 10_000, func(name []byte, c class, quiet bool) {
			e.counts.add(c, 1)
			if !quiet {
				work = append(work, string(name))
			}
		})
		if err != nil {
			return err
		}
	}
	e.loaded = true
	return inChunks(ctx, work, func(names []string) error {
		return e.updateLocked(false, func(t *txn) error {
			for _, name := range names {
				s, err := t.sku(name)
				if err != nil {
					return err
				}
				if s.record.sending && s.record.suspectUntil == 0 {
					// Killed while a write was out: nobody knows its fate.
					s.record.suspectFrom(t.now, e.can.horizon)
				}
				if s.record.settling {
					s.record.recheck(t.now) // the orders told since are not known
				}
			}
			return nil
		})
	})
}

// chunk bounds the SKUs of one txn, and so how long the lock is held.
const chunk = 500

func inChunks(ctx context.Context, names []string, fn func([]string) error) error {
	for len(names) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(chunk, len(names))
		if err := fn(names[:n]); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

// setRoutes puts a new configuration to work. If what the channel should show
// may differ, every SKU is looked at again.
func (e *engine) setRoutes(ctx context.Context, p *routes) error {
	var sweep bool
	e.view(func() {
		// A newer configuration never has an older number, even when its
		// newest part was deleted.
		p.generation = max(p.generation, e.meta.Generation)
		if e.meta.Rules != 0 && e.meta.Rules != p.hash {
			p.generation = max(p.generation, e.meta.Generation+1)
		}
		e.routes = p
		sweep = e.meta.Rules != p.hash
		e.signal()
	})
	if !sweep {
		return nil
	}
	if err := e.sweep(ctx, p); err != nil {
		return err
	}
	return e.update(true, func(t *txn) error {
		if p.publishes && !t.meta.Source || p.seeds() && !t.meta.Owner {
			t.meta.Again = t.now // what is there already was never told
		}
		t.meta.Source, t.meta.Owner = p.publishes, p.seeds()
		t.meta.Rules, t.meta.Generation, t.putMeta = p.hash, p.generation, true
		return nil
	})
}

// sweep looks at every SKU that has a record or an item under new rules.
func (e *engine) sweep(ctx context.Context, p *routes) error {
	var seeds bool
	e.view(func() { seeds = p.seeds() && !e.meta.Owner })
	look := func(names []string, fresh bool) error {
		return e.update(false, func(t *txn) error {
			for _, name := range names {
				s, err := t.sku(name)
				if err != nil {
					return err
				}
				if fresh && s.stored {
					continue // looked at as a record
				}
				if r := &s.record; seeds && r.shown.hasStock && !r.settling && !t.seeded(s) {
					// The ledger begins with the next reading.
					r.shown.hasStock = false
				}
				w, err := t.want(s)
				if err != nil {
					return err
				}
				fresh := w.managed &^ s.record.managed
				why := causeRules
				if fresh == w.managed {
					why = causeBackfill
				}
				ev := event{why: why, changed: allGroups&^p.leave | fresh}
				if err := t.evaluate(s, ev); err != nil {
					return err
				}
			}
			return nil
		})
	}
	walk := func(fresh bool, next func(after string, add func(string)) (string, bool, error)) error {
		after := ""
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			names := make([]string, 0, chunk)
			var err error
			after, more, err = next(after, func(name string) { names = append(names, name) })
			if err != nil {
				return err
			}
			if err := look(names, fresh); err != nil {
				return err
			}
		}
		return nil
	}
	err := walk(false, func(after string, add func(string)) (string, bool, error) {
		return e.store.eachRecord(after, chunk, func(name string, _ *record) error { add(name); return nil })
	})
	for i := range p.feeds {
		if err != nil {
			return err
		}
		source := p.feeds[i].source
		err = walk(true, func(after string, add func(string)) (string, bool, error) {
			return e.store.eachItem(source, after, chunk, func(name string) error { add(name); return nil })
		})
	}
	return err
}

// records takes in what the hub delivered, with the position in one batch.
func (e *engine) records(b hub.Batch) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.updateLocked(false, func(t *txn) error {
		for i := range b.Records {
			if err := t.hubRecord(&b.Records[i]); err != nil {
				return err
			}
		}
		if b.Epoch != 0 {
			t.meta.Epoch = b.Epoch
		}
		t.putMeta = true
		return nil
	})
	if err != nil {
		return err
	}
	if b.Caught && !e.caught {
		e.caught = true
		e.signal()
	}
	return nil
}

func (t *txn) hubRecord(r *hub.Record) error {
	t.meta.Seq = r.Seq
	if r.Subject.Kind() == hub.KindCursor {
		c, err := r.Cursor()
		if err != nil {
			return fmt.Errorf("read the hub's cursor: %w", err)
		}
		t.meta.FactSeq = c.FactSeq
		return nil
	}
	if r.Subject.Kind() != hub.KindItem {
		return nil
	}
	name, err := r.Subject.SKU()
	if err != nil {
		t.e.log.Error("skipped an item of the hub", "subject", r.Subject.String(), "error", err)
		return nil
	}
	source := r.Subject.Source()
	var item *storedItem
	if !r.Deleted {
		item = &storedItem{seq: r.Seq, time: r.Time.UnixNano(), data: r.Data}
	}
	if t.e.routes.feed(source) == nil {
		return t.setItem(source, name, item)
	}
	s, err := t.sku(name)
	if err != nil {
		return err
	}
	w, err := t.want(s)
	if err != nil {
		return err
	}
	old := *w
	if err := t.setItem(source, name, item); err != nil {
		return err
	}
	if w, err = t.want(s); err != nil {
		return err
	}
	ev := event{at: r.Time.UnixNano(), seq: r.Seq, why: causeChange, changed: allGroups &^ old.same(w)}
	if !t.e.caught && !s.record.known {
		ev.why = causeBackfill
	}
	pending := s.record.pending
	if err := t.evaluate(s, ev); err != nil {
		return err
	}
	if entry := t.e.queue.entries[name]; entry != nil && entry.inflight && pending != 0 && entry.next.seq == 0 && ev.changed != 0 {
		entry.next.since, entry.next.seq = ev.at, ev.seq
	}
	return nil
}

// forget drops everything that was learnt from a hub that has lost some of it:
// a full comparison will rebuild it. orders is where the order poll goes on, empty
// for all that are open.
func (e *engine) forget(orders string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := &txn{e: e, c: e.store.begin(), skus: make(map[string]*sku), now: e.now()}
	t.meta = meta{
		UID: e.meta.UID, Account: e.meta.Account, Shop: e.meta.Shop, Requested: e.meta.Requested,
		Orders: orders, Baselined: orders != "", Generation: e.meta.Generation, Revision: e.meta.Revision,
	}
	t.putMeta = true
	if err := errors.Join(t.c.dropItems(), t.c.dropRecords()); err != nil {
		t.c.abandon()
		return err
	}
	if err := t.commit(true); err != nil {
		return err
	}
	// Writes that are out are landed on entries nobody knows any more.
	e.queue, e.counts = newQueue(), counters{}
	clear(e.suspect)
	clear(e.settles)
	e.settling.Init()
	e.caught, e.comparing = false, true
	// Places in a log that may be another one now.
	e.ordersSeq, e.ordersStart, e.polls = 0, time.Time{}, nil
	clear(e.moved)
	e.lives++
	e.signal()
	return nil
}

// suspectFrom begins to look out for a write whose fate is not known.
func (r *record) suspectFrom(now time.Time, horizon time.Duration) {
	r.suspectUntil = now.Add(horizon).UnixNano()
	r.suspectNext = now.Add(suspectAfter(0)).UnixNano()
	r.suspectStep = 0
}

// recheck asks for one reading soon.
func (r *record) recheck(now time.Time) {
	if r.suspectUntil == 0 {
		r.suspectUntil, r.suspectStep = now.UnixNano(), 0
	}
	r.suspectNext = now.UnixNano()
}

// looked notes a reading of a suspect, and ends the suspicion at its horizon.
func (r *record) looked(now time.Time) {
	if r.suspectUntil == 0 {
		return
	}
	r.suspectStep++
	next := now.Add(suspectAfter(int(r.suspectStep))).UnixNano()
	if now.UnixNano() >= r.suspectUntil {
		r.suspectUntil, r.suspectNext, r.suspectStep = 0, 0, 0
		if !r.settling {
			r.stocks = nil // the ledger is asked with them otherwise
		}
		return
	}
	r.suspectNext = min(next, r.suspectUntil)
}

// suspectAfter is the wait before the n-th reading of a suspect: 1, 5, 30 s,
// then doubling from a minute.
func suspectAfter(n int) time.Duration {
	first := [...]time.Duration{time.Second, 5 * time.Second, 30 * time.Second}
	if n < len(first) {
		return first[n]
	}
	return time.Minute << min(n-len(first), 10)
}

// version is that of an intent made now from a want.
func (e *engine) version(w *want) driver.Version {
	return driver.Version{Epoch: e.meta.Epoch, Generation: e.routes.generation, Sequence: w.seq}
}
