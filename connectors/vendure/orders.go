package vendure

import (
	"context"
	"maps"
	"slices"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

// Vendure moves Order.updatedAt when an order is placed or a line of it is
// cancelled, but not when its payment is settled, and not when it is fulfilled,
// shipped or delivered. So a round of ReadOrders has three parts:
//
//  1. changed: placed orders by updatedAt;
//  2. sweep: every order that can still be fulfilled, by orderPlacedAt, in the
//     same requests;
//  3. gone: orders that were in an earlier sweep and are not in this one, by
//     id: how they ended.
//
// Orders that have not changed since they were last handed over are left out:
// the connection remembers a fingerprint of each. A new process remembers
// nothing; its first sweep goes back to the oldest order that was open at the
// end of the last one (OldestOpen, in the cursor), takes orders in any state,
// and hands over what has changed since the last round by any of the times of
// order, line and fulfilment.

// orderPosition is the cursor of ReadOrders.
type orderPosition struct {
	// Nonce names the page that ended here: asking with it says that all pages
	// up to it were kept.
	Nonce   string `json:"n"`
	Changed feed   `json:"c"`
	Sweep   feed   `json:"w"`
	// ChangedRead and SweepRead: the round has come to the end of the list.
	ChangedRead bool `json:"d,omitempty"`
	SweepRead   bool `json:"e,omitempty"`
	// OldestOpen is the earliest orderPlacedAt of an order that was open; where
	// none was, a time before that of any order placed later.
	OldestOpen time.Time `json:"o"`
	// Baseline: this is the first round of all; BaselineBegan: a page of it was
	// handed over, with OldestOpen its first order.
	Baseline      bool `json:"f,omitempty"`
	BaselineBegan bool `json:"g,omitempty"`
	// AnyState: the sweep under way takes orders in any state.
	AnyState bool `json:"x,omitempty"`
}

// restart begins the round anew, for a process that did not begin it.
func (p *orderPosition) restart() {
	p.ChangedRead, p.SweepRead, p.Sweep, p.Changed.BeganAt = false, false, feed{}, 0
}

// shippedStates are those of orders of which nothing is on the shelf any more.
// A later return moves updatedAt, so they need no sweep.
var shippedStates = []string{"Shipped", "Delivered", stateCancelled}

const stateCancelled = "Cancelled"

const newestOrderQuery = `query NewestOrder($options: OrderListOptions!) {
  orders(options: $options) { items { updatedAt } }
}`

const orderFields = `
fragment OrderFields on Order {
  id code state updatedAt orderPlacedAt currencyCode
  lines { id quantity orderPlacedQuantity proratedUnitPriceWithTax updatedAt productVariant { sku } }
  fulfillments { id state updatedAt lines { orderLineId quantity } }
  modifications { id }
}
`

const ordersQuery = `query Orders($changed: OrderListOptions!, $open: OrderListOptions!, $ofChanged: Boolean!, $ofOpen: Boolean!) {
  changed: orders(options: $changed) @include(if: $ofChanged) { totalItems items { ...OrderFields } }
  open: orders(options: $open) @include(if: $ofOpen) { totalItems items { ...OrderFields } }
}` + orderFields

const ordersByIDQuery = `query OrdersByID($options: OrderListOptions!) {
  orders(options: $options) { totalItems items { ...OrderFields } }
}` + orderFields

// histories are read of those orders only whose lines were changed.
const historyQuery = `query History($options: OrderListOptions!, $entries: HistoryEntryListOptions!) {
  orders(options: $options) { items { id history(options: $entries) { items { type data } } } }
}`

// ReadOrders implements driver.OrderReader. The limit bounds each of the two
// lists that a page is read from.
func (c *connection) ReadOrders(ctx context.Context, after driver.Cursor, limit int) (driver.OrderPage, error) {
	const what = "read orders"
	ctx = driver.WithOperation(ctx, driver.OpOrders)
	limit = paging.Limit(limit, pageSize)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return driver.OrderPage{}, err
	}
	var at orderPosition
	if after == "" {
		newest, err := c.newestOrder(ctx, what)
		if err != nil {
			return driver.OrderPage{}, err
		}
		at = orderPosition{Changed: startFeed(newest, time.Now()), OldestOpen: newest.Add(-overlap), Baseline: true}
	} else if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.OrderPage{}, err
	}
	m := c.orders
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.rewind(at.Nonce) {
		at.restart()
	}
	m.turn()
	r := orderRound{c: c, s: s, m: m, at: at, what: what}
	// Parts that hold nothing are not worth a page of their own: in a shop at
	// rest one call is a whole round and ends where it began.
	more := true
	for more && len(r.orders) == 0 {
		if more, err = r.step(ctx, limit); err != nil {
			return driver.OrderPage{}, err
		}
	}
	r.at.Nonce = m.nonce()
	return driver.OrderPage{Orders: r.orders, Next: driver.EncodeCursor(r.at), More: more}, nil
}

