package connector

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

// poller asks the channel what is new: changed listings, changed orders. Its
// positions move only after what lies before them is durable (I3).
type poller struct {
	engine   *engine
	link     *link
	observer *observer
	space    *hub.Space
	channel  string
	traits   driver.Traits
	log      *slog.Logger
	now      func() time.Time
	intake   func(kind string, at time.Time)
	durable  func() // for tests, nil otherwise

	mu     sync.Mutex // one order poll at a time
	lately map[string]uint64
	polled time.Time // when the last complete order poll began
}

const (
	defaultPoll = 5 * time.Second
	// minOrderPoll keeps the orders from eating the budget.
	minOrderPoll = time.Second
	// busyChanges is how often changes are asked for while writes wait.
	busyChanges = 10 * time.Second
	maxLately   = 10_000
	intakeItems = "items"
	intakeOrder = "orders"
)

// pollEvery is the poll interval now.
func (e *engine) pollEvery() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.routes.poll
}

// changes follows the channel's change feed.
func (p *poller) changes(ctx context.Context) error {
	for {
		began := p.now()
		if err := p.pollChanges(ctx); err != nil && ctx.Err() == nil {
			p.log.Debug("ask for changed listings", "error", err)
		}
		for {
			if err := sleep(ctx, p.engine.pollEvery()-p.now().Sub(began)%p.engine.pollEvery()); err != nil {
				return nil
			}
			if p.now().Sub(began) >= busyChanges || !p.yields() {
				break
			}
		}
	}
}

// yields reports whether changes can wait for writes: on a channel that is no
// source they only tell drift, and most of them are echoes of these writes.
func (p *poller) yields() bool {
	var publishes bool
	p.engine.view(func() { publishes = p.engine.routes.publishes })
	return !publishes && p.engine.busy(p.batch())
}

// busy reports whether more than a batch of writes waits, so that the budget
// is better spent on them.
func (e *engine) busy(batch int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.routes.writable() != 0 && e.queue.backlog(e.routes.writable()) > batch
}

// pollChanges reads the changes since the last time, to the end.
func (p *poller) pollChanges(ctx context.Context) error {
	for more := true; more; {
		var cursor string
		p.engine.view(func() { cursor = p.engine.meta.Changes })
		token := p.engine.begin()
		page, supported, err := p.readChanges(ctx, cursor)
		if err == nil && supported {
			err = p.observer.take(ctx, reading{
				listings: page.Listings, token: token, why: causeChange,
				then: func(t *txn) error {
					if t.meta.Changes != string(page.Next) {
						t.meta.Changes, t.putMeta = string(page.Next), true
					}
					return nil
				},
			})
		}
		p.engine.end(token)
		if err != nil || !supported {
			return err
		}
		if more = page.More; more && p.yields() {
			return nil // the rest when there is time
		}
	}
	p.intake(intakeItems, p.now())
	return nil
}

func (p *poller) readChanges(ctx context.Context, after string) (driver.ChangePage, bool, error) {
	var page driver.ChangePage
	supported := true
	err := p.link.call(ctx, driver.OpChanges, func(ctx context.Context, c driver.Connection) (err error) {
		r, ok := c.(driver.ChangeReader)
		if !ok {
			supported = false
			return nil
		}
		page, err = r.ReadChanges(ctx, driver.Cursor(after), pageOf(p.traits))
		return err
	})
	return page, supported, err
}

func pageOf(t driver.Traits) int {
	if t.PageSize > 0 {
		return t.PageSize
	}
	return defaultPage
}

// orders follows the channel's orders.
func (p *poller) orders(ctx context.Context) error {
	for {
		began := p.now()
		if err := p.pollOrders(ctx); err != nil && ctx.Err() == nil {
			p.log.Debug("ask for changed orders", "error", err)
		}
		wait := max(p.engine.pollEvery(), minOrderPoll) - p.now().Sub(began)
		if err := sleep(ctx, wait); err != nil {
			return nil
		}
	}
}

