package shopify

import (
	"fmt"
	"time"
)

type order struct {
	id                   int64
	createdAt, updatedAt time.Time
	cancelled            bool
	lines                []*line
	refunds              []*refund
}

type line struct {
	id        int64
	sku       string
	variant   *variant
	price     string
	quantity  int64
	fulfilled int64
	// cancelled are units that were refunded before they were sent, lost those
	// of them that were not put back, returned those that came back, removed
	// those that an edit took away.
	cancelled, lost, returned, removed int64
}

func (l *line) left() int64 { return l.quantity - l.fulfilled - l.cancelled - l.lost - l.removed }

type refund struct {
	id    int64
	lines []refunded
}

type refunded struct {
	line     *line
	quantity int64
	restock  string
}

func (s *Shop) orderByID(id int64) *order {
	for _, o := range s.orders {
		if o.id == id {
			return o
		}
	}
	return nil
}

func (s *Shop) refundByID(id int64) *object {
	for _, o := range s.orders {
		for _, r := range o.refunds {
			if r.id == id {
				return s.refundObject(r)
			}
		}
	}
	return nil
}

// touchOrder notes a change of an order. The lock is held.
func (s *Shop) touchOrder(o *order, topic string) {
	o.updatedAt = now()
	status := "closed"
	if !o.cancelled {
		for _, l := range o.lines {
			if l.left() > 0 {
				status = "open"
			}
		}
	}
	s.index.set("order", o.id, fields{"updated_at": o.updatedAt, "status": status})
	s.hooks.order(o, topic)
}

func (s *Shop) orderObject(o *order) *object {
	return &object{kind: "Order", get: func(field string, args arguments) (any, error) {
		switch field {
		case "lineItems":
			return page(args, "LineItemConnection", o.lines, func(l *line) (int64, *object) { return l.id, s.lineObject(l) })
		case "refunds":
			refunds := list{}
			for i, r := range o.refunds {
				if first, ok := args["first"]; ok && first != nil && i >= number(first) {
					break
				}
				refunds = append(refunds, s.refundObject(r))
			}
			return refunds, nil
		}
		var cancelledAt any
		if o.cancelled {
			cancelledAt = o.updatedAt
		}
		return values(map[string]any{
			"id": gid("Order", o.id), "name": fmt.Sprintf("#%d", o.id), "createdAt": o.createdAt, "updatedAt": o.updatedAt, "cancelledAt": cancelledAt,
		})(field, args)
	}}
}

func (s *Shop) lineObject(l *line) *object {
	money := &object{kind: "MoneyV2", get: values(map[string]any{"amount": l.price, "currencyCode": s.o.Currency})}
	return &object{kind: "LineItem", get: values(map[string]any{
		"id": gid("LineItem", l.id), "sku": l.sku, "quantity": l.quantity,
		"currentQuantity":      l.quantity - l.cancelled - l.lost - l.returned - l.removed,
		"unfulfilledQuantity":  l.left(),
		"originalUnitPriceSet": &object{kind: "MoneyBag", get: values(map[string]any{"shopMoney": money})},
	})}
}

func (s *Shop) refundObject(r *refund) *object {
	return &object{kind: "Refund", get: func(field string, args arguments) (any, error) {
		if field == "refundLineItems" {
			n := int64(0)
			return page(args, "RefundLineItemConnection", r.lines, func(one refunded) (int64, *object) {
				n++
				return n, &object{kind: "RefundLineItem", get: values(map[string]any{
					"lineItem": s.lineObject(one.line), "quantity": one.quantity, "restockType": one.restock,
				})}
			})
		}
		return values(map[string]any{"id": gid("Refund", r.id)})(field, args)
	}}
}
