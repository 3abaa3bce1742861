package main

import (
	"time"

	"selaras.dev/selaras/internal/catalog"
)

// step does the next thing about the stock: look, write, or tell what settled.
func (p *pod) step() {
	defer p.then(stepEvery, p.step)
	p.forget()
	if p.inflight || p.item == nil || !p.mayWrite() {
		return
	}
	part, ok := p.item.Allotted.Of(p.shop.name)
	if !ok {
		return
	}
	r := p.last
	if r == nil || p.unread || p.w.now-r.returned > lookEvery || p.base == nil {
		p.look()
		return
	}
	if p.ordersAt > p.folded {
		return // what it told of its own orders is not in the item
	}
	want := p.quantity(part.Show, r)
	switch {
	case want == r.stored:
		p.tell(part)
	case p.w.now-r.returned > freshFor:
		p.look()
	case want < r.stored || p.mayRaise():
		p.write(want, r)
	}
}

// forget drops writes that cannot land any more.
func (p *pod) forget() {
	kept := p.sent[:0:0]
	for _, s := range p.sent {
		if s.until > p.w.now {
			kept = append(kept, s)
		}
	}
	p.sent = kept
}

// quantity is what the shop should store to show some units.
func (p *pod) quantity(show int64, r *reading) int64 {
	if p.shop.kind.basis == onHand {
		return show + min(r.reserved, p.open)
	}
	return show
}

// mayRaise says whether more may be shown: all that the shop sold before the
// newest reading is in the item.
func (p *pod) mayRaise() bool {
	if p.shop.kind.exact() && (len(p.sent) > 0 || p.w.now < p.knowsFrom()) {
		// A write that lands later would come on top: as a difference does, and as
		// one does that finds the quantity which it is to replace once more.
		return false
	}
	if p.w.flaws.settleSkipped {
		return true
	}
	if p.base.told || p.base.stored != p.last.stored || len(p.base.may) > 0 || p.base.started < p.knowsFrom() {
		p.base = p.last // somebody bought
	}
	place, ok := p.settled(p.base)
	return ok && place <= p.folded
}

// knowsFrom is when no write can land any more of which it has lost the memory.
func (p *pod) knowsFrom() time.Duration {
	if p.epoch == 1 || !p.shop.kind.exact() {
		return 0
	}
	return p.lostAt + horizon + lease
}

// settled says whether everything that the shop sold before a reading was told,
// and where in the log.
func (p *pod) settled(r *reading) (int, bool) {
	for i := len(p.polls) - 1; i >= 0; i-- {
		if p.polls[i].began >= r.returned+visibility {
			return p.polls[i].place, true
		}
	}
	return 0, false
}

// look reads the shop.
func (p *pod) look() {
	p.inflight = true
	p.read(nil, func() { p.inflight = false })
}

// read takes in a reading. seen is called with it, nil if it is not to be had.
func (p *pod) read(seen func(*reading), end func()) {
	started, may := p.w.now, p.may()
	got := false
	p.ask(func() any { return p.shop.read() }, func(answer any) {
		r := answer.(reading)
		r.started, r.returned, r.may = started, p.w.now, may
		got = true
		p.last, p.unread = &r, false
		if p.base == nil {
			p.base = p.last
		}
		if seen != nil {
			seen(&r)
		}
	}, func() {
		if seen == nil || !got {
			end()
		}
	})
}

// may are the quantities that may land still.
func (p *pod) may() []int64 {
	quantities := make([]int64, 0, len(p.sent)+1)
	for _, s := range p.sent {
		quantities = append(quantities, s.quantity)
	}
	return quantities
}

// write tells the hub what is about to leave, and then sends it.
func (p *pod) write(want int64, base *reading) {
	w := p.w
	p.inflight, p.last, p.base = true, nil, nil
	version, shipped := p.itemSeq, p.shipped
	kind := p.shop.kind
	p.append([]catalog.Fact{{StockWritten: &catalog.StockWritten{
		SKU: sku, Basis: kind.basis, Mode: kind.mode, Written: append(p.may(), want), Lands: horizon + lease, Revision: p.revision(),
	}}}, func(int) {
		if !p.mayWrite() {
			p.inflight = false
			return
		}
		if version < p.shop.newest {
			w.fail("I2", "%s is sent version %d after %d", p.shop.name, version, p.shop.newest)
		}
		p.shop.newest = version
		w.stats.Writes++
		p.sent = append(p.sent, sent{quantity: want, until: w.now + horizon})
		p.persist()
		p.leave(&request{kind: kind, quantity: want, shipped: shipped, base: *base})
	})
}