// pollOrders reads the orders since the last time, to the end. Who waited while
// another poll began and ended need not make one more.
func (p *poller) pollOrders(ctx context.Context) error {
	asked := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.polled.After(asked) {
		return nil
	}
	var can abilities
	var stocks bool
	began := p.now()
	poll := polled{began: began}
	p.engine.view(func() {
		can, stocks, poll.revision = p.engine.can, p.engine.routes.stock, p.engine.revision
	})
	if !can.orders || !stocks {
		return nil
	}
	for more := true; more; {
		page, err := p.readOrders(ctx)
		if err != nil {
			return err
		}
		if err := p.takeOrders(ctx, page, poll); err != nil {
			return err
		}
		more = page.More
	}
	p.polled = began
	p.intake(intakeOrder, p.now())
	return nil
}

func (p *poller) readOrders(ctx context.Context) (driver.OrderPage, error) {
	var after string
	p.engine.view(func() { after = p.engine.meta.Orders })
	var page driver.OrderPage
	err := p.link.call(ctx, driver.OpOrders, func(ctx context.Context, c driver.Connection) (err error) {
		if r, ok := c.(driver.OrderReader); ok {
			page, err = r.ReadOrders(ctx, driver.Cursor(after), pageOf(p.traits))
		}
		return err
	})
	return page, err
}

