package connector

import (
	"maps"
	"math"
	"slices"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// polled is a poll of the channel's orders, to the end, whose facts are
// durable.
type polled struct {
	began time.Time
	// seq is the last fact of it and of those before it.
	seq uint64
	// revision is that of the newest reading of stock when it began.
	revision uint64
}

// maxPolled bounds the polls that are remembered while the fold is behind.
const maxPolled = 4096

// pollEnded notes a poll of the orders; the lock is held.
func (e *engine) pollEnded(p polled) {
	e.polls = append(e.polls, p)
	// Of the polls that the fold is through with and whose readings are old
	// enough for every order before them to be seen, the newest tells all.
	done := 0
	for i := range e.polls {
		if e.polls[i].seq <= e.meta.FactSeq && p.began.Sub(e.polls[i].began) >= e.visibility() {
			done = i
		}
	}
	e.polls = slices.Delete(e.polls, 0, max(done, len(e.polls)-maxPolled))
	maps.DeleteFunc(e.moved, func(_ string, seq uint64) bool { return seq <= e.meta.FactSeq })
}

// foldedOrders is when the newest poll began whose orders are in what the items
// say, zero if none is. The fold may be behind all the time: it is not the
// newest poll that counts. The lock is held.
func (e *engine) foldedOrders() time.Time {
	for i := len(e.polls) - 1; i >= 0; i-- {
		if e.polls[i].seq <= e.meta.FactSeq {
			return e.polls[i].began
		}
	}
	return time.Time{}
}

// beingTold stands for the place of a fact that is on its way into the log. It
// may be folded before we hear that it is stored: then the items are short of
// an order which no reading that we have shows as reserved. After a failure it
// stays until the order is told again.
const beingTold = math.MaxUint64

// waits reports whether stock of a SKU waits for orders of the channel: one that
// the fold has not reached, or one that a reading shows and no poll told. The
// lock is held.
func (e *engine) waits(x *entry) bool {
	return e.can.orders && (x.ordersAfter.After(e.foldedOrders()) || e.moved[x.sku] > e.meta.FactSeq)
}

// overdue is of a SKU whose newest orders are always on their way. Waiting for
// them would never end, so that it is written by the orders that are folded:
// what may be sold is short of just those, and the channel holds just those
// reserved. An order that is on its way then takes from what is shown what it
// took already, and nothing is shown twice or not at all.
type overdue struct {
	since time.Time // when it began to wait
	// beyond are units that the channel holds reserved for nobody's order, as
	// far as could be told last.
	beyond int64
	// read is a reading that no folded poll began after yet.
	read struct {
		at       time.Time
		reserved int64
	}
}

// saw notes the reserved units of a reading.
func (o *overdue) saw(reserved int64, at time.Time) {
	if o.since.IsZero() {
		o.since = at
	}
	if o.read.at.IsZero() {
		o.read.at, o.read.reserved = at, reserved
	}
}

// covered notes when the newest folded poll began, and what its orders hold.
func (o *overdue) covered(orders time.Time, open int64) {
	if o.read.at.IsZero() || !orders.After(o.read.at) {
		return
	}
	o.beyond = 0
	if open > 0 {
		// Orders since the reading are in what is open: it is rather too few.
		o.beyond = max(0, o.read.reserved-open)
	}
	o.read.at = time.Time{}
}

// holds are the reserved units that what may be sold leaves room for. More than
// were read cannot be: what was shipped since it was folded is reserved no more.
func (o *overdue) holds(open, read int64) int64 { return min(read, open+o.beyond) }

// rushedPolls is how many polls of the orders stock waits for the newest ones.
const rushedPolls = 3

// rushed reports whether a SKU has waited so long for its newest orders that it
// is written without them.
func (e *engine) rushed(x *entry, now time.Time) bool {
	return e.can.basis == driver.BasisOnHand && !x.overdue.since.IsZero() && e.moved[x.sku] != beingTold &&
		now.Sub(x.overdue.since) >= rushedPolls*max(e.routes.poll, minOrderPoll)
}

// after is the newest reading of stock that lies before every order which the
// next poll will be the first to tell: the poll before it began when all orders
// from before that reading could be seen. Where none is known, it is the number
// before all readings. The lock is held.
func (e *engine) after() uint64 {
	if len(e.polls) == 0 {
		return 1
	}
	last := e.polls[len(e.polls)-1].began
	for i := len(e.polls) - 1; i >= 0; i-- {
		if last.Sub(e.polls[i].began) >= e.visibility() {
			return max(1, e.polls[i].revision)
		}
	}
	return 1
}
