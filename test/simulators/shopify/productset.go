package shopify

import (
	"slices"
)

// productSet makes a product. That it makes a product which is there into what
// it says, deleting what it does not name, is not simulated: a driver that asks
// for it is wrong.
func (s *Shop) productSet(args arguments) (any, error) {
	const kind = "ProductSetPayload"
	none := map[string]any{"product": (*object)(nil)}
	if args["identifier"] != nil {
		return nil, &fieldError{"BAD_REQUEST", "the simulator only makes products that are not there"}
	}
	input := args.input("input")
	complain := func(code, message string, field ...string) (any, error) {
		return payload(kind, []complaint{{code, message, append([]string{"input"}, field...)}}, none), nil
	}
	handle := handleOf(input.text("handle"))
	switch {
	case input.text("title") == "":
		return complain("INVALID_PRODUCT", "Title can't be blank", "title")
	case s.productByHandle(handle) != nil:
		return complain("HANDLE_NOT_UNIQUE", "Handle '"+input.text("handle")+"' already in use. Please provide a new handle.", "handle")
	case len(input.inputs("productOptions")) > 3:
		return complain("OPTIONS_OVER_LIMIT", "Options over limit.", "productOptions")
	}
	p := &product{
		id: s.newID(), handle: handle, title: input.text("title"), description: input.text("descriptionHtml"),
		status: "ACTIVE", published: map[int64]bool{},
	}
	if status := input.text("status"); status != "" {
		p.status = status
	}
	known := map[string][]string{}
	for _, o := range input.inputs("productOptions") {
		name := o.text("name")
		if slices.Contains(p.options, name) {
			return complain("DUPLICATED_OPTION_NAME", "Duplicated option name.", "productOptions")
		}
		p.options = append(p.options, name)
		for _, value := range o.inputs("values") {
			known[name] = append(known[name], value.text("name"))
		}
	}
	for i, one := range input.inputs("variants") {
		v, c, bad := s.newVariant(p, one)
		if bad {
			if c.code == "VARIANT_ALREADY_EXISTS" {
				c.code = "" // productSet does not say it
			} else {
				c.code = "INVALID_VARIANT"
			}
			c.field = append([]string{"input"}, variantAt(i, c.field...)...)
			return payload(kind, []complaint{c}, none), nil
		}
		for n, value := range v.values {
			if !slices.Contains(known[p.options[n]], value) {
				return complain("OPTION_VALUE_DOES_NOT_EXIST", "Option value does not exist.", "variants", itoa(i))
			}
		}
		p.variants = append(p.variants, v)
	}
	s.enter(p)
	return payload(kind, nil, map[string]any{"product": s.productObject(p)}), nil
}

// enter puts a product into the shop. The lock is held.
func (s *Shop) enter(p *product) {
	s.products = append(s.products, p)
	s.variants = append(s.variants, p.variants...)
	for _, v := range p.variants {
		for location := range v.levels {
			s.touchLevel(v, location)
		}
	}
	s.touch(p, p.variants...)
	s.hooks.product(p, "products/create")
}
