package woocommerce

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

var productListing = listing[product]{
	id:       func(p product) int64 { return p.ID },
	created:  func(p product) time.Time { return p.Created },
	modified: func(p product) time.Time { return p.Modified },
	title:    func(p product) string { return p.Name },
	status:   func(p product) string { return p.Status },
}

// routeProducts answers /products and below.
func (s *Shop) routeProducts(q *request) (int, any, error) {
	switch {
	case len(q.path) == 1:
		return s.routeCollection(q, nil)
	case len(q.path) == 2 && q.path[1] == "batch" && q.Method == http.MethodPost:
		return s.batch(q, nil)
	}
	id, err := q.id(1)
	if err != nil {
		return 0, nil, err
	}
	if len(q.path) == 2 {
		return s.routeItem(q, id, nil)
	}
	if q.path[2] != "variations" {
		return 0, nil, noRoute()
	}
	parent, ok := s.readable(id)
	if !ok || parent.Type == typeVariation {
		return 0, nil, refuse(http.StatusNotFound, "woocommerce_rest_product_invalid_id", "Invalid product ID.")
	}
	switch {
	case len(q.path) == 3:
		return s.routeCollection(q, &parent)
	case len(q.path) == 4 && q.path[3] == "batch" && q.Method == http.MethodPost:
		return s.batch(q, &parent)
	}
	if id, err = q.id(3); err != nil {
		return 0, nil, err
	}
	return s.routeItem(q, id, &parent)
}

// routeCollection answers for products, or for the variations of one.
func (s *Shop) routeCollection(q *request, parent *product) (int, any, error) {
	switch {
	case q.Method == http.MethodGet && parent == nil:
		return s.listProducts(q)
	case q.Method == http.MethodGet:
		return s.listVariations(q, parent.ID)
	case q.Method == http.MethodPost:
		view, err := s.create(q.body, parent)
		return http.StatusCreated, view, err
	}
	return 0, nil, noRoute()
}

// routeItem answers for one product or variation.
func (s *Shop) routeItem(q *request, id int64, parent *product) (int, any, error) {
	p, ok := s.readable(id)
	if parent != nil && ok && p.ParentID != parent.ID {
		return 0, nil, refuse(http.StatusForbidden, "woocommerce_rest_cannot_edit", "Parent product does not match current variation.")
	}
	switch q.Method {
	case http.MethodGet:
		if !ok {
			return 0, nil, invalidID(parent, http.StatusNotFound)
		}
		if parent != nil {
			return http.StatusOK, only(s.variationView(p, false), q.fields()), nil
		}
		return http.StatusOK, only(s.viewOf(p, q.query.Get("context") == "edit"), q.fields()), nil
	case http.MethodPut, http.MethodPost, http.MethodPatch:
		view, err := s.update(id, q.body, parent)
		return http.StatusOK, view, err
	case http.MethodDelete:
		view, err := s.deleteProduct(id, parent, q.query.Get("force") == "true")
		return http.StatusOK, view, err
	}
	return 0, nil, noRoute()
}

func invalidID(parent *product, status int) error {
	kind := "product"
	if parent != nil {
		kind = "product_variation"
	}
	return refuse(status, "woocommerce_rest_"+kind+"_invalid_id", "Invalid ID.")
}

// readable is a product as a reading finds it: on a replica that lags, as it was.
func (s *Shop) readable(id int64) (product, bool) {
	r := s.products[id]
	if r == nil {
		return product{}, false
	}
	p, ok := r.asOf(s.clock().Add(-s.faults.lag()))
	return p.clone(), ok
}

// listProducts answers with products, and where SKUs are asked for with
// variations too.
func (s *Shop) listProducts(q *request) (int, any, error) {
	var skus []string
	if text := clean(q.query.Get("sku")); text != "" {
		if skus = strings.Split(text, ","); len(skus) > 1 {
			skus = append(skus, text)
		}
	}
	var all []product
	for id := range s.products {
		p, ok := s.readable(id)
		switch {
		case !ok || p.Type == typeVariation && skus == nil:
			continue
		case skus != nil && !slices.ContainsFunc(skus, func(sku string) bool { return strings.EqualFold(sku, p.SKU) }):
			continue
		case q.query.Get("slug") != "" && (p.Type == typeVariation || p.Slug != q.query.Get("slug")):
			continue
		case q.query.Get("type") != "" && p.Type != q.query.Get("type"):
			continue
		}
		all = append(all, p)
	}
	some, err := page(s, q, all, productListing)
	if err != nil {
		return 0, nil, err
	}
	views := make([]object, len(some))
	for n, p := range some {
		views[n] = only(s.viewOf(p, q.query.Get("context") == "edit"), q.fields())
	}
	return http.StatusOK, views, nil
}

// listVariations answers with the variations of a product, or of all (0).
func (s *Shop) listVariations(q *request, parent int64) (int, any, error) {
	parents, err := q.ids("parent")
	if err != nil {
		return 0, nil, err
	}
	var all []product
	for id := range s.products {
		p, ok := s.readable(id)
		if !ok || p.Type != typeVariation || parent != 0 && p.ParentID != parent {
			continue
		}
		if len(parents) == 0 || slices.Contains(parents, p.ParentID) {
			all = append(all, p)
		}
	}
	some, err := page(s, q, all, productListing)
	if err != nil {
		return 0, nil, err
	}
	views := make([]object, len(some))
	for n, p := range some {
		views[n] = only(s.variationView(p, parent == 0), q.fields())
	}
	return http.StatusOK, views, nil
}

// deleteProduct deletes for good. The bin is not simulated.
func (s *Shop) deleteProduct(id int64, parent *product, force bool) (object, error) {
	p, ok := s.product(id)
	if !ok || (parent != nil) != (p.Type == typeVariation) {
		return nil, invalidID(parent, http.StatusNotFound)
	}
	if !force {
		return nil, refuse(http.StatusNotImplemented, "woocommerce_rest_trash_not_supported", fmt.Sprintf("The %s does not support trashing.", p.Type))
	}
	view := s.viewOf(p, true)
	s.remove(p)
	return view, nil
}