func (c *connection) newestOrder(ctx context.Context, what string) (time.Time, error) {
	var data struct {
		Orders struct {
			Items []struct {
				UpdatedAt time.Time `json:"updatedAt"`
			} `json:"items"`
		} `json:"orders"`
	}
	err := c.api.do(ctx, operation{what: what, query: newestOrderQuery, variables: map[string]any{
		"options": map[string]any{"take": 1, "sort": map[string]any{"updatedAt": "DESC"}},
	}}, &data)
	if err != nil || len(data.Orders.Items) == 0 {
		return time.Unix(0, 0).UTC(), err
	}
	return data.Orders.Items[0].UpdatedAt, nil
}

// orderRound is one call of ReadOrders.
type orderRound struct {
	c      *connection
	s      *shop
	m      *orderMemory
	at     orderPosition
	what   string
	orders []driver.Order
}

// step reads the next page and says whether the round goes on.
func (r *orderRound) step(ctx context.Context, limit int) (more bool, err error) {
	if r.at.ChangedRead && r.at.SweepRead {
		return r.gone(ctx, limit)
	}
	r.at.Changed.begin(time.Now())
	r.beginSweep()
	placed := map[string]any{"orderPlacedAt": map[string]any{"isNull": false}}
	var unsent map[string]any
	if !r.at.AnyState {
		unsent = map[string]any{"state": map[string]any{"notIn": shippedStates}}
	}
	var data struct {
		Changed orderList `json:"changed"`
		Open    orderList `json:"open"`
	}
	err = r.c.api.do(ctx, operation{what: r.what, query: ordersQuery, variables: map[string]any{
		"changed": r.at.Changed.options("updatedAt", limit, placed), "ofChanged": !r.at.ChangedRead,
		"open": r.at.Sweep.options("orderPlacedAt", limit, unsent), "ofOpen": !r.at.SweepRead,
	}}, &data)
	if err != nil {
		return false, err
	}
	// The position moves only with the orders that were taken.
	at := r.at
	if !at.ChangedRead {
		from, more := at.Changed.advance(data.Changed.items(func(o vendorOrder) time.Time { return o.UpdatedAt }), data.Changed.Total)
		at.ChangedRead = !more
		if err := r.take(ctx, data.Changed.Items[from:], false); err != nil {
			return false, err
		}
	}
	if !at.SweepRead {
		if at.Baseline && !at.BaselineBegan && len(data.Open.Items) > 0 {
			at.BaselineBegan = true
			if first := data.Open.Items[0].PlacedAt; first.Before(at.OldestOpen) {
				at.OldestOpen = first
			}
		}
		from, more := at.Sweep.advance(data.Open.items(func(o vendorOrder) time.Time { return o.PlacedAt }), data.Open.Total)
		at.SweepRead = !more
		if err := r.take(ctx, data.Open.Items[from:], at.AnyState); err != nil {
			return false, err
		}
	}
	r.at = at
	return true, nil
}