// leave sends a write. It lands at once, late, twice or never; its answer comes
// or does not.
func (p *pod) leave(r *request) {
	w, s := p.w, p.shop
	s.pending = append(s.pending, r)
	over := false
	finish := func(taken, known bool) {
		if !over {
			over = true
			p.finish(r, taken, known)
		}
	}
	p.then(timeout, func() { finish(false, false) })
	arrive := p.delay() / 2
	w.log("connector %s writes %d over %d, may land %v", s.name, r.quantity, r.base.stored, p.may())
	lost, silent := s.deadUntil > w.now, false
	if w.plan.losses && !w.calm {
		switch w.below(10) {
		case 9:
			lost = true
		case 8:
			silent = true
		case 7:
			silent = true
			w.stats.Late++
			arrive = w.between(timeout, horizon-timeout)
		}
	}
	if lost {
		w.stats.Lost++
		w.after(horizon, func() { s.landed(r) })
		return
	}
	w.after(arrive, func() {
		if silent && !r.kind.exact() && !w.calm && w.oneIn(4) {
			w.stats.Doubled++
			s.land(r)
			w.after(w.between(0, horizon-arrive), func() { s.land(r); s.landed(r) })
			return
		}
		taken := s.land(r)
		s.landed(r)
		if !silent {
			p.resume(func() { p.then(p.delay()/2, func() { finish(taken, true) }) })
		}
	})
}

// landed ends the waiting for a write.
func (s *shop) landed(r *request) {
	for i, p := range s.pending {
		if p == r {
			s.pending = append(s.pending[:i:i], s.pending[i+1:]...)
			return
		}
	}
}

// finish takes in how a write went, and reads it back.
func (p *pod) finish(r *request, taken, known bool) {
	if known {
		// Its fate is known.
		for i, s := range p.sent {
			if s.quantity == r.quantity {
				p.sent = append(p.sent[:i:i], p.sent[i+1:]...)
				break
			}
		}
		p.persist()
	}
	p.unread = true
	if !taken {
		p.inflight = false
		return
	}
	end := func() { p.inflight = false }
	p.read(func(back *reading) {
		if back.stored != r.quantity {
			end()
			return
		}
		p.append([]catalog.Fact{{StockConfirmed: &catalog.StockConfirmed{
			SKU: sku, Basis: p.shop.kind.basis, OnHand: back.stored, Written: p.may(), ChangedAt: start.Add(back.changed),
			Plan: p.item.Allotted.Version, Revision: p.revision(),
		}}}, func(int) { end() })
	}, end)
}

// tell tells a settled reading of a shop that is asked to give units back.
func (p *pod) tell(part catalog.Allotment) {
	r := p.base
	if !part.Settle || r == nil || p.toldAt > p.folded {
		return
	}
	if _, ok := p.settled(r); !ok && !p.w.flaws.settleSkipped {
		return
	}
	p.inflight, p.base = true, nil
	p.w.stats.Settled++
	observed := &catalog.StockObserved{
		SKU: sku, OnHand: r.stored, Reserved: r.reserved, Basis: p.shop.kind.basis, ChangedAt: start.Add(r.changed),
		Written: r.may, Base: r.stored, Lowered: r.lowered, Raised: r.raised, Sold: r.sold, Freed: r.freed, ReservedUnknown: r.told,
		Plan: p.item.Allotted.Version, Revision: p.revision(),
	}
	if p.shop.kind.basis == available {
		observed.Reserved = 0
	}
	p.w.log("connector %s tells: %d shown, settled", p.shop.name, r.canSell(p.shop.kind.basis))
	p.append([]catalog.Fact{{StockObserved: observed}}, func(place int) {
		p.toldAt, p.inflight = place, false
	})
}
