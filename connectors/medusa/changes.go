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

// changePosition is the cursor of ReadChanges. A change of a product leaves its
// variants' updated_at alone, and one of stock leaves both alone: three lists.
type changePosition struct {
	Variants feed `json:"v"`
	Products feed `json:"p"`
	Levels   feed `json:"l"`
}

func (p *changePosition) feeds() []*feed { return []*feed{&p.Variants, &p.Products, &p.Levels} }

type productRow struct {
	ID        string    `json:"id"`
	UpdatedAt time.Time `json:"updated_at"`
	Variants  []struct {
		ID string `json:"id"`
	} `json:"variants"`
}

func (p productRow) variantIDs() []string {
	ids := make([]string, len(p.Variants))
	for i, v := range p.Variants {
		ids[i] = v.ID
	}
	return ids
}

type productList struct {
	Products []productRow `json:"products"`
}

// itemRow is an inventory item with its levels at every location.
type itemRow struct {
	productRow
	Levels []levelRow `json:"location_levels"`
}

type levelRow struct {
	ID        string    `json:"id"`
	Location  string    `json:"location_id"`
	UpdatedAt time.Time `json:"updated_at"`
}

// newestLevels are the inventory items whose levels at the location were
// changed last, the newest first. The filter is needed: without it, an item is
// sorted by the oldest of its levels.
func (c *connection) newestLevels(ctx context.Context, what string, s *shop, limit int) ([]itemRow, error) {
	var answer struct {
		Items []itemRow `json:"inventory_items"`
	}
	err := c.api.do(ctx, call{what: what, path: "/admin/inventory-items", query: fields(
		"id,location_levels.id,location_levels.location_id,location_levels.updated_at,variants.id", url.Values{
			"location_levels[location_id]": {s.location}, "order": {"-location_levels.updated_at"}, "limit": {strconv.Itoa(limit)},
		},
	)}, &answer)
	return answer.Items, err
}

// ReadChanges implements driver.ChangeReader. It sees changes of content and
// price, of stock and of what is reserved. A deleted listing is in no list, nor
// is a price that was changed in a price list: that is no price of the listing.
// The limit bounds the changes of a page; products come with all variants.
func (c *connection) ReadChanges(ctx context.Context, after driver.Cursor, limit int) (driver.ChangePage, error) {
	const what = "read changes"
	ctx = driver.WithOperation(ctx, driver.OpChanges)
	limit = paging.Limit(limit, pageSize)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return driver.ChangePage{}, err
	}
	if after == "" {
		return c.startChanges(ctx, what, s)
	}
	var at changePosition
	if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.ChangePage{}, err
	}
	for _, f := range at.feeds() {
		f.begin(time.Now())
	}
	var ids []string
	for _, read := range []func(context.Context, string, *shop, *changePosition, int) ([]string, error){
		c.changedVariants, c.changedProducts, c.changedLevels,
	} {
		some, err := read(ctx, what, s, &at, limit)
		if err != nil {
			return driver.ChangePage{}, err
		}
		ids = append(ids, some...)
	}
	variants, err := c.readBy(ctx, "id[]", ids)
	if err != nil {
		return driver.ChangePage{}, err
	}
	page := driver.ChangePage{More: !at.Variants.Ended || !at.Products.Ended || !at.Levels.Ended}
	for _, v := range variants {
		page.Listings = append(page.Listings, c.listing(v, s))
	}
	if !page.More {
		for _, f := range at.feeds() {
			f.end(time.Now())
		}
	}
	page.Next = driver.EncodeCursor(at)
	return page, nil
}

func (c *connection) changedVariants(ctx context.Context, what string, _ *shop, at *changePosition, limit int) ([]string, error) {
	if at.Variants.Ended {
		return nil, nil
	}
	page, err := ascending(&at.Variants, limit, func(query url.Values) ([]row, error) {
		var answer variantList
		err := c.api.do(ctx, call{what: what, path: "/admin/product-variants", query: fields("id,updated_at", query)}, &answer)
		rows := make([]row, len(answer.Variants))
		for i, v := range answer.Variants {
			rows[i] = row{v.ID, v.UpdatedAt}
		}
		return rows, err
	}, "updated_at")
	ids := make([]string, len(page))
	for i, r := range page {
		ids[i] = r.id
	}
	return ids, err
}

