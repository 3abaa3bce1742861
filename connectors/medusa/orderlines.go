package medusa

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// vendorOrder is an order as the API answers it. Personal data is never asked
// for.
type vendorOrder struct {
	ID         string      `json:"id"`
	Number     json.Number `json:"display_id"`
	Status     string      `json:"status"`
	CreatedAt  time.Time   `json:"created_at"`
	UpdatedAt  time.Time   `json:"updated_at"`
	CanceledAt *time.Time  `json:"canceled_at"`
	Version    int         `json:"version"`
	Currency   string      `json:"currency_code"`
	Items      []orderItem `json:"items"`
	// changes are read apart.
	changes []orderChange
}

type orderItem struct {
	ID       string      `json:"id"`
	SKU      string      `json:"variant_sku"`
	Price    json.Number `json:"unit_price"`
	Quantity quantity    `json:"quantity"`
	Detail   struct {
		Fulfilled quantity `json:"fulfilled_quantity"`
		// Received units were returned and are on the shelf again; those that
		// came back damaged are counted as dismissed.
		Received quantity `json:"return_received_quantity"`
	} `json:"detail"`
}

type orderChange struct {
	Status  string `json:"status"`
	Version int    `json:"version"`
	Actions []struct {
		Action  string `json:"action"`
		Details struct {
			Line     string    `json:"reference_id"`
			Quantity quantity  `json:"quantity"`
			Diff     *quantity `json:"quantity_diff"`
		} `json:"details"`
	} `json:"actions"`
}

// The actions of order changes that take units from a line, and the status of
// changes that were carried out.
const (
	actionUpdate    = "ITEM_UPDATE"
	actionRemove    = "ITEM_REMOVE"
	changeConfirmed = "confirmed"
)

const statusCanceled = "canceled"

func (o vendorOrder) canceled() bool { return o.Status == statusCanceled || o.CanceledAt != nil }

// open says that units of the order may still be on the shelf.
func (o vendorOrder) open() bool {
	return !o.canceled() && slices.ContainsFunc(o.Items, func(i orderItem) bool { return i.Quantity > i.Detail.Fulfilled })
}

// taken are the units that edits took from the line.
func (o vendorOrder) taken(line string) int64 {
	var units quantity
	for _, change := range o.changes {
		if change.Status != changeConfirmed {
			continue
		}
		for _, a := range change.Actions {
			switch {
			case a.Details.Line != line:
			case a.Action == actionUpdate && a.Details.Diff != nil:
				units += max(0, -*a.Details.Diff)
			case a.Action == actionRemove:
				units += a.Details.Quantity
			}
		}
	}
	return int64(units)
}

// emptiedAt are the versions in which lines became empty that are not in the
// order any more.
func (o vendorOrder) emptiedAt() []int {
	var versions []int
	for _, change := range o.changes {
		if change.Status != changeConfirmed {
			continue
		}
		for _, a := range change.Actions {
			emptied := a.Action == actionRemove || a.Action == actionUpdate && a.Details.Quantity == 0
			if emptied && !o.has(a.Details.Line) && !slices.Contains(versions, change.Version) {
				versions = append(versions, change.Version)
			}
		}
	}
	return versions
}

func (o vendorOrder) has(line string) bool {
	return slices.ContainsFunc(o.Items, func(i orderItem) bool { return i.ID == line })
}

// keepEmptied adds the lines of an earlier version that are gone.
func (o *vendorOrder) keepEmptied(before []orderItem) {
	for _, item := range before {
		if !o.has(item.ID) {
			item.Quantity, item.Detail.Fulfilled, item.Detail.Received = 0, 0, 0
			o.Items = append(o.Items, item)
		}
	}
}

// order translates the order. Lines without SKU are no goods of a listing.
func (o vendorOrder) order() driver.Order {
	d := driver.Order{
		ID: o.ID, Number: o.Number.String(), PlacedAt: o.CreatedAt, ChangedAt: o.UpdatedAt,
	}
	for _, item := range o.Items {
		if item.SKU == "" {
			continue
		}
		taken := o.taken(item.ID)
		line := driver.OrderLine{
			ID: item.ID, SKU: item.SKU,
			Ordered: int64(item.Quantity) + taken, Cancelled: taken,
			Fulfilled: int64(item.Detail.Fulfilled),
		}
		if line.Ordered <= 0 {
			continue
		}
		if o.canceled() {
			line.Cancelled = line.Ordered - line.Fulfilled
		}
		line.Fulfilled = min(line.Fulfilled, line.Ordered-line.Cancelled)
		line.Returned = min(int64(item.Detail.Received), line.Fulfilled)
		if price, err := driver.ParseMoney(item.Price.String(), strings.ToUpper(o.Currency)); err == nil {
			line.UnitPrice = &price
		}
		d.Lines = append(d.Lines, line)
	}
	d.Closed = o.canceled() || d.Shipped()
	slices.SortFunc(d.Lines, func(a, b driver.OrderLine) int { return strings.Compare(a.ID, b.ID) })
	return d
}
