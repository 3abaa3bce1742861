package woocommerce

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
)

// variationFields are read of lists of variations.
const variationFields = "id,parent_id,status,sku,regular_price,manage_stock,stock_quantity,attributes,meta_data,date_modified_gmt"

// expand turns products into listings: those that are sold by themselves, and
// the variations of the others that they name.
func (c *connection) expand(ctx context.Context, what string, products []product) ([]item, error) {
	variations, err := c.variationsOf(ctx, what, products)
	if err != nil {
		return nil, err
	}
	var items []item
	for n := range products {
		p := &products[n]
		switch {
		case p.hasVariations():
			for _, v := range variations[p.ID] {
				items = append(items, item{product: v, parent: p})
			}
		case p.isSold():
			items = append(items, item{product: *p})
		}
	}
	return items, nil
}

// variationsOf reads the variations that the products name, by product. Since
// 10.3 a shop has one list of all of them; before, each product has its own.
func (c *connection) variationsOf(ctx context.Context, what string, products []product) (map[int64][]product, error) {
	byParent := map[int64][]product{}
	parentOf := map[int64]int64{}
	var ids []int64
	for _, p := range products {
		if !p.hasVariations() {
			continue
		}
		for _, id := range p.Variations {
			parentOf[id] = p.ID
			ids = append(ids, id)
		}
	}
	if !c.noIndex.Load() {
		rest, err := c.variationsByIndex(ctx, what, ids, parentOf, byParent)
		if err != nil {
			return nil, err
		}
		ids = rest
	}
	for _, p := range products {
		own := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return parentOf[id] != p.ID })
		for chunk := range slices.Chunk(own, maxPerPage) {
			found, err := c.variations(ctx, what, variationsPath(p.ID), chunk)
			if err != nil {
				return nil, err
			}
			byParent[p.ID] = append(byParent[p.ID], adopt(found, p.ID)...)
		}
	}
	return byParent, nil
}

// variationsByIndex reads variations from the list of all, and returns the ids
// that are left to read: all where the shop has no such list.
func (c *connection) variationsByIndex(ctx context.Context, what string, ids []int64, parentOf map[int64]int64, byParent map[int64][]product) ([]int64, error) {
	for chunk := range slices.Chunk(ids, maxPerPage) {
		found, err := c.variations(ctx, what, "/variations", chunk)
		if hasReason(err, reasonNotWooCommerce) {
			c.noIndex.Store(true)
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		for _, v := range found {
			// One that was moved to another product meanwhile is read with that.
			if parent := parentOf[v.ID]; parent != 0 && v.ParentID == parent {
				byParent[parent] = append(byParent[parent], adopt([]product{v}, parent)...)
			}
		}
	}
	return nil, nil
}

func (c *connection) variations(ctx context.Context, what, path string, ids []int64) ([]product, error) {
	found, _, err := list[product](ctx, c.api, what, path, url.Values{
		"include": {joinIDs(ids)}, "per_page": {strconv.Itoa(maxPerPage)}, "orderby": {"id"}, "order": {"asc"},
		"context": {"edit"}, "status": {"any"}, "_fields": {variationFields},
	})
	return found, err
}

func variationsPath(parent int64) string { return fmt.Sprintf("/products/%d/variations", parent) }

// adopt notes whose variations they are.
func adopt(variations []product, parent int64) []product {
	for n := range variations {
		variations[n].ParentID, variations[n].Type = parent, typeVariation
	}
	return variations
}

// withParents turns what was found by SKU into listings: the products of
// variations are read besides. What is sold by its variations is none itself.
func (c *connection) withParents(ctx context.Context, what string, found []product) ([]item, error) {
	wanted := map[int64]bool{}
	for _, p := range found {
		if p.Type == typeVariation {
			wanted[p.ParentID] = true
		}
	}
	parents := map[int64]*product{}
	read, err := c.byIDs(ctx, what, keysOf(wanted))
	if err != nil {
		return nil, err
	}
	for n := range read {
		parents[read[n].ID] = &read[n]
	}
	var items []item
	for _, p := range found {
		switch parent := parents[p.ParentID]; {
		case p.Type == typeVariation && parent != nil:
			items = append(items, item{product: p, parent: parent})
		case p.Type != typeVariation && p.isSold():
			items = append(items, item{product: p})
		}
	}
	return items, nil
}

// siblings reads all variations of the items' products.
func (c *connection) siblings(ctx context.Context, parents map[int64]*product) (map[int64][]product, error) {
	all := make([]product, 0, len(parents))
	for _, id := range keysOf(parents) {
		all = append(all, *parents[id])
	}
	return c.variationsOf(ctx, "read variations", all)
}
