package woocommerce

import (
	"slices"
	"strconv"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// vendorOrder is an order as the API answers it. Personal data is never asked
// for.
type vendorOrder struct {
	ID           int64       `json:"id"`
	Number       label       `json:"number"`
	Status       string      `json:"status"`
	Currency     string      `json:"currency"`
	CreatedGMT   gmt         `json:"date_created_gmt"`
	ModifiedGMT  gmt         `json:"date_modified_gmt"`
	CompletedGMT gmt         `json:"date_completed_gmt"`
	Lines        []orderLine `json:"line_items"`
	Refunds      []struct {
		ID int64 `json:"id"`
	} `json:"refunds"`
	// refunds are read apart.
	refunds []refund
}

// orderLine is a line of an order, or of a refund (with a negative quantity).
type orderLine struct {
	ID       int64   `json:"id"`
	SKU      *string `json:"sku"`
	Quantity units   `json:"quantity"`
	Total    string  `json:"total"`
	TotalTax string  `json:"total_tax"`
	Meta     metas   `json:"meta_data"`
}

// label is a text that some plugins write as a number.
type label string

// UnmarshalJSON reads a text or a number.
func (l *label) UnmarshalJSON(text []byte) error {
	*l = label(meta{Value: text}.text())
	return nil
}

// refund is one of an order.
type refund struct {
	CreatedGMT gmt         `json:"date_created_gmt"`
	Lines      []orderLine `json:"line_items"`
}

// Statuses of orders.
const (
	statusPending   = "pending"
	statusCompleted = "completed"
	statusCancelled = "cancelled"
	statusRefunded  = "refunded"
	statusFailed    = "failed"
)

// endedStatuses are those of orders of which nothing will be shipped any more.
var endedStatuses = []string{statusCompleted, statusCancelled, statusRefunded, statusFailed, "trash"}

// isCart says that nobody has ordered yet: a checkout that is not ended, or an
// order that is being written in the admin.
func isCart(status string) bool {
	return status == "checkout-draft" || status == "auto-draft" || status == "draft" || status == "new"
}

// Metadata of lines.
const (
	// metaReduced are the units that a line has taken from the stock and not
	// given back.
	metaReduced = "_reduced_stock"
	// metaRefunded is the line that a line of a refund is about.
	metaRefunded = "_refunded_item_id"
)

// shipped says that the order has left: WooCommerce knows no part of it.
func (o vendorOrder) shipped() bool {
	return o.Status == statusCompleted ||
		!o.CompletedGMT.IsZero() && (o.Status == statusRefunded || o.Status == statusCancelled)
}

// hasReturns says that units of the order were given back to the stock.
func (o vendorOrder) hasReturns() bool {
	return slices.ContainsFunc(o.Lines, func(l orderLine) bool { return o.taken(l) < l.Quantity.n })
}

// taken are the units of a line that the stock lacks for it. A line says so
// itself; one that does not is of an item without stock, or of an order whose
// stock is taken in this very moment, or was given back.
func (o vendorOrder) taken(l orderLine) int64 {
	if reduced, err := strconv.ParseFloat(metaText(l.Meta, metaReduced), 64); err == nil {
		return max(0, min(int64(reduced), l.Quantity.n))
	}
	switch o.Status {
	case statusPending, statusCancelled, statusRefunded, statusFailed:
		return 0
	}
	return l.Quantity.n
}

// givenUp are the units of a line that were refunded before the order was sent.
func (o vendorOrder) givenUp(l orderLine) int64 {
	var sum int64
	for _, r := range o.refunds {
		if !o.CompletedGMT.IsZero() && r.CreatedGMT.After(o.CompletedGMT.Time) {
			continue
		}
		for _, back := range r.Lines {
			if metaText(back.Meta, metaRefunded) == strconv.FormatInt(l.ID, 10) {
				sum += max(-back.Quantity.n, back.Quantity.n)
			}
		}
	}
	return sum
}

// line translates a line: what its stock lacks is ordered or gone, the rest was
// given up or came back.
func (o vendorOrder) line(l orderLine) driver.OrderLine {
	taken := o.taken(l)
	back := l.Quantity.n - taken
	line := driver.OrderLine{ID: strconv.FormatInt(l.ID, 10), SKU: plain(*l.SKU), Ordered: l.Quantity.n, Cancelled: back}
	switch {
	case o.shipped():
		line.Cancelled = min(back, o.givenUp(l))
		line.Fulfilled, line.Returned = line.Ordered-line.Cancelled, back-line.Cancelled
	case o.Status == statusRefunded:
		// The buyer has the money back, and the shop counts the goods as gone.
		line.Fulfilled = taken
	}
	return line
}

// order translates the order. Lines without SKU are no goods of a listing.
func (o vendorOrder) order() driver.Order {
	d := driver.Order{
		ID: strconv.FormatInt(o.ID, 10), Number: string(o.Number), PlacedAt: o.CreatedGMT.Time, ChangedAt: o.ModifiedGMT.Time,
	}
	for _, l := range o.Lines {
		if l.SKU == nil || *l.SKU == "" || l.Quantity.n <= 0 {
			continue
		}
		line := o.line(l)
		line.UnitPrice = l.unitPrice(strings.ToUpper(o.Currency))
		d.Lines = append(d.Lines, line)
	}
	d.Closed = slices.Contains(endedStatuses, o.Status) && d.Shipped()
	return d
}

// unitPrice is what one unit of the line cost, taxes included; nil where it is
// no whole number of the currency's smallest unit.
func (l orderLine) unitPrice(currency string) *driver.Money {
	digits, ok := driver.Digits(currency)
	total, err := strconv.ParseFloat(l.Total, 64)
	tax, taxErr := strconv.ParseFloat(l.TotalTax, 64)
	if !ok || err != nil || taxErr != nil {
		return nil
	}
	price, err := driver.ParseMoney(strconv.FormatFloat((total+tax)/float64(l.Quantity.n), 'f', digits+3, 64), currency)
	if err != nil {
		return nil
	}
	return &price
}
