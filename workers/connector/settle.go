package connector

import (
	fifo "container/list"
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
//
// A SKU that sells all the time never shows the same twice. It is the first
// reading that settles, whatever is read later: orders that were told since are
// named with it, so that the ledger takes what is beyond them, and the next
// reading settles after it. A rush neither keeps a change back for long nor
// counts it twice.

// settlement is a stock reading that settles.
type settlement struct {
	// stock is what was read, at the channel's own time of its last change.
	stock     driver.Stock
	changedAt time.Time
	sku       string
	since     time.Time
	place     *fifo.Element // among those that settle, nil if void
	// overtaken is set once orders of the SKU were told since; at most lowered
	// and raised are the units by which they moved its stock.
	overtaken       bool
	lowered, raised int64
	// latest is what was read last, of the same SKU; risen is set when that was
	// more than before, which no sale makes it.
	latest int64
	risen  bool
	// void settlements wait for a reading to take their place.
	void bool
	// open lets stock be lowered once although something settles still: all
	// that is sure was taken in, and at most margin units are not.
	open   bool
	margin int64
}

// placeSample keeps the sample of a SKU in line with its record; the lock is held.
func (e *engine) placeSample(s *sku) {
	have := e.settles[s.name]
	switch {
	case !s.record.settling:
		e.unsettle(s.name)
	case s.sample != nil:
		e.unsettle(s.name)
		if have != nil && have.open && s.sample.latest <= have.latest {
			s.sample.open, s.sample.margin = true, have.margin
		}
		e.settles[s.name] = s.sample
		if !s.sample.void {
			s.sample.sku, s.sample.since = s.name, time.Unix(0, s.record.settleSince)
			s.sample.place = e.settling.PushBack(s.sample)
		}
	case have == nil:
		// The orders told since are not known: it was read before a start.
		e.settles[s.name] = &settlement{void: true}
	case s.read:
		have.risen = have.risen || s.latest > have.latest
		have.open, have.latest = have.open && !have.risen, s.latest
	}
}

// unsettle forgets the sample of a SKU; the lock is held.
func (e *engine) unsettle(name string) {
	if x := e.settles[name]; x != nil && x.place != nil {
		e.settling.Remove(x.place)
		x.place = nil
	}
	delete(e.settles, name)
}

// samples reports whether a reading of a SKU is to settle whatever it shows.
func (e *engine) samples(name string) bool {
	x := e.settles[name]
	return x == nil || x.void
}

// unsettled reports whether stock of a SKU must not be written: it could undo
// what a reading may turn out to be. What others sold is not held back for
// ever: a channel that sells without a pause may be lowered between two
// readings that settle, if by more than they leave open.
func (e *engine) unsettled(name string, r *record, w *want) bool {
	if !r.settling {
		return false
	}
	x := e.settles[name]
	return x == nil || x.void || !x.open || w.quantity(r, &e.can) >= x.latest-x.margin
}

// spend ends what a write of stock is about to overtake: the reading that
// settles, and the leave to write although one does.
func (e *engine) spend(s *sku) {
	if x := e.settles[s.name]; x != nil {
		x.open = false
	}
	s.sample = &settlement{void: true}
}

// overtook notes the lines of an order that is about to be told: readings that
// settle may have seen them or not. The lock is held.
func (e *engine) overtook(o *driver.Order) {
	for i := range o.Lines {
		line := &o.Lines[i]
		name, ok := catalog.NormalizeSKU(line.SKU)
		x := e.settles[name]
		if !ok || x == nil {
			continue
		}
		x.overtaken = true
		x.raised += max(0, line.Returned)
		if e.can.basis == driver.BasisAvailable {
			x.lowered += max(0, line.Ordered)
			x.raised += max(0, line.Cancelled)
			continue
		}
		x.lowered += max(0, line.Fulfilled)
	}
}

// settled are SKUs whose stock reading may be explained now: those whose change
// is to be told, and those where it is drift. They settle in the order in which
// they were read, so that the first that does not yet is the last to look at.
func (e *engine) settled(n int) (tell, drift []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.caught {
		return nil, nil
	}
	now, orders := e.now(), e.foldedOrders()
	for at := e.settling.Front(); at != nil && len(tell)+len(drift) < n; at = at.Next() {
		x := at.Value.(*settlement)
		seen := !e.can.orders || orders.After(x.since)
		told := now.Sub(x.since) >= e.visibility() && (!e.can.orders || orders.Sub(x.since) >= e.visibility())
		if !seen || e.routes.owns && !told {
			break
		}
		if entry := e.queue.entries[x.sku]; entry != nil && entry.inflight {
			continue
		}
		if e.routes.owns {
			tell = append(tell, x.sku)
		} else {
			drift = append(drift, x.sku)
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
			if !s.record.settling || e.samples(name) {
				continue
			}
			t.settle(s)
			if err := t.evaluate(s, event{why: causeChange, drifted: stock}); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle makes the reading the confirmation.
func (t *txn) settle(s *sku) {
	r := &s.record
	if !r.shown.hasStock {
		// Of stock that was not known, what is reserved is not kept: it is read
		// before stock is written.
		r.unread = true
		r.recheck(t.now)
	}
	r.shown.hasStock, r.shown.onHand, r.shown.available, r.settling = true, r.settleOnHand, r.settleOnHand, false
	if r.suspectUntil == 0 {
		r.stocks = nil
	}
	if t.e.settles[s.name].latest != r.settleOnHand {
		r.recheck(t.now)
	}
}

// tell appends what settled and takes it as confirmed once it is folded: until
// then what the items say of the stock is without it, and writing it back would
// undo it.
func (o *observer) tell(ctx context.Context, names []string) error {
	e := o.engine
	var life int
	e.view(func() { life = e.lives })
	told, seq, err := o.appendSettled(ctx, names)
	if err != nil || len(told) == 0 {
		return err
	}
	if err := e.folded(ctx, seq, life); err != nil {
		return err
	}
	return e.update(false, func(t *txn) error {
		for name, x := range told {
			s, err := t.sku(name)
			if err != nil {
				return err
			}
			if !s.record.settling || e.settles[name] != x.sample {
				continue
			}
			if x.margin == 0 {
				t.settle(s)
			} else {
				// What may be left of it is found by the next reading.
				s.sample = &settlement{void: true, open: !x.sample.risen, margin: x.margin, latest: x.sample.latest}
				s.record.recheck(t.now)
			}
			if err := t.evaluate(s, event{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// telling is a sample on its way into the ledger; margin is by how many units
// orders that came between may have moved it.
type telling struct {
	sample *settlement
	margin int64
}

// appendSettled appends the settled readings and returns them by SKU, with the
// place of the last in the log.
func (o *observer) appendSettled(ctx context.Context, names []string) (map[string]telling, uint64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.engine
	var facts []catalog.Fact
	told := make(map[string]telling)
	e.view(func() {
		for _, name := range names {
			var r record
			ok, err := e.store.readRecord(name, &r)
			x := e.settles[name]
			if err != nil || !ok || !r.settling || x == nil || x.void {
				continue
			}
			fact := e.stockObserved(name, &driver.Listing{Stock: &x.stock, ChangedAt: x.changedAt})
			fact.Written, fact.Base = r.stocks, r.shown.stored(e.can.basis)
			fact.Lowered, fact.Raised, fact.ReservedUnknown = x.lowered, x.raised, x.overtaken
			told[name] = telling{x, x.lowered + x.raised}
			facts = append(facts, catalog.Fact{StockObserved: fact})
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
