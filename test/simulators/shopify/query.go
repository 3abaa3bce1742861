package shopify

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// query answers the fields of the root.
func (x *execution) query(field string, args arguments) (any, error) {
	s := x.shop
	switch field {
	case "shop":
		return s.shopObject(), nil
	case "location":
		if id := args.text("id"); id != "" {
			return s.nodeObject(id, "Location"), nil
		}
		return s.locationObject(s.locations[0]), nil
	case "locations":
		return page(args, "LocationConnection", s.locations, func(l *location) (int64, *object) { return l.id, s.locationObject(l) })
	case "publications":
		return page(args, "PublicationConnection", s.publications, func(p *publication) (int64, *object) { return p.id, publicationObject(p) })
	case "node":
		return s.nodeObject(args.text("id"), ""), nil
	case "nodes":
		ids := args.texts("ids")
		if len(ids) > maxNodes {
			return nil, &fieldError{"MAX_INPUT_SIZE_EXCEEDED", fmt.Sprintf("The input array size of %d is greater than the maximum allowed of %d.", len(ids), maxNodes)}
		}
		found := make(list, len(ids))
		for i, id := range ids {
			found[i] = s.nodeObject(id, "")
		}
		return found, nil
	case "product":
		return s.nodeObject(args.text("id"), "Product"), nil
	case "productByIdentifier":
		return s.productByIdentifier(args.input("identifier")), nil
	case "order":
		return s.nodeObject(args.text("id"), "Order"), nil
	case "orders":
		return s.searchOrders(args)
	case "products":
		return s.searchProducts(args)
	case "webhookSubscriptions":
		return s.hooks.list(x.app, args)
	case "productVariants":
		return s.searchVariants(args)
	}
	panic("the simulator has no query " + field)
}

// maxNodes is the most elements of a list in a request, and of a page.
const maxNodes = 250

func (s *Shop) productByIdentifier(identifier arguments) *object {
	p := s.productByHandle(identifier.text("handle"))
	if id, ok := numberOf("Product", identifier.text("id")); ok {
		p = s.productByID(id)
	}
	if p == nil {
		return nil
	}
	return s.productObject(p)
}

func (s *Shop) searchVariants(args arguments) (any, error) {
	all := s.variants
	if query := args.text("query"); query != "" {
		found := s.index.find("variant", query)
		all = slices.DeleteFunc(slices.Clone(all), func(v *variant) bool { return !found[v.id] })
	}
	return page(args, "ProductVariantConnection", all, func(v *variant) (int64, *object) { return v.id, s.variantObject(v) })
}

// searchProducts are in the order of their change, as it is: an index that is
// behind lacks some, and has none that are gone.
func (s *Shop) searchProducts(args arguments) (any, error) {
	all := slices.Clone(s.products)
	if query := args.text("query"); query != "" {
		found := s.index.find("product", query)
		all = slices.DeleteFunc(all, func(p *product) bool { return !found[p.id] })
	}
	key := func(p *product) int64 { return p.id }
	if args.text("sortKey") == "UPDATED_AT" {
		key = func(p *product) int64 { return byTime(p.updatedAt, p.id) }
	}
	slices.SortFunc(all, func(a, b *product) int { return cmp.Compare(key(a), key(b)) })
	return page(args, "ProductConnection", all, func(p *product) (int64, *object) { return key(p), s.productObject(p) })
}

func (s *Shop) searchOrders(args arguments) (any, error) {
	all := slices.Clone(s.orders)
	if query := args.text("query"); query != "" {
		found := s.index.find("order", query)
		all = slices.DeleteFunc(all, func(o *order) bool { return !found[o.id] })
	}
	key := func(o *order) int64 { return o.id }
	if args.text("sortKey") == "UPDATED_AT" {
		key = func(o *order) int64 { return byTime(o.updatedAt, o.id) }
	}
	slices.SortFunc(all, func(a, b *order) int { return cmp.Compare(key(a), key(b)) })
	return page(args, "OrderConnection", all, func(o *order) (int64, *object) { return key(o), s.orderObject(o) })
}

// byTime orders by a time of whole seconds and then by id: ids here are below
// ten billion.
func byTime(at time.Time, id int64) int64 {
	return (at.Unix()-1_600_000_000)*10_000_000_000 + id
}

// page is a page of a list that is in the order of its keys.
func page[T any](args arguments, kind string, all []T, node func(T) (int64, *object)) (*object, error) {
	first := number(args["first"])
	if first < 1 || first > maxNodes {
		return nil, &fieldError{"BAD_REQUEST", fmt.Sprintf("you must provide a first from 1 to %d", maxNodes)}
	}
	after := int64(-1 << 62)
	if cursor := args.text("after"); cursor != "" {
		text, err := base64.StdEncoding.DecodeString(cursor)
		if err == nil {
			after, err = strconv.ParseInt(string(text), 10, 64)
		}
		if err != nil {
			return nil, &fieldError{"BAD_REQUEST", "Invalid cursor for current pagination sort."}
		}
	}
	var (
		nodes list
		last  int64
		more  bool
	)
	for _, one := range all {
		key, o := node(one)
		if key <= after {
			continue
		}
		if more = len(nodes) == first; more {
			break
		}
		nodes, last = append(nodes, o), key
	}
	var end any
	if len(nodes) > 0 {
		end = base64.StdEncoding.EncodeToString([]byte(strconv.FormatInt(last, 10)))
	}
	info := &object{kind: "PageInfo", get: values(map[string]any{"hasNextPage": more, "endCursor": end})}
	return &object{kind: kind, get: values(map[string]any{"nodes": nodes, "pageInfo": info})}, nil
}

// values are fields that are known beforehand.
func values(all map[string]any) func(string, arguments) (any, error) {
	return func(field string, _ arguments) (any, error) {
		value, ok := all[field]
		if !ok {
			panic("the simulator has no field " + field)
		}
		return value, nil
	}
}
