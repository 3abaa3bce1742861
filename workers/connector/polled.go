package connector

import (
	"maps"
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

// waits reports whether stock of a SKU waits for orders of the channel: one that
// the fold has not reached, or one that a reading shows and no poll told. The
// lock is held.
func (e *engine) waits(x *entry) bool {
	return e.can.orders && (x.ordersAfter.After(e.foldedOrders()) || e.moved[x.sku] > e.meta.FactSeq)
}

// reserved is what a SKU that always waits for its newest orders may be written
// by: units as they were read before the newest poll that is folded began. What
// was sold since then is not in them, so that less is shown than could be sold,
// never more.
type reserved struct {
	since time.Time // when it began to wait
	known bool
	units int64
	// next is a reading that no folded poll began after yet.
	next struct {
		at    time.Time
		units int64
	}
}

// saw notes the reserved units of a reading.
func (v *reserved) saw(units int64, at time.Time) {
	if v.since.IsZero() {
		v.since = at
	}
	if v.next.at.IsZero() {
		v.next.at, v.next.units = at, units
	}
}

// covered notes when the newest folded poll began.
func (v *reserved) covered(orders time.Time) {
	if !v.next.at.IsZero() && orders.After(v.next.at) {
		v.known, v.units = true, v.next.units
		v.next.at = time.Time{}
	}
}

// rushedPolls is how many polls of the orders stock waits for the newest ones.
const rushedPolls = 3

// rushed reports whether a SKU has waited so long for its newest orders that it
// is written by older ones.
func (e *engine) rushed(x *entry, now time.Time) bool {
	return x.reserved.known && e.can.basis == driver.BasisOnHand && now.Sub(x.reserved.since) >= rushedPolls*max(e.routes.poll, minOrderPoll)
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
