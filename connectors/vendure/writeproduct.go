package vendure

import (
	"context"
	"maps"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

const updateProductsMutation = `mutation UpdateProducts($input: [UpdateProductInput!]!) {
  updateProducts(input: $input) { id slug name description enabled updatedAt }
}`

// writeProducts writes what the written variants' products should show and do
// not: name and description, and whether the product is enabled, which a
// variant in sale needs. A product is never disabled here: its other variants
// may be in sale. The slug is left alone: it is the product's address.
func (w *writing) writeProducts(ctx context.Context) {
	inputs := map[string]map[string]any{}
	for i, intent := range w.intents {
		stored, ok := w.stored[w.ids[i]]
		if !ok || w.outcomes[i].Kind != "" || intent.Content == nil || intent.SKU != stored.SKU {
			continue
		}
		want, have := intent.Content, stored.Content
		_, productID := splitRef(stored.Ref)
		input := map[string]any{"id": productID}
		if want.Product.Title != have.Product.Title || want.Product.Description != have.Product.Description {
			input["translations"] = []any{map[string]any{
				"languageCode": w.s.language, "name": want.Product.Title, "description": want.Product.Description,
			}}
		}
		if want.Enabled && !have.Enabled {
			input["enabled"] = true
		}
		if len(input) > 1 {
			if inputs[productID] == nil {
				inputs[productID] = map[string]any{}
			}
			maps.Copy(inputs[productID], input)
		}
	}
	ids := slices.SortedFunc(maps.Keys(inputs), compareIDs)
	all := make([]map[string]any, len(ids))
	for n, id := range ids {
		all[n] = inputs[id]
	}
	w.updateProducts(ctx, ids, all)
}

// updateProducts writes all in one transaction, and each alone where the shop
// refuses the batch. Failures are kept for the outcomes of the variants.
func (w *writing) updateProducts(ctx context.Context, ids []string, input []map[string]any) {
	if len(ids) == 0 {
		return
	}
	var data struct {
		Products []product `json:"updateProducts"`
	}
	err := w.c.api.do(ctx, operation{
		what: "write products", query: updateProductsMutation, write: true, language: w.s.language,
		variables: map[string]any{"input": input},
	}, &data)
	if driver.ClassOf(err) == driver.ClassBatchRejected && err != nil && len(ids) > 1 {
		for n := range ids {
			w.updateProducts(ctx, ids[n:n+1], input[n:n+1])
		}
		return
	}
	if err != nil {
		for _, id := range ids {
			w.products[id] = driver.OutcomeOf(err)
		}
		return
	}
	for _, p := range data.Products {
		for id, l := range w.stored {
			if _, productID := splitRef(l.Ref); productID != p.ID {
				continue
			}
			l.Content.Product.Title, l.Content.Product.Description = p.Name, p.Description
			l.Content.Enabled = p.Enabled && w.enabled[id]
			l.ChangedAt = latest(l.ChangedAt, p.UpdatedAt)
			w.stored[id] = l
		}
	}
}
