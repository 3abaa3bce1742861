package medusa

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

type variantList struct {
	Variants []variant `json:"variants"`
	Count    int       `json:"count"`
}

func (c *connection) list(ctx context.Context, what string, query url.Values) (variantList, error) {
	var answer variantList
	err := c.api.do(ctx, call{what: what, path: "/admin/product-variants", query: fields(variantFields, query)}, &answer)
	return answer, err
}

// walk goes through all variants in the order of ids. Medusa pages by offset
// only.
func (c *connection) walk(what string) paging.Offset[variant] {
	return paging.Offset[variant]{
		Read: func(ctx context.Context, skip, take int) ([]variant, int, error) {
			answer, err := c.list(ctx, what, url.Values{
				"offset": {strconv.Itoa(skip)}, "limit": {strconv.Itoa(take)}, "order": {"id"},
			})
			return answer.Variants, answer.Count, err
		},
		ID:      func(v variant) string { return v.ID },
		Compare: func(a, b string) (int, bool) { return cmp.Compare(a, b), isOrdered(a) && isOrdered(b) },
	}
}

// ReadPage implements driver.ListingReader, in the order of ids.
func (c *connection) ReadPage(ctx context.Context, after driver.Cursor, limit int) (driver.ListingPage, error) {
	const what = "read listings"
	ctx = driver.WithOperation(ctx, driver.OpRead)
	var at paging.OffsetPosition
	if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.ListingPage{}, err
	}
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return driver.ListingPage{}, err
	}
	found, err := c.walk(what).Page(ctx, at, paging.Limit(limit, pageSize))
	if err != nil {
		return driver.ListingPage{}, err
	}
	page := driver.ListingPage{Listings: make([]driver.Listing, len(found.Items)), Total: found.Total}
	for i, v := range found.Items {
		page.Listings[i] = c.listing(v, s)
	}
	if found.Next != nil {
		page.Next = driver.EncodeCursor(found.Next)
	}
	return page, nil
}

// isOrdered says that the database's order of such ids is known: those that
// Medusa makes. Ids of an import can be anything, and are read anew.
func isOrdered(id string) bool {
	const prefix, ulid = "variant_", 26
	return len(id) == len(prefix)+ulid && strings.HasPrefix(id, prefix) &&
		strings.ToUpper(id[len(prefix):]) == id[len(prefix):]
}

// ReadListings implements driver.ListingGetter. Keys without a SKU are read by
// their Ref.
func (c *connection) ReadListings(ctx context.Context, keys []driver.Key) ([]driver.Listing, error) {
	ctx = driver.WithOperation(ctx, driver.OpRead)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return nil, err
	}
	variants, err := c.readKeys(ctx, s, keys)
	if err != nil {
		return nil, err
	}
	listings := make([]driver.Listing, 0, len(variants))
	for _, v := range variants {
		listings = append(listings, c.listing(v, s))
	}
	return listings, nil
}

func (c *connection) readKeys(ctx context.Context, s *shop, keys []driver.Key) ([]variant, error) {
	var skus, ids, products, levels []string
	for _, key := range keys {
		variantID, productID := splitRef(key.Ref)
		switch {
		case key.SKU != "":
			skus = append(skus, key.SKU)
		case strings.HasPrefix(variantID, levelRef):
			levels = append(levels, strings.TrimPrefix(variantID, levelRef))
		case variantID != "":
			ids = append(ids, variantID)
		case productID != "":
			products = append(products, productID)
		}
	}
	ofProducts, err := c.variantsOfProducts(ctx, products)
	if err != nil {
		return nil, err
	}
	ofLevels, err := c.variantsOfLevels(ctx, s, levels)
	if err != nil {
		return nil, err
	}
	variants, err := c.readBy(ctx, "sku[]", skus)
	if err != nil {
		return nil, err
	}
	more, err := c.readBy(ctx, "id[]", slices.Concat(ids, ofProducts, ofLevels))
	return append(variants, more...), err
}

// readBy reads the variants that have one of the values.
func (c *connection) readBy(ctx context.Context, field string, values []string) ([]variant, error) {
	var variants []variant
	slices.Sort(values)
	for _, chunk := range chunks(slices.Compact(values)) {
		answer, err := c.list(ctx, "read listings by "+strings.TrimSuffix(field, "[]"), url.Values{
			field: chunk, "limit": {"1000"}, "order": {"id"},
		})
		if err != nil {
			return nil, err
		}
		variants = append(variants, answer.Variants...)
	}
	return variants, nil
}

// maxQuery is how long the values of a query may be together: Node and proxies
// refuse headers of more than 8 or 16 KiB.
const maxQuery = 5 << 10

// chunks cuts values into parts that fit into a query.
func chunks(values []string) [][]string {
	var (
		all  [][]string
		part []string
		size int
	)
	for _, value := range values {
		length := len(url.QueryEscape(value)) + len("&sku%5B%5D=")
		if len(part) > 0 && (len(part) == readBatch || size+length > maxQuery) {
			all = append(all, part)
			part, size = nil, 0
		}
		part = append(part, value)
		size += length
	}
	if len(part) > 0 {
		all = append(all, part)
	}
	return all
}

// variantsOfProducts are the ids of the products' variants.
func (c *connection) variantsOfProducts(ctx context.Context, products []string) ([]string, error) {
	var ids []string
	for _, chunk := range chunks(products) {
		var answer productList
		err := c.api.do(ctx, call{what: "read listings by product", path: "/admin/products", query: fields(
			"id,variants.id", url.Values{"id[]": chunk, "limit": {"1000"}},
		)}, &answer)
		if err != nil {
			return nil, err
		}
		for _, p := range answer.Products {
			ids = append(ids, p.variantIDs()...)
		}
	}
	return ids, nil
}

// levelsBack is how many of the newest levels are looked through for one that a
// webhook named: the Admin API finds no level by its id.
const levelsBack = 200

// variantsOfLevels are the ids of the variants of inventory levels that were
// changed lately.
func (c *connection) variantsOfLevels(ctx context.Context, s *shop, levels []string) ([]string, error) {
	if len(levels) == 0 {
		return nil, nil
	}
	answer, err := c.newestLevels(ctx, "read listings by inventory level", s, levelsBack)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, item := range answer {
		if slices.ContainsFunc(item.Levels, func(l levelRow) bool { return slices.Contains(levels, l.ID) }) {
			ids = append(ids, item.variantIDs()...)
		}
	}
	return ids, nil
}
