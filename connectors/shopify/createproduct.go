package shopify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

const productQuery = `query ProductByHandle($handle: String!) {
  productByIdentifier(identifier: {handle: $handle}) { id hasOnlyDefaultVariant options { name } variants(first: 250) { nodes { id sku } pageInfo { hasNextPage endCursor } } }
}`

const createProductMutation = `mutation CreateProduct($input: ProductSetInput!, $variants: Int!) {
  productSet(input: $input, synchronous: true) { product { id handle variants(first: $variants) { nodes { id sku } } } userErrors { field code message } }
}`

const createVariantsMutation = `mutation CreateVariants($id: ID!, $variants: [ProductVariantsBulkInput!]!) {
  productVariantsBulkCreate(productId: $id, variants: $variants, strategy: PRESERVE_STANDALONE_VARIANT) { productVariants { id sku } userErrors { field code message } }
}`

type madeVariant struct {
	ID  string `json:"id"`
	SKU string `json:"sku"`
}

// foundProduct is a product that has the handle.
type foundProduct struct {
	ID       string   `json:"id"`
	Plain    bool     `json:"hasOnlyDefaultVariant"`
	Options  []option `json:"options"`
	Variants struct {
		Nodes []madeVariant `json:"nodes"`
		Page  pageInfo      `json:"pageInfo"`
	} `json:"variants"`
}

func optionNames(options []driver.Option) []string {
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.Name
	}
	return names
}

// optionsOf are the options of an intent as Shopify wants them: at least one.
func optionsOf(intent driver.Intent) []driver.Option {
	if len(intent.Content.Options) == 0 {
		return []driver.Option{{Name: plainOption, Value: plainValue}}
	}
	return intent.Content.Options
}

// createVariants makes the variants of one product, and the product where it is
// not there.
func (k *creation) createVariants(ctx context.Context, at []int) error {
	const what = "create listings"
	names := optionNames(optionsOf(k.intents[at[0]]))
	for _, i := range at[1:] {
		if !slices.Equal(names, optionNames(optionsOf(k.intents[i]))) {
			return optionsDiffer("the variants of one product must have the same options")
		}
	}
	var data struct {
		Product *foundProduct `json:"productByIdentifier"`
	}
	_, err := k.c.api.do(ctx, operation{what: what, name: "ProductByHandle", query: productQuery, variables: map[string]any{
		"handle": k.intents[at[0]].Content.Product.Key,
	}}, &data)
	if err != nil {
		return err
	}
	if data.Product == nil {
		return k.createProduct(ctx, at, names)
	}
	if at, err = k.withoutKnown(ctx, *data.Product, at); err != nil || len(at) == 0 {
		return err
	}
	return k.addVariants(ctx, *data.Product, at, names)
}

// withoutKnown leaves out the intents whose variants the product has: the search
// may not have found yet what a run before this one has made.
func (k *creation) withoutKnown(ctx context.Context, p foundProduct, at []int) ([]int, error) {
	of := variantIDs{ID: p.ID}
	of.Variants.Page = p.Variants.Page
	more, err := k.c.moreVariants(ctx, of)
	if err != nil {
		return nil, err
	}
	rest, err := k.c.readIDs(ctx, k.s, more)
	if err != nil {
		return nil, err
	}
	have := p.Variants.Nodes
	for _, v := range rest {
		have = append(have, madeVariant{ID: v.ID, SKU: v.SKU})
	}
	at = slices.Clone(at)
	for _, v := range have {
		k.c.known.note(v.SKU, number(v.ID), "")
		if n := slices.IndexFunc(at, func(i int) bool { return k.intents[i].SKU == v.SKU }); n >= 0 {
			k.known = append(k.known, at[n])
			at = slices.Delete(at, n, n+1)
		}
	}
	return at, nil
}

func optionsDiffer(message string) error {
	return &driver.Error{Class: driver.ClassBatchRejected, Op: "create listings", Reason: reasonOptionsDiffer, Message: driver.ClipMessage(message)}
}

// refusal is the error by which a mutation refused everything.
func refusal(op string, errs []userError) error {
	o := refusedBy(errs[0])
	return &driver.Error{Class: driver.ClassBatchRejected, Op: op, Reason: o.Reason, Message: o.Message}
}

type valueInput struct {
	Option string `json:"optionName"`
	Name   string `json:"name"`
}

// newVariant is what both ways of making a variant take.
func (k *creation) newVariant(i int) map[string]any {
	intent := k.intents[i]
	var values []valueInput
	for _, o := range optionsOf(intent) {
		values = append(values, valueInput{Option: o.Name, Name: o.Value})
	}
	v := map[string]any{
		"optionValues": values, "price": intent.Price.Decimal(),
		"inventoryItem": map[string]any{"sku": intent.SKU, "tracked": true},
	}
	if title := intent.Content.Title; title != "" && title != madeTitle(intent.Content) {
		v["metafields"] = ownTitle(title)
	}
	return v
}

