package woocommerce

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// badOption says which option WordPress would not keep as it is: it lists the
// values of an attribute in one text, parted by bars, and tidies each.
func badOption(options []driver.Option) string {
	for _, o := range options {
		for _, text := range []string{o.Name, o.Value} {
			if text == "" || strings.Join(strings.Fields(text), " ") != text || strings.ContainsAny(text, `|<>\&`) {
				return fmt.Sprintf("%q cannot be the name or value of an option: it must not be empty, nor hold | < > \\ &, nor spaces at its ends or two in a row", text)
			}
		}
	}
	return ""
}

// createVariations makes the variations of one product, and the product where it
// is not there.
func (k *creation) createVariations(ctx context.Context, key string, at []int) {
	names := optionNames(k.intents[at[0]].Content.Options)
	for _, i := range at[1:] {
		if !slices.Equal(names, optionNames(k.intents[i].Content.Options)) {
			k.settle(at, rejected(reasonOptionsDiffer, "the variations of one product must have the same options"))
			return
		}
	}
	parent, made, refusal, err := k.parent(ctx, key, names, at)
	if err != nil {
		k.fail(at, err)
		return
	}
	if refusal.Kind != "" {
		k.settle(at, refusal)
		return
	}
	items := make([]change, len(at))
	for n, i := range at {
		items[n] = k.variation(parent, i)
	}
	answers, err := k.c.batch(ctx, "create variations", variationsPath(parent.ID), "create", items)
	if err != nil {
		k.fail(at, err)
		return
	}
	var created []int
	for n, i := range at {
		if answers[n].Error != nil {
			k.outcomes[i] = rejection(*answers[n].Error)
			continue
		}
		k.outcomes[i].Kind = driver.Accepted
		created = append(created, i)
	}
	if made {
		return
	}
	// What a product that was there says of itself, and whether it is on sale.
	k.update(ctx, created)
	for _, i := range created {
		if k.outcomes[i].Reason == reasonUnknownItem {
			// A replica that lags does not show it yet.
			k.outcomes[i] = driver.Outcome{Kind: driver.Accepted}
		}
	}
}

func (k *creation) settle(at []int, outcome driver.Outcome) {
	for _, i := range at {
		k.outcomes[i] = outcome
	}
}

func optionNames(options []driver.Option) []string {
	names := make([]string, len(options))
	for n, o := range options {
		names[n] = o.Name
	}
	return names
}

// variation is one to make. It names attributes of the whole shop by their ids,
// those of its product alone by their names.
func (k *creation) variation(parent product, i int) change {
	content := k.intents[i].Content
	set := k.fields(i)
	attributes := make([]map[string]any, len(content.Options))
	for n, o := range content.Options {
		attributes[n] = map[string]any{"name": o.Name, "option": o.Value}
		for _, a := range parent.choices() {
			if a.ID != 0 && plain(a.Name) == o.Name {
				attributes[n] = map[string]any{"id": a.ID, "option": o.Value}
			}
		}
	}
	set["attributes"] = attributes
	set.onSale(content.Enabled, statusPrivate)
	set.title(item{parent: &product{}}, content)
	return set
}

// parent is the product of the variations: the one with the slug, or else a new
// one. A refusal says why variations cannot be made of it.
func (k *creation) parent(ctx context.Context, key string, names []string, at []int) (p product, made bool, refusal driver.Outcome, err error) {
	found, _, err := k.c.products(ctx, "create listings", url.Values{"slug": {key}, "per_page": {"2"}})
	if err != nil {
		return product{}, false, refusal, err
	}
	if len(found) == 0 {
		p, refusal, err = k.createParent(ctx, key, names, at)
		return p, true, refusal, err
	}
	p = found[0]
	have := make([]string, 0, len(names))
	for _, a := range p.choices() {
		have = append(have, plain(a.Name))
	}
	if !p.hasVariations() || !slices.Equal(have, names) {
		return product{}, false, rejected(reasonOptionsDiffer, fmt.Sprintf("the product %q has other options than %q", key, names)), nil
	}
	return p, false, refusal, k.addValues(ctx, p, at)
}

// createParent makes the product that variations are of.
func (k *creation) createParent(ctx context.Context, key string, names []string, at []int) (product, driver.Outcome, error) {
	content := k.intents[at[0]].Content
	set := change{
		"type": typeVariable, "name": content.Product.Title, "slug": key, "description": content.Product.Description,
	}
	attributes := make([]attribute, len(names))
	for n, name := range names {
		attributes[n] = attribute{Name: name, Position: n, Visible: true, Variation: true, Options: k.values(at, name, nil)}
	}
	set["attributes"] = attributes
	set.onSale(slices.ContainsFunc(at, func(i int) bool { return k.intents[i].Content.Enabled }), statusDraft)
	answers, err := k.c.batch(ctx, "create product", "/products", "create", []change{set})
	if err != nil {
		return product{}, driver.Outcome{}, err
	}
	answer := answers[0]
	// A product of variations is judged as a simple one is, for the first of them.
	k.judge(ctx, at[0], set, answer)
	outcome := k.outcomes[at[0]]
	if outcome.Kind == driver.Accepted || outcome.Reason == reasonAltered {
		k.outcomes[at[0]] = driver.Outcome{}
		return answer.product, driver.Outcome{}, nil
	}
	return product{}, outcome, nil
}

// values are those of an option that the intents have, behind the given ones.
func (k *creation) values(at []int, name string, values []string) []string {
	values = slices.Clone(values)
	for _, i := range at {
		for _, o := range k.intents[i].Content.Options {
			if o.Name == name && !slices.Contains(values, o.Value) {
				values = append(values, o.Value)
			}
		}
	}
	return values
}

// addValues adds the values that the product's attributes lack. All attributes
// are sent: those that are not named are taken away.
func (k *creation) addValues(ctx context.Context, p product, at []int) error {
	all := slices.Clone(p.Attributes)
	added := false
	for n, a := range all {
		if !a.Variation {
			continue
		}
		have := make([]string, len(a.Options))
		for m, option := range a.Options {
			have[m] = plain(option)
		}
		all[n].Options = k.values(at, plain(a.Name), have)
		added = added || len(all[n].Options) > len(a.Options)
	}
	if !added {
		return nil
	}
	_, err := k.c.api.do(ctx, call{
		what: "create option values", method: http.MethodPut, path: fmt.Sprintf("/products/%d", p.ID),
		body: change{"attributes": all},
	}, &product{})
	return err
}
