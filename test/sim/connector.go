package main

import (
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

// slot is where the connector of one shop runs: one pod after the other, and
// now and then an old one that was only paused.
type slot struct {
	w    *world
	shop *shop
	// store outlives a pod, unless it is lost with it.
	store store
	// cursor is where the order poll goes on after a loss, as last reported.
	cursor      time.Duration
	cutOffUntil time.Duration
	pods        int
}

// store is what a connector keeps on its disk.
type store struct {
	cursor time.Duration
	// sent are writes whose fate is not known.
	sent []sent
	// lostAt is when the memory of earlier writes was lost.
	lostAt time.Duration
}

// sent is a quantity that may land until a time.
type sent struct {
	quantity int64
	until    time.Duration
}

// launch starts a pod after a while.
func (s *slot) launch(d time.Duration, keep bool) {
	s.pods++
	s.w.after(d, func() {
		p := &pod{slot: s, w: s.w, shop: s.shop, keep: keep, alive: true}
		p.acquire()
	})
}

// pod is one instance of a connector.
type pod struct {
	slot *slot
	w    *world
	shop *shop
	store

	// keep says that it has its predecessor's disk.
	keep        bool
	alive       bool
	frozenUntil time.Duration

	epoch, count uint64
	leaseUntil   time.Duration // as it believes

	// item is what the hub delivered last, with the facts that are in it and the
	// units that the shop holds reserved in it.
	item    *catalog.Item
	itemSeq uint64
	folded  int
	open    int64
	shipped int64 // and those shipped in it

	// last is the newest reading, base the first since the last write.
	last, base *reading
	unread     bool
	inflight   bool
	polls      []polled
	ordersAt   int // the last order that was told
	told       map[string]orderState
	toldAt     int // the last settled reading that was told
	queue      []func(done func())
	appending  bool
}

// polled is a poll of the orders that is durable.
type polled struct {
	began    time.Duration
	place    int
	revision uint64
}

// then goes on with the pod's work after a time, unless it crashes on the way
// or is paused.
func (p *pod) then(d time.Duration, do func()) {
	w := p.w
	if w.plan.crashes && !w.calm && p.alive {
		switch w.below(800) {
		case 799:
			p.crash()
			return
		case 798:
			p.freeze()
		}
	}
	w.after(d, func() { p.resume(do) })
}

func (p *pod) resume(do func()) {
	switch {
	case !p.alive:
	case p.frozenUntil > p.w.now:
		p.w.after(p.frozenUntil-p.w.now, func() { p.resume(do) })
	default:
		do()
	}
}

// crash ends the pod; another one starts, with its disk or without.
func (p *pod) crash() {
	w := p.w
	w.stats.Crashes++
	keep := !w.oneIn(2)
	w.log("connector %s crashes (disk kept: %v)", p.shop.name, keep)
	p.alive = false
	p.slot.launch(w.between(100*time.Millisecond, 2*time.Second), keep)
}

// freeze pauses the pod; another one, which knows nothing of it, starts beside it.
func (p *pod) freeze() {
	w := p.w
	w.stats.Freezes++
	p.frozenUntil = w.now + w.between(time.Second, 8*time.Second)
	w.log("connector %s freezes until %.3f s", p.shop.name, p.frozenUntil.Seconds())
	p.slot.launch(w.between(100*time.Millisecond, 2*time.Second), false)
}

func (p *pod) revision() uint64 {
	p.count++
	return p.epoch<<catalog.TenureBits | p.count
}

// now is the newest revision that was given.
func (p *pod) newest() uint64 { return p.epoch<<catalog.TenureBits | p.count }

// reaches reports whether the pod reaches the hub.
func (p *pod) reaches() bool { return p.slot.cutOffUntil <= p.w.now }

// acquire waits for the lease and then works.
func (p *pod) acquire() {
	w := p.w
	l := w.hub.leases[p.shop.name]
	if l == nil {
		l = &leased{}
		w.hub.leases[p.shop.name] = l
	}
	if !p.reaches() || l.until != 0 && w.now < l.until+timeout {
		if !w.flaws.fencingOff || l.epoch == 0 {
			p.then(200*time.Millisecond, p.acquire)
			return
		}
	}
	l.epoch++
	l.until = w.now + lease
	p.epoch, p.leaseUntil = l.epoch, w.now+lease
	p.told = map[string]orderState{}
	if p.store = p.slot.store; !p.keep {
		p.store = store{cursor: p.slot.cursor, lostAt: w.now}
	}
	p.sent = append([]sent(nil), p.sent...)
	w.log("connector %s holds lease %d", p.shop.name, p.epoch)
	p.then(renewEvery, p.renew)
	p.then(p.delay(), p.deliver)
	p.then(p.delay(), p.poll)
	p.then(stepEvery, p.step)
}

func (p *pod) delay() time.Duration { return p.w.between(10*time.Millisecond, 150*time.Millisecond) }

func (p *pod) renew() {
	w, asked := p.w, p.w.now
	p.then(p.delay(), func() {
		l := w.hub.leases[p.shop.name]
		switch {
		case l.epoch != p.epoch && !w.flaws.fencingOff:
			w.log("connector %s %d lost its lease", p.shop.name, p.epoch)
			p.alive = false
			return
		case l.epoch == p.epoch && p.reaches():
			l.until = w.now + lease
			p.leaseUntil = asked + lease
		}
		p.then(renewEvery, p.renew)
	})
}

// mayWrite says whether a write may start now.
func (p *pod) mayWrite() bool {
	return p.w.flaws.fencingOff || p.w.now < p.leaseUntil-timeout
}

// deliver takes in what the hub holds.
func (p *pod) deliver() {
	if h := p.w.hub; p.reaches() && h.item != nil && h.itemSeq >= p.itemSeq {
		p.item, p.itemSeq, p.folded = h.item, h.itemSeq, h.folded
		p.open, p.shipped = h.ledger.Shown[p.shop.name].Committed, p.shop.shipped(true)
	} else if p.reaches() {
		p.folded = h.folded
	}
	p.then(p.delay(), p.deliver)
}

// append makes facts durable, one call after the other; what is not known to
// have arrived is sent again.
func (p *pod) append(facts []catalog.Fact, done func(place int)) {
	p.queue = append(p.queue, func(next func()) { p.send(facts, func(place int) { done(place); next() }) })
	p.drain()
}

func (p *pod) drain() {
	if p.appending || len(p.queue) == 0 {
		return
	}
	first := p.queue[0]
	p.queue, p.appending = p.queue[1:], true
	first(func() { p.appending = false; p.drain() })
}

func (p *pod) send(facts []catalog.Fact, done func(place int)) {
	w := p.w
	again := func() { p.then(300*time.Millisecond, func() { p.send(facts, done) }) }
	if !p.reaches() {
		again()
		return
	}
	lost, unknown := false, false
	if w.plan.losses && !w.calm {
		switch w.below(40) {
		case 39:
			lost = true
		case 38:
			unknown = true
		}
	}
	if lost {
		w.stats.Lost++
		again()
		return
	}
	place := 0
	w.after(p.delay(), func() { // it arrives even if the pod is gone by then
		for _, fact := range facts {
			fact.Channel = p.shop.name
			place = w.hub.take(fact)
		}
		if unknown {
			w.stats.Doubled++
			p.resume(again)
			return
		}
		p.resume(func() { p.then(5*time.Millisecond, func() { done(place) }) })
	})
}

// poll asks the shop for its orders, again and again.
func (p *pod) poll() {
	began, revision := p.w.now, p.newest()
	answered := false
	p.ask(func() any { return p.shop.list(p.cursor) }, func(answer any) {
		answered = true
		p.takeOrders(answer.(map[string]orderState), polled{began: began, revision: revision})
	}, func() {
		if !answered {
			p.then(pollEvery, p.poll)
		}
	})
}

// takeOrders tells orders once no write is out, and then moves the cursor.
func (p *pod) takeOrders(listed map[string]orderState, poll polled) {
	if p.inflight {
		p.then(20*time.Millisecond, func() { p.takeOrders(listed, poll) })
		return
	}
	if p.w.now >= p.leaseUntil && !p.w.flaws.fencingOff {
		p.then(pollEvery, p.poll) // a successor may have told newer ones
		return
	}
	after := p.after()
	cursor := p.cursor
	var facts []catalog.Fact
	for _, o := range p.shop.orders { // in a fixed order
		state, ok := listed[o.id]
		if !ok {
			continue
		}
		cursor = max(cursor, state.at)
		if p.told[o.id] == state {
			continue
		}
		p.told[o.id] = state
		p.overtook(&state)
		facts = append(facts, catalog.Fact{OrderChanged: &catalog.OrderChanged{
			Order: driver.Order{
				ID: o.id, PlacedAt: start.Add(o.states[0].at), ChangedAt: start.Add(state.at), Closed: state.closed(),
				Lines: []driver.OrderLine{{ID: o.id, SKU: sku, Ordered: state.ordered, Cancelled: state.cancelled, Fulfilled: state.fulfilled, Returned: state.returned}},
			},
			Revision: p.revision(), After: after,
		}})
	}
	done := func(place int) {
		p.cursor = cursor
		p.persist()
		p.slot.cursor = cursor
		if len(facts) > 0 {
			p.unread, p.ordersAt = true, place
		} else if n := len(p.polls); n > 0 {
			place = p.polls[n-1].place
		}
		poll.place = place
		p.polls = append(p.polls, poll)
		p.then(pollEvery, p.poll)
	}
	if len(facts) == 0 {
		done(0)
		return
	}
	p.ordersAt = 1 << 62 // until its place is known
	p.append(facts, done)
}

// overtook notes an order that readings may have seen or not.
func (p *pod) overtook(state *orderState) {
	for _, r := range []*reading{p.last, p.base} {
		if r == nil {
			continue
		}
		r.told = true
		r.sold += state.ordered
		r.freed += state.cancelled + state.returned
		r.raised += state.returned
		if p.shop.kind.basis == available {
			r.lowered += state.ordered
			r.raised += state.cancelled
		} else {
			r.lowered += state.fulfilled
		}
		if p.last == p.base {
			return
		}
	}
}

// after is the newest reading that lies before all orders which the next poll
// will be the first to tell.
func (p *pod) after() uint64 {
	if len(p.polls) == 0 {
		return 1
	}
	last := p.polls[len(p.polls)-1].began
	for i := len(p.polls) - 1; i >= 0; i-- {
		if last-p.polls[i].began >= visibility {
			return max(1, p.polls[i].revision)
		}
	}
	return 1
}

func (p *pod) persist() {
	if p.epoch != p.w.hub.leases[p.shop.name].epoch {
		return // its successor has another disk
	}
	p.slot.store = p.store
	p.slot.store.sent = append([]sent(nil), p.sent...)
}

// ask makes a request to the shop. answer is called when it is answered, end at
// the end in any case.
func (p *pod) ask(serve func() any, answer func(any), end func()) {
	w, s := p.w, p.shop
	over := false
	finish := func() {
		if !over {
			over = true
			end()
		}
	}
	p.then(timeout, finish)
	if s.deadUntil > w.now || w.plan.losses && !w.calm && w.oneIn(30) {
		w.stats.Lost++
		return
	}
	w.after(p.delay(), func() {
		result := serve()
		p.resume(func() {
			p.then(p.delay()/2, func() {
				if !over {
					over = true
					answer(result)
					end()
				}
			})
		})
	})
}
