package shopify

import (
	"context"
	"slices"
	"strings"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

// maxNodes is the most objects of one request, by id or in a page.
const maxNodes = 250

const pageQuery = `query Listings($first: Int!, $after: String, ` + scopeParameters + `) {
  productVariants(first: $first, after: $after, sortKey: ID) { nodes { ...Variant } pageInfo { hasNextPage endCursor } }
}` + variantFields

type variantPage struct {
	Variants struct {
		Nodes []variant `json:"nodes"`
		Page  pageInfo  `json:"pageInfo"`
	} `json:"productVariants"`
}

// listPosition is the cursor of ReadPage: Shopify's own, which goes on after an
// id and so passes over nothing when listings go.
type listPosition struct {
	After string `json:"a"`
}

// ReadPage implements driver.ListingReader, in the order of ids.
func (c *connection) ReadPage(ctx context.Context, after driver.Cursor, limit int) (driver.ListingPage, error) {
	const what = "read listings"
	ctx = driver.WithOperation(ctx, driver.OpRead)
	var at listPosition
	if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.ListingPage{}, err
	}
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return driver.ListingPage{}, err
	}
	var data variantPage
	_, err = c.api.do(ctx, operation{what: what, name: "Listings", query: pageQuery, variables: s.scope(map[string]any{
		"first": paging.Limit(limit, pageSize), "after": orNil(at.After),
	})}, &data)
	if err != nil {
		return driver.ListingPage{}, err
	}
	page := driver.ListingPage{Listings: c.listings(data.Variants.Nodes, s), Total: -1}
	if data.Variants.Page.More {
		page.Next = driver.EncodeCursor(listPosition{After: data.Variants.Page.End})
	}
	return page, nil
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// ReadListings implements driver.ListingGetter.
func (c *connection) ReadListings(ctx context.Context, keys []driver.Key) ([]driver.Listing, error) {
	ctx = driver.WithOperation(ctx, driver.OpRead)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return nil, err
	}
	found, err := c.readKeys(ctx, s, keys)
	if err != nil {
		return nil, err
	}
	return c.listings(found, s), nil
}

// readKeys reads the variants of the keys, each once: by id where one is known,
// and by SKU where that leads nowhere or the SKU is there more than once.
func (c *connection) readKeys(ctx context.Context, s *shop, keys []driver.Key) ([]variant, error) {
	ids, err := c.variantIDs(ctx, keys)
	if err != nil {
		return nil, err
	}
	byID, err := c.readIDs(ctx, s, ids)
	if err != nil {
		return nil, err
	}
	met, alone := map[string]bool{}, map[string]bool{}
	for _, v := range byID {
		met[v.ID] = true
		alone[v.SKU] = v.Item.Others == 0
	}
	var search []string
	for _, key := range keys {
		if key.SKU != "" && !alone[key.SKU] {
			search = append(search, key.SKU)
		}
	}
	bySKU, err := c.readSKUs(ctx, s, search)
	if err != nil {
		return nil, err
	}
	found := wanted(byID, keys)
	for _, v := range bySKU {
		if !met[v.ID] {
			met[v.ID] = true
			found = append(found, v)
		}
	}
	return found, nil
}

// wanted leaves out variants that bear none of the SKUs asked for, unless they
// were asked for by their Ref alone.
func wanted(variants []variant, keys []driver.Key) []variant {
	skus, byRef := map[string]bool{}, false
	refs := map[string]bool{}
	for _, key := range keys {
		letter, n := splitRef(key.Ref)
		switch {
		case key.SKU != "":
			skus[key.SKU] = true
		case letter == "":
			refs[n] = true
		default:
			byRef = true
		}
	}
	return slices.DeleteFunc(slices.Clone(variants), func(v variant) bool {
		return !byRef && !skus[v.SKU] && !refs[number(v.ID)]
	})
}

// variantIDs are the numbers of the variants that the keys may mean.
func (c *connection) variantIDs(ctx context.Context, keys []driver.Key) ([]string, error) {
	var ids, products, items []string
	for _, key := range keys {
		if key.SKU != "" {
			if n := c.known.variant(key.SKU); n != "" {
				ids = append(ids, n)
			}
		}
		switch letter, n := splitRef(key.Ref); {
		case n == "":
		case letter == refProduct && key.SKU == "":
			products = append(products, n)
		case letter == refItem && key.SKU == "":
			items = append(items, n)
		case letter == "":
			ids = append(ids, n)
		}
	}
	of, err := c.variantsOf(ctx, products, items)
	return append(ids, of...), err
}

const nodesQuery = `query ListingsByID($ids: [ID!]!, ` + scopeParameters + `) {
  nodes(ids: $ids) { ...Variant }
}` + variantFields

