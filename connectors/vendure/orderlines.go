package vendure

import (
	"encoding/json"
	"slices"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// vendorOrder is an order as the API answers it.
type vendorOrder struct {
	ID        string    `json:"id"`
	Code      string    `json:"code"`
	State     string    `json:"state"`
	UpdatedAt time.Time `json:"updatedAt"`
	PlacedAt  time.Time `json:"orderPlacedAt"`
	Currency  string    `json:"currencyCode"`
	Lines     []struct {
		ID        string    `json:"id"`
		Quantity  int64     `json:"quantity"`
		Placed    int64     `json:"orderPlacedQuantity"`
		Price     int64     `json:"proratedUnitPriceWithTax"`
		UpdatedAt time.Time `json:"updatedAt"`
		Variant   struct {
			SKU string `json:"sku"`
		} `json:"productVariant"`
	} `json:"lines"`
	Fulfillments  []fulfillment `json:"fulfillments"`
	Modifications []struct {
		ID string `json:"id"`
	} `json:"modifications"`
	// history is read apart, and only of orders that were changed.
	history []historyEntry
}

type fulfillment struct {
	ID        string         `json:"id"`
	State     string         `json:"state"`
	UpdatedAt time.Time      `json:"updatedAt"`
	Lines     []lineQuantity `json:"lines"`
}

type lineQuantity struct {
	Line     id    `json:"orderLineId"`
	Quantity int64 `json:"quantity"`
}

// The history entries that move stock.
const (
	historyCancellation = "ORDER_CANCELLATION"
	historyFulfillment  = "ORDER_FULFILLMENT_TRANSITION"
)

type historyEntry struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// States of a fulfilment before its goods leave the shelf, and after they are
// back on it.
const (
	fulfillmentCreated   = "Created"
	fulfillmentPending   = "Pending"
	fulfillmentCancelled = "Cancelled"
)

// open says that units of the order may still be on the shelf.
func (o vendorOrder) open() bool { return !slices.Contains(shippedStates, o.State) }

// wasChanged says that lines are not as they were placed.
func (o vendorOrder) wasChanged() bool {
	if len(o.Modifications) > 0 {
		return true
	}
	for _, l := range o.Lines {
		if l.Quantity != l.Placed {
			return true
		}
	}
	return false
}

// order translates the order. Personal data is never read.
func (o vendorOrder) order(precision int) driver.Order {
	d := driver.Order{
		ID: o.ID, Number: o.Code, PlacedAt: o.PlacedAt, ChangedAt: o.UpdatedAt,
		Lines: make([]driver.OrderLine, 0, len(o.Lines)),
	}
	for _, f := range o.Fulfillments {
		d.ChangedAt = latest(d.ChangedAt, f.UpdatedAt)
	}
	for _, l := range o.Lines {
		d.ChangedAt = latest(d.ChangedAt, l.UpdatedAt)
		line := driver.OrderLine{ID: l.ID, SKU: l.Variant.SKU}
		m := o.movements(l.ID)
		line.Cancelled, line.Returned = m.released, m.restocked
		for _, f := range o.Fulfillments {
			if f.State != fulfillmentCreated && f.State != fulfillmentCancelled {
				line.Fulfilled += f.of(l.ID)
			}
		}
		if m.cancelled == 0 && l.Quantity < l.Placed {
			// Reduced without a trace in the history, by a plugin: what is not
			// fulfilled was released first.
			m.cancelled = l.Placed - l.Quantity
			line.Cancelled = min(m.cancelled, max(0, l.Placed-line.Fulfilled))
			line.Returned = m.cancelled - line.Cancelled
		}
		line.Ordered = max(l.Placed, l.Quantity+m.cancelled)
		line.Cancelled = min(line.Cancelled, max(0, line.Ordered-line.Fulfilled))
		line.Returned = min(line.Returned, line.Fulfilled)
		if price, ok := fromStored(l.Price, o.Currency, precision); ok {
			line.UnitPrice = &price
		}
		d.Lines = append(d.Lines, line)
	}
	// Many shops never mark an order as delivered: what was sent is over. A
	// fulfilment that is planned or packed may still be cancelled.
	d.Closed = o.State == stateCancelled || !o.open() && d.Shipped()
	return d
}

// of is how many units of the line are in the fulfilment.
func (f fulfillment) of(line string) int64 {
	var units int64
	for _, l := range f.Lines {
		if string(l.Line) == line {
			units += l.Quantity
		}
	}
	return units
}

// movements are what cancellations did to the stock of one line.
type movements struct {
	// cancelled units were taken from the line.
	cancelled int64
	// released units lowered stockAllocated, restocked ones raised stockOnHand.
	released, restocked int64
}

// movements repeats what Vendure does with stock when units of a line are
// cancelled: it releases as many as are allocated and puts back as many as are
// fulfilled, both counted up to the whole quantity. So cancelling one unit of a
// line that is fulfilled in part does both. The ledger must follow the shop's
// own stock, or each such cancellation would look like drift.
func (o vendorOrder) movements(line string) movements {
	var m movements
	// Placed units are allocated. Units that a modification added are too, but
	// when is not told; they only matter once more than the placed ones are
	// gone, so they are taken as there from the start.
	allocated := o.allocated(line)
	var inFulfilments, cancellations int64
	for _, entry := range o.history {
		switch entry.Type {
		case historyFulfillment:
			var t struct {
				ID   id     `json:"fulfillmentId"`
				From string `json:"from"`
				To   string `json:"to"`
			}
			if json.Unmarshal(entry.Data, &t) != nil {
				continue
			}
			units := o.fulfilled(string(t.ID), line)
			switch {
			case t.From == fulfillmentCreated && t.To == fulfillmentPending:
				allocated -= units
				inFulfilments += units
			case t.To == fulfillmentCancelled:
				allocated += units
				cancellations += units
			}
		case historyCancellation:
			var t struct {
				Lines []lineQuantity `json:"lines"`
			}
			if json.Unmarshal(entry.Data, &t) != nil {
				continue
			}
			for _, l := range t.Lines {
				if string(l.Line) != line {
					continue
				}
				m.cancelled += l.Quantity
				released := min(max(0, allocated), l.Quantity)
				restocked := min(max(0, inFulfilments-cancellations), l.Quantity)
				allocated -= released
				cancellations += restocked
				m.released += released
				m.restocked += restocked
			}
		}
	}
	return m
}

// allocated is how many units of the line were ever ordered.
func (o vendorOrder) allocated(line string) int64 {
	for _, l := range o.Lines {
		if l.ID != line {
			continue
		}
		units := l.Quantity
		for _, entry := range o.history {
			var t struct {
				Lines []lineQuantity `json:"lines"`
			}
			if entry.Type != historyCancellation || json.Unmarshal(entry.Data, &t) != nil {
				continue
			}
			for _, cancelled := range t.Lines {
				if string(cancelled.Line) == line {
					units += cancelled.Quantity
				}
			}
		}
		return max(units, l.Placed)
	}
	return 0
}

func (o vendorOrder) fulfilled(fulfillmentID, line string) int64 {
	for _, f := range o.Fulfillments {
		if f.ID == fulfillmentID {
			return f.of(line)
		}
	}
	return 0
}
