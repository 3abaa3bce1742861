package connector

import (
	"math/rand/v2"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// assume takes an intent as what the channel shows.
func (r *record) assume(i *driver.Intent) {
	r.known, r.absent, r.sending, r.unread = true, false, false, false
	if i.Content != nil {
		r.shown.content, r.shown.enabled = hashContent(i.Content), i.Content.Enabled
	}
	if i.Price != nil {
		r.shown.hasPrice, r.shown.price = true, *i.Price
	}
	if i.Stock != nil {
		r.shown.hasStock, r.shown.onHand, r.shown.available = true, i.Stock.Quantity, i.Stock.Quantity
	}
}

// taken reports whether the channel said that it took the write.
func (j *job) taken() bool {
	return j.outcome != nil && (j.outcome.Kind == driver.Verified || j.outcome.Kind == driver.Accepted)
}

// finish stores the outcome of a round. After it the SKUs are in flight no
// more.
func (e *engine) finish(op operation, jobs []*job) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var measured []confirmation
	for rest := jobs; len(rest) > 0; {
		n := min(chunk, len(rest))
		err := e.updateLocked(false, func(t *txn) error {
			for _, j := range rest[:n] {
				c, err := t.finish(op, j)
				if err != nil {
					return err
				}
				if c.groups != 0 {
					measured = append(measured, c)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	for _, c := range measured {
		e.meter.confirmed(e.routes.syncs, c.groups, c.propagation, c.endToEnd)
	}
	return nil
}

// confirmation is how long a change took to be shown.
type confirmation struct {
	groups                groups
	propagation, endToEnd time.Duration
}

func (t *txn) finish(op operation, j *job) (confirmation, error) {
	var c confirmation
	s, err := t.sku(j.sku)
	if err != nil {
		return c, err
	}
	s.landed = true
	t.e.fence.mark(j.sku)
	r := &s.record
	ev := event{}
	written := groupsOf(&j.intent)
	switch {
	case j.outcome == nil && op != opRead:
		// It never left.
		r.sending = r.suspectUntil != 0 && r.sending
		if !r.sending {
			r.stocks = nil
		}
		s.attempt, s.delay = attemptNone, settleCheck
	case j.outcome != nil && !j.taken():
		t.refused(s, j, op, written)
	case !j.read:
		// Taken, but nobody could look: its fate is not known.
		if op == opRead {
			s.attempt = attemptBad
			break
		}
		t.unsure(s)
	default:
		ev = t.readBack(s, j, op, written)
		if confirmed := written & j.groups &^ r.failed; confirmed != 0 && s.attempt == attemptGood && op != opRead {
			c = t.measure(r, j, confirmed)
		}
	}
	if r.settling && !j.read {
		r.recheck(t.now) // what settled before the write settles no more
	}
	wasPending := r.pending
	next := j.entry.next
	if err := t.evaluate(s, ev); err != nil {
		return c, err
	}
	if next.seq != 0 && wasPending != 0 && r.pending != 0 && s.attempt == attemptGood {
		// What is pending now is the change that came while the write was out.
		r.since, r.sinceSeq, r.cause = next.since, next.seq, causeChange
	}
	return c, nil
}

// measure tells how long the confirmed change took, by the hub's clock from
// the commit of the first change it contains.
func (t *txn) measure(r *record, j *job, g groups) confirmation {
	c := confirmation{}
	if r.cause != causeChange || r.since == 0 {
		return c
	}
	c.groups = g
	c.propagation = max(0, t.now.Sub(time.Unix(0, r.since)))
	if !j.at.IsZero() {
		c.endToEnd = max(0, t.now.Sub(j.at))
	}
	return c
}

// readBack takes in the reading of a job, and says how its try went.
func (t *txn) readBack(s *sku, j *job, op operation, written groups) event {
	r := &s.record
	if j.assumed {
		r.assume(&j.intent)
		s.attempt = attemptGood
		return event{}
	}
	if len(j.listings) == 0 {
		r.gone()
		if op == opRead {
			r.published = 0
		}
		if op == opRemove || op == opRead {
			s.attempt = attemptGood
		} else {
			// It was there when it was written.
			s.attempt = attemptBad
		}
		r.sending = false
		return event{}
	}
	wasStock := r.shown.hasStock && !r.absent && r.known
	base := r.shown.stored(t.e.can.basis)
	if j.intent.Stock != nil && j.taken() {
		now := showing(&j.listings[0])
		if q := now.stored(t.e.can.basis); q == j.intent.Stock.Quantity || !wasStock || q != base {
			// The write is what the channel showed last, whatever came since.
			r.shown.hasStock, r.shown.onHand, r.shown.available = true, j.intent.Stock.Quantity, j.intent.Stock.Quantity
			r.known, r.absent = true, false
		}
	}
	ev := t.read(s, j.listings, true)
	r.sending = false
	if r.suspectUntil == 0 {
		r.stocks = nil
	}
	if op == opRead {
		if t.e.routes.publishes && !r.duplicate {
			r.published = hashItem(&j.listings[0])
		}
		s.attempt = attemptGood
		return ev
	}
	ev.drifted = 0 // what a write left behind is not drift
	now := showing(&j.listings[0])
	missed := written &^ matches(&j.intent, &now, t.e.can.basis)
	if missed.has(stock) && r.settling {
		missed &^= stock // somebody else moved it since
	}
	if op == opRemove && now.enabled {
		missed |= content
	}
	switch {
	case missed == 0:
		s.attempt = attemptGood
		r.unfail(written)
	case j.entry.attempts >= notStoredAfter:
		r.fail(missed, "NotStored", "the channel took the write, but reading back shows another value", t.now.UnixNano(), t.retryAt(missed))
		s.attempt = attemptGood
	default:
		s.attempt = attemptBad
	}
	return ev
}

// notStoredAfter is how many writes that the channel took and did not store
// are made before the SKU counts as failed.
const notStoredAfter = 3

// refused takes in an outcome by which nothing is known to be stored.
func (t *txn) refused(s *sku, j *job, op operation, written groups) {
	r := &s.record
	switch o := j.outcome; o.Kind {
	case driver.Rejected:
		r.sending = false
		if op == opWrite && written != one(written) {
			// One of several values is to blame: the others are not to wait.
			s.attempt = attemptSplit
			return
		}
		retry := t.retryAt(written)
		if o.RetryAfter > 0 {
			retry = t.now.Add(o.RetryAfter).UnixNano()
		}
		if op == opCreate {
			written |= r.pending
		}
		r.fail(written, reasonOr(o.Reason, "Rejected"), o.Message, t.now.UnixNano(), retry)
		s.attempt = attemptGood
	case driver.Throttled:
		r.sending = false
		s.attempt, s.delay = attemptNone, max(o.RetryAfter, minThrottle)
	case driver.Unknown:
		t.unsure(s)
	default:
		r.sending = false
		s.attempt = attemptBad
		if o.Reason == driver.ReasonStale {
			// It was read too long ago: look at it before it is written again.
			r.unread = true
			s.attempt, s.delay = attemptNone, settleCheck
			break
		}
		if j.whole {
			// The link knows how long to leave the channel alone.
			s.attempt = attemptCall
		}
	}
	if r.suspectUntil == 0 && !r.sending {
		r.stocks = nil
	}
}

// unsure keeps a write of unknown fate under suspicion; sending stays set, so
// that the SKU is read before it is written again.
func (t *txn) unsure(s *sku) {
	s.record.suspectFrom(t.now, t.e.can.horizon)
	s.record.sending = true
	s.attempt, s.delay = attemptNone, suspectAfter(0)
}

const minThrottle = 200 * time.Millisecond

// retryAt is when a rejected value is tried again without a new version.
func (t *txn) retryAt(g groups) int64 {
	wait := 24 * time.Hour
	if g.has(stock) {
		wait = time.Hour
	}
	return t.now.Add(wait).UnixNano()
}

func reasonOr(reason, other string) string {
	if reason == "" {
		return other
	}
	return reason
}

// read takes a reading of a SKU into its record: the listings that bear it, at
// least one. whole says that there are no others. It returns what was found
// changed by others.
func (t *txn) read(s *sku, listings []driver.Listing, whole bool) event {
	r, e := &s.record, t.e
	l := &listings[0]
	for i := range listings {
		if listings[i].Ref < l.Ref {
			l = &listings[i]
		}
	}
	first := !r.known || r.absent
	// What a write of unknown fate may have left is ours, not somebody's change.
	unsure := r.sending || r.suspectUntil > t.now.UnixNano()
	old, now := r.shown, showing(l)
	r.known, r.absent, r.ref, r.unread = true, false, l.Ref, false
	r.sending = false
	r.duplicate = several(listings) || r.duplicate && !whole
	r.shown = now
	var ev event
	if !first && !unsure {
		if old.content != now.content {
			ev.drifted |= content
		}
		if old.hasPrice != now.hasPrice || old.price != now.price {
			ev.drifted |= price
		}
	}
	defer r.looked(t.now) // what may have landed until now is ours
	if !e.routes.stock || !now.hasStock {
		r.settling = false
		return ev
	}
	if now.reserved > old.reserved && e.can.orders {
		// An order that may not have been told yet.
		s.ordersAfter = t.now
	}
	q := now.stored(e.can.basis)
	confirmed := !first && old.hasStock
	switch {
	case !confirmed && !r.settling && (!e.routes.owns || !t.seeded(s)):
		// Nothing is known that it could differ from.
	case confirmed && q == old.stored(e.can.basis) && (!r.settling || !e.samples(s.name)), r.ours(q):
		r.settling = false
	default:
		if !r.settling || e.samples(s.name) {
			r.settling, r.settleOnHand, r.settleSince = true, q, t.now.UnixNano()
			s.sample = &settlement{stock: *l.Stock, changedAt: l.ChangedAt, latest: q}
		}
		s.latest, s.read = q, true
		// Until it is settled, the stock is what it was, or not known.
		r.shown.hasStock, r.shown.onHand, r.shown.available = confirmed, old.onHand, old.available
	}
	return ev
}

// seeded reports whether the ledger knows the SKU's stock already.
func (t *txn) seeded(s *sku) bool {
	return t.e.seeded(s.name, t.item)
}

func several(listings []driver.Listing) bool {
	for i := range listings[1:] {
		if listings[i+1].Ref != listings[0].Ref {
			return true
		}
	}
	return false
}

// gone takes in that the channel has no listing of the SKU.
func (r *record) gone() {
	r.known, r.absent, r.duplicate, r.unread, r.sending, r.settling = true, true, false, false, false, false
	r.ref, r.shown = "", shown{}
}

// jitter spreads a wait over three quarters to five quarters of it.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1)
}

// seeded reports whether a ledger that the channel belongs to knows the stock
// of a SKU already.
func (e *engine) seeded(name string, read itemReader) bool {
	for source := range e.ledgers() {
		stored, ok, err := read(source, name)
		if err == nil && ok && hasATS(stored.data) {
			return true
		}
	}
	return false
}

func (e *engine) ledgers() map[string]struct{} {
	sources := make(map[string]struct{}, 1)
	for i := range e.routes.feeds {
		if e.routes.feeds[i].groups.has(stock) {
			sources[e.routes.feeds[i].source] = struct{}{}
		}
	}
	if e.routes.publishes {
		sources[e.routes.self] = struct{}{}
	}
	return sources
}
