package woocommerce

import (
	"context"
	"maps"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

// plan is what one call of WriteIntents sends: the variations of each product,
// and then products.
type plan struct {
	variations map[int64]updates
	products   updates
}

func (p *plan) variation(parent, id int64, intent int) change {
	if p.variations[parent] == nil {
		p.variations[parent] = updates{}
	}
	return p.variations[parent].of(id, intent)
}

// parts are in how many changes each of the intents has a part. Changes that set
// nothing are forgotten.
func (p *plan) parts(intents int) []int {
	parts := make([]int, intents)
	for _, all := range append(slices.Collect(maps.Values(p.variations)), p.products) {
		all.prune()
		for _, u := range all {
			for _, i := range u.at {
				parts[i]++
			}
		}
	}
	return parts
}

// plan says what is to be written for the intents.
func (w *writing) plan(ctx context.Context) (*plan, error) {
	p := &plan{variations: map[int64]updates{}, products: updates{}}
	for _, i := range w.pending(func(int) bool { return true }) {
		it := w.items[i]
		var set change
		if it.parent == nil {
			set = p.products.of(it.ID, i)
		} else {
			set = p.variation(it.parent.ID, it.ID, i)
		}
		for field, value := range w.fields(i) {
			set[field] = value
		}
		if want := w.content(i); want != nil && !w.saleOnly {
			p.describe(i, it, want)
		}
	}
	return p, w.planSale(ctx, p)
}

// describe sets what a product shows of itself. A product of variations is
// written only where it shows something else: each of its variations says the
// same of it.
func (p *plan) describe(i int, it item, want *driver.Content) {
	owner := it.owner()
	if it.parent != nil && plain(owner.Name) == want.Product.Title && owner.Description == want.Product.Description {
		return
	}
	set := p.products.of(owner.ID, i)
	set["name"], set["description"] = want.Product.Title, want.Product.Description
}

// title keeps the title of a listing where the shop has no place for it.
func (c change) title(it item, want *driver.Content) {
	switch {
	case it.parent != nil:
		c.meta([2]string{metaTitle, want.Title})
	case want.Title != want.Product.Title:
		c.meta([2]string{metaTitle, want.Title}, [2]string{metaTitleOf, want.Product.Title})
	case metaText(it.Meta, metaTitle) != "":
		c.meta([2]string{metaTitle, ""}, [2]string{metaTitleOf, ""})
	}
}

// planSale puts items on sale and takes them off. A variation can be bought
// where it is switched on and its product is published. So a product is
// published for the first of its variations, with the others switched off, and
// becomes a draft with the last.
func (w *writing) planSale(ctx context.Context, p *plan) error {
	wanted := map[int64]map[int64]bool{} // by product and variation
	intentOf := map[int64]int{}
	parents := map[int64]*product{}
	for _, i := range w.pending(func(i int) bool { return w.content(i) != nil }) {
		it, enabled := w.items[i], w.intents[i].Content.Enabled
		if it.parent == nil {
			p.products.of(it.ID, i).onSale(enabled, statusDraft)
			continue
		}
		p.variation(it.parent.ID, it.ID, i).onSale(enabled, statusPrivate)
		if wanted[it.parent.ID] == nil {
			wanted[it.parent.ID] = map[int64]bool{}
		}
		wanted[it.parent.ID][it.ID] = enabled
		intentOf[it.parent.ID] = i
		if enabled != (it.parent.Status == statusPublish) {
			parents[it.parent.ID] = it.parent
		}
	}
	if len(parents) == 0 {
		return nil
	}
	siblings, err := w.c.siblings(ctx, parents)
	if err != nil {
		return err
	}
	for id, parent := range parents {
		p.saleOf(parent, siblings[id], wanted[id], intentOf[id])
	}
	return nil
}

// saleOf sets the status of a product of variations, some of which are wanted on
// sale or off it.
func (p *plan) saleOf(parent *product, siblings []product, wanted map[int64]bool, intent int) {
	published := parent.Status == statusPublish
	sold := false
	for _, enabled := range wanted {
		sold = sold || enabled
	}
	for _, s := range siblings {
		if _, named := wanted[s.ID]; named || s.Status != statusPublish {
			continue
		}
		if published {
			sold = true
		} else {
			p.variation(parent.ID, s.ID, intent).onSale(false, statusPrivate)
		}
	}
	if sold != published {
		p.products.of(parent.ID, intent).onSale(sold, statusDraft)
	}
}

// onSale sets the status: published, or the one for what is not on sale.
func (c change) onSale(enabled bool, off string) {
	c["status"] = off
	if enabled {
		c["status"] = statusPublish
	}
}