func (c *connection) changedProducts(ctx context.Context, what string, _ *shop, at *changePosition, limit int) ([]string, error) {
	if at.Products.Ended {
		return nil, nil
	}
	variants := map[string][]string{}
	page, err := ascending(&at.Products, limit, func(query url.Values) ([]row, error) {
		var answer productList
		err := c.api.do(ctx, call{what: what, path: "/admin/products", query: fields("id,updated_at,variants.id", query)}, &answer)
		rows := make([]row, len(answer.Products))
		for i, p := range answer.Products {
			rows[i] = row{p.ID, p.UpdatedAt}
			variants[p.ID] = p.variantIDs()
		}
		return rows, err
	}, "updated_at")
	var ids []string
	for _, r := range page {
		ids = append(ids, variants[r.id]...)
	}
	return ids, err
}

// ascending reads the rows after the feed's position, the oldest first, and
// takes a page of them. Rows of one time have no order across requests, so a
// full answer is good up to its last time only.
func ascending(f *feed, limit int, read func(url.Values) ([]row, error), field string) ([]row, error) {
	for take := limit + 1; ; take *= 4 {
		rows, err := read(url.Values{
			field + "[$gte]": {f.from().UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")},
			"order":          {field},
			"limit":          {strconv.Itoa(take)},
		})
		if err != nil {
			return nil, err
		}
		full := len(rows) >= take
		if full {
			last := rows[len(rows)-1].at
			rows = slices.DeleteFunc(rows, func(r row) bool { return !r.at.Before(last) })
		}
		if fresh := f.fresh(rows); len(fresh) > 0 || !full {
			return f.take(fresh, limit, full), nil
		}
	}
}

// changedLevels takes a page of the levels that were changed, the oldest first.
func (c *connection) changedLevels(ctx context.Context, what string, s *shop, at *changePosition, limit int) ([]string, error) {
	f := &at.Levels
	if f.Ended {
		return nil, nil
	}
	walk, known := c.levels.recall(f)
	if !known {
		var err error
		if walk, err = c.walkLevels(ctx, what, s, f, limit); err != nil {
			return nil, err
		}
	}
	var ids []string
	for _, r := range f.take(f.fresh(walk.rows), limit, false) {
		ids = append(ids, walk.variants[r.id]...)
	}
	c.levels.keep(f, walk)
	return ids, nil
}

// walkLevels reads the levels the newest first, as there is no filter by their
// time: as many as reach back to the feed's position.
func (c *connection) walkLevels(ctx context.Context, what string, s *shop, f *feed, limit int) (levelWalk, error) {
	for take := limit + 1; ; take *= 4 {
		items, err := c.newestLevels(ctx, what, s, take)
		if err != nil {
			return levelWalk{}, err
		}
		walk := levelWalk{rows: make([]row, len(items)), variants: map[string][]string{}}
		oldest := time.Time{}
		for i, item := range items {
			oldest = item.changedAt(s.location)
			walk.rows[i] = row{item.ID, oldest}
			walk.variants[item.ID] = item.variantIDs()
		}
		if len(items) < take || oldest.Before(f.from()) {
			return walk, nil
		}
	}
}

func (i itemRow) changedAt(location string) time.Time {
	for _, l := range i.Levels {
		if l.Location == location {
			return l.UpdatedAt
		}
	}
	return time.Time{}
}

func (c *connection) startChanges(ctx context.Context, what string, s *shop) (driver.ChangePage, error) {
	newest := url.Values{"limit": {"1"}, "order": {"-updated_at"}}
	start := func(at time.Time, found bool) feed {
		if !found {
			at = time.Unix(0, 0).UTC()
		}
		return startFeed(at, time.Now())
	}
	var variants variantList
	if err := c.api.do(ctx, call{what: what, path: "/admin/product-variants", query: fields("id,updated_at", newest)}, &variants); err != nil {
		return driver.ChangePage{}, err
	}
	var products productList
	if err := c.api.do(ctx, call{what: what, path: "/admin/products", query: fields("id,updated_at", newest)}, &products); err != nil {
		return driver.ChangePage{}, err
	}
	items, err := c.newestLevels(ctx, what, s, 1)
	if err != nil {
		return driver.ChangePage{}, err
	}
	var at changePosition
	at.Variants, at.Products, at.Levels = start(time.Time{}, false), start(time.Time{}, false), start(time.Time{}, false)
	if len(variants.Variants) > 0 {
		at.Variants = start(variants.Variants[0].UpdatedAt, true)
	}
	if len(products.Products) > 0 {
		at.Products = start(products.Products[0].UpdatedAt, true)
	}
	if len(items) > 0 {
		at.Levels = start(items[0].changedAt(s.location), true)
	}
	return driver.ChangePage{Next: driver.EncodeCursor(at)}, nil
}