// madeTitle is the title that Shopify makes for a new variant.
func madeTitle(content *driver.Content) string {
	if len(content.Options) == 0 {
		return content.Product.Title
	}
	values := make([]string, len(content.Options))
	for i, o := range content.Options {
		values[i] = o.Value
	}
	return strings.Join(values, " / ")
}

// createProduct makes a product with its variants, prices and stock. Without an
// identifier, productSet never touches a product that is there: one that has got
// the handle meanwhile makes it refuse.
func (k *creation) createProduct(ctx context.Context, at []int, names []string) error {
	const what = "create product"
	content := k.intents[at[0]].Content
	status := statusDraft
	variants := make([]map[string]any, len(at))
	for n, i := range at {
		if k.intents[i].Content.Enabled {
			status = statusActive
		}
		variants[n] = k.newVariant(i)
		variants[n]["inventoryQuantities"] = []map[string]any{{"locationId": k.s.location, "name": "available", "quantity": k.intents[i].Stock.Quantity}}
	}
	options := make([]map[string]any, len(names))
	for n, name := range names {
		var values []map[string]string
		for _, value := range k.values(at, name) {
			values = append(values, map[string]string{"name": value})
		}
		options[n] = map[string]any{"name": name, "position": n + 1, "values": values}
	}
	var data struct {
		Made struct {
			Product *struct {
				ID       string `json:"id"`
				Handle   string `json:"handle"`
				Variants struct {
					Nodes []madeVariant `json:"nodes"`
				} `json:"variants"`
			} `json:"product"`
			Errors []userError `json:"userErrors"`
		} `json:"productSet"`
	}
	o := operation{what: what, name: "CreateProduct", query: createProductMutation, parts: len(at), write: true, variables: map[string]any{
		"variants": min(len(at), maxNodes),
		"input": map[string]any{
			"title": content.Product.Title, "handle": content.Product.Key, "descriptionHtml": content.Product.Description,
			"status": status, "productOptions": options, "variants": variants,
		},
	}}
	_, err := k.c.api.do(ctx, o, &data)
	switch made := data.Made.Product; {
	case err != nil:
		return err
	case len(data.Made.Errors) > 0:
		return refusal(what, data.Made.Errors)
	case made == nil:
		return badAnswer(o, nil)
	default:
		k.made(at, made.Variants.Nodes)
		k.fresh = append(k.fresh, freshProduct{id: made.ID, at: at})
	}
	return nil
}

// values are the values of one option in the order of the intents.
func (k *creation) values(at []int, name string) []string {
	var values []string
	for _, i := range at {
		for _, o := range optionsOf(k.intents[i]) {
			if o.Name == name && !slices.Contains(values, o.Value) {
				values = append(values, o.Value)
			}
		}
	}
	return values
}

// addVariants makes variants of a product that is there, and then writes what
// they say of the product itself.
func (k *creation) addVariants(ctx context.Context, p foundProduct, at []int, names []string) error {
	const what = "create listings"
	have := make([]string, len(p.Options))
	for i, o := range p.Options {
		have[i] = o.Name
	}
	if p.Plain || !slices.Equal(have, names) {
		return optionsDiffer(fmt.Sprintf("the product has the options %q, not %q", have, names))
	}
	variants := make([]map[string]any, len(at))
	for n, i := range at {
		variants[n] = k.newVariant(i)
		variants[n]["inventoryQuantities"] = []map[string]any{{"locationId": k.s.location, "availableQuantity": k.intents[i].Stock.Quantity}}
	}
	var data struct {
		Made struct {
			Variants []madeVariant `json:"productVariants"`
			Errors   []userError   `json:"userErrors"`
		} `json:"productVariantsBulkCreate"`
	}
	_, err := k.c.api.do(ctx, operation{what: what, name: "CreateVariants", query: createVariantsMutation, write: true, variables: map[string]any{
		"id": p.ID, "variants": variants,
	}}, &data)
	if err != nil {
		return err
	}
	if len(data.Made.Errors) > 0 {
		return refusal(what, data.Made.Errors)
	}
	k.made(at, data.Made.Variants)
	k.updateContent(ctx, at)
	return nil
}

// updateContent writes the content of variants that were just made; what it
// cannot write is their outcome.
func (k *creation) updateContent(ctx context.Context, at []int) {
	updates := make([]driver.Intent, len(at))
	for n, i := range at {
		updates[n] = driver.Intent{Key: driver.Key{SKU: k.intents[i].SKU}, Version: k.intents[i].Version, Content: k.intents[i].Content}
	}
	written, err := k.c.writeIntents(ctx, k.s, updates)
	if err != nil {
		k.fail(at, err)
		return
	}
	for n, i := range at {
		if written[n].Kind != driver.Accepted {
			k.outcomes[i] = written[n]
		}
	}
}
