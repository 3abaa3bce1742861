package catalog

import (
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog/allot"
)

// Item is the canonical record of one sellable SKU of one source: what
// connectors read. It is rewritten only when something changes that a channel
// may show.
type Item struct {
	SKU     string          `json:"sku"`
	Content *driver.Content `json:"content,omitempty"`
	Price   *driver.Money   `json:"price,omitempty"`
	// ATS is what may be sold: on hand less committed, over all locations.
	// nil until the stock is known, or when it is not tracked.
	ATS *int64 `json:"ats,omitempty"`
	// Open are the units that ATS is short of for what a channel holds reserved
	// itself: its own open orders as far as they are folded and, for the source,
	// reservations that no order explains. Channels without any are left out, and
	// so are those whose basis is Available.
	Open map[string]int64 `json:"open,omitempty"`
	// Allotted is what each channel may show, where the policy gives it a part of
	// its own.
	Allotted *Allotted `json:"allotted,omitempty"`
	// Removed items are no longer sold by the source.
	Removed bool `json:"removed,omitempty"`
	// ContentAt, PriceAt and StockAt are the channel's own time of the latest
	// change of the group, for the end-to-end lag; zero if unknown. They measure
	// the change that was folded last and alone depend on the order of facts.
	ContentAt time.Time `json:"contentAt,omitzero"`
	PriceAt   time.Time `json:"priceAt,omitzero"`
	StockAt   time.Time `json:"stockAt,omitzero"`
}

// Ledger is the stock of one SKU of one source (DESIGN §5.3).
type Ledger struct {
	SKU string `json:"sku"`
	// Seeded is false until the source's stock was read once; before that only
	// Committed is kept.
	Seeded bool `json:"seeded,omitempty"`
	// OnHand are the goods on the shelf, Committed those promised to open
	// orders of any channel. ATS = OnHand - Committed.
	OnHand    int64 `json:"onHand"`
	Committed int64 `json:"committed"`
	// Unattributed is the part of Committed that belongs to no order known
	// here: what the source held reserved, at its last settled reading, beyond
	// its own open orders (reservations made by hand, orders that the driver
	// had not seen yet). Open lines that are found to be older than the reading
	// take their units from it.
	Unattributed int64 `json:"unattributed,omitempty"`
	// Shown is, by channel, the stock the channel shows as far as the ledger
	// can tell, in the channel's own basis: what was last confirmed or
	// observed, moved by the channel's own orders since.
	Shown map[string]Shown `json:"shown,omitempty"`
	// Writing is, by channel, what was sent there and may be found.
	Writing map[string]Writing `json:"writing,omitempty"`
	// Movements of the last Retention, oldest first, for counts that come late.
	Movements []Movement `json:"movements,omitempty"`
	// CountedAt is the cut-off of the newest count that was applied.
	CountedAt time.Time `json:"countedAt,omitzero"`
	// Book is what each channel may still sell, where the policy says it.
	Book *allot.Book `json:"book,omitempty"`
}

// Shown is what one channel shows of a SKU.
type Shown struct {
	OnHand int64 `json:"onHand"`
	// Basis is empty until the channel's stock was read or written once; until
	// then OnHand says nothing.
	Basis driver.StockBasis `json:"basis,omitempty"`
	// Committed are the channel's own open units.
	Committed int64 `json:"committed,omitempty"`
	// Revision is that of the newest reading.
	Revision uint64 `json:"revision,omitempty"`
	// Wrote is the revision of the confirmed write that OnHand rests on, 0 if it
	// rests on a settled reading. Lowered and Raised are the units by which
	// orders moved OnHand that may have come before that write: the channel
	// shows OnHand, at most Raised less or Lowered more.
	Wrote   uint64 `json:"wrote,omitempty"`
	Lowered int64  `json:"lowered,omitempty"`
	Raised  int64  `json:"raised,omitempty"`
}

