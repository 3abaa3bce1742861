package vendure

import (
	"context"
	"slices"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
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

// walk goes through all variants in the order of ids. Vendure pages by offset
// only.
func (c *connection) walk(s *shop, what string) paging.Offset[driver.Listing] {
	return paging.Offset[driver.Listing]{
		Read: func(ctx context.Context, skip, take int) ([]driver.Listing, int, error) {
			data, err := c.list(ctx, s, what, map[string]any{"skip": skip, "take": take, "sort": map[string]any{"id": "ASC"}})
			if err != nil {
				return nil, 0, err
			}
			listings := make([]driver.Listing, len(data.Variants.Items))
			for i, v := range data.Variants.Items {
				listings[i] = c.listing(v, s, data.Global)
			}
			return listings, data.Variants.Total, nil
		},
		ID: func(l driver.Listing) string {
			variantID, _ := splitRef(l.Ref)
			return variantID
		},
		Compare: func(a, b string) (int, bool) { return compareIDs(a, b), isOrdered(a) && isOrdered(b) },
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
	found, err := c.walk(s, what).Page(ctx, at, paging.Limit(limit, pageSize))
	if err != nil {
		return driver.ListingPage{}, err
	}
	page := driver.ListingPage{Listings: found.Items, Total: found.Total}
	if found.Next != nil {
		page.Next = driver.EncodeCursor(found.Next)
	}
	return page, nil
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
