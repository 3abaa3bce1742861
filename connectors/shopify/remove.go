package shopify

import (
	"context"
	"maps"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

const deleteVariantsMutation = "productVariantsBulkDelete"

// RemoveListings implements driver.ListingRemover. A product none of whose
// variants stays is taken off sale and kept. One of several variants cannot be
// taken off sale, so it is deleted; orders keep their own copy of what was sold.
func (c *connection) RemoveListings(ctx context.Context, keys []driver.Key) ([]driver.Outcome, error) {
	ctx = driver.WithOperation(ctx, driver.OpRemove)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return nil, err
	}
	found, err := c.readKeys(ctx, s, keys)
	if err != nil {
		return nil, err
	}
	r := removal{c: c, s: s, keys: keys, outcomes: make([]driver.Outcome, len(keys))}
	leaving := map[string][]variant{}
	for _, v := range found {
		if v.Product.onSale() {
			leaving[v.Product.ID] = append(leaving[v.Product.ID], v)
		}
	}
	var hide, drop []mutation
	for _, id := range slices.Sorted(maps.Keys(leaving)) {
		all, err := c.variantsOf(ctx, []string{number(id)}, nil)
		if err != nil {
			return nil, err
		}
		if isSubset(all, numbers(leaving[id])) {
			hide = append(hide, r.hide(id, leaving[id]))
		} else {
			drop = append(drop, r.drop(id, leaving[id]))
		}
	}
	if _, err := c.runAll(ctx, "remove listings", "HideProducts", "", hide); err != nil {
		return nil, err
	}
	if _, err := c.runAll(ctx, "remove listings", "DeleteVariants", "code", drop); err != nil {
		return nil, err
	}
	for i := range r.outcomes {
		if r.outcomes[i].Kind == "" {
			// Absent, off sale before, or the shop said that it is done.
			r.outcomes[i].Kind = driver.Verified
		}
	}
	return r.outcomes, nil
}

// removal is one call of RemoveListings.
type removal struct {
	c        *connection
	s        *shop
	keys     []driver.Key
	outcomes []driver.Outcome
}

func numbers(variants []variant) []string {
	all := make([]string, len(variants))
	for i, v := range variants {
		all[i] = number(v.ID)
	}
	return all
}

func (r *removal) hide(id string, variants []variant) mutation {
	if r.c.config.Publication != "" {
		return r.c.publication("publishableUnpublish", id, r.s, r.then(variants))
	}
	return mutation{field: "productUpdate", then: r.then(variants), arguments: []argument{
		{"product", "ProductUpdateInput", map[string]any{"id": id, "status": statusDraft}},
	}}
}

func (r *removal) drop(id string, variants []variant) mutation {
	return mutation{field: deleteVariantsMutation, then: r.then(variants), arguments: []argument{
		{"productId", "ID!", id}, {"variantsIds", "[ID!]!", gids(kindVariant, slices.Sorted(slices.Values(numbers(variants))))},
	}}
}

// then gives the outcome of a mutation to the keys of its variants.
func (r *removal) then(variants []variant) func(result) {
	return func(result result) {
		outcome := result.outcome()
		for i, key := range r.keys {
			if slices.ContainsFunc(variants, func(v variant) bool { return v.SKU == key.SKU || key.SKU == "" && variantRef(v.ID) == key.Ref }) {
				r.outcomes[i] = outcome
			}
		}
	}
}
