package vendure

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

const createMutation = `mutation CreateVariants($input: [CreateProductVariantInput!]!) {
  createProductVariants(input: $input) { ...Variant }
}` + variantFields

// CreateListings implements driver.ListingCreator. Variants that exist by SKU
// are updated. Every step finds again what an earlier, interrupted run made.
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
	b := &creation{c: c, s: s, intents: intents, outcomes: make([]driver.Outcome, len(intents)), made: map[string]bool{}}
	all := make([]int, len(intents))
	for i := range all {
		all[i] = i
	}
	b.create(ctx, all)
	if b.whole != nil {
		return nil, b.whole
	}
	return b.outcomes, nil
}

// creation is one call of CreateListings. It takes a request for each step,
// not for each listing: what there is, products and option groups, the groups
// of the products, variants.
type creation struct {
	c        *connection
	s        *shop
	intents  []driver.Intent
	outcomes []driver.Outcome
	// made are the ids of products that this call made.
	made map[string]bool
	// whole is an error that hit every intent alike.
	whole error
}

// create makes the listings of the intents at those indexes, and updates those
// that exist.
func (b *creation) create(ctx context.Context, at []int) {
	if len(at) == 0 {
		return
	}
	p, err := b.c.find(ctx, b.s, b.pick(at))
	if err != nil {
		b.fail(at, err)
		return
	}
	fresh, known := b.divide(p, at)
	err = b.c.makeProducts(ctx, b.s, p, needsOf(b.pick(fresh)))
	var one *blame
	if errors.As(err, &one) {
		b.without(ctx, one, fresh)
	} else if err != nil {
		b.fail(fresh, err)
	} else {
		for _, product := range p.products {
			b.made[product.ID] = b.made[product.ID] || product.made
		}
		b.createVariants(ctx, fresh, b.inputs(p, fresh))
		b.finishProducts(ctx, fresh)
	}
	b.update(ctx, p, known)
}

func (b *creation) pick(at []int) []driver.Intent {
	intents := make([]driver.Intent, len(at))
	for n, i := range at {
		intents[n] = b.intents[i]
	}
	return intents
}

// fail tells what hit these intents.
func (b *creation) fail(at []int, err error) {
	for _, i := range at {
		b.outcomes[i] = driver.OutcomeOf(err)
	}
	if len(at) == len(b.intents) && driver.ClassOf(err) != driver.ClassBatchRejected {
		b.whole = err
	}
}

// divide tells listings that are to be made from those that exist, and refuses
// those that cannot be made. A SKU named twice is made once and then updated.
func (b *creation) divide(p *parts, at []int) (fresh, known []int) {
	named := map[string]bool{}
	for _, i := range at {
		intent := b.intents[i]
		if len(p.variants[intent.SKU]) > 0 || named[intent.SKU] {
			known = append(known, i)
		} else if refusal := b.c.cannotCreate(b.s, intent); refusal != nil {
			b.outcomes[i] = *refusal
		} else {
			named[intent.SKU] = true
			fresh = append(fresh, i)
		}
	}
	return fresh, known
}

// without goes on without the product to blame. Where it has several listings,
// one of them may be: each is tried alone.
func (b *creation) without(ctx context.Context, one *blame, at []int) {
	var blamed, rest []int
	for _, i := range at {
		if b.intents[i].Content.Product.Key == one.key {
			blamed = append(blamed, i)
		} else {
			rest = append(rest, i)
		}
	}
	if len(blamed) == 1 || driver.ClassOf(one) == driver.ClassUnknown {
		b.fail(blamed, one)
	} else {
		for _, i := range blamed {
			b.create(ctx, []int{i})
		}
	}
	b.create(ctx, rest)
}

// update writes listings that exist. One that bears a SKU alone is known by its
// Ref.
func (b *creation) update(ctx context.Context, p *parts, at []int) {
	if len(at) == 0 {
		return
	}
	updates := b.pick(at)
	for n := range updates {
		updates[n].Ref = ""
		if refs := p.variants[updates[n].SKU]; len(refs) == 1 {
			updates[n].Ref = refs[0]
		}
	}
	b.c.updateEach(ctx, b.s, updates, at, b.outcomes)
}

// updateEach writes intents whose listings exist; a refused batch is written
// one by one, since part of the call has been done already.
func (c *connection) updateEach(ctx context.Context, s *shop, updates []driver.Intent, at []int, outcomes []driver.Outcome) {
	written, err := c.writeIntents(ctx, s, updates)
	if driver.ClassOf(err) == driver.ClassBatchRejected && err != nil && len(updates) > 1 {
		for n := range updates {
			c.updateEach(ctx, s, updates[n:n+1], at[n:n+1], outcomes)
		}
		return
	}
	for n, i := range at {
		if err != nil {
			outcomes[i] = driver.OutcomeOf(err)
		} else {
			outcomes[i] = written[n]
		}
	}
}

