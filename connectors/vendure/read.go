package vendure

import (
	"context"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

const listQuery = `query Variants($options: ProductVariantListOptions!) {
  productVariants(options: $options) { totalItems items { ...Variant } }
  ` + stockSettings + `
}` + variantFields

type variantList struct {
	Variants struct {
		Total int       `json:"totalItems"`
		Items []variant `json:"items"`
	} `json:"productVariants"`
	Global globalStock `json:"globalSettings"`
}

func (c *connection) list(ctx context.Context, s *shop, what string, options map[string]any) (variantList, error) {
	var data variantList
	err := c.api.do(ctx, operation{
		what: what, query: listQuery, language: s.language,
		variables: map[string]any{"options": options},
	}, &data)
	if err == nil {
		c.settings.note(data.Global)
	}
	return data, err
}

// pagePosition is the cursor of a full reading. Vendure pages by offset only,
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
		data, err := c.list(ctx, s, what, map[string]any{
			"skip": at.Skip - overlap, "take": limit + overlap, "sort": map[string]any{"id": "ASC"},
		})
		if err != nil {
			return driver.ListingPage{}, err
		}
		items := data.Variants.Items
		fresh, lost := afterID(items, at)
		if lost {
			at.Skip = max(0, at.Skip-limit)
			continue
		}
		page := driver.ListingPage{Total: data.Variants.Total, Listings: make([]driver.Listing, 0, len(fresh))}
		for _, v := range fresh {
			page.Listings = append(page.Listings, c.listing(v, s, data.Global))
		}
		if end := at.Skip - overlap + len(items); end < data.Variants.Total && len(items) > 0 {
			page.Next = driver.EncodeCursor(pagePosition{Skip: end, Last: items[len(items)-1].ID})
		}
		return page, nil
	}
}

// afterID returns the items that come after the position. They are lost when
// the page begins behind items that moved up.
func afterID(items []variant, at pagePosition) (fresh []variant, lost bool) {
	if at.Last == "" || at.Skip == 0 {
		return items, false
	}
	if i := slices.IndexFunc(items, func(v variant) bool { return v.ID == at.Last }); i >= 0 {
		return items[i+1:], false
	}
	// The last item itself is gone, or items before it are. Where the page
	// begins at or before its place, nothing was left out.
	if len(items) > 0 && isOrdered(at.Last) && compareIDs(items[0].ID, at.Last) < 0 {
		i := slices.IndexFunc(items, func(v variant) bool { return compareIDs(v.ID, at.Last) > 0 })
		if i < 0 {
			i = len(items)
		}
		return items[i:], false
	}
	return nil, true
}

// isOrdered says that the order of such ids is known: numbers and UUIDs. Other
// kinds (an EntityIdStrategy of the shop's own) are read anew from the start.
func isOrdered(id string) bool {
	if len(id) == 36 && id[8] == '-' && id[13] == '-' {
		return true
	}
	return len(id) > 0 && !slices.ContainsFunc([]byte(id), func(b byte) bool { return b < '0' || b > '9' })
}

// ReadListings implements driver.ListingGetter. Keys without a SKU are read by
// their Ref.
func (c *connection) ReadListings(ctx context.Context, keys []driver.Key) ([]driver.Listing, error) {
	ctx = driver.WithOperation(ctx, driver.OpRead)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.readKeys(ctx, s, keys)
}

func (c *connection) readKeys(ctx context.Context, s *shop, keys []driver.Key) ([]driver.Listing, error) {
	var listings []driver.Listing
	for chunk := range slices.Chunk(keys, readBatch) {
		found, err := c.readChunk(ctx, s, keysFilter(chunk))
		if err != nil {
			return nil, err
		}
		listings = append(listings, found...)
	}
	return listings, nil
}

// keysFilter asks for the SKUs, and by id for what has no SKU.
func keysFilter(keys []driver.Key) map[string]any {
	var skus, variants, products []string
	for _, key := range keys {
		variantID, productID := splitRef(key.Ref)
		switch {
		case key.SKU != "":
			skus = append(skus, key.SKU)
		case variantID != "":
			variants = append(variants, variantID)
		case productID != "":
			products = append(products, productID)
		}
	}
	var either []any
	for field, values := range map[string][]string{"sku": skus, "id": variants, "productId": products} {
		if len(values) > 0 {
			slices.Sort(values)
			either = append(either, map[string]any{field: map[string]any{"in": slices.Compact(values)}})
		}
	}
	if len(either) == 0 {
		return nil
	}
	return map[string]any{"_or": either}
}

// readChunk reads all that the filter finds; a nil filter finds nothing.
func (c *connection) readChunk(ctx context.Context, s *shop, filter map[string]any) ([]driver.Listing, error) {
	var listings []driver.Listing
	for skip := 0; filter != nil; {
		data, err := c.list(ctx, s, "read listings by SKU", map[string]any{
			"skip": skip, "take": readBatch, "filter": filter, "sort": map[string]any{"id": "ASC"},
		})
		if err != nil {
			return nil, err
		}
		for _, v := range data.Variants.Items {
			listings = append(listings, c.listing(v, s, data.Global))
		}
		skip += len(data.Variants.Items)
		if skip >= data.Variants.Total || len(data.Variants.Items) == 0 {
			break
		}
	}
	return listings, nil
}

func boundLimit(limit, most int) int {
	if limit <= 0 || limit > most {
		return most
	}
	return limit
}
