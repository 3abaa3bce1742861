package woocommerce

import (
	"strings"
	"time"
)

// object is what JSON makes of a thing.
type object = map[string]any

const timeLayout = "2006-01-02T15:04:05"

func (s *Shop) times(o object, name string, at time.Time) {
	if at.IsZero() {
		o[name], o[name+"_gmt"] = nil, nil
		return
	}
	o[name], o[name+"_gmt"] = at.In(s.o.Zone).Format(timeLayout), at.UTC().Format(timeLayout)
}

// viewOf is a product in the form of products, a variation too.
func (s *Shop) viewOf(p product, edit bool) object {
	o := s.common(p)
	o["name"], o["slug"], o["type"], o["parent_id"] = p.Name, p.Slug, p.Type, p.ParentID
	o["description"] = p.Description
	if !edit {
		o["description"] = paragraphs(p.Description)
	}
	variations := []int64{}
	if p.Type == typeVariation {
		o["name"] = s.variationName(p)
		o["slug"] = slugOf(s.variationName(p))
	} else {
		o["attributes"] = attributesOf(p)
	}
	if p.Type == typeVariable {
		for _, v := range s.variations(p.ID) {
			if v.Status == statusPublish || v.Status == statusPrivate {
				variations = append(variations, v.ID)
			}
		}
	}
	o["variations"] = variations
	return o
}

// variationView is a variation in the form of variations: without a type, and
// with its product only in the list of all of them.
func (s *Shop) variationView(v product, withParent bool) object {
	o := s.common(v)
	o["description"] = paragraphs(v.Description)
	if withParent {
		o["parent_id"] = v.ParentID
	}
	return o
}

// common is what both forms hold. A variation without a SKU shows that of its
// product.
func (s *Shop) common(p product) object {
	sku, stock, status := p.SKU, p.Stock, "instock"
	if p.Type == typeVariation {
		if parent, ok := s.product(p.ParentID); ok {
			if sku == "" {
				sku = parent.SKU
			}
			if !p.ManageStock && parent.ManageStock {
				stock = parent.Stock
			}
		}
	}
	if stock != nil && *stock <= 0 {
		status = "outofstock"
	}
	price := p.RegularPrice
	if p.SalePrice != "" {
		price = p.SalePrice
	}
	o := object{
		"id": p.ID, "status": p.Status, "sku": sku, "price": price, "regular_price": p.RegularPrice,
		"sale_price": p.SalePrice, "manage_stock": s.managing(p), "stock_quantity": stock, "stock_status": status,
		"backorders": p.Backorders, "attributes": choicesOf(p), "meta_data": metaOf(p.Meta),
	}
	s.times(o, "date_created", p.Created)
	s.times(o, "date_modified", p.Modified)
	return o
}

func (s *Shop) variationName(v product) string {
	parent, _ := s.product(v.ParentID)
	values := make([]string, 0, len(v.Chosen))
	for _, c := range v.Chosen {
		values = append(values, c.Option)
	}
	if len(values) == 0 {
		return parent.Name
	}
	return parent.Name + " - " + strings.Join(values, ", ")
}

func attributesOf(p product) []object {
	all := []object{}
	for _, a := range p.Attributes {
		all = append(all, object{
			"id": a.ID, "name": a.Name, "position": a.Position, "visible": a.Visible, "variation": a.Variation, "options": a.Options,
		})
	}
	return all
}

func choicesOf(p product) []object {
	all := []object{}
	for _, c := range p.Chosen {
		if c.Option != "" {
			all = append(all, object{"id": c.ID, "name": c.Name, "option": c.Option})
		}
	}
	return all
}

func metaOf(all []metadata) []object {
	out := []object{}
	for _, m := range all {
		out = append(out, object{"id": m.ID, "key": m.Key, "value": m.Value})
	}
	return out
}

// paragraphs is wpautop in outline: what is shown is not what is stored.
func paragraphs(text string) string {
	if text == "" || strings.HasPrefix(text, "<p>") {
		return text
	}
	return "<p>" + text + "</p>\n"
}

// only leaves the fields that a request asked for (_fields); a part of one is
// named behind a dot.
func only(o object, fields []string) object {
	if len(fields) == 0 {
		return o
	}
	out := object{}
	if id, ok := o["id"]; ok {
		out["id"] = id
	}
	for _, f := range fields {
		name, part, nested := strings.Cut(f, ".")
		whole, ok := o[name]
		if !ok {
			continue
		}
		parts, isObject := whole.(object)
		if !nested || !isObject {
			out[name] = whole
			continue
		}
		chosen, _ := out[name].(object)
		if chosen == nil {
			chosen = object{}
			out[name] = chosen
		}
		if v, ok := parts[part]; ok {
			chosen[part] = v
		}
	}
	return out
}
