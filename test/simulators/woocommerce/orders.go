package woocommerce

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

var orderListing = listing[order]{
	id:       func(o order) int64 { return o.ID },
	created:  func(o order) time.Time { return o.Created },
	modified: func(o order) time.Time { return o.Modified },
	title:    func(o order) string { return fmt.Sprintf("Order %d", o.ID) },
	status:   func(o order) string { return o.Status },
}

// routeOrders answers /orders and below.
func (s *Shop) routeOrders(q *request) (int, any, error) {
	if len(q.path) == 1 {
		switch q.Method {
		case http.MethodGet:
			return s.listOrders(q)
		case http.MethodPost:
			return s.postOrder(q)
		}
		return 0, nil, noRoute()
	}
	id, err := q.id(1)
	if err != nil {
		return 0, nil, err
	}
	o, ok := s.order(id)
	if !ok {
		return 0, nil, refuse(http.StatusNotFound, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
	}
	switch {
	case len(q.path) == 2 && q.Method == http.MethodGet:
		return http.StatusOK, only(s.orderView(o), q.fields()), nil
	case len(q.path) == 2 && (q.Method == http.MethodPut || q.Method == http.MethodPost):
		status := text(q.body["status"])
		if !slices.Contains(orderStatuses, status) {
			return 0, nil, badParam("status")
		}
		return http.StatusOK, s.orderView(s.setStatus(o, status)), nil
	case len(q.path) == 3 && q.path[2] == "refunds":
		return s.routeRefunds(q, o)
	}
	return 0, nil, noRoute()
}

func (s *Shop) listOrders(q *request) (int, any, error) {
	for _, status := range q.list("status") {
		if status != "any" && status != "trash" && !slices.Contains(orderStatuses, status) {
			return 0, nil, badParam("status")
		}
	}
	var all []order
	for _, r := range s.orders {
		if o, ok := r.asOf(s.clock().Add(-s.faults.lag())); ok {
			all = append(all, o.clone())
		}
	}
	some, err := page(s, q, all, orderListing)
	if err != nil {
		return 0, nil, err
	}
	views := make([]object, len(some))
	for n, o := range some {
		views[n] = only(s.orderView(o), q.fields())
	}
	return http.StatusOK, views, nil
}

// postOrder makes an order of products by id, paid if set_paid says so.
func (s *Shop) postOrder(q *request) (int, any, error) {
	var lines []line
	list, _ := q.body["line_items"].([]any)
	for _, entry := range list {
		l, _ := entry.(object)
		lines = append(lines, line{
			ProductID: integer(l["product_id"]), VariationID: integer(l["variation_id"]), Quantity: integer(l["quantity"]),
		})
	}
	status := text(q.body["status"])
	switch {
	case q.body["set_paid"] == true:
		status = "processing"
	case status == "":
		status = "pending"
	}
	o, err := s.place(status, lines)
	if err != nil {
		return 0, nil, refuse(http.StatusBadRequest, "woocommerce_rest_invalid_product_id", err.Error())
	}
	return http.StatusCreated, s.orderView(o), nil
}

func (s *Shop) routeRefunds(q *request, o order) (int, any, error) {
	switch q.Method {
	case http.MethodGet:
		q.count(s, len(o.Refunds), maxPerPage, 1)
		views := make([]object, len(o.Refunds))
		for n, r := range o.Refunds {
			views[n] = only(s.refundView(r), q.fields())
		}
		return http.StatusOK, views, nil
	case http.MethodPost:
		units := map[int64]int64{}
		list, _ := q.body["line_items"].([]any)
		for _, entry := range list {
			l, _ := entry.(object)
			units[integer(l["id"])] = integer(l["quantity"])
		}
		o = s.refund(o, units, q.body["api_restock"] != false)
		return http.StatusCreated, s.refundView(o.Refunds[len(o.Refunds)-1]), nil
	}
	return 0, nil, noRoute()
}

// orderTotals counts the orders of each status.
func (s *Shop) orderTotals() []object {
	all := []object{}
	for _, status := range orderStatuses {
		n := 0
		for id := range s.orders {
			if o, ok := s.order(id); ok && o.Status == status {
				n++
			}
		}
		all = append(all, object{"slug": status, "name": status, "total": n})
	}
	return all
}

func (s *Shop) orderView(o order) object {
	lines, refunds, total := []object{}, []object{}, 0.0
	for _, l := range o.Lines {
		lines = append(lines, s.lineView(l))
		total += l.Total
	}
	for _, r := range o.Refunds {
		refunds = append(refunds, object{"id": r.ID, "reason": "", "total": s.amount(-r.Amount)})
	}
	address := object{"first_name": o.FirstName, "last_name": o.LastName, "email": o.Email, "address_1": "Main Street 1", "city": o.LastName}
	view := object{
		"id": o.ID, "number": fmt.Sprint(o.ID), "status": o.Status, "currency": o.Currency, "total": s.amount(total),
		"billing": address, "shipping": address, "line_items": lines, "refunds": refunds, "meta_data": []object{},
	}
	s.times(view, "date_created", o.Created)
	s.times(view, "date_modified", o.Modified)
	s.times(view, "date_paid", o.Paid)
	s.times(view, "date_completed", o.Completed)
	return view
}

func (s *Shop) amount(a float64) string { return fmt.Sprintf("%.*f", s.o.Decimals, a) }

// lineView is a line with its product's SKU of now; null once that is deleted.
func (s *Shop) lineView(l line) object {
	var sku any
	if p, ok := s.product(l.product()); ok {
		sku = s.common(p)["sku"]
	}
	var meta []metadata
	if l.Reduced != nil {
		meta = append(meta, metadata{ID: 1, Key: "_reduced_stock", Value: fmt.Sprint(*l.Reduced)})
	}
	if l.Restocked != 0 {
		meta = append(meta, metadata{ID: 2, Key: "_restock_refunded_items", Value: fmt.Sprint(l.Restocked)})
	}
	return object{
		"id": l.ID, "name": l.Name, "product_id": l.ProductID, "variation_id": l.VariationID, "quantity": l.Quantity,
		"total": s.amount(l.Total), "total_tax": s.amount(0), "sku": sku, "price": l.Total / float64(max(1, l.Quantity)),
		"meta_data": metaOf(meta),
	}
}

func (s *Shop) refundView(r refund) object {
	lines := []object{}
	for _, l := range r.Lines {
		lines = append(lines, object{
			"id": l.ID, "quantity": -l.Units, "meta_data": metaOf([]metadata{{ID: 1, Key: "_refunded_item_id", Value: fmt.Sprint(l.Of)}}),
		})
	}
	view := object{"id": r.ID, "amount": s.amount(r.Amount), "line_items": lines}
	s.times(view, "date_created", r.Created)
	return view
}
