// Package shoptest is a simulator of a shop, for tests and benches: a stateful
// HTTP server with the habits that real shops were seen to have (rate limits,
// batches refused for one item, writes that land after their caller gave up,
// orders that move reserved units without a trace in the change feed), and a
// driver for it. It is no shop, and no customer's data passes through it.
package shoptest

import (
	"fmt"
	"sync"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// Options are the habits of a simulated shop.
type Options struct {
	// Traits are declared by the driver; PageSize, ReadBatch and WriteBatch are
	// enforced by the shop.
	Traits driver.Traits
	// Latency of every call.
	Latency time.Duration
	// Limit is a strict token bucket in the shop itself: calls per second and
	// depth; zero is none.
	Limit      float64
	LimitDepth int
	// AllOrNothing refuses a whole batch for one poisonous item.
	AllOrNothing bool
	// NoCreate, NoRemove and NoOrders take capabilities away from the driver.
	NoCreate, NoRemove, NoOrders bool
	// Token must be sent as credential "token"; empty accepts any.
	Token string
	// Secret signs webhooks; empty is "secret".
	Secret string
	// Mark is what the shop says of itself, wherever it is; empty is nothing.
	Mark string
}

// Shop is a simulated shop. All methods may be called at any time.
type Shop struct {
	o Options

	mu       sync.Mutex
	listings map[string][]*listing // by SKU; more than one is a duplicate
	order    []*listing            // in the order of their making
	nextRef  int
	seq      int64
	changed  []change // oldest first
	orders   []*order
	calls    map[driver.Operation]int
	served   map[driver.Operation]int
	items    int // written items
	astray   int // of these, to a listing of another SKU
	fault    func(op driver.Operation, n int) Fault
	total    int
	sent     map[string][]driver.Version
	poison   map[string]bool
	blocked  chan struct{} // closed when open
	tokens   float64
	filled   time.Time
	late     []func()
}

// Fault is what a call meets instead of an answer.
type Fault struct {
	// Status is answered instead of doing anything; 0 is none.
	Status int
	// RetryAfter in seconds goes with Status.
	RetryAfter string
	// Lose does the call, and never answers.
	Lose bool
	// Late never answers, and does the call when Land is called.
	Late bool
}

type listing struct {
	ref     string
	sku     string
	content driver.Content
	price   *driver.Money
	onHand  int64
	held    int64
	gone    bool
	seq     int64
	at      time.Time
}

type order struct {
	driver.Order
	seq int64
}

// New makes an empty shop.
func New(o Options) *Shop {
	if o.Secret == "" {
		o.Secret = "secret"
	}
	s := &Shop{
		o: o, listings: make(map[string][]*listing), calls: make(map[driver.Operation]int), served: make(map[driver.Operation]int),
		sent: make(map[string][]driver.Version), poison: make(map[string]bool), blocked: make(chan struct{}),
		tokens: float64(o.LimitDepth), filled: time.Now(),
	}
	close(s.blocked)
	return s
}

// Add puts a listing into the shop and returns its reference.
func (s *Shop) Add(sku, title string, price driver.Money, onHand int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(sku, driver.Content{Product: driver.Product{Key: sku, Title: title}, Title: title, Enabled: true}, &price, onHand).ref
}

func (s *Shop) add(sku string, c driver.Content, price *driver.Money, onHand int64) *listing {
	s.nextRef++
	l := &listing{ref: fmt.Sprintf("L%08d", s.nextRef), sku: sku, content: c, price: price, onHand: onHand}
	s.listings[sku] = append(s.listings[sku], l)
	s.order = append(s.order, l)
	s.touch(l)
	return l
}

// touch puts a listing at the end of the change feed.
func (s *Shop) touch(l *listing) {
	s.seq++
	l.seq, l.at = s.seq, time.Now()
	s.changed = append(s.changed, change{l, l.seq})
	if len(s.changed) > 4*len(s.order)+1000 {
		s.changed = rebuilt(s.order) // older entries of the same listing
	}
}

func rebuilt(all []*listing) []change {
	sorted := append([]*listing(nil), all...)
	sortBySeq(sorted)
	out := make([]change, len(sorted))
	for i, l := range sorted {
		out[i] = change{l, l.seq}
	}
	return out
}

// change is an entry of the change feed.
type change struct {
	listing *listing
	seq     int64
}

// SetPrice, SetStock, SetTitle and Remove are what a merchant does in the
// shop's own admin page.
func (s *Shop) SetPrice(sku string, price driver.Money) {
	s.edit(sku, func(l *listing) { l.price = &price })
}

// SetStock sets the goods on hand.
func (s *Shop) SetStock(sku string, onHand int64) {
	s.edit(sku, func(l *listing) { l.onHand = onHand })
}

// Receive adds goods to what is on hand.
func (s *Shop) Receive(sku string, units int64) {
	s.edit(sku, func(l *listing) { l.onHand += units })
}

// SetTitle sets the title of a variant.
func (s *Shop) SetTitle(sku, title string) { s.edit(sku, func(l *listing) { l.content.Title = title }) }

// SetQuietly changes a price without a trace in the change feed.
func (s *Shop) SetQuietly(sku string, price driver.Money) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listings[sku] {
		l.price = &price
	}
}

