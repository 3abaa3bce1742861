package medusa

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

// productOptions is a product with its options.
type productOptions struct {
	ID      string          `json:"id"`
	Options []productOption `json:"options"`
}

type productOption struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Values []struct {
		Value string `json:"value"`
	} `json:"values"`
}

type newVariant struct {
	Title   string            `json:"title"`
	SKU     string            `json:"sku"`
	Managed bool              `json:"manage_inventory"`
	Options map[string]string `json:"options"`
	Prices  []price           `json:"prices"`
}

// optionsOf are the options of an intent as Medusa wants them: at least one.
func optionsOf(intent driver.Intent) []driver.Option {
	if len(intent.Content.Options) == 0 {
		return []driver.Option{{Name: plainOption, Value: plainValue}}
	}
	return intent.Content.Options
}

func optionNames(options []driver.Option) []string {
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.Name
	}
	return names
}

func (k *creation) newVariants(at []int) []newVariant {
	all := make([]newVariant, len(at))
	for n, i := range at {
		intent := k.intents[i]
		v := newVariant{
			Title: intent.Content.Title, SKU: intent.SKU, Managed: true, Options: map[string]string{},
			Prices: []price{newPrice(*intent.Price, k.s.region)},
		}
		for _, o := range optionsOf(intent) {
			v.Options[o.Name] = o.Value
		}
		all[n] = v
	}
	return all
}

// createVariants makes the variants of one product, and the product where it is
// not there.
func (k *creation) createVariants(ctx context.Context, at []int) error {
	const what = "create listings"
	names := optionNames(optionsOf(k.intents[at[0]]))
	for _, i := range at[1:] {
		if !slices.Equal(names, optionNames(optionsOf(k.intents[i]))) {
			return &driver.Error{Class: driver.ClassBatchRejected, Op: what, Reason: "OptionsDiffer", Message: "the variants of one product must have the same options"}
		}
	}
	var found struct {
		Products []productOptions `json:"products"`
	}
	err := k.c.api.do(ctx, call{what: what, path: "/admin/products", query: fields("id,options.id,options.title,options.values.value", url.Values{
		"handle": {k.intents[at[0]].Content.Product.Key}, "limit": {"2"},
	})}, &found)
	if err != nil {
		return err
	}
	if len(found.Products) == 0 {
		return k.createProduct(ctx, at, names)
	}
	p := found.Products[0]
	if err := k.addValues(ctx, p, at, names); err != nil {
		return err
	}
	return k.c.api.do(ctx, call{
		what: what, path: "/admin/products/" + url.PathEscape(p.ID) + "/variants/batch", query: fields("id", nil),
		body: map[string]any{"create": k.newVariants(at)}, write: true,
	}, &struct{}{})
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

func (k *creation) createProduct(ctx context.Context, at []int, names []string) error {
	profile, err := k.profile(ctx)
	if err != nil {
		return err
	}
	content := k.intents[at[0]].Content
	status := statusDraft
	for _, i := range at {
		if k.intents[i].Content.Enabled {
			status = statusPublished
		}
	}
	options := make([]map[string]any, len(names))
	for n, name := range names {
		options[n] = map[string]any{"title": name, "values": k.values(at, name)}
	}
	body := map[string]any{
		"title": content.Product.Title, "handle": content.Product.Key, "description": content.Product.Description,
		"status": status, "options": options, "variants": k.newVariants(at),
		"metadata": map[string]any{optionOrder: names},
	}
	if k.s.newProducts != "" {
		body["sales_channels"] = []any{map[string]any{"id": k.s.newProducts}}
	}
	if profile != "" {
		body["shipping_profile_id"] = profile
	}
	return k.c.api.do(ctx, call{
		what: "create product", path: "/admin/products", query: fields("id", nil), body: body, write: true,
	}, &struct{}{})
}

// addValues adds the values that an existing product's options lack. Options
// themselves are not added: the variants that are there would have none.
func (k *creation) addValues(ctx context.Context, p productOptions, at []int, names []string) error {
	var update []map[string]any
	for _, name := range names {
		i := slices.IndexFunc(p.Options, func(o productOption) bool { return o.Title == name })
		if i < 0 || len(names) != len(p.Options) {
			return &driver.Error{
				Class: driver.ClassBatchRejected, Op: "create listings", Reason: "OptionsDiffer",
				Message: driver.ClipMessage(fmt.Sprintf("the product has other options than %q", names)),
			}
		}
		var add []map[string]string
		for _, value := range k.values(at, name) {
			if !slices.ContainsFunc(p.Options[i].Values, func(v struct {
				Value string `json:"value"`
			}) bool {
				return v.Value == value
			}) {
				add = append(add, map[string]string{"value": value})
			}
		}
		if len(add) > 0 {
			update = append(update, map[string]any{"product_option_id": p.Options[i].ID, "add": add})
		}
	}
	if len(update) == 0 {
		return nil
	}
	return k.c.api.do(ctx, call{
		what: "create option values", path: "/admin/products/" + url.PathEscape(p.ID) + "/options/batch", query: fields("id", nil),
		body: map[string]any{"update": update}, write: true,
	}, &struct{}{})
}

// profile is the id of the shop's own shipping profile, without which goods of
// a new product could not be sent; empty where there is none.
func (k *creation) profile(ctx context.Context) (string, error) {
	if k.shippingProfile != "" {
		return k.shippingProfile, nil
	}
	var answer struct {
		Profiles []struct {
			ID   string `json:"id"`
			Type string `json:"type"`
		} `json:"shipping_profiles"`
	}
	err := k.c.api.do(ctx, call{what: "read shipping profiles", path: "/admin/shipping-profiles", query: fields("id,type", url.Values{
		"limit": {"1000"}, "order": {"created_at"},
	})}, &answer)
	if err != nil || len(answer.Profiles) == 0 {
		return "", err
	}
	i := slices.IndexFunc(answer.Profiles, func(p struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	}) bool {
		return p.Type == "default"
	})
	k.shippingProfile = answer.Profiles[max(0, i)].ID
	return k.shippingProfile, nil
}
