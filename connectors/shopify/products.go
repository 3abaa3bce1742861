package shopify

import (
	"context"
	"maps"
	"slices"
)

// productWrite is what is to be done to one product.
type productWrite struct {
	// at are the intents for its variants, the first of them speaks for all.
	at     []int
	fields map[string]any
	// publish and unpublish it in the sales channel.
	publish, unpublish bool
}

// writeProducts writes what the intents' products should show and do not: title
// and description, and whether they are on sale, which is a property of the
// product. The handle is left alone: it is the product's address.
func (w *writing) writeProducts(ctx context.Context) error {
	writes, err := w.productWrites(ctx)
	if err != nil {
		return w.blame(w.pending(func(i int) bool { return w.intents[i].Content != nil }), err)
	}
	var all []mutation
	var of [][]int
	for _, id := range slices.Sorted(maps.Keys(writes)) {
		p := writes[id]
		for _, m := range w.productMutations(id, p) {
			all, of = append(all, m), append(of, p.at)
		}
	}
	done, err := w.c.runAll(ctx, "write products", "UpdateProducts", "", all)
	if err != nil {
		return w.blame(slices.Concat(of[done:]...), err)
	}
	return nil
}

// productMutations are those of one product: it is published before it becomes
// active, so that it is never active and nowhere.
func (w *writing) productMutations(id string, p *productWrite) []mutation {
	then := func(r result) {
		outcome := r.outcome()
		w.applied = w.applied || outcome.Kind == ""
		for _, i := range p.at {
			if w.outcomes[i].Kind == "" {
				w.outcomes[i] = outcome
			}
		}
	}
	var all []mutation
	if p.publish {
		all = append(all, w.c.publication("publishablePublish", id, w.s, then))
	}
	if p.unpublish {
		all = append(all, w.c.publication("publishableUnpublish", id, w.s, then))
	}
	if len(p.fields) > 0 {
		p.fields["id"] = id
		all = append(all, mutation{
			field: "productUpdate", then: then, arguments: []argument{{"product", "ProductUpdateInput", p.fields}},
		})
	}
	return all
}

// publication puts a product into the sales channel or takes it out.
func (c *connection) publication(field, id string, s *shop, then func(result)) mutation {
	return mutation{field: field, then: then, arguments: []argument{
		{"id", "ID!", id}, {"input", "[PublicationInput!]!", []map[string]string{{"publicationId": s.publication}}},
	}}
}

func (w *writing) productWrites(ctx context.Context) (map[string]*productWrite, error) {
	writes := map[string]*productWrite{}
	off := map[string][]string{} // variants that are to be off sale, by product
	for _, i := range w.pending(func(i int) bool {
		return w.intents[i].Content != nil && w.refusals[i].Reason != "ProductDiffers"
	}) {
		want, have := w.intents[i].Content, w.variants[i].Product
		p := writes[have.ID]
		if p == nil {
			p = &productWrite{fields: map[string]any{}}
			writes[have.ID] = p
		}
		p.at = append(p.at, i)
		if want.Product.Title != have.Title {
			p.fields["title"] = want.Product.Title
		}
		if want.Product.Description != have.Description {
			p.fields["descriptionHtml"] = want.Product.Description
		}
		switch {
		case want.Enabled:
			p.show(have)
		case have.onSale():
			off[have.ID] = append(off[have.ID], number(w.variants[i].ID))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(off)) {
		all, err := w.c.variantsOf(ctx, []string{number(id)}, nil)
		if err != nil {
			return nil, err
		}
		if isSubset(all, off[id]) {
			writes[id].hide(w.c)
			continue
		}
		for _, i := range writes[id].at {
			if !w.intents[i].Content.Enabled {
				w.refusals[i] = rejected("VariantsShareStatus", "other variants of the product are on sale, and a product is taken off sale as a whole")
			}
		}
	}
	return writes, nil
}

// show puts the product on sale.
func (p *productWrite) show(have product) {
	if !have.active() {
		p.fields["status"] = statusActive
	}
	if have.Published != nil && !*have.Published {
		p.publish = true
	}
}

// hide takes the product off sale: out of the configured sales channel, or, when
// none is named, out of all of them as a draft.
func (p *productWrite) hide(c *connection) {
	if c.config.Publication != "" {
		p.unpublish = true
		return
	}
	p.fields["status"] = statusDraft
}

func isSubset(some, of []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(of, s) })
}
