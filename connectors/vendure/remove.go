package vendure

import (
	"context"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

const disableMutation = `mutation Disable($input: [UpdateProductVariantInput!]!) {
  updateProductVariants(input: $input) { id sku enabled product { id enabled variants { id enabled } } }
}`

// RemoveListings implements driver.ListingRemover. The variants are disabled,
// and so is a product none of whose variants is enabled any more; nothing is
// deleted, so that orders keep what they refer to. All variants of a SKU are
// disabled.
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
	var ids []string
	for _, l := range found {
		if variantID, _ := splitRef(l.Ref); l.Content.Enabled {
			ids = append(ids, variantID)
		}
	}
	slices.SortFunc(ids, compareIDs)
	ids = slices.Compact(ids)
	if err := c.disable(ctx, ids); err != nil {
		return nil, err
	}
	outcomes := make([]driver.Outcome, len(keys))
	for i := range outcomes {
		// Absent, disabled before, or answered as disabled.
		outcomes[i].Kind = driver.Verified
	}
	return outcomes, nil
}

// disable disables the variants, and the products they leave empty.
func (c *connection) disable(ctx context.Context, ids []string) error {
	for chunk := range slices.Chunk(ids, writeBatch) {
		input := make([]map[string]any, len(chunk))
		for n, variantID := range chunk {
			input[n] = map[string]any{"id": variantID, "enabled": false}
		}
		var data struct {
			Updated []*struct {
				Product struct {
					ID       string `json:"id"`
					Enabled  bool   `json:"enabled"`
					Variants []struct {
						Enabled bool `json:"enabled"`
					} `json:"variants"`
				} `json:"product"`
			} `json:"updateProductVariants"`
		}
		err := c.api.do(ctx, operation{
			what: "remove listings", query: disableMutation, write: true,
			variables: map[string]any{"input": input},
		}, &data)
		if err != nil {
			return err
		}
		var empty []string
		for _, v := range data.Updated {
			if v == nil || !v.Product.Enabled {
				continue
			}
			inSale := false
			for _, sibling := range v.Product.Variants {
				inSale = inSale || sibling.Enabled
			}
			if !inSale {
				empty = append(empty, v.Product.ID)
			}
		}
		slices.SortFunc(empty, compareIDs)
		if err := c.disableProducts(ctx, slices.Compact(empty)); err != nil {
			return err
		}
	}
	return nil
}

func (c *connection) disableProducts(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	input := make([]map[string]any, len(ids))
	for n, productID := range ids {
		input[n] = map[string]any{"id": productID, "enabled": false}
	}
	var data struct{}
	return c.api.do(ctx, operation{
		what: "remove listings", query: updateProductsMutation, write: true,
		variables: map[string]any{"input": input},
	}, &data)
}
