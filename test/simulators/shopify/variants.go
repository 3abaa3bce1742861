package shopify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// mostPrice is the bound of prices.
var mostPrice = apd.New(1, 18)

// wrongPrice says what is wrong with a price.
func wrongPrice(value any) (complaint, bool) {
	text, given := value.(string)
	if !given {
		return complaint{}, false
	}
	price, _, err := apd.NewFromString(text)
	switch {
	case err != nil:
		return complaint{code: "INVALID_INPUT", message: "Price is not a number", field: []string{"price"}}, true
	case price.Negative:
		return complaint{code: "GREATER_THAN_OR_EQUAL_TO", message: "Price must be greater than or equal to 0", field: []string{"price"}}, true
	case price.Cmp(mostPrice) >= 0:
		return complaint{code: "INVALID_INPUT", message: "must be less than 1000000000000000000", field: []string{"price"}}, true
	}
	return complaint{}, false
}

func variantAt(i int, field ...string) []string {
	return append([]string{"variants", itoa(i)}, field...)
}

// setVariant sets what is given of a variant.
func (v *variant) set(input arguments) {
	if price, ok := input["price"].(string); ok {
		v.price = price
	}
	if item := input.input("inventoryItem"); item != nil {
		if sku, ok := item["sku"].(string); ok {
			v.sku = sku
		}
		if tracked, ok := item["tracked"].(bool); ok {
			v.tracked = tracked
		}
	}
	for _, m := range input.inputs("metafields") {
		v.metafield[m.text("namespace")+"."+m.text("key")] = m.text("value")
	}
}

func wrongMetafields(input arguments) (complaint, bool) {
	for n, m := range input.inputs("metafields") {
		if strings.TrimSpace(m.text("value")) == "" {
			return complaint{code: "BLANK", message: "Value can't be blank", field: []string{"metafields", itoa(n), "value"}}, true
		}
		if strings.Contains(m.text("value"), "\n") {
			return complaint{code: "INVALID_VALUE", message: "Value must be a single line text string", field: []string{"metafields", itoa(n), "value"}}, true
		}
	}
	return complaint{}, false
}

// variantsUpdate updates all or nothing, or what it can where that is allowed.
func (s *Shop) variantsUpdate(args arguments) *object {
	const kind = "ProductVariantsBulkUpdatePayload"
	none := map[string]any{"productVariants": list(nil)}
	p := s.productOf(args.text("productId"))
	if p == nil {
		return payload(kind, []complaint{{"PRODUCT_DOES_NOT_EXIST", "Product does not exist", []string{"productId"}}}, none)
	}
	inputs := args.inputs("variants")
	good := make([]*variant, len(inputs))
	var wrong []complaint
	for i, input := range inputs {
		v, c, bad := s.updatable(p, input)
		if bad {
			c.field = variantAt(i, c.field...)
			wrong = append(wrong, c)
			continue
		}
		good[i] = v
	}
	if partial, _ := args["allowPartialUpdates"].(bool); len(wrong) > 0 && !partial {
		return payload(kind, wrong, none)
	}
	var updated list
	var changed []*variant
	for i, v := range good {
		if v != nil {
			v.set(inputs[i])
			changed = append(changed, v)
			updated = append(updated, s.variantObject(v))
		}
	}
	if len(changed) > 0 {
		s.touch(p, changed...)
	}
	return payload(kind, wrong, map[string]any{"productVariants": updated})
}

func (s *Shop) updatable(p *product, input arguments) (*variant, complaint, bool) {
	if input.text("id") == "" {
		return nil, complaint{"PRODUCT_VARIANT_ID_MISSING", "Product variant is missing ID attribute", []string{"id"}}, true
	}
	n, _ := numberOf("ProductVariant", input.text("id"))
	v := s.variantByID(n)
	if v == nil || v.id != n || v.product != p {
		return nil, complaint{"PRODUCT_VARIANT_DOES_NOT_EXIST", "Product variant does not exist", []string{"id"}}, true
	}
	if input["inventoryQuantities"] != nil {
		return nil, complaint{"NO_INVENTORY_QUANTITIES_ON_VARIANTS_UPDATE", "Inventory quantities can only be provided during create. To update inventory for existing variants, use inventoryAdjustQuantities.", []string{"inventoryQuantities"}}, true
	}
	if c, bad := wrongPrice(input["price"]); bad {
		return nil, c, true
	}
	c, bad := wrongMetafields(input)
	return v, c, bad
}

