package shopify

import "slices"

func (s *Shop) shopObject() *object {
	return &object{kind: "Shop", get: values(map[string]any{
		"id": gid("Shop", s.id), "name": "Simulated shop", "myshopifyDomain": s.Domain(), "currencyCode": s.o.Currency,
	})}
}

func publicationObject(p *publication) *object {
	return &object{kind: "Publication", get: values(map[string]any{"id": gid("Publication", p.id), "name": p.name})}
}

func (s *Shop) locationObject(l *location) *object {
	return &object{kind: "Location", get: func(field string, args arguments) (any, error) {
		if field == "inventoryLevels" {
			return s.searchLevels(l, args)
		}
		return values(map[string]any{"id": gid("Location", l.id), "name": l.name, "isActive": true})(field, args)
	}}
}

func (s *Shop) searchLevels(at *location, args arguments) (any, error) {
	stocked := slices.DeleteFunc(slices.Clone(s.variants), func(v *variant) bool { return v.levels[at.id] == nil })
	if query := args.text("query"); query != "" {
		found := s.index.find(levelsOf(at.id), query)
		stocked = slices.DeleteFunc(stocked, func(v *variant) bool { return !found[v.id] })
	}
	return page(args, "InventoryLevelConnection", stocked, func(v *variant) (int64, *object) { return v.id, s.levelObject(v, v.levels[at.id]) })
}

// nodeObject is the object with the id, of the kind if one is given; nil when it
// is not there.
func (s *Shop) nodeObject(id, kind string) *object {
	for _, of := range []struct {
		kind string
		find func(int64) *object
	}{
		{"Product", func(n int64) *object {
			if p := s.productByID(n); p != nil {
				return s.productObject(p)
			}
			return nil
		}},
		{"ProductVariant", func(n int64) *object {
			if v := s.variantByID(n); v != nil && v.id == n {
				return s.variantObject(v)
			}
			return nil
		}},
		{"InventoryItem", func(n int64) *object {
			if v := s.variantByID(n); v != nil && v.item == n {
				return s.itemObject(v)
			}
			return nil
		}},
		{"Location", func(n int64) *object {
			for _, l := range s.locations {
				if l.id == n {
					return s.locationObject(l)
				}
			}
			return nil
		}},
		{"Order", func(n int64) *object {
			if o := s.orderByID(n); o != nil {
				return s.orderObject(o)
			}
			return nil
		}},
		{"Refund", s.refundByID},
	} {
		if n, ok := numberOf(of.kind, id); ok && (kind == "" || kind == of.kind) {
			return of.find(n)
		}
	}
	return nil
}

func (s *Shop) productObject(p *product) *object {
	return &object{kind: "Product", get: func(field string, args arguments) (any, error) {
		switch field {
		case "publishedOnPublication":
			id, _ := numberOf("Publication", args.text("publicationId"))
			return p.published[id], nil
		case "options":
			options := make(list, len(p.options))
			for i, name := range p.options {
				options[i] = &object{kind: "ProductOption", get: values(map[string]any{"id": gid("ProductOption", p.id+int64(i)), "name": name})}
			}
			return options, nil
		case "variants":
			return page(args, "ProductVariantConnection", p.variants, func(v *variant) (int64, *object) { return v.id, s.variantObject(v) })
		}
		return values(map[string]any{
			"id": gid("Product", p.id), "handle": p.handle, "title": p.title, "descriptionHtml": p.description,
			"status": p.status, "hasOnlyDefaultVariant": p.plain(), "updatedAt": p.updatedAt,
		})(field, args)
	}}
}

func (s *Shop) variantObject(v *variant) *object {
	return &object{kind: "ProductVariant", get: func(field string, args arguments) (any, error) {
		switch field {
		case "product":
			return s.productObject(v.product), nil
		case "inventoryItem":
			return s.itemObject(v), nil
		case "selectedOptions":
			options := make(list, len(v.values))
			for i, value := range v.values {
				options[i] = &object{kind: "SelectedOption", get: values(map[string]any{"name": v.product.options[i], "value": value})}
			}
			return options, nil
		case "metafield":
			value, ok := v.metafield[args.text("namespace")+"."+args.text("key")]
			if !ok {
				return (*object)(nil), nil
			}
			return &object{kind: "Metafield", get: values(map[string]any{"id": gid("Metafield", v.id), "value": value})}, nil
		}
		var sku any
		if v.sku != "" {
			sku = v.sku
		}
		return values(map[string]any{"id": gid("ProductVariant", v.id), "sku": sku, "title": v.title(), "price": v.price, "updatedAt": v.updatedAt})(field, args)
	}}
}

func (s *Shop) itemObject(v *variant) *object {
	return &object{kind: "InventoryItem", get: func(field string, args arguments) (any, error) {
		switch field {
		case "inventoryLevel":
			id, _ := numberOf("Location", args.text("locationId"))
			l := v.levels[id]
			if l == nil {
				return (*object)(nil), nil
			}
			return s.levelObject(v, l), nil
		case "variants":
			return page(args, "ProductVariantConnection", []*variant{v}, func(v *variant) (int64, *object) { return v.id, s.variantObject(v) })
		}
		others := 0
		if v.sku != "" {
			others = len(s.variantsBySKU(v.sku)) - 1
		}
		return values(map[string]any{"id": gid("InventoryItem", v.item), "sku": v.sku, "tracked": v.tracked, "duplicateSkuCount": others})(field, args)
	}}
}

func (s *Shop) levelObject(v *variant, l *level) *object {
	return &object{kind: "InventoryLevel", get: func(field string, args arguments) (any, error) {
		switch field {
		case "item":
			return s.itemObject(v), nil
		case "quantities":
			quantities := list{}
			for _, name := range args.texts("names") {
				n, ok := map[string]int64{"available": l.available, "committed": l.committed, "on_hand": l.onHand()}[name]
				if !ok {
					return nil, &fieldError{"BAD_REQUEST", "The specified quantity name is invalid."}
				}
				quantities = append(quantities, &object{kind: "InventoryQuantity", get: values(map[string]any{
					"id": gid("InventoryQuantity", l.id), "name": name, "quantity": n,
				})})
			}
			return quantities, nil
		}
		return values(map[string]any{"id": gid("InventoryLevel", l.id), "updatedAt": l.updatedAt})(field, args)
	}}
}
