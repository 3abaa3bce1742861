package medusa

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"selaras.dev/selaras/connectors/driver"
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

// pagePosition is the cursor of a full reading. Medusa pages by offset only,
// and when a variant is deleted the later ones move up: so each page begins
// with the last item of the page before, to see whether it is still there.
type pagePosition struct {
	Skip int    `json:"s"`
	Last string `json:"l"`
}

// ReadPage implements driver.ListingReader, in the order of ids.
func (c *connection) ReadPage(ctx context.Context, after driver.Cursor, limit int) (driver.ListingPage, error) {
	const what = "read listings"
	ctx = driver.WithOperation(ctx, driver.OpRead)
	limit = boundLimit(limit, pageSize)
	var at pagePosition
	if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.ListingPage{}, err
	}
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return driver.ListingPage{}, err
	}
	for {
		overlap := min(at.Skip, 1)
		answer, err := c.list(ctx, what, url.Values{
			"offset": {strconv.Itoa(at.Skip - overlap)}, "limit": {strconv.Itoa(limit + overlap)}, "order": {"id"},
		})
		if err != nil {
			return driver.ListingPage{}, err
		}
		fresh, lost := afterID(answer.Variants, at)
		if lost {
			at.Skip = max(0, at.Skip-limit)
			continue
		}
		page := driver.ListingPage{Total: answer.Count, Listings: make([]driver.Listing, 0, len(fresh))}
		for _, v := range fresh[:min(limit, len(fresh))] {
			page.Listings = append(page.Listings, c.listing(v, s))
		}
		read := answer.Variants[:len(answer.Variants)-max(0, len(fresh)-limit)]
		if end := at.Skip - overlap + len(read); end < answer.Count && len(read) > 0 {
			page.Next = driver.EncodeCursor(pagePosition{Skip: end, Last: read[len(read)-1].ID})
		}
		return page, nil
	}
}

// afterID returns the items that come after the position. They are lost when
// the page may begin behind items that moved up.
func afterID(items []variant, at pagePosition) (fresh []variant, lost bool) {
	if at.Last == "" || at.Skip == 0 {
		return items, false
	}
	if i := slices.IndexFunc(items, func(v variant) bool { return v.ID == at.Last }); i >= 0 {
		return items[i+1:], false
	}
	// The last item itself is gone, or items before it are. Where the page
	// begins before its place, nothing was left out.
	if len(items) > 0 && isOrdered(at.Last) && isOrdered(items[0].ID) && items[0].ID < at.Last {
		i := slices.IndexFunc(items, func(v variant) bool { return v.ID > at.Last })
		if i < 0 {
			i = len(items)
		}
		return items[i:], false
	}
	return nil, true
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

func boundLimit(limit, most int) int {
	if limit <= 0 || limit > most {
		return most
	}
	return limit
}