// cannotCreate is the refusal of an intent that is not to be sent; nil for one
// that is.
func (c *connection) cannotCreate(s *shop, intent driver.Intent) *driver.Outcome {
	refuse := func(reason, message string) *driver.Outcome {
		o := rejected(reason, message)
		return &o
	}
	switch {
	case intent.SKU == "":
		return refuse("SKUMissing", "a listing without SKU would not be found again")
	case intent.Content == nil || intent.Price == nil || intent.Stock == nil:
		return refuse("Incomplete", "a new listing needs content, price and stock")
	case !isSlug(intent.Content.Product.Key):
		return refuse("InvalidProductKey", fmt.Sprintf("the product's key %q is not a slug (lower case letters, digits, hyphens), so the shop would change it and the product would not be found again", intent.Content.Product.Key))
	case s.defaultCurrency != c.currency:
		return refuse("CurrencyNotDefault", fmt.Sprintf("the shop gives a new variant a price in %s, and this channel sells in %s: it would be on sale for nothing", s.defaultCurrency, c.currency))
	}
	w := newWriting(c, s, []driver.Intent{intent})
	w.refuseInvalid()
	if w.outcomes[0].Kind != "" {
		return &w.outcomes[0]
	}
	return nil
}

// inputs are the CreateProductVariantInput of the intents.
func (b *creation) inputs(p *parts, at []int) []map[string]any {
	inputs := make([]map[string]any, len(at))
	for n, i := range at {
		intent := b.intents[i]
		product := p.products[intent.Content.Product.Key]
		// cannotCreate has checked it.
		price, _ := toStored(*intent.Price, b.s.precision)
		inputs[n] = map[string]any{
			"productId":    product.ID,
			"sku":          intent.SKU,
			"enabled":      intent.Content.Enabled,
			"translations": b.s.translation(intent.Content.Title),
			"price":        price,
			"stockLevels":  []any{map[string]any{"stockLocationId": b.s.location, "stockOnHand": intent.Stock.Quantity}},
			"optionIds":    product.optionIDs(intent.Content.Options),
			// The shop's default may be not to track, and then stock would mean nothing.
			"trackInventory": "TRUE",
		}
		if p.taxCategory != "" {
			inputs[n]["taxCategoryId"] = p.taxCategory
		}
	}
	return inputs
}

// createVariants makes the variants in one transaction, and halves of them
// where the shop refuses them together.
func (b *creation) createVariants(ctx context.Context, at []int, inputs []map[string]any) {
	if len(at) == 0 {
		return
	}
	global, err := b.c.stockSettings(ctx)
	var data struct {
		Created []*variant `json:"createProductVariants"`
	}
	if err == nil {
		err = b.c.api.do(ctx, operation{
			what: "create listings", query: createMutation, write: true, language: b.s.language,
			variables: map[string]any{"input": inputs},
		}, &data)
	}
	if err != nil && driver.ClassOf(err) == driver.ClassBatchRejected && len(at) > 1 {
		half := len(at) / 2
		b.createVariants(ctx, at[:half], inputs[:half])
		b.createVariants(ctx, at[half:], inputs[half:])
		return
	}
	if err != nil {
		b.fail(at, err)
		return
	}
	stored := map[string]driver.Listing{}
	for _, v := range data.Created {
		if v == nil {
			continue
		}
		stored[v.SKU] = b.c.listing(*v, b.s, global)
		if b.made[v.Product.ID] {
			b.c.own.note(v.Product.ID, v.Product.UpdatedAt)
		}
	}
	for _, i := range at {
		l, ok := stored[b.intents[i].SKU]
		if !ok {
			b.outcomes[i] = driver.Outcome{Kind: driver.Accepted, Reason: reasonBadAnswer, Message: "the answer did not hold the variant"}
			continue
		}
		b.outcomes[i] = verdict(b.intents[i], l)
		b.outcomes[i].Stored = &l
	}
}

// finishProducts writes what existing products should show and do not, by
// updating the variants just made that are not yet as intended.
func (b *creation) finishProducts(ctx context.Context, at []int) {
	var (
		updates []driver.Intent
		where   []int
	)
	for _, i := range at {
		if b.outcomes[i].Kind == driver.Accepted && b.outcomes[i].Stored != nil {
			update := b.intents[i]
			update.Ref = b.outcomes[i].Stored.Ref
			update.Price, update.Stock = nil, nil
			updates = append(updates, update)
			where = append(where, i)
		}
	}
	if len(updates) > 0 {
		b.c.updateEach(ctx, b.s, updates, where, b.outcomes)
	}
}

// isSlug says that Vendure would keep the text as a slug.
func isSlug(text string) bool {
	if text == "" || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	return !slices.ContainsFunc([]byte(text), func(b byte) bool {
		return (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-'
	})
}
