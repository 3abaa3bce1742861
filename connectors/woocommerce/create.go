package woocommerce

import (
	"context"
	"fmt"
	"net/http"
	"regexp"

	"selaras.dev/selaras/connectors/driver"
)

// CreateListings implements driver.ListingCreator. What exists by its SKU is
// updated. The rest is made product by product: one without options is a simple
// product, and many of them are made in one batch; any other is a product with
// variations, which is found again by its slug where a creation was cut off
// between the two.
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
	k := &creation{c: c, s: s, intents: intents, outcomes: make([]driver.Outcome, len(intents))}
	if err := k.sort(ctx); err != nil {
		return nil, err
	}
	k.createSimple(ctx)
	for _, key := range k.keys {
		k.createVariations(ctx, key, k.groups[key])
	}
	k.update(ctx, k.known)
	return k.outcomes, nil
}

// creation is one call of CreateListings.
type creation struct {
	c        *connection
	s        *shop
	intents  []driver.Intent
	outcomes []driver.Outcome
	// known are intents whose SKUs exist, simple those of products without
	// options, groups the others by product, in the order of keys.
	known, simple []int
	groups        map[string][]int
	keys          []string
}

// sort says what is to be done for each intent.
func (k *creation) sort(ctx context.Context) error {
	var skus []string
	for _, intent := range k.intents {
		if intent.SKU != "" {
			skus = append(skus, intent.SKU)
		}
	}
	have, err := k.c.bySKU(ctx, skus)
	if err != nil {
		return err
	}
	exists := map[string]bool{}
	for _, it := range have {
		exists[it.sku()] = true
	}
	k.groups = map[string][]int{}
	for i, intent := range k.intents {
		if exists[intent.SKU] {
			k.known = append(k.known, i)
			continue
		}
		if k.outcomes[i] = k.refusal(intent); k.outcomes[i].Kind != "" {
			continue
		}
		// A SKU named twice is made once and then updated.
		exists[intent.SKU] = true
		if len(intent.Content.Options) == 0 {
			k.simple = append(k.simple, i)
			continue
		}
		key := intent.Content.Product.Key
		if k.groups[key] == nil {
			k.keys = append(k.keys, key)
		}
		k.groups[key] = append(k.groups[key], i)
	}
	return nil
}

// slug is what WordPress leaves as it is.
var slug = regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)

// maxSlug is how long a slug may be, in bytes.
const maxSlug = 200

// refusal is why an intent is not to be sent.
func (k *creation) refusal(intent driver.Intent) driver.Outcome {
	switch {
	case intent.SKU == "":
		return rejected("SKUMissing", "a listing without SKU would not be found again")
	case intent.Content == nil || intent.Price == nil || intent.Stock == nil:
		return rejected("Incomplete", "a new listing needs content, price and stock")
	case !slug.MatchString(intent.Content.Product.Key) || len(intent.Content.Product.Key) > maxSlug:
		return rejected("InvalidProductKey", "the key of a new product must be a slug: small letters, digits and hyphens, at most 200")
	}
	if reason := badOption(intent.Content.Options); reason != "" {
		return rejected("InvalidOption", reason)
	}
	w := writing{c: k.c, s: k.s, intents: []driver.Intent{intent}, outcomes: make([]driver.Outcome, 1)}
	w.refuseInvalid()
	return w.outcomes[0]
}

// createSimple makes all simple products in one batch.
func (k *creation) createSimple(ctx context.Context) {
	if len(k.simple) == 0 {
		return
	}
	items := make([]change, len(k.simple))
	for n, i := range k.simple {
		content := k.intents[i].Content
		set := k.fields(i)
		set["type"], set["name"], set["slug"], set["description"] = typeSimple, content.Product.Title, content.Product.Key, content.Product.Description
		set.onSale(content.Enabled, statusDraft)
		set.title(item{}, content)
		items[n] = set
	}
	answers, err := k.c.batch(ctx, "create listings", "/products", "create", items)
	if err != nil {
		k.fail(k.simple, err)
		return
	}
	for n, i := range k.simple {
		k.judge(ctx, i, items[n], answers[n])
	}
}

// judge is the outcome of one new product. A shop in which another product has
// the slug gives the new one another: it is taken back.
func (k *creation) judge(ctx context.Context, i int, set change, a answered) {
	key := k.intents[i].Content.Product.Key
	switch {
	case a.Error != nil:
		k.outcomes[i] = rejection(*a.Error)
	case a.Slug != key:
		k.outcomes[i] = rejected(reasonKeyTaken, fmt.Sprintf("another product of the shop has the slug %q", key))
		if err := k.takeBack(ctx, a.ID); err != nil {
			k.outcomes[i] = driver.OutcomeOf(err)
		}
	case set.altered(a.product) != "":
		k.outcomes[i] = rejected(reasonAltered, "WordPress stored another "+set.altered(a.product)+" than was sent: it filters HTML, and wants & written as &amp;")
	default:
		k.outcomes[i].Kind = driver.Accepted
	}
}

// takeBack deletes a product that was made a moment ago.
func (k *creation) takeBack(ctx context.Context, id int64) error {
	_, err := k.c.api.do(ctx, call{
		what: "take back a product", method: http.MethodDelete, path: fmt.Sprintf("/products/%d", id),
		query: map[string][]string{"force": {"true"}},
	}, &struct{}{})
	return err
}

// fields are those of a new listing that products and variations share.
func (k *creation) fields(i int) change {
	intent := k.intents[i]
	return change{
		"sku": intent.SKU, "regular_price": intent.Price.Decimal(),
		"manage_stock": true, "stock_quantity": intent.Stock.Quantity,
	}
}

func (k *creation) fail(at []int, err error) {
	for _, i := range at {
		k.outcomes[i] = driver.OutcomeOf(err)
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
	written, err := k.c.writeIntents(ctx, updates)
	if err != nil {
		k.fail(at, err)
		return
	}
	for n, i := range at {
		k.outcomes[i] = written[n]
	}
}
