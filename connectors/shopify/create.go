package shopify

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"selaras.dev/selaras/connectors/driver"
)

// CreateListings implements driver.ListingCreator. A product is found by its
// handle, a variant by its SKU or in its product: what an interrupted run has
// made is found and completed.
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
	var keys []driver.Key
	for _, intent := range intents {
		if intent.SKU != "" {
			keys = append(keys, driver.Key{SKU: intent.SKU})
		}
	}
	have, err := c.readKeys(ctx, s, keys)
	if err != nil {
		return nil, err
	}
	c.listings(have, s) // remembered
	exists := map[string]bool{}
	for _, v := range have {
		exists[v.SKU] = true
	}
	k := &creation{c: c, s: s, intents: intents, outcomes: make([]driver.Outcome, len(intents))}
	var (
		groups = map[string][]int{}
		order  []string
	)
	for i, intent := range intents {
		if exists[intent.SKU] {
			k.known = append(k.known, i)
			continue
		}
		if refusal := c.cannotCreate(s, intent); refusal.Kind != "" {
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
	k.publish(ctx)
	// A group that was taken apart has found what is there more than once.
	slices.Sort(k.known)
	k.update(ctx, slices.Compact(k.known))
	return k.outcomes, nil
}

// cannotCreate is the refusal of an intent that is not to be sent.
func (c *connection) cannotCreate(s *shop, intent driver.Intent) driver.Outcome {
	switch {
	case intent.SKU == "":
		return rejected("SKUMissing", "a listing without SKU would not be found again")
	case intent.Content == nil || intent.Price == nil || intent.Stock == nil:
		return rejected("Incomplete", "a new listing needs content, price and stock")
	case !isHandle(intent.Content.Product.Key):
		return rejected("InvalidProductKey", "the key of a product is its handle here: small letters, digits and single hyphens between them; Shopify would make another one of this key, and the product would not be found again")
	case len(intent.Content.Options) > maxOptions:
		return rejected(reasonOptionsDiffer, "a product of Shopify has three options at most")
	}
	w := writing{c: c, s: s, intents: []driver.Intent{intent}, outcomes: make([]driver.Outcome, 1)}
	w.refuseInvalid()
	return w.outcomes[0]
}

const maxOptions = 3

// isHandle says that Shopify keeps the text as it is as the handle of a product.
func isHandle(text string) bool {
	for _, r := range text {
		if r != '-' && r != '_' && !unicode.IsDigit(r) && (!unicode.IsLetter(r) || unicode.IsUpper(r)) {
			return false
		}
	}
	return text != "" && !strings.HasPrefix(text, "-") && !strings.HasSuffix(text, "-") && !strings.Contains(text, "--")
}

// creation is one call of CreateListings.
type creation struct {
	c        *connection
	s        *shop
	intents  []driver.Intent
	outcomes []driver.Outcome
	// known are the intents whose listings exist, fresh the products that were
	// made and are to be published.
	known []int
	fresh []freshProduct
}

// freshProduct is a product that was made, and the intents it was made for.
type freshProduct struct {
	id string
	at []int
}

func (k *creation) fail(at []int, err error) {
	for _, i := range at {
		k.outcomes[i] = driver.OutcomeOf(err)
	}
}

// createGroup makes the variants of one product, each alone where the shop
// refuses them together.
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
	}
}

// made takes in the variants that the shop made.
func (k *creation) made(at []int, nodes []madeVariant) {
	ids := map[string]string{}
	for _, v := range nodes {
		ids[v.SKU] = v.ID
		k.c.known.note(v.SKU, number(v.ID), "")
	}
	for _, i := range at {
		k.outcomes[i] = driver.Outcome{Kind: driver.Accepted}
		if id := ids[k.intents[i].SKU]; id != "" {
			k.outcomes[i].Stored = &driver.Listing{SKU: k.intents[i].SKU, Ref: variantRef(id)}
		}
	}
}

// publish puts the new products into the sales channel. One that is not yet is
// found off sale by the next attempt, which publishes it.
func (k *creation) publish(ctx context.Context) {
	if k.s.publication == "" {
		return
	}
	var all []mutation
	var of [][]int
	for _, p := range k.fresh {
		if !slices.ContainsFunc(p.at, func(i int) bool { return k.intents[i].Content.Enabled }) {
			continue
		}
		of = append(of, p.at)
		all = append(all, k.c.publication("publishablePublish", p.id, k.s, func(r result) {
			if outcome := r.outcome(); outcome.Kind != "" {
				for _, i := range p.at {
					k.outcomes[i] = outcome
				}
			}
		}))
	}
	if done, err := k.c.runAll(ctx, "publish products", "PublishProducts", "", all); err != nil {
		k.fail(slices.Concat(of[done:]...), err)
	}
}

// update writes intents whose listings exist.
func (k *creation) update(ctx context.Context, at []int) {
	if len(at) == 0 {
		return
	}
	updates := make([]driver.Intent, len(at))
	for n, i := range at {
		updates[n] = k.intents[i]
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
