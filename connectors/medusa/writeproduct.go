package medusa

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

func compareText(a, b string) int { return strings.Compare(a, b) }

// productWrite is what is to be done to one product.
type productWrite struct {
	// at are the intents for its variants, the first of them speaks for all.
	at     []int
	fields map[string]any
	// show and hide put it on sale and take it off.
	show, hide bool
}

// writeProducts writes what the intents' products should show and do not: title
// and description, and whether they are on sale, which is a property of the
// product: one of several variants cannot be taken off sale alone. The handle
// is left alone: it is the product's address.
func (w *writing) writeProducts(ctx context.Context) error {
	writes, err := w.productWrites(ctx)
	if err != nil {
		if !w.applied {
			return err
		}
		w.fail(w.pending(func(i int) bool { return w.intents[i].Content != nil }), err)
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(writes)) {
		p := writes[id]
		still := slices.DeleteFunc(p.at, func(i int) bool { return w.outcomes[i].Kind != "" })
		// The same request for all: there is no batch to take apart.
		err := w.applyOnce(ctx, still, func(ctx context.Context) error {
			if len(p.fields) > 0 {
				if err := w.c.updateProduct(ctx, id, p.fields); err != nil {
					return err
				}
			}
			switch {
			case p.show:
				return w.c.showProduct(ctx, w.s, w.variants[still[0]].Product)
			case p.hide:
				return w.c.hideProduct(ctx, w.s, id)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// applyOnce sends what is one thing for all items.
func (w *writing) applyOnce(ctx context.Context, at []int, send func(context.Context) error) error {
	if len(at) == 0 {
		return nil
	}
	err := send(ctx)
	switch {
	case err == nil:
		w.applied = true
	case isRejection(err):
		for _, i := range at {
			w.outcomes[i] = driver.OutcomeOf(err)
		}
	case !w.applied:
		return err
	default:
		w.fail(at, err)
	}
	return nil
}

func (w *writing) productWrites(ctx context.Context) (map[string]*productWrite, error) {
	writes := map[string]*productWrite{}
	off := map[string][]string{} // variants that are to be off sale, by product
	for _, i := range w.pending(func(i int) bool { return w.intents[i].Content != nil && w.refusals[i].Reason != "ProductDiffers" }) {
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
			p.fields["description"] = want.Product.Description
		}
		switch {
		case want.Enabled:
			p.show = p.show || !have.onSale(w.s)
		case have.onSale(w.s):
			off[have.ID] = append(off[have.ID], w.variants[i].ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(off)) {
		all, err := w.c.variantsOfProducts(ctx, []string{id})
		if err != nil {
			return nil, err
		}
		if isSubset(all, off[id]) {
			writes[id].hide = true
			continue
		}
		for _, i := range writes[id].at {
			if !w.intents[i].Content.Enabled {
				w.refusals[i] = rejected("VariantsShareStatus", "other variants of the product are on sale, and Medusa takes a product off sale as a whole")
			}
		}
	}
	return writes, nil
}

func isSubset(some, of []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(of, s) })
}

func (c *connection) updateProduct(ctx context.Context, id string, set map[string]any) error {
	return c.api.do(ctx, call{
		what: "write product", path: "/admin/products/" + url.PathEscape(id), query: fields("id", nil), body: set, write: true,
	}, &struct{}{})
}

// showProduct puts a product on sale in the kept sales channel.
func (c *connection) showProduct(ctx context.Context, s *shop, p product) error {
	if p.Status != statusPublished {
		if err := c.updateProduct(ctx, p.ID, map[string]any{"status": statusPublished}); err != nil {
			return err
		}
	}
	if p.inChannel(s) {
		return nil
	}
	return c.linkProduct(ctx, s, "add", p.ID)
}

// hideProduct takes a product off sale: out of the kept sales channel, or, when
// none is named, out of all of them as a draft.
func (c *connection) hideProduct(ctx context.Context, s *shop, id string) error {
	if s.salesChannel != "" {
		return c.linkProduct(ctx, s, "remove", id)
	}
	return c.updateProduct(ctx, id, map[string]any{"status": statusDraft})
}

func (c *connection) linkProduct(ctx context.Context, s *shop, change, id string) error {
	return c.api.do(ctx, call{
		what: "write sales channel", path: "/admin/sales-channels/" + url.PathEscape(s.salesChannel) + "/products",
		body: map[string]any{change: []string{id}}, write: true,
	}, &struct{}{})
}
