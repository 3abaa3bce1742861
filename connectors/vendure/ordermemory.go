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
// may be lost at any time; then orders are handed over again. A caller that
// comes back with the cursor of an earlier page has not kept the pages after
// it: what they handed over is handed over again.
type orderMemory struct {
	mu      sync.Mutex
	seed    maphash.Seed
	process string
	// page is the number of the last page that handed something over; turned
	// says that it is the page under way.
	page   uint64
	turned bool
	// known are the orders as last handed over.
	known map[string]knownOrder
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
	// page handed it over; 0: it is to be handed over again.
	page uint64
	open bool
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

// rewind takes the nonce of the page after which the caller goes on, and
// forgets what later pages handed over. It returns false for a page of another
// process (or none), of which nothing is remembered.
func (m *orderMemory) rewind(nonce string) bool {
	number, mine := strings.CutPrefix(nonce, m.process+".")
	page, err := strconv.ParseUint(number, 36, 64)
	if !mine || err != nil {
		m.known, m.swept = map[string]knownOrder{}, false
		return false
	}
	if page == m.page {
		return true
	}
	for id, o := range m.known {
		if o.page > page {
			// Open, so that it is looked for even if it has ended since.
			o.page, o.open = 0, true
			m.known[id] = o
		}
	}
	return true
}

// turn begins a new page. Its number is that of the last one as long as nothing
// is handed over.
func (m *orderMemory) turn() { m.turned = false }

// handed returns the number of the page begun with turn, when it hands
// something over.
func (m *orderMemory) handed() uint64 {
	if !m.turned {
		m.turned = true
		m.page++
	}
	return m.page
}

// nonce names the page begun with turn.
func (m *orderMemory) nonce() string {
	return m.process + "." + strconv.FormatUint(m.page, 36)
}

// take says whether the order is to be handed over by the page begun with
// turn, and remembers it as handed over.
func (m *orderMemory) take(o vendorOrder, translated driver.Order) bool {
	text, err := json.Marshal(translated)
	if err != nil {
		// Plain values always marshal.
		panic(err)
	}
	now := knownOrder{
		fingerprint: maphash.Bytes(m.seed, text),
		open:        o.open(),
		at:          time.Now(),
	}
	if now.open {
		m.seen[o.ID] = o.PlacedAt
	}
	if o.PlacedAt.After(m.newestPlaced) {
		m.newestPlaced = o.PlacedAt
	}
	before, known := m.known[o.ID]
	same := known && before.page != 0 && before.fingerprint == now.fingerprint
	if now.page = before.page; !same {
		now.page = m.handed()
	}
	m.known[o.ID] = now
	return !same
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

// gone notes that the missing orders were asked for by id. Those that were not
// found are gone from the shop.
func (m *orderMemory) gone(ids []string) {
	for _, id := range ids {
		_, met := m.seen[id]
		if o := m.known[id]; o.open && !met {
			o.open, o.page = false, m.handed()
			m.known[id] = o
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
