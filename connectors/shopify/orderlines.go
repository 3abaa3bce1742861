package shopify

import (
	"slices"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// vendorOrder is an order as the API answers it. Personal data is never asked
// for.
type vendorOrder struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
	CancelledAt *time.Time `json:"cancelledAt"`
	Refunds     []struct {
		ID string `json:"id"`
	} `json:"refunds"`
	Lines lineList `json:"lineItems"`
	// refunded are read apart.
	refunded []refundedLine
}

type lineList struct {
	Nodes []orderLine `json:"nodes"`
	Page  pageInfo    `json:"pageInfo"`
}

type orderLine struct {
	ID  string `json:"id"`
	SKU string `json:"sku"`
	// Quantity is what was ordered, what was refunded or removed since included;
	// Current is without those, Unfulfilled is what is left to send.
	Quantity    int64 `json:"quantity"`
	Current     int64 `json:"currentQuantity"`
	Unfulfilled int64 `json:"unfulfilledQuantity"`
	Price       struct {
		Shop struct {
			Amount   string `json:"amount"`
			Currency string `json:"currencyCode"`
		} `json:"shopMoney"`
	} `json:"originalUnitPriceSet"`
}

type refund struct {
	ID    string `json:"id"`
	Lines struct {
		Nodes []refundedLine `json:"nodes"`
		Page  pageInfo       `json:"pageInfo"`
	} `json:"refundLineItems"`
}

type refundedLine struct {
	Line struct {
		ID string `json:"id"`
	} `json:"lineItem"`
	Quantity int64  `json:"quantity"`
	Restock  string `json:"restockType"`
}

// The ways in which refunded units are treated: as not sent, as come back, and
// as neither. Units of the last way are gone from the shelf.
const (
	restockCancel = "CANCEL"
	restockReturn = "RETURN"
)

// open says that units of the order may still be on the shelf.
func (o vendorOrder) open() bool {
	return o.CancelledAt == nil && (o.Lines.Page.More || slices.ContainsFunc(o.Lines.Nodes, func(l orderLine) bool { return l.Unfulfilled > 0 }))
}

// taken are the units that refunds took from a line, in all and by the way they
// were treated.
func (o vendorOrder) taken(line string) (all, cancelled, returned int64) {
	for _, r := range o.refunded {
		if r.Line.ID != line {
			continue
		}
		all += r.Quantity
		switch r.Restock {
		case restockCancel:
			cancelled += r.Quantity
		case restockReturn:
			returned += r.Quantity
		}
	}
	return all, cancelled, returned
}

// order translates the order. Lines without SKU are no goods of a listing.
func (o vendorOrder) order() driver.Order {
	d := driver.Order{ID: number(o.ID), Number: o.Name, PlacedAt: o.CreatedAt, ChangedAt: o.UpdatedAt}
	for _, l := range o.Lines.Nodes {
		if l.SKU != "" && l.Quantity > 0 {
			d.Lines = append(d.Lines, o.line(l))
		}
	}
	d.Closed = o.CancelledAt != nil || d.Shipped()
	slices.SortFunc(d.Lines, func(a, b driver.OrderLine) int { return strings.Compare(a.ID, b.ID) })
	return d
}

// within are the units, at least none and at most that many.
func within(units, most int64) int64 { return max(0, min(units, most)) }

// line translates a line. Units that an edit took away are on the shelf again.
// What is neither cancelled nor left to send has left the shelf: it was sent, or
// it was refunded without being put back.
func (o vendorOrder) line(l orderLine) driver.OrderLine {
	refunded, cancelled, returned := o.taken(l.ID)
	line := driver.OrderLine{ID: number(l.ID), SKU: l.SKU, Ordered: l.Quantity}
	line.Cancelled = within(cancelled, line.Ordered)
	line.Cancelled += within(l.Quantity-l.Current-refunded, line.Ordered-line.Cancelled) // edited away
	left := within(l.Unfulfilled, line.Ordered-line.Cancelled)
	if o.CancelledAt != nil {
		// What an order that was cancelled still has to send is not sent.
		line.Cancelled, left = line.Cancelled+left, 0
	}
	line.Fulfilled = line.Ordered - line.Cancelled - left
	line.Returned = within(returned, line.Fulfilled)
	if price, err := driver.ParseMoney(l.Price.Shop.Amount, l.Price.Shop.Currency); err == nil {
		line.UnitPrice = &price
	}
	return line
}
