package woocommerce

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

// Every change of an order moves its date_modified, refunds included, so changes
// are one list. The first reading walks through the orders that may still be
// paid or shipped; the changes since its begin follow.

// orderPosition is the cursor of ReadOrders.
type orderPosition struct {
	// Open is the walk of the first reading; nil once it has ended.
	Open    *paging.OffsetPosition `json:"f,omitempty"`
	Changed walk                   `json:"c"`
	// Statuses are those of orders that are open, in the first reading.
	Statuses []string `json:"s,omitempty"`
}

// ordersPerRequest is small because orders come with all of their lines.
const ordersPerRequest = 50

// orderFields are read of orders: none that says who bought.
const orderFields = "id,number,status,currency,date_created_gmt,date_modified_gmt,date_completed_gmt,line_items,refunds"

func (c *connection) orderWalk(what string, filter url.Values) paging.Offset[vendorOrder] {
	return byID(func(ctx context.Context, query url.Values) ([]vendorOrder, reply, error) {
		query.Set("_fields", orderFields)
		return list[vendorOrder](ctx, c.api, what, "/orders", query)
	}, func(o vendorOrder) int64 { return o.ID }, filter)
}

// ReadOrders implements driver.OrderReader. The orders of a page are sorted by
// their last change; pages follow the ids.
func (c *connection) ReadOrders(ctx context.Context, after driver.Cursor, limit int) (driver.OrderPage, error) {
	const what = "read orders"
	ctx = driver.WithOperation(ctx, driver.OpOrders)
	limit = paging.Limit(limit, ordersPerRequest)
	if _, err := c.shop.read(ctx, c); err != nil {
		return driver.OrderPage{}, err
	}
	var at orderPosition
	var err error
	if after == "" {
		at, err = c.firstOrders(ctx, what)
	} else {
		err = driver.DecodeCursor(what, after, &at)
	}
	if err != nil {
		return driver.OrderPage{}, err
	}
	var found []vendorOrder
	more := true
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
	slices.SortStableFunc(page.Orders, func(a, b driver.Order) int {
		return cmp.Or(a.ChangedAt.Compare(b.ChangedAt), cmp.Compare(a.ID, b.ID))
	})
	return page, nil
}

// firstOrders is where the first reading begins. Plugins add statuses, and what
// is in one of those is neither done nor given up.
func (c *connection) firstOrders(ctx context.Context, what string) (orderPosition, error) {
	mark, err := c.fromNow(ctx, what)
	if err != nil {
		return orderPosition{}, err
	}
	var totals []struct {
		Slug string `json:"slug"`
	}
	if _, err := c.api.do(ctx, call{what: what, path: "/reports/orders/totals"}, &totals); err != nil {
		return orderPosition{}, err
	}
	at := orderPosition{Open: &paging.OffsetPosition{}, Changed: walk{Watermark: mark}}
	for _, t := range totals {
		status := strings.TrimPrefix(t.Slug, "wc-")
		if !isCart(status) && !slices.Contains(endedStatuses, status) {
			at.Statuses = append(at.Statuses, status)
		}
	}
	if len(at.Statuses) == 0 {
		return orderPosition{}, badAnswer(what, false, "the shop names no status of orders")
	}
	return at, nil
}

// openOrders is the next page of the first reading, and its end.
func (c *connection) openOrders(ctx context.Context, what string, at *orderPosition, limit int) ([]vendorOrder, error) {
	page, err := c.orderWalk(what, url.Values{"status": {strings.Join(at.Statuses, ",")}}).Page(ctx, *at.Open, limit)
	if err != nil {
		return nil, err
	}
	if at.Open = page.Next; at.Open == nil {
		at.Statuses = nil
	}
	return page.Items, nil
}

// changedOrders is the next page of a round of changes.
func (c *connection) changedOrders(ctx context.Context, what string, at *orderPosition, limit int) ([]vendorOrder, bool, error) {
	at.Changed.begin(time.Now())
	filter := at.Changed.since()
	filter.Set("status", "any")
	page, err := c.orderWalk(what, filter).Page(ctx, at.Changed.At, limit)
	if err != nil {
		return nil, false, err
	}
	for _, o := range page.Items {
		at.Changed.note(o.ModifiedGMT.Time)
	}
	more := at.Changed.advance(page.Next, time.Now())
	return slices.DeleteFunc(page.Items, func(o vendorOrder) bool { return isCart(o.Status) }), more, nil
}

// order translates an order. Of one that was sent and of which units came back,
// the refunds tell which of them came back before it was sent.
func (c *connection) order(ctx context.Context, what string, o vendorOrder) (driver.Order, error) {
	if o.shipped() && len(o.Refunds) > 0 && o.hasReturns() {
		query := url.Values{"per_page": {"100"}, "_fields": {"id,date_created_gmt,line_items"}}
		refunds, _, err := list[refund](ctx, c.api, what, fmt.Sprintf("/orders/%d/refunds", o.ID), query)
		if err != nil {
			return driver.Order{}, err
		}
		o.refunds = refunds
	}
	return o.order(), nil
}
