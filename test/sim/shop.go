package main

import (
	"fmt"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// shop is a channel: it sells what it shows, and keeps orders.
type shop struct {
	w    *world
	name string
	kind shopKind

	// stored is the quantity as the shop keeps it, reserved what open orders
	// hold of it where the basis is on hand.
	stored, reserved int64
	changed          time.Duration
	// landedStep is the step in which the last write landed, and excess are units
	// that it put back on sale.
	landedStep int
	excess     int64
	// unheeded counts the units that a write does not heed if they moved after
	// its reading.
	unheeded int64
	orders   []*order
	// pending are the writes that were sent and may land.
	pending []*request

	deadUntil time.Duration
	lies      bool
	sick      bool // it is the one that is dead or lies in this schedule
	// above is since when the shop shows more than it is asked to, 0 if it does not.
	above time.Duration
	// newest is the newest intent that was sent here.
	newest uint64
}

func shopName(i int) string { return string(rune('a' + i)) }

func newShop(w *world, i int, kind shopKind) *shop {
	return &shop{w: w, name: shopName(i), kind: kind, sick: w.plan.dead == i}
}

// order is one order of one line.
type order struct {
	id     string
	states []orderState
	folded int // states that are in the ledger
}

// orderState is the cumulative state of an order from a time on; it is listed a
// little later.
type orderState struct {
	at, listed                              time.Duration
	step                                    int
	ordered, cancelled, fulfilled, returned int64
}

// sold is what the order takes from what can be sold.
func (s *orderState) sold() int64 { return s.ordered - s.cancelled - s.returned }

func (s *orderState) open() int64 { return s.ordered - s.cancelled - s.fulfilled }

func (s *orderState) closed() bool { return s.open() == 0 }

// canSell is what buyers see.
func (s *shop) canSell() int64 {
	if s.kind.basis == onHand {
		return s.stored - s.reserved
	}
	return s.stored
}

// trade lets people buy.
func (s *shop) trade() {
	w := s.w
	w.after(w.seldom(100*time.Millisecond, 6*time.Second), func() {
		if w.calm {
			return
		}
		if n := int64(1 + w.below(3)); n <= s.canSell() {
			s.buy(n)
		}
		s.trade()
	})
}

func (s *shop) buy(n int64) {
	w := s.w
	o := &order{id: fmt.Sprintf("%s%d", s.name, len(s.orders))}
	s.orders = append(s.orders, o)
	w.stats.Sales += int(n)
	w.stats.Orders++
	w.log("shop %s sells %d, shows %d", s.name, n, s.canSell()-n)
	s.advance(o, orderState{ordered: n})
	w.after(w.seldom(500*time.Millisecond, 15*time.Second), func() { s.handle(o) })
}

// handle ships an order, or cancels it; what was shipped may come back.
func (s *shop) handle(o *order) {
	w := s.w
	if w.calm {
		return
	}
	state := o.states[len(o.states)-1]
	if w.oneIn(4) {
		state.cancelled = state.ordered
		s.advance(o, state)
		return
	}
	state.fulfilled = state.ordered
	s.advance(o, state)
	w.truth.shelf -= state.ordered
	if !w.plan.returns || !w.oneIn(4) {
		return
	}
	w.after(w.between(time.Second, 10*time.Second), func() {
		if w.calm {
			return
		}
		state.returned = 1
		s.advance(o, state)
		w.truth.shelf++
	})
}

// advance brings an order to a state.
func (s *shop) advance(o *order, to orderState) {
	var from orderState
	if n := len(o.states); n > 0 {
		from = o.states[n-1]
	}
	to.at, to.step = s.w.now, s.w.stats.Events
	to.listed = s.w.now + s.w.between(0, visibility)
	o.states = append(o.states, to)
	if s.kind.basis == onHand {
		s.reserved += to.open() - from.open()
		s.unheeded += to.fulfilled - from.fulfilled
		s.stored += (to.returned - from.returned) - (to.fulfilled - from.fulfilled)
	} else {
		s.stored -= to.sold() - from.sold()
		s.unheeded += max(0, to.sold()-from.sold())
	}
	s.changed = s.w.now
	if shipped := to.fulfilled - from.fulfilled; shipped > 0 {
		s.w.log("shop %s ships %s", s.name, o.id)
	} else if to.cancelled > from.cancelled || to.returned > from.returned {
		s.w.log("shop %s takes back of %s", s.name, o.id)
	}
}

// list are the orders that changed after a time, as they are listed now.
func (s *shop) list(after time.Duration) map[string]orderState {
	listed := make(map[string]orderState)
	for _, o := range s.orders {
		for i := len(o.states) - 1; i >= 0; i-- {
			if state := o.states[i]; state.listed <= s.w.now {
				if state.at > after-visibility {
					listed[o.id] = state
				}
				break
			}
		}
	}
	return listed
}

// reading is what a shop shows.
type reading struct {
	stored, reserved int64
	unheeded         int64
	changed          time.Duration
	started          time.Duration
	returned         time.Duration
	// What its orders did that were told since.
	lowered, raised, sold, freed int64
	may                          []int64 // writes that might land after it
	told                         bool
}

func (r *reading) canSell(basis driver.StockBasis) int64 {
	if basis == onHand {
		return r.stored - r.reserved
	}
	return r.stored
}

func (s *shop) read() reading {
	r := reading{stored: s.stored, reserved: s.reserved, unheeded: s.unheeded, changed: s.changed}
	if s.lies {
		s.w.stats.Lies++
		r.stored += int64(s.w.below(3))
	}
	return r
}

// request is a write on its way.
type request struct {
	kind     shopKind
	quantity int64
	shipped  int64 // in the item that it was made from
	base     reading
}

// missing is what happened since the reading that the write does not heed.
func (s *shop) missing(r *request) int64 {
	if r.kind.mode != driver.StockSet {
		return 0
	}
	return s.unheeded - r.base.unheeded
}

// shipped are the units that were shipped, or only those that the ledger knows to
// be: a quantity on hand that is worked out from an item without some shows them
// again.
func (s *shop) shipped(known bool) int64 {
	var units int64
	for _, o := range s.orders {
		n := len(o.states)
		if known {
			n = o.folded
		}
		if n > 0 {
			units += o.states[n-1].fulfilled
		}
	}
	return units
}

// land lets a write take effect; it reports whether the shop took it.
func (s *shop) land(r *request) bool {
	switch {
	case s.lies:
		s.w.stats.Lies++
		return true // says so, and does nothing
	case r.kind.mode == driver.StockCompareAndSet && s.stored != r.base.stored:
		return false
	case r.kind.mode == driver.StockAdjust:
		s.stored += r.quantity - r.base.stored
	default:
		s.stored = r.quantity
	}
	s.changed, s.landedStep, s.excess = s.w.now, s.w.stats.Events, s.shipped(false)-r.shipped
	s.w.truth.resurrected += s.missing(r)
	s.w.log("shop %s: %d written over %d, shows %d", s.name, r.quantity, r.base.stored, s.canSell())
	return true
}

// trouble makes a shop, or its connector's line to the hub, fail for a while.
func (s *shop) trouble(slot *slot) {
	w := s.w
	if s.sick {
		w.after(w.between(2*time.Second, 10*time.Second), func() {
			if w.calm {
				return
			}
			w.stats.Partitions++
			if w.plan.lies {
				s.lies = true
				w.log("shop %s lies from now on", s.name)
				return
			}
			s.deadUntil = 1 << 62
			w.log("shop %s is dead", s.name)
		})
		return
	}
	if !w.plan.partitions {
		return
	}
	w.after(w.seldom(2*time.Second, 20*time.Second), func() {
		if w.calm {
			return
		}
		w.stats.Partitions++
		end := w.now + w.between(500*time.Millisecond, 12*time.Second)
		if w.oneIn(2) {
			s.deadUntil = end
			w.log("shop %s cannot be reached until %.3f s", s.name, end.Seconds())
		} else {
			slot.cutOffUntil = end
			w.log("connector %s does not reach the hub until %.3f s", s.name, end.Seconds())
		}
		s.trouble(slot)
	})
}
