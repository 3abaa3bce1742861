package connector

import (
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// job is one SKU on its way through a round of calls.
type job struct {
	sku    string
	entry  *entry
	intent driver.Intent
	// groups are those that the call is about: a new listing has no stock as
	// long as that is not known or held, but a quantity.
	groups groups
	// itemTime is the hub's time of the item the intent was made from, at the
	// source's own time of its latest change, zero if unknown.
	at time.Time
	// previous is what the channel was last read to store.
	previous *int64

	// outcome is what the channel said; nil while nothing was sent.
	outcome *driver.Outcome
	// whole says that the outcome is that of the whole call.
	whole bool
	// listings are what was read of it, read says that it was looked for.
	// assumed says that the channel cannot be read by name, and its word is
	// taken for it.
	listings      []driver.Listing
	read, assumed bool
}

// key names the listing as well as it is known.
func (j *job) key() driver.Key { return j.intent.Key }

// ready says whether there is work that may be done, and when to look again
// if not, zero for never.
func (e *engine) ready() (bool, time.Time, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	next, err := e.wake()
	if err != nil {
		return false, time.Time{}, err
	}
	if !e.caught {
		return false, time.Time{}, nil
	}
	may := e.allowed()
	_, ok := e.queue.first(may)
	if !ok && e.queue.stale(may) > 0 {
		// Entries of stock wait for an order poll.
		next = earlier(next, e.now().Add(settleCheck))
	}
	return ok, next, nil
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// allowed is what may be written now.
func (e *engine) allowed() allowed {
	return allowed{groups: e.routes.writable(), stock: e.ordersSettled(), creates: e.routes.creates()}
}

// ordersFresh is how old an order poll may be for stock to be written on it.
const ordersFresh = 3 * time.Second

// ordersSettled says whether the channel's own orders were asked for lately.
// Whether the newest of a SKU are in what the items say, waits tells.
func (e *engine) ordersSettled() bool {
	if !e.can.orders || !e.routes.stock {
		return true
	}
	// A shop whose list of orders is slow must not stop its own stock: the poll
	// after the last one is as slow.
	fresh := max(ordersFresh, 2*e.routes.poll) + 2*e.ordersTook
	return !e.ordersStart.IsZero() && e.now().Sub(e.ordersStart) <= fresh
}

// wake brings entries whose time has come to work.
func (e *engine) wake() (time.Time, error) {
	var due []*entry
	now := e.now()
	next := e.queue.wake(now, func(x *entry) { due = append(due, x) })
	for len(due) > 0 {
		n := min(chunk, len(due))
		err := e.updateLocked(false, func(t *txn) error {
			for _, x := range due[:n] {
				s, err := t.sku(x.sku)
				if err != nil {
					return err
				}
				if s.record.pending != 0 {
					continue // place looks at it again
				}
				if err := t.evaluate(s, event{why: causeBackfill, retry: true}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return time.Time{}, err
		}
		due = due[n:]
	}
	return next, nil
}

// take picks the most valuable work of one kind, as many SKUs as fit, and
// makes their intents. What may leave is on disk before take returns.
func (e *engine) take(limit [operations]int) (operation, []*job, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.wake(); err != nil {
		return 0, nil, err
	}
	if !e.caught {
		return 0, nil, nil
	}
	may := e.allowed()
	op, entries := e.queue.take(may, limit)
	if len(entries) == 0 {
		return 0, nil, nil
	}
	jobs := make([]*job, 0, len(entries))
	err := e.updateLocked(op != opRead, func(t *txn) error {
		for _, x := range entries {
			j, err := t.job(op, x, may)
			if err != nil {
				return err
			}
			if j != nil {
				jobs = append(jobs, j)
			}
		}
		return nil
	})
	return op, jobs, err
}

// job makes the job of an entry; nil if it turns out that nothing may be done.
func (t *txn) job(op operation, x *entry, may allowed) (*job, error) {
	s, err := t.sku(x.sku)
	if err != nil {
		return nil, err
	}
	w, err := t.want(s)
	if err != nil {
		return nil, err
	}
	r := &s.record
	x.next.since, x.next.seq = 0, 0
	j := &job{sku: x.sku, entry: x, intent: driver.Intent{Key: driver.Key{SKU: x.sku, Ref: r.ref}}}
	if op == opRead {
		return j, nil
	}
	g := r.pending & may.groups
	rushed := t.e.waits(x) && t.e.rushed(x, t.now)
	if !may.stock && op == opWrite || t.e.unsettled(x.sku, r, w) || t.e.waits(x) && !rushed {
		g &^= stock
	}
	from := r
	if rushed && g.has(stock) {
		from = x.without(r, w)
		if r.shown.hasStock && w.quantity(from, &t.e.can) == r.shown.stored(t.e.can.basis) {
			// It shows what it should: what it seems to show too much or too
			// little are orders on their way.
			g, r.pending, x.overdue = g&^stock, r.pending&^stock, overdue{}
			r.recheck(t.now)
		}
	}
	if x.split && op == opWrite {
		g &= x.work.groups
	}
	version := t.e.version(w)
	if r.sent.Compare(version) > 0 {
		t.e.log.Error("kept back an intent that is older than one already sent", "sku", x.sku, "sent", r.sent, "now", version)
		g = 0
	}
	if g == 0 {
		s.landed, s.delay = true, settleCheck
		return nil, nil
	}
	if op == opCreate {
		g |= w.managed &^ t.e.routes.held
	}
	j.groups = g
	j.intent = w.intent(x.sku, from, g, &t.e.can, version)
	if op == opCreate && j.intent.Stock == nil {
		// A new listing needs a quantity; until the stock is known, none.
		j.intent.Stock = &driver.StockWrite{}
	}
	j.at = w.latest(g)
	if j.intent.Stock != nil {
		j.previous = j.intent.Stock.Previous
		r.remember(j.intent.Stock.Quantity)
		x.overdue = overdue{}
		if r.settling {
			t.e.spend(s)
		}
	}
	r.sent, r.sending = version, true
	return j, nil
}

// without is a record without the orders that are on their way.
func (x *entry) without(r *record, w *want) *record {
	folded := *r
	folded.shown.reserved = x.overdue.holds(w.open, r.shown.reserved)
	return &folded
}

// latest is the sources' own time of the latest change in some groups.
func (w *want) latest(g groups) time.Time {
	var at time.Time
	for i, x := range [3]groups{content, price, stock} {
		if g.has(x) {
			at = later(at, w.at[i])
		}
	}
	return at
}