// SetStockQuietly changes the stock without a trace in the change feed.
func (s *Shop) SetStockQuietly(sku string, onHand int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listings[sku] {
		l.onHand = onHand
	}
}

// Remove deletes the listings of a SKU.
func (s *Shop) Remove(sku string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listings[sku] {
		l.gone = true
	}
	delete(s.listings, sku)
	kept := s.order[:0]
	for _, l := range s.order {
		if l.sku != sku {
			kept = append(kept, l)
		}
	}
	s.order = kept
}

// Rename gives the listing of a SKU another one.
func (s *Shop) Rename(sku, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	renamed := s.listings[sku][:1:1]
	if s.listings[sku] = s.listings[sku][1:]; len(s.listings[sku]) == 0 {
		delete(s.listings, sku)
	}
	for _, l := range renamed {
		l.sku = to
		s.listings[to] = append(s.listings[to], l)
		s.touch(l)
	}
}

func (s *Shop) edit(sku string, fn func(*listing)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listings[sku] {
		fn(l)
		s.touch(l)
	}
}

// Sell places an order of units of a SKU and returns its id: the units are
// reserved, and the change feed does not show it, as seen on real shops.
func (s *Shop) Sell(sku string, units int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listings[sku] {
		l.held += units
	}
	id := fmt.Sprintf("O%06d", len(s.orders)+1)
	now := time.Now()
	o := &order{Order: driver.Order{
		ID: id, Number: id, PlacedAt: now, ChangedAt: now,
		Lines: []driver.OrderLine{{ID: id + "-1", SKU: sku, Ordered: units}},
	}}
	s.seq++
	o.seq = s.seq
	s.orders = append(s.orders, o)
	return id
}

// Fulfil ships everything of an order: on hand and reserved fall.
func (s *Shop) Fulfil(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		if o.ID != id {
			continue
		}
		for i := range o.Lines {
			line := &o.Lines[i]
			open := line.Ordered - line.Cancelled - line.Fulfilled
			line.Fulfilled += open
			for _, l := range s.listings[line.SKU] {
				l.onHand -= open
				l.held -= open
			}
		}
		s.seq++
		o.seq, o.ChangedAt, o.Closed = s.seq, time.Now(), true
	}
}

// Listing returns what the shop shows for a SKU, and whether there is exactly
// one listing of it.
func (s *Shop) Listing(sku string) (driver.Listing, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listings[sku]) != 1 {
		return driver.Listing{}, false
	}
	return s.show(s.listings[sku][0]), true
}

// Len is the number of listings.
func (s *Shop) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.order)
}

func (s *Shop) show(l *listing) driver.Listing {
	out := driver.Listing{SKU: l.sku, Ref: driver.Ref(l.ref), Content: l.content, ChangedAt: l.at}
	if l.price != nil {
		p := *l.price
		out.Price = &p
	}
	out.Stock = &driver.Stock{OnHand: l.onHand, Reserved: l.held, Available: l.onHand - l.held}
	return out
}

// Poison makes the shop refuse writes of a SKU, or take them again.
func (s *Shop) Poison(sku string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.poison[sku] = on
}

// Calls returns how many calls of an operation came, refused ones included.
func (s *Shop) Calls(op driver.Operation) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// Written is the number of items that writes set.
func (s *Shop) Written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items
}

// Astray is the number of items that were written to a listing of another SKU.
func (s *Shop) Astray() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.astray
}

// Sent returns the versions of the intents of a SKU, in the order in which
// they came.
func (s *Shop) Sent(sku string) []driver.Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]driver.Version(nil), s.sent[sku]...)
}

// Fault lets fn decide, for every call, what it meets; n counts all calls.
func (s *Shop) Fault(fn func(op driver.Operation, n int) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fn
}

// Block makes every call wait until the returned function is called.
func (s *Shop) Block() (open func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gate := make(chan struct{})
	s.blocked = gate
	return sync.OnceFunc(func() { close(gate) })
}

// Land lets the writes land whose callers gave up, and returns their number.
func (s *Shop) Land() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.late)
	for _, fn := range s.late {
		fn()
	}
	s.late = nil
	return n
}
