package vendure

import (
	"context"
	"fmt"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

// optionGroup is an option group with its options.
type optionGroup struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Code    string  `json:"code"`
	Options []named `json:"options"`
}

// option is the id of the option of that name.
func (g *optionGroup) option(name string) (id string, found bool) {
	i := slices.IndexFunc(g.Options, func(o named) bool { return o.Name == name })
	if i < 0 {
		return "", false
	}
	return g.Options[i].ID, true
}

// productOptions is a product with its option groups.
type productOptions struct {
	ID           string `json:"id"`
	Slug         string `json:"slug"`
	Translations []struct {
		Slug string `json:"slug"`
	} `json:"translations"`
	Groups []*optionGroup `json:"optionGroups"`
	// made: the product was made just now.
	made bool
}

// group is the product's group of that name; nil for none.
func (p *productOptions) group(name string) *optionGroup {
	i := slices.IndexFunc(p.Groups, func(g *optionGroup) bool { return g.Name == name })
	if i < 0 {
		return nil
	}
	return p.Groups[i]
}

// optionIDs are those of the options that tell a variant from its siblings.
func (p *productOptions) optionIDs(options []driver.Option) []string {
	ids := make([]string, 0, len(options))
	for _, o := range options {
		if group := p.group(o.Name); group != nil {
			if id, found := group.option(o.Value); found {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

const groupFields = `{ id name code options { id name } }`

const partsQuery = `query Parts(
  $variants: ProductVariantListOptions!, $products: ProductListOptions!, $groups: ProductOptionGroupListOptions!,
  $ofVariants: Boolean!, $ofProducts: Boolean!, $ofGroups: Boolean!, $ofTax: Boolean!
) {
  productVariants(options: $variants) @include(if: $ofVariants) { totalItems items { id sku product { id } } }
  products(options: $products) @include(if: $ofProducts) { items { id slug translations { slug } optionGroups ` + groupFields + ` } }
  productOptionGroups(options: $groups) @include(if: $ofGroups) { items ` + groupFields + ` }
  taxCategories(options: {take: 1000, sort: {id: ASC}}) @include(if: $ofTax) { items { id name } }
  ` + stockSettings + `
}`

// parts are what there is of listings that are to be made, found by what stays
// the same when an earlier run was interrupted: variants by their SKU, products
// by their slug, option groups by their codes.
type parts struct {
	variants    map[string][]driver.Ref
	products    map[string]*productOptions
	groups      map[string]*optionGroup
	taxCategory string
}

// find reads the parts of the intents in one request.
func (c *connection) find(ctx context.Context, s *shop, intents []driver.Intent) (*parts, error) {
	const what = "look for listings to create"
	var skus, slugs, codes []string
	for _, intent := range intents {
		if intent.SKU != "" {
			skus = append(skus, intent.SKU)
		}
		if intent.Content == nil {
			continue
		}
		slugs = append(slugs, intent.Content.Product.Key)
		for _, o := range intent.Content.Options {
			codes = append(codes, groupCode(intent.Content.Product.Key, o.Name))
		}
	}
	options := func(field string, values []string) map[string]any {
		slices.Sort(values)
		return map[string]any{"take": 1000, "filter": map[string]any{field: map[string]any{"in": slices.Compact(values)}}}
	}
	var data struct {
		Variants struct {
			Total int `json:"totalItems"`
			Items []struct {
				ID      string `json:"id"`
				SKU     string `json:"sku"`
				Product struct {
					ID string `json:"id"`
				} `json:"product"`
			} `json:"items"`
		} `json:"productVariants"`
		Products struct {
			Items []*productOptions `json:"items"`
		} `json:"products"`
		Groups struct {
			Items []*optionGroup `json:"items"`
		} `json:"productOptionGroups"`
		TaxCategories struct {
			Items []named `json:"items"`
		} `json:"taxCategories"`
		Global globalStock `json:"globalSettings"`
	}
	err := c.api.do(ctx, operation{what: what, query: partsQuery, language: s.language, variables: map[string]any{
		"variants": options("sku", skus), "ofVariants": len(skus) > 0,
		"products": options("slug", slugs), "ofProducts": len(slugs) > 0,
		"groups": options("code", codes), "ofGroups": len(codes) > 0,
		"ofTax": c.config.TaxCategory != "",
	}}, &data)
	if err != nil {
		return nil, err
	}
	if data.Variants.Total > len(data.Variants.Items) {
		return nil, invalid(what, reasonDuplicate, fmt.Sprintf("%d variants of the shop bear the SKUs of %d listings", data.Variants.Total, len(intents)))
	}
	c.settings.note(data.Global)
	p := &parts{variants: map[string][]driver.Ref{}, products: map[string]*productOptions{}, groups: map[string]*optionGroup{}}
	for _, v := range data.Variants.Items {
		p.variants[v.SKU] = append(p.variants[v.SKU], makeRef(v.ID, v.Product.ID))
	}
	for _, product := range data.Products.Items {
		p.products[product.Slug] = product
		for _, t := range product.Translations {
			p.products[t.Slug] = product
		}
	}
	for _, group := range data.Groups.Items {
		p.groups[group.Code] = group
	}
	if c.config.TaxCategory != "" {
		category, err := pick(data.TaxCategories.Items, c.config.TaxCategory)
		if err != nil {
			return nil, invalid(what, "TaxCategoryNotFound", "config.taxCategory: "+err.Error())
		}
		p.taxCategory = category.ID
	}
	return p, nil
}

// group is the group of that name of the product with the key, or one that an
// interrupted run made and did not add to it; nil for none.
func (p *parts) group(key, name string) *optionGroup {
	if product := p.products[key]; product != nil {
		if group := product.group(name); group != nil {
			return group
		}
	}
	return p.groups[groupCode(key, name)]
}

// productNeeds are the options that the listings of one product need.
type productNeeds struct {
	key     string
	product driver.Product
	// groups are the names of the option groups, in the order of the product.
	groups []string
	values map[string][]string
}

// needsOf are the needs of the products of the listings, in their order.
func needsOf(intents []driver.Intent) []*productNeeds {
	var all []*productNeeds
	byKey := map[string]*productNeeds{}
	for _, intent := range intents {
		key := intent.Content.Product.Key
		n := byKey[key]
		if n == nil {
			n = &productNeeds{key: key, product: intent.Content.Product, values: map[string][]string{}}
			byKey[key], all = n, append(all, n)
		}
		for _, o := range intent.Content.Options {
			if n.values[o.Name] == nil {
				n.groups = append(n.groups, o.Name)
			}
			if !slices.Contains(n.values[o.Name], o.Value) {
				n.values[o.Name] = append(n.values[o.Name], o.Value)
			}
		}
	}
	return all
}

// makeProducts makes the products, option groups and options that are missing,
// in one request, and gives the products their groups, in another. Groups are
// made in the order of the product's options, by which they are read.
func (c *connection) makeProducts(ctx context.Context, s *shop, p *parts, needs []*productNeeds) error {
	missing := mutations{what: "create products"}
	for _, n := range needs {
		if p.products[n.key] == nil {
			missing.add(n.key, "createProduct", `{ id slug optionGroups `+groupFields+` }`, func(m made) {
				p.products[n.key] = &productOptions{ID: m.ID, Slug: m.Slug, Groups: m.Groups, made: true}
			}, argument{"input", "CreateProductInput!", s.productInput(n)})
		}
		for _, name := range n.groups {
			p.makeOptions(s, n, name, &missing)
		}
	}
	if err := missing.run(ctx, c, s); err != nil {
		return err
	}
	for _, n := range needs {
		if product := p.products[n.key]; product.made && product.Slug != n.key {
			return c.takeBack(ctx, product.ID, n.key)
		}
	}
	links := mutations{what: "add option groups to products"}
	for _, n := range needs {
		product := p.products[n.key]
		for _, name := range n.groups {
			if product.group(name) == nil {
				group := p.group(n.key, name)
				links.add(n.key, "addOptionGroupToProduct", `{ id }`, func(made) { product.Groups = append(product.Groups, group) },
					argument{"productId", "ID!", product.ID}, argument{"optionGroupId", "ID!", group.ID})
			}
		}
	}
	return links.run(ctx, c, s)
}

func (s *shop) productInput(n *productNeeds) map[string]any {
	return map[string]any{
		"enabled": true,
		"translations": []any{map[string]any{
			"languageCode": s.language, "name": n.product.Title, "slug": n.key, "description": n.product.Description,
		}},
	}
}

// makeOptions adds what is missing of one option group.
func (p *parts) makeOptions(s *shop, n *productNeeds, name string, missing *mutations) {
	input := func(value string) map[string]any {
		return map[string]any{"code": code(value), "translations": s.translation(value)}
	}
	group := p.group(n.key, name)
	if group == nil {
		options := make([]any, len(n.values[name]))
		for i, value := range n.values[name] {
			options[i] = input(value)
		}
		missing.add(n.key, "createProductOptionGroup", groupFields, func(m made) {
			p.groups[groupCode(n.key, name)] = &optionGroup{ID: m.ID, Name: m.Name, Code: m.Code, Options: m.Options}
		}, argument{"input", "CreateProductOptionGroupInput!", map[string]any{
			"code": groupCode(n.key, name), "translations": s.translation(name), "options": options,
		}})
		return
	}
	for _, value := range n.values[name] {
		if _, found := group.option(value); found {
			continue
		}
		option := input(value)
		option["productOptionGroupId"] = group.ID
		missing.add(n.key, "createProductOption", `{ id name }`, func(m made) {
			group.Options = append(group.Options, named{ID: m.ID, Name: m.Name})
		}, argument{"input", "CreateProductOptionInput!", option})
	}
}

// takeBack deletes a product that was given another slug than asked for:
// another product holds the slug in a way the filter does not see. Left under
// its slug, it would be made again and again.
func (c *connection) takeBack(ctx context.Context, id, key string) error {
	const what = "create products"
	var gone struct{}
	err := c.api.do(ctx, operation{
		what: what, query: `mutation DeleteProduct($id: ID!) { deleteProduct(id: $id) { result } }`, write: true,
		variables: map[string]any{"id": id},
	}, &gone)
	if err != nil {
		return err
	}
	return &blame{key: key, err: &driver.Error{
		Class: driver.ClassBatchRejected, Op: what, Reason: "SlugTaken",
		Message: driver.ClipMessage(fmt.Sprintf("the shop would not give the slug %q to a new product", key)),
	}}
}