// takeOrders makes a page of orders durable and then moves the position.
func (p *poller) takeOrders(ctx context.Context, page driver.OrderPage, poll polled) error {
	var baseline bool
	var after uint64
	var shop string
	p.engine.view(func() {
		e := p.engine
		baseline, after, shop = !e.meta.Baselined, e.after(), e.meta.Shop
	})
	var facts []catalog.Fact
	moved := make(map[string]struct{})
	fresh := make(map[string]uint64)
	for i := range page.Orders {
		o := &page.Orders[i]
		sum := hashOrder(o)
		if p.lately[o.ID] == sum {
			continue // told already; the driver's readings overlap
		}
		fresh[o.ID] = sum
		facts = append(facts, catalog.Fact{OrderChanged: &catalog.OrderChanged{
			Order: *o, Account: shop, Revision: p.engine.reading(), Baseline: baseline, After: after,
		}})
		for j := range o.Lines {
			if name, ok := catalog.NormalizeSKU(o.Lines[j].SKU); ok {
				moved[name] = struct{}{}
			}
		}
	}
	if err := p.engine.landed(ctx, moved); err != nil {
		return err
	}
	seq, err := p.observer.appendOrders(ctx, facts, moved)
	if err != nil {
		return err
	}
	if p.durable != nil {
		p.durable()
	}
	err = p.engine.update(false, func(t *txn) error {
		if t.meta.Orders != string(page.Next) || !t.meta.Baselined && !page.More {
			t.meta.Orders, t.putMeta = string(page.Next), true
			t.meta.Baselined = t.meta.Baselined || !page.More
		}
		for name := range moved {
			s, err := t.sku(name)
			if err != nil {
				return err
			}
			if s.record.known && !s.record.absent {
				// The reserved units moved: look before stock is written.
				s.record.unread = true
				s.record.recheck(t.now)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.engine.view(func() {
		e := p.engine
		e.ordersSeq = max(e.ordersSeq, seq)
		for name := range moved {
			e.moved[name] = seq
		}
		if !page.More {
			e.ordersStart, e.ordersTook = poll.began, p.now().Sub(poll.began)
			poll.seq = e.ordersSeq
			// What an earlier poll failed to tell was told by this one, or is gone.
			for name, at := range e.moved {
				if at == beingTold {
					e.moved[name] = e.ordersSeq
				}
			}
			e.pollEnded(poll)
		}
		e.signal()
	})
	if len(p.lately)+len(fresh) > maxLately {
		clear(p.lately)
	}
	for id, sum := range fresh {
		p.lately[id] = sum
	}
	return nil
}

// reading numbers a reading.
func (e *engine) reading() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.nextRevision()
}

// landed waits for the rounds that some SKUs are in now. What an order moved
// after a write must not be told before that write is: the ledger takes a
// confirmation for what the channel shows after all the orders before it.
func (e *engine) landed(ctx context.Context, names map[string]struct{}) error {
	out := make(map[string]uint64)
	e.view(func() {
		for name := range names {
			if x := e.queue.entries[name]; x != nil && x.inflight {
				out[name] = x.flight
			}
		}
	})
	for len(out) > 0 {
		var changed <-chan struct{}
		e.view(func() {
			changed = e.changed
			for name, flight := range out {
				if x := e.queue.entries[name]; x == nil || !x.inflight || x.flight != flight {
					delete(out, name)
				}
			}
		})
		if len(out) == 0 {
			break
		}
		if err := until(ctx, changed, time.Time{}, e.now()); err != nil {
			return err
		}
	}
	return nil
}

// appendOrders makes facts of orders durable. Readings of the SKUs they moved
// that began before are not believed after: they may be from before the order,
// and would be told after it.
func (o *observer) appendOrders(ctx context.Context, facts []catalog.Fact, moved map[string]struct{}) (uint64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.engine.view(func() {
		for name := range moved {
			o.engine.fence.mark(name)
			o.engine.moved[name] = beingTold
		}
		for i := range facts {
			o.engine.overtook(&facts[i].OrderChanged.Order)
		}
	})
	return appendFacts(ctx, o.space, o.channel, facts)
}

// hashOrder is of all that a fact tells of an order.
func hashOrder(o *driver.Order) uint64 {
	h := hashString(o.ID) ^ uint64(o.ChangedAt.UnixNano())*fnvPrime
	if o.Closed {
		h++
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		for _, n := range [4]int64{l.Ordered, l.Cancelled, l.Fulfilled, l.Returned} {
			h = (h ^ uint64(n)) * fnvPrime
		}
		h = (h ^ hashString(l.ID) ^ hashString(l.SKU)) * fnvPrime
	}
	return h | 1
}

// settles settles stock readings. It waits for the fold, and so has a goroutine
// of its own: suspects are read while there is no catalog worker, too.
func (p *poller) settles(ctx context.Context) error {
	for {
		if err := p.settle(ctx); err != nil && ctx.Err() == nil {
			p.log.Debug("settle stock", "error", err)
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return nil
		}
	}
}

// attend reads suspects when they are due.
func (p *poller) attend(ctx context.Context) error {
	for {
		next := p.now().Add(100 * time.Millisecond)
		keys, due := p.engine.dueSuspects(p.batch())
		if !due.IsZero() {
			next = earlier(next, due)
		}
		if len(keys) > 0 {
			if err := p.look(ctx, keys); err != nil && ctx.Err() == nil {
				p.log.Debug("read suspects", "error", err)
			}
			next = p.now().Add(20 * time.Millisecond)
		}
		if err := until(ctx, nil, next, p.now()); err != nil {
			return nil
		}
	}
}

func (p *poller) batch() int { return limitsOf(p.traits).read }

// look reads some SKUs by name.
func (p *poller) look(ctx context.Context, keys []driver.Key) error {
	token := p.engine.begin()
	defer p.engine.end(token)
	found, err := readListings(ctx, p.link, keys)
	if err != nil {
		return err
	}
	return p.observer.take(ctx, reading{listings: found, asked: skusOf(keys), token: token, why: causeChange})
}

// settle finishes the settling of stock readings whose orders are in.
func (p *poller) settle(ctx context.Context) error {
	tell, drift := p.engine.settled(p.batch())
	if len(drift) > 0 {
		if err := p.engine.drifted(drift); err != nil {
			return err
		}
	}
	if len(tell) == 0 {
		return nil
	}
	return p.observer.tell(ctx, tell)
}

func skusOf(keys []driver.Key) []string {
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = keys[i].SKU
	}
	return names
}
