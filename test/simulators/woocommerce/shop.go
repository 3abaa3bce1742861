package woocommerce

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the settings of a shop. The zero value is a shop that sells in
// EUR with two decimals, in Jakarta's time, with all that WooCommerce 10.3 has.
type Options struct {
	// Currency and Decimals are those of Settings > General.
	Currency string
	Decimals int
	// Zone is the time zone of the site.
	Zone *time.Location
	// Home is the address that the site knows as its own; empty for the one that
	// a request was sent to, as where WP_HOME is made of the host.
	Home string
	// Before103 leaves out what came with WooCommerce 10.3: the list of all
	// variations.
	Before103 bool
	// Clock is time.Now where it is nil.
	Clock func() time.Time
}

// Shop is a simulated shop. It is an http.Handler.
type Shop struct {
	o     Options
	store string

	mu       sync.Mutex
	lastID   int64
	products map[int64]*row[product]
	bySKU    map[string][]int64
	bySlug   map[string][]int64
	children map[int64][]int64
	orders   map[int64]*row[order]
	keys     map[string]*key
	nonces   map[string]bool
	webhooks map[int64]*webhook
	touched  map[touch]bool // what a request has changed, once each
	parents  map[int64]bool // products whose variations a request has saved
	lookups  int            // of other sites

	// passed is by how much the shop's clock was put on.
	passed atomic.Int64
	sender *sender
	faults faults
}

// Lookups counts how often the shop was made to look for other sites.
func (s *Shop) Lookups() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookups
}

// Key is a REST API key.
type Key struct{ ConsumerKey, ConsumerSecret string }

type key struct {
	secret string
	writes bool
}

var stores struct {
	sync.Mutex
	n int
}

// New opens a shop. Close ends it.
func New(o Options) *Shop {
	if o.Currency == "" {
		o.Currency, o.Decimals = "EUR", 2
	}
	if o.Zone == nil {
		o.Zone = time.FixedZone("WIB", 7*60*60)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	stores.Lock()
	stores.n++
	n := stores.n
	stores.Unlock()
	s := &Shop{
		o: o, store: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), lastID: 10,
		products: map[int64]*row[product]{}, bySKU: map[string][]int64{},
		bySlug: map[string][]int64{}, children: map[int64][]int64{},
		orders: map[int64]*row[order]{}, keys: map[string]*key{}, nonces: map[string]bool{},
		webhooks: map[int64]*webhook{}, touched: map[touch]bool{}, parents: map[int64]bool{},
	}
	s.sender = newSender(s)
	return s
}

// Close ends the delivery of webhooks.
func (s *Shop) Close() { s.sender.close() }

// clock is the shop's.
func (s *Shop) clock() time.Time { return s.o.Clock().Add(time.Duration(s.passed.Load())) }

// Pass puts the shop's clock on: times are whole seconds, and people take
// longer than tests.
func (s *Shop) Pass(d time.Duration) { s.passed.Add(int64(d)) }

func (s *Shop) now() time.Time { return s.clock().UTC().Truncate(time.Second) }

func (s *Shop) nextID() int64 {
	s.lastID++
	return s.lastID
}

// NewKey makes a REST API key: for reading, and for writing too if writes.
func (s *Shop) NewKey(writes bool) Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strconv.FormatInt(s.nextID(), 10)
	k := Key{ConsumerKey: "ck_" + pad(id), ConsumerSecret: "cs_" + pad("f"+id)}
	s.keys[k.ConsumerKey] = &key{secret: k.ConsumerSecret, writes: writes}
	return k
}

// Revoke ends a key.
func (s *Shop) Revoke(consumerKey string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, consumerKey)
}

func pad(id string) string { return fmt.Sprintf("%040s", id) }

// do carries out what a merchant, a buyer or a request does: what it changes is
// told by webhooks once it has ended.
func (s *Shop) do(what func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := what()
	s.shutdown()
	return err
}

// row keeps the states of one thing: the newest, and for replicas that lag those
// before.
type row[T any] struct{ states []state[T] }

// state is one of them; gone where it was deleted then.
type state[T any] struct {
	at    time.Time
	value T
	gone  bool
}

// maxStates is how many states a row keeps.
const maxStates = 16

func (r *row[T]) put(at time.Time, value T, gone bool) {
	r.states = append(r.states, state[T]{at, value, gone})
	if len(r.states) > maxStates {
		r.states = r.states[1:]
	}
}

// newest is the present state; not ok where there is none any more.
func (r *row[T]) newest() (T, bool) {
	last := r.states[len(r.states)-1]
	return last.value, !last.gone
}

// asOf is the state at a time.
func (r *row[T]) asOf(at time.Time) (value T, ok bool) {
	for _, st := range r.states {
		if !st.at.After(at) {
			value, ok = st.value, !st.gone
		}
	}
	return value, ok
}
