package driver

import "time"

// Order is a placed order. Lines carry cumulative quantities, so that the
// newest state of an order replaces any older one: duplicates, replays and
// partial shipments are one case.
type Order struct {
	// ID is the channel's own id, stable and unique on the channel.
	ID string `json:"id"`
	// Number is what people call the order.
	Number string `json:"number,omitempty"`
	// PlacedAt and ChangedAt are times of the channel's clock.
	PlacedAt  time.Time `json:"placedAt"`
	ChangedAt time.Time `json:"changedAt"`
	// Closed orders have nothing left to ship. Goods may still come back from
	// them; after some days nobody counts that any more.
	Closed bool        `json:"closed,omitempty"`
	Lines  []OrderLine `json:"lines"`
}

// Shipped says that no unit of any line is left to ship.
func (o *Order) Shipped() bool {
	for i := range o.Lines {
		if l := &o.Lines[i]; l.Ordered > l.Cancelled+l.Fulfilled {
			return false
		}
	}
	return true
}

// OrderLine is one line of an order. Units are never negative, and
// Cancelled + Fulfilled <= Ordered.
type OrderLine struct {
	// ID is unique on the channel and stable for the life of the line.
	ID  string `json:"id"`
	SKU string `json:"sku"`
	// Ordered is the number of units ever placed on this line.
	Ordered int64 `json:"ordered"`
	// Cancelled of those will not be shipped.
	Cancelled int64 `json:"cancelled,omitempty"`
	// Fulfilled of those have left the shelf.
	Fulfilled int64 `json:"fulfilled,omitempty"`
	// Returned of the fulfilled are back on the shelf and can be sold.
	Returned int64 `json:"returned,omitempty"`
	// UnitPrice is what the buyer paid for one unit.
	UnitPrice *Money `json:"unitPrice,omitempty"`
}
