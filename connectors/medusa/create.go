package medusa

import (
	"context"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

// CreateListings implements driver.ListingCreator. A product is found by its
// handle, a variant by its SKU: what an interrupted run has made is found and
// completed. A new product is made with its variants and prices in one request;
// stock is set after it.
func (c *connection) CreateListings(ctx context.Context, intents []driver.Intent) ([]driver.Outcome, error) {
	ctx = driver.WithOperation(ctx, driver.OpCreate)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return nil, err
	}
	select {
	case c.creating <- struct{}{}:
		defer func() { <-c.creating }()
	case <-ctx.Done():
		return nil, driver.TransportError("create listings", false, ctx.Err())
	}
	skus := make([]string, len(intents))
	for i, intent := range intents {
		skus[i] = intent.SKU
	}
	have, err := c.readBy(ctx, "sku[]", slices.DeleteFunc(skus, func(sku string) bool { return sku == "" }))
	if err != nil {
		return nil, err
	}
	exists := map[string]bool{}
	for _, v := range have {
		exists[v.SKU] = true
	}
	k := creation{c: c, s: s, intents: intents, outcomes: make([]driver.Outcome, len(intents))}
	var (
		known  []int
		groups = map[string][]int{}
		order  []string
	)
	for i, intent := range intents {
		if exists[intent.SKU] {
			known = append(known, i)
			continue
		}
		if refusal := c.cannotCreate(intent); refusal.Kind != "" {
			k.outcomes[i] = refusal
			continue
		}
		// A SKU named twice is made once and then updated.
		exists[intent.SKU] = true
		key := intent.Content.Product.Key
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], i)
	}
	for _, key := range order {
		k.createGroup(ctx, groups[key])
	}
	k.update(ctx, known, true)
	return k.outcomes, nil
}

// cannotCreate is the refusal of an intent that is not to be sent.
func (c *connection) cannotCreate(intent driver.Intent) driver.Outcome {
	switch {
	case intent.SKU == "":
		return rejected("SKUMissing", "a listing without SKU would not be found again")
	case intent.Content == nil || intent.Price == nil || intent.Stock == nil:
		return rejected("Incomplete", "a new listing needs content, price and stock")
	case intent.Content.Product.Key == "":
		return rejected("InvalidProductKey", "a product without a key would not be found again")
	}
	w := writing{c: c, intents: []driver.Intent{intent}, outcomes: make([]driver.Outcome, 1)}
	w.refuseInvalid()
	return w.outcomes[0]
}

// creation is one call of CreateListings.
type creation struct {
	c        *connection
	s        *shop
	intents  []driver.Intent
	outcomes []driver.Outcome
	// shippingProfile of new products, read once.
	shippingProfile string
}

func (k *creation) fail(at []int, err error) {
	for _, i := range at {
		k.outcomes[i] = driver.OutcomeOf(err)
	}
}

// createGroup makes the variants of one product, each alone where the shop
// refuses them together, and then sets what could not be said when they were
// made: their stock, and the product's title if the product was there.
func (k *creation) createGroup(ctx context.Context, at []int) {
	err := k.createVariants(ctx, at)
	if isRejection(err) && len(at) > 1 {
		for n := range at {
			k.createGroup(ctx, at[n:n+1])
		}
		return
	}
	if err != nil {
		k.fail(at, err)
		return
	}
	k.update(ctx, at, false)
}

// update writes intents whose listings exist. A refused batch has been taken
// apart by WriteIntents already.
func (k *creation) update(ctx context.Context, at []int, prices bool) {
	if len(at) == 0 {
		return
	}
	updates := make([]driver.Intent, len(at))
	for n, i := range at {
		updates[n] = k.intents[i]
		if !prices {
			updates[n].Price = nil
		}
	}
	written, err := k.c.writeIntents(ctx, k.s, updates)
	if err != nil {
		k.fail(at, err)
		return
	}
	for n, i := range at {
		k.outcomes[i] = written[n]
	}
}
