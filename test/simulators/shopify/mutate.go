package shopify

import (
	"slices"
	"strings"
)

// mutate carries out one mutation.
func (x *execution) mutate(field string, args arguments) (any, error) {
	s := x.shop
	switch field {
	case "inventorySetQuantities":
		return x.idempotent(args, "InventorySetQuantitiesPayload", func() (*object, error) { return s.setQuantities(args.input("input")) })
	case "productSet":
		return s.productSet(args)
	case "productUpdate":
		return s.productUpdate(args.input("product")), nil
	case "productVariantsBulkCreate":
		return s.variantsCreate(args), nil
	case "productVariantsBulkUpdate":
		return s.variantsUpdate(args), nil
	case "productVariantsBulkDelete":
		return s.variantsDelete(args), nil
	case "webhookSubscriptionCreate":
		return s.subscribe(x.app, args), nil
	case "publishablePublish":
		return s.publish(args, "PublishablePublishPayload", true), nil
	case "publishableUnpublish":
		return s.publish(args, "PublishableUnpublishPayload", false), nil
	}
	panic("the simulator has no mutation " + field)
}

// complaint is an error about the input of a mutation.
type complaint struct {
	code, message string
	field         []string
}

func payload(kind string, complaints []complaint, more map[string]any) *object {
	errs := list{}
	for _, c := range complaints {
		var code any
		if c.code != "" {
			code = c.code
		}
		errs = append(errs, &object{kind: "UserError", get: values(map[string]any{"code": code, "message": c.message, "field": anys(c.field)})})
	}
	all := map[string]any{"userErrors": errs}
	for name, value := range more {
		all[name] = value
	}
	return &object{kind: kind, get: values(all)}
}

func anys(texts []string) any {
	if texts == nil {
		return nil
	}
	return texts
}

func (s *Shop) productUpdate(input arguments) *object {
	p := s.productOf(input.text("id"))
	if p == nil {
		return payload("ProductUpdatePayload", []complaint{{message: "Product does not exist", field: []string{"id"}}}, map[string]any{"product": (*object)(nil)})
	}
	if title, ok := input["title"]; ok && title == "" {
		return payload("ProductUpdatePayload", []complaint{{message: "Title can't be blank", field: []string{"title"}}}, map[string]any{"product": s.productObject(p)})
	}
	set := func(name string, into *string) {
		if text, ok := input[name].(string); ok {
			*into = text
		}
	}
	set("title", &p.title)
	set("descriptionHtml", &p.description)
	set("status", &p.status)
	s.touch(p)
	return payload("ProductUpdatePayload", nil, map[string]any{"product": s.productObject(p)})
}

func (s *Shop) productOf(id string) *product {
	n, ok := numberOf("Product", id)
	if !ok {
		return nil
	}
	return s.productByID(n)
}

func (s *Shop) publish(args arguments, kind string, on bool) *object {
	p := s.productOf(args.text("id"))
	if p == nil {
		return payload(kind, []complaint{{message: "Resource does not exist", field: []string{"id"}}}, nil)
	}
	for i, input := range args.inputs("input") {
		id, _ := numberOf("Publication", input.text("publicationId"))
		if !slices.ContainsFunc(s.publications, func(p *publication) bool { return p.id == id }) {
			return payload(kind, []complaint{{message: "Publication does not exist or is not publishable", field: []string{"input", itoa(i), "publicationId"}}}, nil)
		}
		p.published[id] = on
	}
	s.touch(p)
	return payload(kind, nil, nil)
}

// handleOf is the handle that Shopify makes of a text.
func handleOf(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return loose(string(r)) == "" && r != '_' })
	if len(words) == 0 {
		return "product"
	}
	return strings.Join(words, "-")
}