// readIDs reads variants by their numbers, as they are stored. Those that are
// gone are left out.
func (c *connection) readIDs(ctx context.Context, s *shop, numbers []string) ([]variant, error) {
	var all []variant
	for _, chunk := range chunks(numbers, maxNodes) {
		var data struct {
			Nodes []*variant `json:"nodes"`
		}
		_, err := c.api.do(ctx, operation{
			what: "read listings by id", name: "ListingsByID", query: nodesQuery,
			variables: s.scope(map[string]any{"ids": gids(kindVariant, chunk)}),
		}, &data)
		if err != nil {
			return nil, err
		}
		for _, v := range data.Nodes {
			if v != nil && v.ID != "" {
				all = append(all, *v)
			}
		}
	}
	return all, nil
}

func gids(kind string, numbers []string) []string {
	ids := make([]string, len(numbers))
	for i, n := range numbers {
		ids[i] = gid(kind, n)
	}
	return ids
}

// chunks cuts the distinct values, sorted, into parts.
func chunks(values []string, most int) [][]string {
	values = slices.Clone(values)
	slices.Sort(values)
	return slices.Collect(slices.Chunk(slices.Compact(values), most))
}

const searchQuery = `query ListingsBySKU($query: String!, $after: String, ` + scopeParameters + `) {
  productVariants(first: 100, after: $after, query: $query, sortKey: ID) { nodes { ...Variant } pageInfo { hasNextPage endCursor } }
}` + variantFields

// maxSearch is the most SKUs of one search.
const maxSearch = 40

// readSKUs finds variants by their SKUs. The search is not exact: it follows the
// data, and takes SKUs for equal that are not.
func (c *connection) readSKUs(ctx context.Context, s *shop, skus []string) ([]variant, error) {
	var all []variant
	for _, chunk := range chunks(skus, maxSearch) {
		terms := make([]string, len(chunk))
		for i, sku := range chunk {
			terms[i] = "sku:" + quote(sku)
		}
		query := strings.Join(terms, " OR ")
		for after := any(nil); ; {
			var data variantPage
			_, err := c.api.do(ctx, operation{
				what: "read listings by SKU", name: "ListingsBySKU", query: searchQuery,
				variables: s.scope(map[string]any{"query": query, "after": after}),
			}, &data)
			if err != nil {
				return nil, err
			}
			for _, v := range data.Variants.Nodes {
				if slices.Contains(chunk, v.SKU) {
					all = append(all, v)
				}
			}
			if !data.Variants.Page.More {
				break
			}
			after = data.Variants.Page.End
		}
	}
	return all, nil
}

// quote writes a value of a search as one phrase.
func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

const ofProductsQuery = `query VariantsOfProducts($ids: [ID!]!) {
  nodes(ids: $ids) { ... on Product { id variants(first: 250) { nodes { id } pageInfo { hasNextPage endCursor } } } }
}`

const moreVariantsQuery = `query MoreVariants($id: ID!, $after: String) {
  product(id: $id) { variants(first: 250, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }
}`

const ofItemsQuery = `query VariantsOfItems($ids: [ID!]!) {
  nodes(ids: $ids) { ... on InventoryItem { variants(first: 10) { nodes { id } } } }
}`

type variantIDs struct {
	ID       string `json:"id"`
	Variants struct {
		Nodes []struct {
			ID string `json:"id"`
		} `json:"nodes"`
		Page pageInfo `json:"pageInfo"`
	} `json:"variants"`
}

func (v variantIDs) numbers() []string {
	all := make([]string, len(v.Variants.Nodes))
	for i, node := range v.Variants.Nodes {
		all[i] = number(node.ID)
	}
	return all
}

// variantsOf are the numbers of the variants of products and inventory items.
func (c *connection) variantsOf(ctx context.Context, products, items []string) ([]string, error) {
	var all []string
	for _, of := range []struct {
		name, query, kind string
		numbers           []string
	}{
		{"VariantsOfProducts", ofProductsQuery, kindProduct, products},
		{"VariantsOfItems", ofItemsQuery, kindItem, items},
	} {
		for _, chunk := range chunks(of.numbers, maxNodes) {
			var data struct {
				Nodes []*variantIDs `json:"nodes"`
			}
			_, err := c.api.do(ctx, operation{what: "read what belongs together", name: of.name, query: of.query, variables: map[string]any{"ids": gids(of.kind, chunk)}}, &data)
			if err != nil {
				return nil, err
			}
			for _, node := range data.Nodes {
				if node == nil {
					continue
				}
				all = append(all, node.numbers()...)
				rest, err := c.moreVariants(ctx, *node)
				if err != nil {
					return nil, err
				}
				all = append(all, rest...)
			}
		}
	}
	return all, nil
}

// moreVariants are those of a product beyond the first page.
func (c *connection) moreVariants(ctx context.Context, of variantIDs) ([]string, error) {
	var all []string
	for of.Variants.Page.More {
		var data struct {
			Product *variantIDs `json:"product"`
		}
		_, err := c.api.do(ctx, operation{what: "read what belongs together", name: "MoreVariants", query: moreVariantsQuery, variables: map[string]any{
			"id": of.ID, "after": of.Variants.Page.End,
		}}, &data)
		if err != nil || data.Product == nil {
			return all, err
		}
		all = append(all, data.Product.numbers()...)
		of.Variants.Page = data.Product.Variants.Page
	}
	return all, nil
}
