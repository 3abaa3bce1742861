package woocommerce

import (
	"context"

	"selaras.dev/selaras/connectors/driver"
)

// RemoveListings implements driver.ListingRemover. A product becomes a draft, a
// variation is switched off, and its product becomes a draft with the last of
// them. Nothing is deleted.
func (c *connection) RemoveListings(ctx context.Context, keys []driver.Key) ([]driver.Outcome, error) {
	ctx = driver.WithOperation(ctx, driver.OpRemove)
	if _, err := c.shop.read(ctx, c); err != nil {
		return nil, err
	}
	found, err := c.readKeys(ctx, keys)
	if err != nil {
		return nil, err
	}
	r := removal{keys: keys, writing: writing{c: c, saleOnly: true}}
	for _, it := range found {
		if it.enabled() {
			r.add(it)
		}
	}
	r.outcomes = make([]driver.Outcome, len(r.items))
	r.refusals = make([]driver.Outcome, len(r.items))
	if err := r.write(ctx); err != nil {
		return nil, err
	}
	return r.result(), nil
}

// removal is one call of RemoveListings: intents that items be off sale.
type removal struct {
	writing
	keys []driver.Key
	// of is the key that an intent is for.
	of []int
}

func (r *removal) add(it item) {
	for k, key := range r.keys {
		if key.SKU == "" && !isNamedBy(it, key.Ref) || key.SKU != "" && key.SKU != it.sku() {
			continue
		}
		r.items, r.of = append(r.items, it), append(r.of, k)
		r.intents = append(r.intents, driver.Intent{Content: &driver.Content{Enabled: false}})
		return
	}
}

// isNamedBy says that the Ref leads to the item.
func isNamedBy(it item, ref driver.Ref) bool {
	productID, variationID, _ := splitRef(ref)
	return it.owner().ID == productID && (variationID == 0 || variationID == it.ID)
}

// result is an outcome for each key: what is absent, was off sale before, or of
// which the shop says that it is off sale now, is done.
func (r *removal) result() []driver.Outcome {
	all := make([]driver.Outcome, len(r.keys))
	for k := range all {
		all[k].Kind = driver.Verified
	}
	for i, k := range r.of {
		if o := r.outcomes[i]; o.Kind != "" && o.Reason != reasonUnknownItem {
			all[k] = o
		}
	}
	return all
}
