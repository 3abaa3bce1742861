package vendure

import (
	"encoding/json"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// orderMemory is what a connection remembers between calls of ReadOrders. It
// may be lost at any time; then orders are handed over again. What a page
// handed over is remembered only once the caller comes back with that page's
// cursor, for only then is it kept.
type orderMemory struct {
	mu      sync.Mutex
	seed    maphash.Seed
	process string
	page    uint64
	// known are the orders as last kept by the caller.
	known map[string]knownOrder
	// offered are the orders of the last page, not yet kept.
	offered map[string]knownOrder
	nonce   string

	// swept says that a sweep has been completed by this process.
	swept bool
	// seen are the open orders of the sweep under way, with their placing.
	seen map[string]time.Time
	// newestPlaced is the newest orderPlacedAt met.
	newestPlaced time.Time
}

// knownOrder is an order as handed over.
type knownOrder struct {
	fingerprint uint64
	open        bool
	// at is when it was last met in a list.
	at time.Time
}

// rememberClosed is how long orders that are not open stay known: as long as
// the list of changes repeats them.
const rememberClosed = 4 * overlap

func newOrderMemory() *orderMemory {
	return &orderMemory{
		seed:    maphash.MakeSeed(),
		process: strconv.FormatInt(time.Now().UnixNano(), 36),
		known:   map[string]knownOrder{},
		seen:    map[string]time.Time{},
	}
}

// acknowledge keeps the last page if the caller came back with its nonce, and
// forgets it if not. It returns false for a cursor of another process.
func (m *orderMemory) acknowledge(nonce string) bool {
	if nonce == m.nonce {
		for id, o := range m.offered {
			m.known[id] = o
		}
	}
	m.offered = map[string]knownOrder{}
	return strings.HasPrefix(nonce, m.process+".")
}

// offer returns the nonce of the page that was just made.
func (m *orderMemory) offer() string {
	m.page++
	m.nonce = m.process + "." + strconv.FormatUint(m.page, 36)
	return m.nonce
}

// take says whether the order is to be handed over, and offers it.
func (m *orderMemory) take(o vendorOrder, translated driver.Order) bool {
	text, err := json.Marshal(translated)
	if err != nil {
		// Plain values always marshal.
		panic(err)
	}
	now := knownOrder{
		fingerprint: maphash.Bytes(m.seed, text),
		open:        !slices.Contains(shippedStates, o.State),
		at:          time.Now(),
	}
	if now.open {
		m.seen[o.ID] = o.PlacedAt
	}
	if o.PlacedAt.After(m.newestPlaced) {
		m.newestPlaced = o.PlacedAt
	}
	before, known := m.known[o.ID]
	m.offered[o.ID] = now
	return !known || before.fingerprint != now.fingerprint
}

// beginSweep starts to note which orders are open.
func (m *orderMemory) beginSweep() { m.seen = map[string]time.Time{} }

// missing are the orders that were open and were not met in this sweep.
func (m *orderMemory) missing() []string {
	var ids []string
	for id, o := range m.known {
		if _, met := m.seen[id]; o.open && !met {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}

// offerGone notes that the missing orders were asked for by id. Those that were
// not found are gone from the shop.
func (m *orderMemory) offerGone(ids []string) {
	for _, id := range ids {
		if _, found := m.offered[id]; !found {
			o := m.known[id]
			o.open = false
			m.offered[id] = o
		}
	}
}

// endSweep completes the sweep and returns the earliest placing of an open
// order, false for none.
func (m *orderMemory) endSweep() (oldest time.Time, open bool) {
	m.swept = true
	for _, placed := range m.seen {
		if oldest.IsZero() || placed.Before(oldest) {
			oldest = placed
		}
	}
	for id, o := range m.known {
		if !o.open && time.Since(o.at) > rememberClosed {
			delete(m.known, id)
		}
	}
	return oldest, len(m.seen) > 0
}
