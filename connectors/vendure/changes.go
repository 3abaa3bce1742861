package vendure

import (
	"context"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// changePosition is the cursor of ReadChanges. A change of a product (its
// name, its description, whether it is enabled) leaves its variants' updatedAt
// alone, so products are a second list.
type changePosition struct {
	Variants feed `json:"v"`
	Products feed `json:"p"`
	// InProducts: the walk has come to the products.
	InProducts bool `json:"x,omitempty"`
}

const newestQuery = `query Newest($variants: ProductVariantListOptions!, $products: ProductListOptions!) {
  productVariants(options: $variants) { items { updatedAt } }
  products(options: $products) { items { updatedAt } }
}`

const changedProductsQuery = `query ChangedProducts($options: ProductListOptions!) {
  products(options: $options) { totalItems items { id updatedAt variants { ...Variant } } }
  ` + stockSettings + `
}` + variantFields

// productsPerPage is small because each comes with all of its variants.
const productsPerPage = 20

// ReadChanges implements driver.ChangeReader. It sees changes of content,
// price and stock written through the API or the dashboard; a sale or a
// fulfilment does not change a variant's time, and a deleted listing is in no
// list: those are found by ReadOrders and by comparison.
func (c *connection) ReadChanges(ctx context.Context, after driver.Cursor, limit int) (driver.ChangePage, error) {
	const what = "read changes"
	ctx = driver.WithOperation(ctx, driver.OpChanges)
	limit = boundLimit(limit, pageSize)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return driver.ChangePage{}, err
	}
	if after == "" {
		return c.startChanges(ctx, what)
	}
	var at changePosition
	if err := decodeCursor(what, after, &at); err != nil {
		return driver.ChangePage{}, err
	}
	at.Variants.begin(time.Now())
	at.Products.begin(time.Now())
	// Parts that hold nothing are not worth a page of their own: in a shop at
	// rest one call walks through both and ends where it began.
	var listings []driver.Listing
	more := true
	for more && len(listings) == 0 {
		if listings, more, err = c.nextChanges(ctx, s, what, &at, limit); err != nil {
			return driver.ChangePage{}, err
		}
	}
	return driver.ChangePage{Listings: listings, Next: encodeCursor(at), More: more}, nil
}

// nextChanges reads the next page of the walk and says whether it goes on.
func (c *connection) nextChanges(ctx context.Context, s *shop, what string, at *changePosition, limit int) ([]driver.Listing, bool, error) {
	if !at.InProducts {
		listings, more, err := c.changedVariants(ctx, s, what, &at.Variants, limit)
		at.InProducts = err == nil && !more
		return listings, true, err
	}
	listings, more, err := c.changedProducts(ctx, s, what, &at.Products, min(limit, productsPerPage))
	if err == nil && !more {
		at.InProducts = false
		at.Variants.end(time.Now())
		at.Products.end(time.Now())
	}
	return listings, more, err
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
	return driver.ChangePage{Next: encodeCursor(at)}, nil
}

func (c *connection) changedVariants(ctx context.Context, s *shop, what string, f *feed, limit int) ([]driver.Listing, bool, error) {
	for {
		data, err := c.list(ctx, s, what, f.options("updatedAt", limit, nil))
		if err != nil {
			return nil, false, err
		}
		items := make([]feedItem, len(data.Variants.Items))
		for i, v := range data.Variants.Items {
			items[i] = feedItem{id: v.ID, at: v.UpdatedAt}
		}
		from, moved, more := f.advance(items, data.Variants.Total)
		if moved {
			continue
		}
		var listings []driver.Listing
		for _, v := range data.Variants.Items[from:] {
			listings = append(listings, c.listing(v, s, data.Global))
		}
		return listings, more, nil
	}
}

func (c *connection) changedProducts(ctx context.Context, s *shop, what string, f *feed, limit int) ([]driver.Listing, bool, error) {
	for {
		var data struct {
			Products struct {
				Total int `json:"totalItems"`
				Items []struct {
					ID        string    `json:"id"`
					UpdatedAt time.Time `json:"updatedAt"`
					Variants  []variant `json:"variants"`
				} `json:"items"`
			} `json:"products"`
			Global globalStock `json:"globalSettings"`
		}
		err := c.api.do(ctx, operation{
			what: what, query: changedProductsQuery, language: s.language,
			variables: map[string]any{"options": f.options("updatedAt", limit, nil)},
		}, &data)
		if err != nil {
			return nil, false, err
		}
		items := make([]feedItem, len(data.Products.Items))
		for i, p := range data.Products.Items {
			items[i] = feedItem{id: p.ID, at: p.UpdatedAt}
		}
		from, moved, more := f.advance(items, data.Products.Total)
		if moved {
			continue
		}
		var listings []driver.Listing
		for _, p := range data.Products.Items[from:] {
			for _, v := range p.Variants {
				listings = append(listings, c.listing(v, s, data.Global))
			}
		}
		return listings, more, nil
	}
}
