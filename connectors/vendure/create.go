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
// are updated. Every step finds again what an earlier, interrupted run made:
// the product by its slug, option groups and options by their codes, variants
// by their SKU.
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
	have, err := c.readKeys(ctx, s, keysOf(intents))
	if err != nil {
		return nil, err
	}
	exists := map[string]bool{}
	for _, l := range have {
		exists[l.SKU] = true
	}
	var (
		outcomes = make([]driver.Outcome, len(intents))
		known    []int
		groups   = map[string][]int{}
		order    []string
	)
	for i, intent := range intents {
		if exists[intent.SKU] {
			known = append(known, i)
			continue
		}
		if refusal := c.cannotCreate(s, intent); refusal != nil {
			outcomes[i] = *refusal
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
		c.createGroup(ctx, s, intents, groups[key], outcomes)
	}
	if len(known) > 0 {
		updates := make([]driver.Intent, len(known))
		for n, i := range known {
			updates[n] = intents[i]
			updates[n].Ref = ""
		}
		c.updateEach(ctx, s, updates, known, outcomes)
	}
	return outcomes, nil
}

func keysOf(intents []driver.Intent) []driver.Key {
	keys := make([]driver.Key, len(intents))
	for i, intent := range intents {
		keys[i] = driver.Key{SKU: intent.SKU}
	}
	return keys
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

// createGroup makes the variants of one product.
func (c *connection) createGroup(ctx context.Context, s *shop, intents []driver.Intent, at []int, outcomes []driver.Outcome) {
	fail := func(at []int, err error) {
		for _, i := range at {
			outcomes[i] = driver.OutcomeOf(err)
		}
	}
	p, err := c.ensureProduct(ctx, s, *intents[at[0]].Content)
	if err != nil {
		fail(at, err)
		return
	}
	taxCategory, err := c.taxCategory(ctx)
	if err != nil {
		fail(at, err)
		return
	}
	var (
		input []map[string]any
		ready []int
	)
	for _, i := range at {
		options, err := c.ensureOptions(ctx, s, p, intents[i].Content.Options)
		if err != nil {
			fail([]int{i}, err)
			continue
		}
		input = append(input, c.variantInput(s, p.ID, taxCategory, options, intents[i]))
		ready = append(ready, i)
	}
	c.createVariants(ctx, s, intents, ready, input, outcomes)
	c.finishProduct(ctx, s, intents, ready, outcomes)
}

func (c *connection) variantInput(s *shop, productID, taxCategory string, options []string, intent driver.Intent) map[string]any {
	// cannotCreate has checked it.
	price, _ := toStored(*intent.Price, s.precision)
	input := map[string]any{
		"productId":    productID,
		"sku":          intent.SKU,
		"enabled":      intent.Content.Enabled,
		"translations": []any{map[string]any{"languageCode": s.language, "name": intent.Content.Title}},
		"price":        price,
		"stockLevels":  []any{map[string]any{"stockLocationId": s.location, "stockOnHand": intent.Stock.Quantity}},
		"optionIds":    options,
		// The shop's default may be not to track, and then stock would mean nothing.
		"trackInventory": "TRUE",
	}
	if taxCategory != "" {
		input["taxCategoryId"] = taxCategory
	}
	return input
}

// createVariants makes the variants in one transaction, and each alone when
// the shop refuses them together.
func (c *connection) createVariants(ctx context.Context, s *shop, intents []driver.Intent, at []int, input []map[string]any, outcomes []driver.Outcome) {
	if len(at) == 0 {
		return
	}
	global, err := c.stockSettings(ctx)
	var data struct {
		Created []*variant `json:"createProductVariants"`
	}
	if err == nil {
		err = c.api.do(ctx, operation{
			what: "create listings", query: createMutation, write: true, language: s.language,
			variables: map[string]any{"input": input},
		}, &data)
	}
	var e *driver.Error
	if errors.As(err, &e) && e.Class == driver.ClassBatchRejected && len(at) > 1 {
		for n := range at {
			c.createVariants(ctx, s, intents, at[n:n+1], input[n:n+1], outcomes)
		}
		return
	}
	if err != nil {
		for _, i := range at {
			outcomes[i] = driver.OutcomeOf(err)
		}
		return
	}
	stored := map[string]driver.Listing{}
	for _, v := range data.Created {
		if v != nil {
			stored[v.SKU] = c.listing(*v, s, global)
		}
	}
	for _, i := range at {
		l, ok := stored[intents[i].SKU]
		if !ok {
			outcomes[i] = driver.Outcome{Kind: driver.Accepted, Reason: reasonBadAnswer, Message: "the answer did not hold the variant"}
			continue
		}
		outcomes[i] = verdict(intents[i], l)
		outcomes[i].Stored = &l
	}
}

// finishProduct writes what an existing product should show and does not, by
// updating the variants just made that are not yet as intended.
func (c *connection) finishProduct(ctx context.Context, s *shop, intents []driver.Intent, at []int, outcomes []driver.Outcome) {
	var (
		updates []driver.Intent
		where   []int
	)
	for _, i := range at {
		if outcomes[i].Kind == driver.Accepted && outcomes[i].Stored != nil {
			update := intents[i]
			update.Ref = outcomes[i].Stored.Ref
			update.Price, update.Stock = nil, nil
			updates = append(updates, update)
			where = append(where, i)
		}
	}
	if len(updates) == 0 {
		return
	}
	c.updateEach(ctx, s, updates, where, outcomes)
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
