package vendure

import (
	"context"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// productOptions is a product with its option groups.
type productOptions struct {
	ID     string        `json:"id"`
	Slug   string        `json:"slug"`
	Groups []optionGroup `json:"optionGroups"`
}

type optionGroup struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Code    string  `json:"code"`
	Options []named `json:"options"`
}

const optionFields = `optionGroups { id name code options { id name } }`

const productBySlugQuery = `query ProductBySlug($slug: String!) {
  products(options: {take: 2, filter: {slug: {eq: $slug}}}) { items { id slug ` + optionFields + ` } }
}`

const createProductMutation = `mutation CreateProduct($input: CreateProductInput!) {
  createProduct(input: $input) { id slug ` + optionFields + ` }
}`

// ensureProduct finds the product by its key or makes it.
func (c *connection) ensureProduct(ctx context.Context, s *shop, content driver.Content) (*productOptions, error) {
	const what = "create product"
	key := content.Product.Key
	var found struct {
		Products struct {
			Items []productOptions `json:"items"`
		} `json:"products"`
	}
	err := c.api.do(ctx, operation{what: what, query: productBySlugQuery, language: s.language, variables: map[string]any{"slug": key}}, &found)
	if err != nil {
		return nil, err
	}
	if len(found.Products.Items) > 0 {
		return &found.Products.Items[0], nil
	}
	var made struct {
		Product productOptions `json:"createProduct"`
	}
	err = c.api.do(ctx, operation{
		what: what, query: createProductMutation, write: true, language: s.language,
		variables: map[string]any{"input": map[string]any{
			"enabled": true,
			"translations": []any{map[string]any{
				"languageCode": s.language, "name": content.Product.Title, "slug": key, "description": content.Product.Description,
			}},
		}},
	}, &made)
	if err != nil {
		return nil, err
	}
	if made.Product.Slug == key {
		return &made.Product, nil
	}
	// Another product holds the slug in a way the filter does not see. Made
	// under another slug it would be made again and again.
	var gone struct{}
	err = c.api.do(ctx, operation{
		what: what, query: `mutation DeleteProduct($id: ID!) { deleteProduct(id: $id) { result } }`, write: true,
		variables: map[string]any{"id": made.Product.ID},
	}, &gone)
	if err != nil {
		return nil, err
	}
	return nil, &driver.Error{Class: driver.ClassBatchRejected, Op: what, Reason: "SlugTaken", Message: driver.ClipMessage(fmt.Sprintf("the shop would not give the slug %q to a new product", key))}
}

// ensureOptions finds or makes the groups and options that tell a variant from
// its siblings, and returns the ids of the options.
func (c *connection) ensureOptions(ctx context.Context, s *shop, p *productOptions, options []driver.Option) ([]string, error) {
	ids := make([]string, 0, len(options))
	for _, option := range options {
		group, err := c.ensureGroup(ctx, s, p, option.Name)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(group.Options, func(o named) bool { return o.Name == option.Value })
		if i < 0 {
			made, err := c.createOption(ctx, s, group.ID, option.Value)
			if err != nil {
				return nil, err
			}
			group.Options = append(group.Options, made)
			i = len(group.Options) - 1
		}
		ids = append(ids, group.Options[i].ID)
	}
	return ids, nil
}

const groupByCodeQuery = `query GroupByCode($code: String!) {
  productOptionGroups(options: {take: 1, filter: {code: {eq: $code}}}) { items { id name code options { id name } } }
}`

const createGroupMutation = `mutation CreateGroup($input: CreateProductOptionGroupInput!) {
  createProductOptionGroup(input: $input) { id name code options { id name } }
}`

const addGroupMutation = `mutation AddGroup($product: ID!, $group: ID!) {
  addOptionGroupToProduct(productId: $product, optionGroupId: $group) { id }
}`

// ensureGroup finds the group of that name at the product, or makes it. A
// group that an interrupted run made but did not add is found by its code.
func (c *connection) ensureGroup(ctx context.Context, s *shop, p *productOptions, name string) (*optionGroup, error) {
	const what = "create option group"
	if i := slices.IndexFunc(p.Groups, func(g optionGroup) bool { return g.Name == name }); i >= 0 {
		return &p.Groups[i], nil
	}
	groupCode := p.Slug + "-" + code(name)
	var found struct {
		Groups struct {
			Items []optionGroup `json:"items"`
		} `json:"productOptionGroups"`
	}
	err := c.api.do(ctx, operation{what: what, query: groupByCodeQuery, language: s.language, variables: map[string]any{"code": groupCode}}, &found)
	if err != nil {
		return nil, err
	}
	var group optionGroup
	if len(found.Groups.Items) > 0 {
		group = found.Groups.Items[0]
	} else {
		var made struct {
			Group optionGroup `json:"createProductOptionGroup"`
		}
		err := c.api.do(ctx, operation{
			what: what, query: createGroupMutation, write: true, language: s.language,
			variables: map[string]any{"input": map[string]any{"code": groupCode, "translations": s.translation(name), "options": []any{}}},
		}, &made)
		if err != nil {
			return nil, err
		}
		group = made.Group
	}
	var added struct{}
	err = c.api.do(ctx, operation{
		what: what, query: addGroupMutation, write: true,
		variables: map[string]any{"product": p.ID, "group": group.ID},
	}, &added)
	if err != nil {
		return nil, err
	}
	p.Groups = append(p.Groups, group)
	return &p.Groups[len(p.Groups)-1], nil
}

const createOptionMutation = `mutation CreateOption($input: CreateProductOptionInput!) {
  createProductOption(input: $input) { id name }
}`

func (c *connection) createOption(ctx context.Context, s *shop, groupID, value string) (named, error) {
	var made struct {
		Option named `json:"createProductOption"`
	}
	err := c.api.do(ctx, operation{
		what: "create option", query: createOptionMutation, write: true, language: s.language,
		variables: map[string]any{"input": map[string]any{"productOptionGroupId": groupID, "code": code(value), "translations": s.translation(value)}},
	}, &made)
	return made.Option, err
}

// translation is a name in the content's language.
func (s *shop) translation(name string) []any {
	return []any{map[string]any{"languageCode": s.language, "name": name}}
}

// code makes a code of a name: its letters and digits, and a hash where that
// leaves something out, so that different names have different codes.
func code(name string) string {
	var b strings.Builder
	lossy := false
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == ' ', r == '-':
			b.WriteByte('-')
		default:
			lossy = true
		}
	}
	text := strings.Trim(b.String(), "-")
	if !lossy && text != "" {
		return text
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(name))
	return strings.TrimPrefix(text+"-"+hex.EncodeToString(sum.Sum(nil)), "-")
}

const taxCategoriesQuery = `query TaxCategories { taxCategories(options: {take: 1000, sort: {id: ASC}}) { items { id name } } }`

// taxCategory is the configured tax category of new listings, "" for the
// shop's own choice.
func (c *connection) taxCategory(ctx context.Context) (string, error) {
	if c.config.TaxCategory == "" {
		return "", nil
	}
	const what = "read tax categories"
	var data struct {
		Categories struct {
			Items []named `json:"items"`
		} `json:"taxCategories"`
	}
	if err := c.api.do(ctx, operation{what: what, query: taxCategoriesQuery}, &data); err != nil {
		return "", err
	}
	category, err := pick(data.Categories.Items, c.config.TaxCategory)
	if err != nil {
		return "", invalid(what, "TaxCategoryNotFound", "config.taxCategory: "+err.Error())
	}
	return category.ID, nil
}
