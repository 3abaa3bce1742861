package catalog

import (
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// The types of facts. A type and its payload never change their meaning; new
// fields are optional.
const (
	TypeItemObserved   = "item.observed"
	TypeItemRemoved    = "item.removed"
	TypeOrderChanged   = "order.changed"
	TypeStockObserved  = "stock.observed"
	TypeStockWritten   = "stock.written"
	TypeStockConfirmed = "stock.confirmed"
	TypeStockCounted   = "stock.counted"
)

// Fact is one immutable statement of a channel about something that happened
// or was seen there. Exactly one of the payloads is set.
type Fact struct {
	// Channel is the name of the Channel that states it.
	Channel string
	// Seq is the fact's sequence in the hub and Time the hub's time of it.
	Seq  uint64
	Time time.Time

	ItemObserved   *ItemObserved
	ItemRemoved    *ItemRemoved
	OrderChanged   *OrderChanged
	StockObserved  *StockObserved
	StockWritten   *StockWritten
	StockConfirmed *StockConfirmed
	StockCounted   *StockCounted
}

// ItemObserved: the channel shows this content and price for the SKU.
type ItemObserved struct {
	SKU     string          `json:"sku"`
	Content *driver.Content `json:"content,omitempty"`
	Price   *driver.Money   `json:"price,omitempty"`
	// ChangedAt is the channel's own time of the change, zero if unknown.
	ChangedAt time.Time `json:"changedAt,omitzero"`
}

// ItemRemoved: the channel does not have the SKU any more.
type ItemRemoved struct {
	SKU string `json:"sku"`
}

// OrderChanged: the newest state of one order of the channel.
type OrderChanged struct {
	Order driver.Order `json:"order"`
	// Account is the shop that the order is of, as its driver names it: the ids
	// of orders and lines mean nothing to another one.
	Account string `json:"account,omitempty"`
	// Revision rises from reading to reading of the channel's orders, like that
	// of StockConfirmed; 0 where the reader does not count.
	Revision uint64 `json:"revision,omitempty"`
	// Baseline marks orders found open when the channel was first read: what
	// they have fulfilled so far is already missing from the shelf, only their
	// open units are committed.
	Baseline bool `json:"baseline,omitempty"`
	// After is a revision of stock writes (see StockConfirmed): what this fact
	// tells for the first time happened after the writes up to it, before or
	// after later ones. 0 where the teller does not know: then it came after
	// all writes before it in the log.
	After uint64 `json:"after,omitempty"`
}

// StockObserved: a settled reading of the SKU's stock: the orders of the
// channel that explain it lie before it in the log (DESIGN §5.3).
type StockObserved struct {
	SKU string `json:"sku"`
	// Location is the stock location; empty for the channel's only one.
	Location string `json:"location,omitempty"`
	OnHand   int64  `json:"onHand"`
	Reserved int64  `json:"reserved"`
	// Basis is the basis of the channel's driver. With BasisAvailable, OnHand
	// repeats what is available and Reserved is zero.
	Basis     driver.StockBasis `json:"basis"`
	ChangedAt time.Time         `json:"changedAt,omitzero"`
	// Revision orders the readings of the SKU on the channel: see
	// StockConfirmed.
	Revision uint64 `json:"revision,omitempty"`
	// Written are quantities that Selaras sent and that may have landed since
	// the channel was last known to show Base: a reading that one of them and
	// the channel's own orders explain is nobody's change.
	Written []int64 `json:"written,omitempty"`
	Base    int64   `json:"base,omitempty"`
	// Lowered and Raised are at least the units by which the channel's orders
	// that were told since the reading moved its stock: the reading may have
	// seen all, some or none of them.
	Lowered int64 `json:"lowered,omitempty"`
	Raised  int64 `json:"raised,omitempty"`
	// Sold and Freed are at least the units that orders told since the reading
	// took from what the channel can sell, and gave back to it.
	Sold  int64 `json:"sold,omitempty"`
	Freed int64 `json:"freed,omitempty"`
	// ReservedUnknown says that orders of the SKU were told since the reading,
	// so that Reserved is not to be compared with them.
	ReservedUnknown bool `json:"reservedUnknown,omitempty"`
	// Plan is the newest version of the item's Allotted that the connector
	// knows: it will write by no older one.
	Plan uint64 `json:"plan,omitempty"`
}

// unexplained is what is left of the difference between the reading and what
// the channel is thought to show: less what orders of unknown time may account
// for, and less what a write of unknown fate moved, if that explains it.
func (o *StockObserved) unexplained(shown Shown, writing Writing) (units, written int64) {
	beyond := func(difference int64) int64 {
		above := shown.Lowered + max(0, o.Lowered)
		below := -(shown.Raised + max(0, o.Raised))
		return difference - max(below, min(difference, above))
	}
	difference := o.OnHand - shown.OnHand
	for _, w := range o.Written {
		if moved := w - o.Base; beyond(difference-moved) == 0 {
			return 0, moved
		}
	}
	if beyond(difference) == 0 {
		return 0, 0
	}
	for found := range writing.found() {
		if o.OnHand >= found-max(0, o.Raised) && o.OnHand <= found+max(0, o.Lowered) {
			return 0, found - shown.OnHand
		}
	}
	return beyond(difference), 0
}

// whole says whether the reading tells exactly what the channel shows after
// the orders that lie before it in the log.
func (o *StockObserved) whole() bool { return o.Lowered <= 0 && o.Raised <= 0 }

// StockWritten: Selaras is about to write the SKU's stock on a channel whose
// stock is taken into the ledger. It is told before the write leaves, so that
// whoever reads the channel next, knowing nothing, is not taken for the witness
// of somebody's change.
type StockWritten struct {
	SKU      string            `json:"sku"`
	Location string            `json:"location,omitempty"`
	Basis    driver.StockBasis `json:"basis"`
	// Written are the quantity, last, and before it those of earlier writes
	// that may land still, in the basis.
	Written []int64 `json:"written"`
	// Lands is how long, in nanoseconds, a write may take to land.
	Lands time.Duration `json:"lands,omitempty"`
	// Mode is how the channel takes the quantity; empty is taken for Set.
	Mode driver.StockMode `json:"mode,omitempty"`
	// Revision is in one order with those of readings: see StockConfirmed.
	Revision uint64 `json:"revision,omitempty"`
}

// StockConfirmed: Selaras wrote the SKU's stock on the channel and read it
// back.
type StockConfirmed struct {
	SKU      string            `json:"sku"`
	Location string            `json:"location,omitempty"`
	Basis    driver.StockBasis `json:"basis"`
	// OnHand is the value read back, in the basis.
	OnHand int64 `json:"onHand"`
	// Written are quantities that were sent and may land still.
	Written []int64 `json:"written,omitempty"`
	// ChangedAt is the channel's own time of the last change of what was read
	// back, zero if unknown.
	ChangedAt time.Time `json:"changedAt,omitzero"`
	// Plan is as in StockObserved.
	Plan uint64 `json:"plan,omitempty"`
	// Revision rises from fact to fact about the SKU's stock on the channel,
	// whether it is a StockObserved, StockWritten or StockConfirmed: the epoch of
	// the connector's lease and, in TenureBits, a count within it. A fact that is
	// not above the last one is a repetition and changes nothing, so that
	// appending again what may have been stored is safe. 0 is always taken.
	Revision uint64 `json:"revision,omitempty"`
}

// StockCounted: somebody counted the goods.
type StockCounted struct {
	SKU      string `json:"sku"`
	Location string `json:"location,omitempty"`
	// Quantity was counted, in the basis; with BasisAvailable the units
	// committed by the counting channel are added.
	Quantity int64             `json:"quantity"`
	Basis    driver.StockBasis `json:"basis"`
	// AsOf is when it was counted. Movements after it are applied on top;
	// counts older than Retention are ignored.
	AsOf time.Time `json:"asOf"`
}
