package woocommerce

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

// list reads a list of the API.
func list[T any](ctx context.Context, a *api, what, path string, query url.Values) ([]T, reply, error) {
	var all []T
	r, err := a.do(ctx, call{what: what, path: path, query: query}, &all)
	if err == nil && r.total < 0 {
		err = badAnswer(what, false, "the answer does not say how long the list is (X-WP-Total)")
	}
	return all, r, err
}

// products reads a page of products. In the context of editing, texts are as
// they are stored.
func (c *connection) products(ctx context.Context, what string, query url.Values) ([]product, reply, error) {
	query.Set("context", "edit")
	query.Set("status", "any")
	query.Set("_fields", productFields)
	return list[product](ctx, c.api, what, "/products", query)
}

// byID walks through a list in the order of ids, which stays as it is whatever
// is changed meanwhile.
func byID[T any](read func(ctx context.Context, query url.Values) ([]T, reply, error), id func(T) int64, filter url.Values) paging.Offset[T] {
	return paging.Offset[T]{
		Read: func(ctx context.Context, skip, take int) ([]T, int, error) {
			query := url.Values{
				"orderby": {"id"}, "order": {"asc"}, "offset": {strconv.Itoa(skip)}, "per_page": {strconv.Itoa(take)},
			}
			for key, values := range filter {
				query[key] = values
			}
			page, r, err := read(ctx, query)
			return page, r.total, err
		},
		ID: func(t T) string { return strconv.FormatInt(id(t), 10) },
		Compare: func(a, b string) (int, bool) {
			if len(a) != len(b) {
				return len(a) - len(b), true
			}
			return strings.Compare(a, b), true
		},
	}
}

func (c *connection) productWalk(what string, filter url.Values) paging.Offset[product] {
	return byID(func(ctx context.Context, query url.Values) ([]product, reply, error) {
		return c.products(ctx, what, query)
	}, func(p product) int64 { return p.ID }, filter)
}

// readPosition is the cursor of ReadPage: a place between two products, and
// within the one behind it where it has more variations than a page holds.
type readPosition struct {
	Products  paging.OffsetPosition `json:"p"`
	Product   int64                 `json:"i,omitempty"`
	Variation int64                 `json:"v,omitempty"`
}

// ReadPage implements driver.ListingReader. Lists hold products, so a page is as
// many of them as have no more variations together than the limit.
func (c *connection) ReadPage(ctx context.Context, after driver.Cursor, limit int) (driver.ListingPage, error) {
	const what = "read listings"
	ctx = driver.WithOperation(ctx, driver.OpRead)
	limit = paging.Limit(limit, pageSize)
	var at readPosition
	if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.ListingPage{}, err
	}
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return driver.ListingPage{}, err
	}
	found, err := c.productWalk(what, nil).Page(ctx, at.Products, limit)
	if err != nil {
		return driver.ListingPage{}, err
	}
	wanted, next := cutPage(found, at, limit)
	items, err := c.expand(ctx, what, wanted)
	if err != nil {
		return driver.ListingPage{}, err
	}
	page := driver.ListingPage{Listings: listings(items, s), Total: -1}
	if next != nil {
		page.Next = driver.EncodeCursor(next)
	}
	return page, nil
}

// cutPage takes as many products from the front, and of the last of them as
// many variations, as make up to limit listings, and says where to go on; nil
// at the end.
func cutPage(found paging.OffsetPage[product], at readPosition, limit int) ([]product, *readPosition) {
	var wanted []product
	room := limit
	last := at.Products
	for n, p := range found.Items {
		here := readPosition{Products: last}
		switch {
		case p.hasVariations():
			slices.Sort(p.Variations)
			if p.ID == at.Product {
				p.Variations = slices.DeleteFunc(p.Variations, func(id int64) bool { return id <= at.Variation })
			}
			if len(p.Variations) > room {
				if room == limit {
					p.Variations = p.Variations[:room]
					here.Product, here.Variation = p.ID, p.Variations[room-1]
					wanted = append(wanted, p)
				}
				return wanted, &here
			}
			room -= len(p.Variations)
		case p.isSold() && room == 0:
			return wanted, &here
		case p.isSold():
			room--
		}
		wanted = append(wanted, p)
		last = paging.OffsetPosition{Skip: found.Begin + n + 1, Last: strconv.FormatInt(p.ID, 10)}
	}
	if found.Next == nil {
		return wanted, nil
	}
	return wanted, &readPosition{Products: *found.Next}
}

func listings(items []item, s *shop) []driver.Listing {
	all := make([]driver.Listing, len(items))
	for n, i := range items {
		all[n] = i.listing(s.currency)
	}
	return all
}

