package vendure

import (
	"context"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

// changePosition is the cursor of ReadChanges. A change of a product (its
// name, its description, whether it is enabled) leaves its variants' updatedAt
// alone, so products are a second list, read in the same requests; the variants
// of those that changed follow in another one.
type changePosition struct {
	Variants feed `json:"v"`
	Products feed `json:"p"`
	// VariantsRead and ProductsRead: the walk has come to the end of the list.
	VariantsRead bool `json:"x,omitempty"`
	ProductsRead bool `json:"y,omitempty"`
}

const newestQuery = `query Newest($variants: ProductVariantListOptions!, $products: ProductListOptions!) {
  productVariants(options: $variants) { items { updatedAt } }
  products(options: $products) { items { updatedAt } }
}`

const changesQuery = `query Changes($variants: ProductVariantListOptions!, $products: ProductListOptions!, $ofVariants: Boolean!, $ofProducts: Boolean!) {
  productVariants(options: $variants) @include(if: $ofVariants) { totalItems items { ...Variant } }
  products(options: $products) @include(if: $ofProducts) { totalItems items { id updatedAt } }
  ` + stockSettings + `
}` + variantFields

type changeList struct {
	variantList
	Products struct {
		Total int `json:"totalItems"`
		Items []struct {
			ID        string    `json:"id"`
			UpdatedAt time.Time `json:"updatedAt"`
		} `json:"items"`
	} `json:"products"`
}

// ReadChanges implements driver.ChangeReader. It sees changes of content,
// price and stock written through the API or the dashboard; a sale or a
// fulfilment does not change a variant's time, and a deleted listing is in no
// list: those are found by ReadOrders and by comparison. The limit bounds the
// variants of a page; products come with all of theirs.
func (c *connection) ReadChanges(ctx context.Context, after driver.Cursor, limit int) (driver.ChangePage, error) {
	const what = "read changes"
	ctx = driver.WithOperation(ctx, driver.OpChanges)
	limit = paging.Limit(limit, pageSize)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return driver.ChangePage{}, err
	}
	if after == "" {
		return c.startChanges(ctx, what)
	}
	var at changePosition
	if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.ChangePage{}, err
	}
	// A page that holds nothing is not worth a call of its own: in a shop at
	// rest one call, of one request, walks through both lists and ends where it
	// began.
	var listings []driver.Listing
	more := true
	for more && len(listings) == 0 {
		if listings, more, err = c.nextChanges(ctx, s, what, &at, limit); err != nil {
			return driver.ChangePage{}, err
		}
	}
	return driver.ChangePage{Listings: listings, Next: driver.EncodeCursor(at), More: more}, nil
}

// nextChanges reads the next page of both lists and says whether the walk goes
// on.
func (c *connection) nextChanges(ctx context.Context, s *shop, what string, at *changePosition, limit int) ([]driver.Listing, bool, error) {
	at.Variants.begin(time.Now())
	at.Products.begin(time.Now())
	var data changeList
	err := c.api.do(ctx, operation{what: what, query: changesQuery, language: s.language, variables: map[string]any{
		"variants": at.Variants.options("updatedAt", limit, nil), "ofVariants": !at.VariantsRead,
		"products": at.Products.options("updatedAt", limit, nil), "ofProducts": !at.ProductsRead,
	}}, &data)
	if err != nil {
		return nil, false, err
	}
	c.settings.note(data.Global)
	var listings []driver.Listing
	if !at.VariantsRead {
		items := make([]feedItem, len(data.Variants.Items))
		for i, v := range data.Variants.Items {
			items[i] = feedItem{id: v.ID, at: v.UpdatedAt}
		}
		from, more := at.Variants.advance(items, data.Variants.Total)
		at.VariantsRead = !more
		for _, v := range data.Variants.Items[from:] {
			listings = append(listings, c.listing(v, s, data.Global))
		}
	}
	if !at.ProductsRead {
		items := make([]feedItem, len(data.Products.Items))
		for i, p := range data.Products.Items {
			items[i] = feedItem{id: p.ID, at: p.UpdatedAt}
		}
		from, more := at.Products.advance(items, data.Products.Total)
		at.ProductsRead = !more
		var changed []string
		for _, p := range data.Products.Items[from:] {
			if !c.own.isAsMade(p.ID, p.UpdatedAt) {
				changed = append(changed, p.ID)
			}
		}
		ofProducts, err := c.variantsOf(ctx, s, changed)
		if err != nil {
			return nil, false, err
		}
		listings = append(listings, ofProducts...)
	}
	if !at.VariantsRead || !at.ProductsRead {
		return listings, true, nil
	}
	at.VariantsRead, at.ProductsRead = false, false
	at.Variants.end(time.Now())
	at.Products.end(time.Now())
	return listings, false, nil
}

// variantsOf reads the variants of the products.
func (c *connection) variantsOf(ctx context.Context, s *shop, products []string) ([]driver.Listing, error) {
	if len(products) == 0 {
		return nil, nil
	}
	return c.readChunk(ctx, s, map[string]any{"productId": map[string]any{"in": products}})
}

func (c *connection) startChanges(ctx context.Context, what string) (driver.ChangePage, error) {
	newest := map[string]any{"take": 1, "sort": map[string]any{"updatedAt": "DESC"}}
	type items struct {
		Items []struct {
			UpdatedAt time.Time `json:"updatedAt"`
		} `json:"items"`
	}
	var data struct {
		Variants items `json:"productVariants"`
		Products items `json:"products"`
	}
	err := c.api.do(ctx, operation{what: what, query: newestQuery, variables: map[string]any{"variants": newest, "products": newest}}, &data)
	if err != nil {
		return driver.ChangePage{}, err
	}
	start := func(from items) feed {
		newest := time.Unix(0, 0).UTC()
		if len(from.Items) > 0 {
			newest = from.Items[0].UpdatedAt
		}
		return startFeed(newest, time.Now())
	}
	at := changePosition{Variants: start(data.Variants), Products: start(data.Products)}
	return driver.ChangePage{Next: driver.EncodeCursor(at)}, nil
}
