package shopify

import (
	"context"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

// ordersPerRequest is small because orders come with all of their lines.
const ordersPerRequest = 25

// orderPosition is the cursor of ReadOrders. The first reading walks through the
// orders that are open; the changes since its begin follow.
type orderPosition struct {
	// Open is the walk of the first reading; nil once it has ended.
	Open    *openWalk `json:"o,omitempty"`
	Changed feed      `json:"c"`
}

type openWalk struct {
	After string `json:"a,omitempty"`
}

const ordersQuery = `query Orders($first: Int!, $after: String, $query: String!, $sort: OrderSortKeys!) {
  orders(first: $first, after: $after, query: $query, sortKey: $sort) { nodes { ...Order } pageInfo { hasNextPage endCursor } }
}
fragment Order on Order {
  id name createdAt updatedAt cancelledAt
  refunds(first: 1) { id }
  lineItems(first: 50) { nodes { ...Line } pageInfo { hasNextPage endCursor } }
}` + lineFields

const lineFields = `
fragment Line on LineItem {
  id sku quantity currentQuantity unfulfilledQuantity
  originalUnitPriceSet { shopMoney { amount currencyCode } }
}`

const linesQuery = `query Lines($id: ID!, $after: String) {
  order(id: $id) { lineItems(first: 250, after: $after) { nodes { ...Line } pageInfo { hasNextPage endCursor } } }
}` + lineFields

const refundsQuery = `query Refunds($id: ID!) {
  order(id: $id) { refunds { id refundLineItems(first: 100) { nodes { ...Refunded } pageInfo { hasNextPage endCursor } } } }
}` + refundedFields

const refundedFields = `
fragment Refunded on RefundLineItem { lineItem { id } quantity restockType }`

const refundedQuery = `query Refunded($id: ID!, $after: String) {
  node(id: $id) { ... on Refund { refundLineItems(first: 250, after: $after) { nodes { ...Refunded } pageInfo { hasNextPage endCursor } } } }
}` + refundedFields

// ReadOrders implements driver.OrderReader.
func (c *connection) ReadOrders(ctx context.Context, after driver.Cursor, limit int) (driver.OrderPage, error) {
	const what = "read orders"
	ctx = driver.WithOperation(ctx, driver.OpOrders)
	if _, err := c.shop.read(ctx, c); err != nil {
		return driver.OrderPage{}, err
	}
	var at orderPosition
	if after == "" {
		now, err := c.shopTime(ctx, what)
		if err != nil {
			return driver.OrderPage{}, err
		}
		at = orderPosition{Open: &openWalk{}, Changed: startFeed(now, time.Now())}
	} else if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.OrderPage{}, err
	}
	limit = paging.Limit(limit, ordersPerRequest)
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
		if err := c.complete(ctx, &o); err != nil {
			return driver.OrderPage{}, err
		}
		if order := o.order(); len(order.Lines) > 0 {
			page.Orders = append(page.Orders, order)
		}
	}
	return page, nil
}

type orderList struct {
	Orders struct {
		Nodes []vendorOrder `json:"nodes"`
		Page  pageInfo      `json:"pageInfo"`
	} `json:"orders"`
}

func (c *connection) orderPage(ctx context.Context, what, query, sort, after string, limit int) (orderList, error) {
	var data orderList
	_, err := c.api.do(ctx, operation{what: what, name: "Orders", query: ordersQuery, variables: map[string]any{
		"first": limit, "after": orNil(after), "query": query, "sort": sort,
	}}, &data)
	return data, err
}

// openOrders is the next page of the first reading, and its end.
func (c *connection) openOrders(ctx context.Context, what string, at *orderPosition, limit int) ([]vendorOrder, error) {
	data, err := c.orderPage(ctx, what, "status:open", "ID", at.Open.After, limit)
	if err != nil {
		return nil, err
	}
	at.Open = &openWalk{After: data.Orders.Page.End}
	if !data.Orders.Page.More {
		at.Open = nil
	}
	var open []vendorOrder
	for _, o := range data.Orders.Nodes {
		if o.open() {
			open = append(open, o)
		}
	}
	return open, nil
}

// changedOrders is the next page of a round of changes.
func (c *connection) changedOrders(ctx context.Context, what string, at *orderPosition, limit int) ([]vendorOrder, bool, error) {
	f := &at.Changed
	f.begin(time.Now())
	data, err := c.orderPage(ctx, what, f.query(), "UPDATED_AT", f.After, limit)
	if err != nil {
		return nil, false, err
	}
	var changed []vendorOrder
	for _, o := range data.Orders.Nodes {
		if f.isNew(o.UpdatedAt) {
			changed = append(changed, o)
		}
	}
	f.take(data.Orders.Page)
	more := !f.Ended
	if !more {
		f.end(time.Now())
	}
	return changed, more, nil
}

// complete reads what of an order did not come with it: further lines, and what
// was taken from them.
func (c *connection) complete(ctx context.Context, o *vendorOrder) error {
	const what = "read an order"
	for o.Lines.Page.More {
		var data struct {
			Order *struct {
				Lines lineList `json:"lineItems"`
			} `json:"order"`
		}
		_, err := c.api.do(ctx, operation{what: what, name: "Lines", query: linesQuery, variables: map[string]any{"id": o.ID, "after": o.Lines.Page.End}}, &data)
		if err != nil {
			return err
		}
		if data.Order == nil {
			return badAnswer(operation{what: what}, nil)
		}
		o.Lines.Nodes, o.Lines.Page = append(o.Lines.Nodes, data.Order.Lines.Nodes...), data.Order.Lines.Page
	}
	if len(o.Refunds) == 0 {
		return nil
	}
	var data struct {
		Order *struct {
			Refunds []refund `json:"refunds"`
		} `json:"order"`
	}
	if _, err := c.api.do(ctx, operation{what: what, name: "Refunds", query: refundsQuery, variables: map[string]any{"id": o.ID}}, &data); err != nil {
		return err
	}
	if data.Order == nil {
		return badAnswer(operation{what: what}, nil)
	}
	for _, r := range data.Order.Refunds {
		if err := c.refunded(ctx, o, r); err != nil {
			return err
		}
	}
	return nil
}

// refunded adds the lines of a refund to the order.
func (c *connection) refunded(ctx context.Context, o *vendorOrder, r refund) error {
	o.refunded = append(o.refunded, r.Lines.Nodes...)
	for r.Lines.Page.More {
		var data struct {
			Node *refund `json:"node"`
		}
		_, err := c.api.do(ctx, operation{what: "read a refund", name: "Refunded", query: refundedQuery, variables: map[string]any{"id": r.ID, "after": r.Lines.Page.End}}, &data)
		if err != nil {
			return err
		}
		if data.Node == nil {
			return badAnswer(operation{what: "read a refund"}, nil)
		}
		o.refunded = append(o.refunded, data.Node.Lines.Nodes...)
		r.Lines.Page = data.Node.Lines.Page
	}
	return nil
}