// chosen are the values of an input for the product's options.
func chosen(p *product, input arguments) ([]string, complaint, bool) {
	got := make([]string, len(p.options))
	for n, o := range input.inputs("optionValues") {
		i := slices.Index(p.options, o.text("optionName"))
		if i < 0 {
			return nil, complaint{"INVALID_INPUT", "Option does not exist", []string{"optionValues", itoa(n)}}, true
		}
		got[i] = o.text("name")
	}
	if i := slices.Index(got, ""); i >= 0 {
		return nil, complaint{"NEED_TO_ADD_OPTION_VALUES", "You need to add option values for " + p.options[i], nil}, true
	}
	for _, v := range p.variants {
		if slices.Equal(v.values, got) {
			return nil, complaint{"VARIANT_ALREADY_EXISTS", fmt.Sprintf("The variant '%s' already exists. Please change at least one option value.", v.title()), nil}, true
		}
	}
	return got, complaint{}, false
}

// variantsCreate makes all or nothing.
func (s *Shop) variantsCreate(args arguments) *object {
	const kind = "ProductVariantsBulkCreatePayload"
	none := map[string]any{"productVariants": list(nil)}
	p := s.productOf(args.text("productId"))
	if p == nil {
		return payload(kind, []complaint{{"PRODUCT_DOES_NOT_EXIST", "Product does not exist", []string{"productId"}}}, none)
	}
	var (
		wrong []complaint
		made  []*variant
	)
	before := slices.Clone(p.variants)
	for i, input := range args.inputs("variants") {
		v, c, bad := s.newVariant(p, input)
		if bad {
			c.field = variantAt(i, c.field...)
			wrong = append(wrong, c)
			continue
		}
		made = append(made, v)
		p.variants = append(p.variants, v) // so that the next is not the same
	}
	if len(wrong) > 0 {
		p.variants = before
		return payload(kind, wrong, none)
	}
	s.variants = append(s.variants, made...)
	var nodes list
	for _, v := range made {
		nodes = append(nodes, s.variantObject(v))
		for location := range v.levels {
			s.touchLevel(v, location)
		}
	}
	s.touch(p, made...)
	return payload(kind, nil, map[string]any{"productVariants": nodes})
}

// newVariant makes a variant that is not in the shop yet.
func (s *Shop) newVariant(p *product, input arguments) (*variant, complaint, bool) {
	options, c, bad := chosen(p, input)
	if !bad {
		c, bad = wrongPrice(input["price"])
	}
	if !bad {
		c, bad = wrongMetafields(input)
	}
	if bad {
		return nil, c, true
	}
	v := &variant{id: s.newID(), item: s.newID(), price: "0.00", values: options, product: p, metafield: map[string]string{}, levels: map[int64]*level{}}
	v.set(input)
	for n, q := range input.inputs("inventoryQuantities") {
		location, _ := numberOf("Location", q.text("locationId"))
		if !s.hasLocation(location) {
			return nil, complaint{"TRACKED_VARIANT_LOCATION_NOT_FOUND", "Quantity couldn't be set because the location was deleted.", []string{"inventoryQuantities", itoa(n)}}, true
		}
		quantity := q["quantity"]
		if quantity == nil {
			quantity = q["availableQuantity"]
		}
		s.levelAt(v, location).available = int64(number(quantity))
	}
	return v, complaint{}, false
}

func (s *Shop) variantsDelete(args arguments) *object {
	const kind = "ProductVariantsBulkDeletePayload"
	p := s.productOf(args.text("productId"))
	if p == nil {
		return payload(kind, []complaint{{"PRODUCT_DOES_NOT_EXIST", "Product does not exist", []string{"productId"}}}, map[string]any{"product": (*object)(nil)})
	}
	var gone []*variant
	for i, id := range args.texts("variantsIds") {
		n, _ := numberOf("ProductVariant", id)
		v := s.variantByID(n)
		if v == nil || v.product != p {
			return payload(kind, []complaint{{"AT_LEAST_ONE_VARIANT_DOES_NOT_BELONG_TO_THE_PRODUCT", "At least one variant does not belong to the product", []string{"variantsIds", itoa(i)}}}, map[string]any{"product": s.productObject(p)})
		}
		gone = append(gone, v)
	}
	for _, v := range gone {
		s.drop(v)
	}
	s.touch(p)
	return payload(kind, nil, map[string]any{"product": s.productObject(p)})
}

// drop takes a variant out of the shop. The lock is held.
func (s *Shop) drop(v *variant) {
	is := func(other *variant) bool { return other == v }
	s.variants = slices.DeleteFunc(s.variants, is)
	v.product.variants = slices.DeleteFunc(v.product.variants, is)
	s.index.remove("variant", v.id)
	for location := range v.levels {
		s.index.remove(levelsOf(location), v.id)
	}
}