// ReadListings implements driver.ListingGetter. Keys without a SKU are read by
// their Ref.
func (c *connection) ReadListings(ctx context.Context, keys []driver.Key) ([]driver.Listing, error) {
	ctx = driver.WithOperation(ctx, driver.OpRead)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return nil, err
	}
	items, err := c.readKeys(ctx, keys)
	return listings(items, s), err
}

func (c *connection) readKeys(ctx context.Context, keys []driver.Key) ([]item, error) {
	var skus []string
	var refs []driver.Ref
	for _, key := range keys {
		if key.SKU != "" {
			skus = append(skus, key.SKU)
		} else {
			refs = append(refs, key.Ref)
		}
	}
	items, err := c.bySKU(ctx, skus)
	if err != nil {
		return nil, err
	}
	more, err := c.byRef(ctx, refs)
	return append(items, more...), err
}

// bySKU reads what bears one of the SKUs. It is the one list of products that
// holds variations too; what the database takes for the same SKU (capitals,
// accents) is left out.
func (c *connection) bySKU(ctx context.Context, skus []string) ([]item, error) {
	const what = "read listings by SKU"
	var found []product
	wanted := map[string]bool{}
	for _, sku := range skus {
		wanted[sku] = true
	}
	for _, chunk := range skuChunks(skus) {
		for skip := 0; ; skip += maxPerPage {
			page, _, err := c.products(ctx, what, url.Values{
				"sku": {chunk}, "orderby": {"id"}, "order": {"asc"},
				"per_page": {strconv.Itoa(maxPerPage)}, "offset": {strconv.Itoa(skip)},
			})
			if err != nil {
				return nil, err
			}
			found = append(found, page...)
			if len(page) < maxPerPage {
				break
			}
		}
	}
	items, err := c.withParents(ctx, what, found)
	return slices.DeleteFunc(items, func(i item) bool { return !wanted[i.sku()] }), err
}

// maxQuery is how long the SKUs of a query may be together: servers refuse
// request lines of more than 8 KiB, some of 4.
const maxQuery = 3 << 10

// skuChunks joins SKUs to what one request asks for. A comma parts them, so one
// that holds a comma is asked for alone: the shop takes the whole text for a
// SKU too.
func skuChunks(skus []string) []string {
	skus = slices.Compact(slices.Sorted(slices.Values(skus)))
	var chunks, part []string
	size := 0
	flush := func() {
		if len(part) > 0 {
			chunks = append(chunks, strings.Join(part, ","))
			part, size = nil, 0
		}
	}
	for _, sku := range skus {
		if strings.Contains(sku, ",") {
			chunks = append(chunks, sku)
			continue
		}
		length := len(url.QueryEscape(sku)) + len("%2C")
		if len(part) == readBatch || size+length > maxQuery {
			flush()
		}
		part = append(part, sku)
		size += length
	}
	flush()
	return chunks
}

// byRef reads what the Refs name.
func (c *connection) byRef(ctx context.Context, refs []driver.Ref) ([]item, error) {
	const what = "read listings by id"
	ids := map[int64]map[int64]bool{} // the variations asked for; nil for all
	for _, ref := range refs {
		productID, variationID, all := splitRef(ref)
		if productID <= 0 {
			continue
		}
		some, asked := ids[productID]
		switch {
		case all || variationID == 0:
			ids[productID] = nil
		case !asked:
			ids[productID] = map[int64]bool{variationID: true}
		case some != nil:
			some[variationID] = true
		}
	}
	found, err := c.byIDs(ctx, what, keysOf(ids))
	if err != nil {
		return nil, err
	}
	all := make([][]int64, len(found))
	for n, p := range found {
		all[n] = p.Variations
		if some := ids[p.ID]; some != nil {
			found[n].Variations = slices.DeleteFunc(slices.Clone(p.Variations), func(id int64) bool { return !some[id] })
		}
	}
	items, err := c.expand(ctx, what, found)
	for n := range found {
		// The items' products have the others as well.
		found[n].Variations = all[n]
	}
	return items, err
}

// byIDs reads the products with the ids.
func (c *connection) byIDs(ctx context.Context, what string, ids []int64) ([]product, error) {
	var all []product
	for chunk := range slices.Chunk(ids, maxPerPage) {
		page, _, err := c.products(ctx, what, url.Values{"include": {joinIDs(chunk)}, "per_page": {strconv.Itoa(maxPerPage)}})
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	return all, nil
}

func keysOf[V any](byID map[int64]V) []int64 {
	ids := make([]int64, 0, len(byID))
	for id := range byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func joinIDs(ids []int64) string {
	texts := make([]string, len(ids))
	for n, id := range ids {
		texts[n] = strconv.FormatInt(id, 10)
	}
	return strings.Join(texts, ",")
}
