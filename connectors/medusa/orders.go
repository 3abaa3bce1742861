package medusa

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

// Medusa moves Order.updated_at with every change of an order, so changes are
// one list. The first reading walks through the orders that were placed and are
// not closed, by created_at; the changes since its begin follow.

// orderPosition is the cursor of ReadOrders.
type orderPosition struct {
	// Open is the walk of the first reading; nil once it has ended.
	Open    *feed `json:"o,omitempty"`
	Changed feed  `json:"c"`
}

// ordersPerRequest is small because orders come with all of their lines.
const ordersPerRequest = 50

// openStatuses are those of orders with units that may still be on the shelf.
var openStatuses = []string{"pending", "requires_action"}

const orderFields = "id,display_id,status,created_at,updated_at,canceled_at,version,currency_code," +
	"items.id,items.variant_sku,items.unit_price,items.quantity,*items.detail"

type orderList struct {
	Orders []vendorOrder `json:"orders"`
}

// ReadOrders implements driver.OrderReader.
func (c *connection) ReadOrders(ctx context.Context, after driver.Cursor, limit int) (driver.OrderPage, error) {
	const what = "read orders"
	ctx = driver.WithOperation(ctx, driver.OpOrders)
	limit = paging.Limit(limit, ordersPerRequest)
	if _, err := c.shop.read(ctx, c); err != nil {
		return driver.OrderPage{}, err
	}
	var at orderPosition
	if after == "" {
		newest, err := c.newestOrder(ctx, what)
		if err != nil {
			return driver.OrderPage{}, err
		}
		at = orderPosition{Open: &feed{Watermark: paging.Watermark{Settled: time.Unix(0, 0).UTC()}}, Changed: startFeed(newest, time.Now())}
	} else if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.OrderPage{}, err
	}
	var (
		found []vendorOrder
		err   error
		more  = true
	)
	if at.Open != nil {
		found, err = c.openOrders(ctx, what, &at, limit)
	} else {
		found, more, err = c.changedOrders(ctx, what, &at, limit)
	}
	if err != nil {
		return driver.OrderPage{}, err
	}
	page := driver.OrderPage{Next: driver.EncodeCursor(at), More: more}
	for _, o := range found {
		order, err := c.order(ctx, what, o)
		if err != nil {
			return driver.OrderPage{}, err
		}
		if len(order.Lines) > 0 {
			page.Orders = append(page.Orders, order)
		}
	}
	return page, nil
}

// newestOrder is the newest updated_at of an order.
func (c *connection) newestOrder(ctx context.Context, what string) (time.Time, error) {
	var answer orderList
	err := c.api.do(ctx, call{what: what, path: "/admin/orders", query: fields(
		"id,updated_at", url.Values{"limit": {"1"}, "order": {"-updated_at"}},
	)}, &answer)
	if err != nil || len(answer.Orders) == 0 {
		return time.Unix(0, 0).UTC(), err
	}
	return answer.Orders[0].UpdatedAt, nil
}

// openOrders is the next page of the first reading, and its end.
func (c *connection) openOrders(ctx context.Context, what string, at *orderPosition, limit int) ([]vendorOrder, error) {
	at.Open.begin(time.Now())
	all, err := c.nextOrders(ctx, what, at.Open, limit, "created_at", func(o vendorOrder) time.Time { return o.CreatedAt }, url.Values{"status[]": openStatuses})
	if err != nil {
		return nil, err
	}
	if at.Open.Ended {
		at.Open = nil
	}
	return slices.DeleteFunc(all, func(o vendorOrder) bool { return !o.open() }), nil
}

// changedOrders is the next page of a round of changes.
func (c *connection) changedOrders(ctx context.Context, what string, at *orderPosition, limit int) ([]vendorOrder, bool, error) {
	at.Changed.begin(time.Now())
	all, err := c.nextOrders(ctx, what, &at.Changed, limit, "updated_at", func(o vendorOrder) time.Time { return o.UpdatedAt }, nil)
	if err != nil {
		return nil, false, err
	}
	more := !at.Changed.Ended
	if !more {
		at.Changed.end(time.Now())
	}
	return all, more, nil
}

// nextOrders reads the next page of a list by a time.
func (c *connection) nextOrders(ctx context.Context, what string, f *feed, limit int, field string, at func(vendorOrder) time.Time, filter url.Values) ([]vendorOrder, error) {
	byID := map[string]vendorOrder{}
	page, err := ascending(f, limit, func(query url.Values) ([]row, error) {
		for key, values := range filter {
			query[key] = values
		}
		var answer orderList
		err := c.api.do(ctx, call{what: what, path: "/admin/orders", query: fields(orderFields, query)}, &answer)
		rows := make([]row, len(answer.Orders))
		for i, o := range answer.Orders {
			rows[i] = row{o.ID, at(o)}
			byID[o.ID] = o
		}
		return rows, err
	}, field)
	all := make([]vendorOrder, len(page))
	for i, r := range page {
		all[i] = byID[r.id]
	}
	return all, err
}

// order translates an order. What was taken from its lines is read apart, and
// only of orders that were changed since they were placed.
func (c *connection) order(ctx context.Context, what string, o vendorOrder) (driver.Order, error) {
	if o.Version > 1 {
		var answer struct {
			Changes []orderChange `json:"order_changes"`
		}
		err := c.api.do(ctx, call{what: what, path: "/admin/orders/" + url.PathEscape(o.ID) + "/changes", query: fields(
			"id,status,version,actions.action,actions.details,actions.reference_id", nil,
		)}, &answer)
		if err != nil {
			return driver.Order{}, err
		}
		o.changes = answer.Changes
	}
	for _, at := range o.emptiedAt() {
		// Lines that became empty are in the versions before only.
		var before struct {
			Order vendorOrder `json:"order"`
		}
		err := c.api.do(ctx, call{what: what, path: "/admin/orders/" + url.PathEscape(o.ID), query: fields(
			orderFields, url.Values{"version": {strconv.Itoa(at - 1)}},
		)}, &before)
		if err != nil {
			return driver.Order{}, err
		}
		o.keepEmptied(before.Order.Items)
	}
	return o.order(), nil
}