// beginSweep begins a sweep unless one is under way.
func (r *orderRound) beginSweep() {
	if r.at.Sweep.BeganAt != 0 {
		return
	}
	r.m.beginSweep()
	r.at.AnyState = !r.m.swept && (!r.at.Baseline || r.at.BaselineBegan)
	r.at.Sweep = feed{Watermark: paging.Watermark{Settled: time.Unix(0, 0)}}
	if r.at.AnyState {
		r.at.Sweep.Settled = r.at.OldestOpen.Add(-resolution)
	}
	r.at.Sweep.begin(time.Now())
}

// gone reads how orders ended that are not open any more, and ends the round
// when there is none left.
func (r *orderRound) gone(ctx context.Context, limit int) (more bool, err error) {
	missing := r.m.missing()
	if len(missing) > 0 {
		page := missing[:min(limit, len(missing))]
		var data struct {
			Orders orderList `json:"orders"`
		}
		err := r.c.api.do(ctx, operation{what: r.what, query: ordersByIDQuery, variables: map[string]any{
			"options": map[string]any{"take": len(page), "filter": map[string]any{"id": map[string]any{"in": page}}},
		}}, &data)
		if err != nil {
			return false, err
		}
		if err := r.take(ctx, data.Orders.Items, false); err != nil {
			return false, err
		}
		r.m.gone(page)
		if len(missing) > len(page) {
			return true, nil
		}
	}
	if oldest, open := r.m.endSweep(); open {
		r.at.OldestOpen = oldest
	} else if newest := r.m.newestPlaced.Add(-overlap); newest.After(r.at.OldestOpen) {
		// Nothing is open: what is placed from now on is newer than all seen.
		r.at.OldestOpen = newest
	}
	r.at.ChangedRead, r.at.SweepRead, r.at.Sweep = false, false, feed{}
	r.at.Baseline, r.at.BaselineBegan, r.at.AnyState = false, false, false
	r.at.Changed.end(time.Now())
	return false, nil
}

type orderList struct {
	Total int           `json:"totalItems"`
	Items []vendorOrder `json:"items"`
}

func (l orderList) items(at func(vendorOrder) time.Time) []feedItem {
	items := make([]feedItem, len(l.Items))
	for i, o := range l.Items {
		items[i] = feedItem{id: o.ID, at: at(o)}
	}
	return items
}

// take hands over those orders that are not as they were last handed over; of
// anyState those only that have changed since the last round ended, or belong
// to the baseline.
func (r *orderRound) take(ctx context.Context, orders []vendorOrder, anyState bool) error {
	if err := r.readHistories(ctx, orders); err != nil {
		return err
	}
	for _, o := range orders {
		translated := o.order(r.s.precision)
		fresh := r.m.take(o, translated)
		if fresh && (!anyState || translated.ChangedAt.After(r.at.Changed.Settled) || r.at.Baseline && o.open()) {
			r.orders = append(r.orders, translated)
		}
	}
	return nil
}

// readHistories reads what happened to the lines of orders that are not as
// they were placed.
func (r *orderRound) readHistories(ctx context.Context, orders []vendorOrder) error {
	at := map[string]int{}
	for i, o := range orders {
		if o.wasChanged() {
			at[o.ID] = i
		}
	}
	if len(at) == 0 {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(at), compareIDs)
	var data struct {
		Orders struct {
			Items []struct {
				ID      string `json:"id"`
				History struct {
					Items []historyEntry `json:"items"`
				} `json:"history"`
			} `json:"items"`
		} `json:"orders"`
	}
	err := r.c.api.do(ctx, operation{what: r.what, query: historyQuery, variables: map[string]any{
		"options": map[string]any{"take": len(ids), "filter": map[string]any{"id": map[string]any{"in": ids}}},
		"entries": map[string]any{
			"take":   1000,
			"filter": map[string]any{"type": map[string]any{"in": []string{historyCancellation, historyFulfillment}}},
			"sort":   map[string]any{"createdAt": "ASC", "id": "ASC"},
		},
	}}, &data)
	if err != nil {
		return err
	}
	for _, o := range data.Orders.Items {
		if i, ok := at[o.ID]; ok {
			orders[i].history = o.History.Items
		}
	}
	return nil
}
