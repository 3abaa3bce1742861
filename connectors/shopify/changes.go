package shopify

import (
	"context"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

// changePosition is the cursor of ReadChanges. A change of a variant moves the
// time of its product; that a quantity does is not certain, so the levels of the
// location are a second list, read in the same request.
type changePosition struct {
	Products feed `json:"p"`
	Levels   feed `json:"l"`
}

const changesQuery = `query Changes($first: Int!, $ofProducts: Boolean!, $products: String, $afterProduct: String, $ofLevels: Boolean!, $levels: String, $afterLevel: String, $location: ID!) {
  products(first: $first, after: $afterProduct, query: $products, sortKey: UPDATED_AT) @include(if: $ofProducts) {
    nodes { id updatedAt } pageInfo { hasNextPage endCursor }
  }
  location(id: $location) @include(if: $ofLevels) {
    inventoryLevels(first: $first, after: $afterLevel, query: $levels) { nodes { updatedAt item { id } } pageInfo { hasNextPage endCursor } }
  }
}`

type changeList struct {
	Products struct {
		Nodes []struct {
			ID        string    `json:"id"`
			UpdatedAt time.Time `json:"updatedAt"`
		} `json:"nodes"`
		Page pageInfo `json:"pageInfo"`
	} `json:"products"`
	Location struct {
		Levels struct {
			Nodes []struct {
				UpdatedAt time.Time `json:"updatedAt"`
				Item      struct {
					ID string `json:"id"`
				} `json:"item"`
			} `json:"nodes"`
			Page pageInfo `json:"pageInfo"`
		} `json:"inventoryLevels"`
	} `json:"location"`
}

// ReadChanges implements driver.ChangeReader. It sees changes of content, price
// and stock, and sales. A deleted listing is in no list, nor is one that was
// published or taken out of the sales channel. The limit bounds the changes of a
// page; products come with all variants.
func (c *connection) ReadChanges(ctx context.Context, after driver.Cursor, limit int) (driver.ChangePage, error) {
	const what = "read changes"
	ctx = driver.WithOperation(ctx, driver.OpChanges)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return driver.ChangePage{}, err
	}
	if after == "" {
		at, err := c.shopTime(ctx, what)
		if err != nil {
			return driver.ChangePage{}, err
		}
		start := startFeed(at, time.Now())
		return driver.ChangePage{Next: driver.EncodeCursor(changePosition{Products: start, Levels: start})}, nil
	}
	var at changePosition
	if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.ChangePage{}, err
	}
	at.Products.begin(time.Now())
	at.Levels.begin(time.Now())
	var data changeList
	_, err = c.api.do(ctx, operation{what: what, name: "Changes", query: changesQuery, variables: map[string]any{
		"first": paging.Limit(limit, pageSize), "location": s.location,
		"ofProducts": !at.Products.Ended, "products": at.Products.query(), "afterProduct": orNil(at.Products.After),
		"ofLevels": !at.Levels.Ended, "levels": at.Levels.query(), "afterLevel": orNil(at.Levels.After),
	}}, &data)
	if err != nil {
		return driver.ChangePage{}, err
	}
	ids, err := c.variantsOf(ctx, at.changedProducts(data), at.changedItems(data))
	if err != nil {
		return driver.ChangePage{}, err
	}
	variants, err := c.readIDs(ctx, s, ids)
	if err != nil {
		return driver.ChangePage{}, err
	}
	page := driver.ChangePage{Listings: c.listings(variants, s), More: !at.Products.Ended || !at.Levels.Ended}
	if !page.More {
		at.Products.end(time.Now())
		at.Levels.end(time.Now())
	}
	page.Next = driver.EncodeCursor(at)
	return page, nil
}

// changedProducts takes in the page of products.
func (p *changePosition) changedProducts(data changeList) []string {
	if p.Products.Ended {
		return nil
	}
	var ids []string
	for _, node := range data.Products.Nodes {
		if p.Products.isNew(node.UpdatedAt) {
			ids = append(ids, number(node.ID))
		}
	}
	p.Products.take(data.Products.Page)
	return ids
}

// changedItems takes in the page of levels.
func (p *changePosition) changedItems(data changeList) []string {
	if p.Levels.Ended {
		return nil
	}
	var ids []string
	for _, node := range data.Location.Levels.Nodes {
		if p.Levels.isNew(node.UpdatedAt) {
			ids = append(ids, number(node.Item.ID))
		}
	}
	p.Levels.take(data.Location.Levels.Page)
	return ids
}

const timeQuery = `query Now { shop { id } }`

// shopTime is the shop's own time.
func (c *connection) shopTime(ctx context.Context, what string) (time.Time, error) {
	var data struct{}
	at, err := c.api.do(ctx, operation{what: what, name: "Now", query: timeQuery}, &data)
	if err == nil && at.IsZero() {
		// Without the header, everything is new.
		at = time.Unix(0, 0).UTC().Add(overlap)
	}
	return at, err
}