// Movement is a change of what is on the shelf at a time of a channel's clock.
type Movement struct {
	At time.Time `json:"at"`
	// Units are added (returned, adjusted up) or taken (fulfilled, adjusted
	// down).
	Units int64 `json:"units,omitempty"`
	// Channel and Open record a change of the open units of a channel whose
	// basis is Available: what turns its late count into goods on the shelf.
	Channel string `json:"channel,omitempty"`
	Open    int64  `json:"open,omitempty"`
}

// Retention is how long movements are kept, and so how old a count may be.
const Retention = 72 * time.Hour

// Line is the last known state of one order line of a channel.
type Line struct {
	SKU       string `json:"sku"`
	Ordered   int64  `json:"ordered,omitempty"`
	Cancelled int64  `json:"cancelled,omitempty"`
	Fulfilled int64  `json:"fulfilled,omitempty"`
	Returned  int64  `json:"returned,omitempty"`
	// ChangedAt is the channel's time of that state, Revision the number of the
	// reading it comes from: an older state that arrives later changes nothing.
	ChangedAt time.Time `json:"changedAt,omitzero"`
	Revision  uint64    `json:"revision,omitempty"`
	// LeftAt is when the channel was seen to be of another account.
	LeftAt time.Time `json:"leftAt,omitzero"`
	// Source is the ledger that the line was counted in; empty while the
	// channel belongs to no sync of stock.
	Source string `json:"source,omitempty"`
	// Closed lines expire Retention after ChangedAt.
	Closed bool `json:"closed,omitempty"`
}

// State is what a fold reads. Absent records are the zero value and false.
// The fold does not change what it was given; the caller applies the Changes.
type State interface {
	Item(source, sku string) (Item, bool, error)
	Ledger(source, sku string) (Ledger, bool, error)
	Line(channel, line string) (Line, bool, error)
}

// Changes is what one fact does to the state: the new records, in full.
// A nil record is deleted.
type Changes struct {
	Items   []ItemChange
	Ledgers []LedgerChange
	Lines   []LineChange
	// Notes are what an operator of the shop should know.
	Notes []Note
	// Oversold are units that were promised beyond what there is.
	Oversold []Oversold
}

// ItemChange is the new record of an item.
type ItemChange struct {
	Source string
	SKU    string
	Item   *Item
}

// LedgerChange is the new record of a ledger.
type LedgerChange struct {
	Source string
	SKU    string
	Ledger *Ledger
}

// LineChange is the new record of an order line.
type LineChange struct {
	Channel string
	ID      string
	Line    *Line
}

// OversoldCause is who let units be promised that are not there.
type OversoldCause string

// The causes.
const (
	// OversoldGranted units were shown by Selaras on more than one channel.
	OversoldGranted OversoldCause = "Granted"
	// OversoldShop units were sold by a shop beyond what it was to show.
	OversoldShop OversoldCause = "Shop"
	// OversoldLost units were promised before it was found that they are gone.
	OversoldLost OversoldCause = "Lost"
)

// Oversold says that more units of a SKU than before are promised beyond what
// there is.
type Oversold struct {
	Source, SKU string
	Channel     string
	Cause       OversoldCause
	Units       int64
}

// NoteKind names something a fold noticed.
type NoteKind string

// The notes.
const (
	NoteStaleCount    NoteKind = "StaleCount"    // a count older than Retention or than a newer count
	NoteOversold      NoteKind = "Oversold"      // ATS fell below zero
	NoteStockAdjusted NoteKind = "StockAdjusted" // a difference of an owning channel became an adjustment
	NoteStockDrift    NoteKind = "StockDrift"    // a difference of another channel
	NoteInvalidFact   NoteKind = "InvalidFact"   // negative or absurd quantities, no SKU
	NoteChannelLeft   NoteKind = "ChannelLeft"   // open units of a channel whose stock is synced no more
	NoteAccountLeft   NoteKind = "AccountLeft"   // open units of an account that the channel has left
	NoteClockSkew     NoteKind = "ClockSkew"     // a channel's time is ahead of the hub's by more than 5 s
)

// Note is one thing noticed while folding.
type Note struct {
	Kind    NoteKind
	Channel string
	SKU     string
	Units   int64
	Message string
}
