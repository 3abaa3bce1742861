package medusa

import (
	"context"
	"maps"
	"net/url"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

// RemoveListings implements driver.ListingRemover. A product none of whose
// variants stays is taken off sale and kept. One of several variants cannot be
// taken off sale in Medusa, so it is deleted; orders keep their own copy of
// what was sold.
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
	leaving := map[string][]string{}
	for _, v := range found {
		if v.Product.onSale(s) {
			leaving[v.Product.ID] = append(leaving[v.Product.ID], v.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(leaving)) {
		if err := c.removeFrom(ctx, s, id, leaving[id]); err != nil {
			return nil, err
		}
	}
	outcomes := make([]driver.Outcome, len(keys))
	for i := range outcomes {
		// Absent, off sale before, or the shop said that it is done.
		outcomes[i].Kind = driver.Verified
	}
	return outcomes, nil
}

func (c *connection) removeFrom(ctx context.Context, s *shop, productID string, variantIDs []string) error {
	all, err := c.variantsOfProducts(ctx, []string{productID})
	if err != nil {
		return err
	}
	if isSubset(all, variantIDs) {
		return c.hideProduct(ctx, s, productID)
	}
	slices.Sort(variantIDs)
	return c.api.do(ctx, call{
		what: "remove listings", write: true, body: map[string]any{"delete": variantIDs},
		path: "/admin/products/" + url.PathEscape(productID) + "/variants/batch", query: fields("id", nil),
	}, &struct{}{})
}
