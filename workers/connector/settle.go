package connector

import (
	"context"
	"errors"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

// Settling (DESIGN §5.3): a stock reading that no write of ours explains may be
// the effect of an order of the channel that was not told yet. So the orders
// are asked first, by a poll that began after the reading, and their facts
// folded. What is left then is a change that somebody made: on a channel whose
// stock is taken in it becomes a fact, on any other it is drift.

// settled are SKUs whose stock reading may be explained now: keys to be read
// once more where the change is to be told, names where it is drift.
func (e *engine) settled(n int) (tell []driver.Key, drift []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.settles) == 0 || !e.caught || e.can.orders && e.meta.FactSeq < e.ordersSeq {
		return nil, nil
	}
	now := e.now()
	for name := range e.settles {
		if len(tell)+len(drift) == n {
			break
		}
		if x := e.queue.entries[name]; x != nil && x.inflight {
			continue
		}
		var r record
		if found, err := e.store.readRecord(name, &r); err != nil || !found {
			continue
		}
		since := time.Unix(0, r.settleSince)
		if e.can.orders && !e.ordersStart.After(since) {
			continue
		}
		switch {
		case !e.routes.owns:
			drift = append(drift, name)
		case now.Sub(since) >= e.visibility() && (!e.can.orders || e.ordersStart.Sub(since) >= e.visibility()):
			tell = append(tell, driver.Key{SKU: name, Ref: r.ref})
		}
	}
	return tell, drift
}

// visibility is how long an order may stay unseen.
func (e *engine) visibility() time.Duration {
	if !e.can.orders {
		return 0
	}
	return e.can.orderVisibility
}

// drifted takes settled readings as what the channel shows.
func (e *engine) drifted(names []string) error {
	return e.update(false, func(t *txn) error {
		for _, name := range names {
			s, err := t.sku(name)
			if err != nil {
				return err
			}
			if !s.record.settling {
				continue
			}
			s.record.settle()
			if err := t.evaluate(s, event{why: causeChange, drifted: stock}); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle makes the reading the confirmation.
func (r *record) settle() {
	r.shown.onHand, r.shown.available, r.settling = r.settleOnHand, r.settleOnHand, false
}

// tell appends what stayed the same and takes it as confirmed once it is
// folded: until then what the items say of the stock is without it, and
// writing it back would undo it. Readings that changed meanwhile go on
// settling.
func (o *observer) tell(ctx context.Context, found []driver.Listing, token uint64) error {
	e := o.engine
	var life int
	e.view(func() { life = e.lives })
	told, seq, err := o.appendSettled(ctx, found, token)
	if err != nil || len(told) == 0 {
		return err
	}
	if err := e.folded(ctx, seq, life); err != nil {
		return err
	}
	return e.update(false, func(t *txn) error {
		for name, q := range told {
			s, err := t.sku(name)
			if err != nil {
				return err
			}
			if !s.record.settling || s.record.settleOnHand != q {
				continue
			}
			s.record.settle()
			if err := t.evaluate(s, event{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// appendSettled appends the settled readings and returns them by SKU, with the
// place of the last in the log.
func (o *observer) appendSettled(ctx context.Context, found []driver.Listing, token uint64) (map[string]int64, uint64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.engine
	seen := bySKU(found)
	var facts []catalog.Fact
	told := make(map[string]int64)
	e.view(func() {
		for _, name := range seen.names {
			var r record
			ok, err := e.store.readRecord(name, &r)
			if err != nil || !ok || !r.settling || e.outdated(name, token) || several(seen.of[name]) {
				continue
			}
			l := &seen.of[name][0]
			now := showing(l)
			if q := now.stored(e.can.basis); now.hasStock && q == r.settleOnHand {
				told[name] = q
				o := e.stockObserved(name, l)
				o.Written, o.Base = r.stocks, r.shown.stored(e.can.basis)
				facts = append(facts, catalog.Fact{StockObserved: o})
			}
		}
	})
	seq, err := appendFacts(ctx, o.space, o.channel, facts)
	return told, seq, err
}

// errForgotten ends a wait for a place in a log that the hub has lost.
var errForgotten = errors.New("the hub lost what was waited for; everything is compared")

// folded waits until the facts up to a place in the log are in the items that
// were delivered. The place was given in a life of the log.
func (e *engine) folded(ctx context.Context, seq uint64, life int) error {
	for {
		var done, lost bool
		var changed <-chan struct{}
		e.view(func() { done, lost, changed = e.meta.FactSeq >= seq, e.lives != life, e.changed })
		if lost {
			return errForgotten
		}
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
