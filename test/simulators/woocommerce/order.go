package woocommerce

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// order is an order. Its billing address is there to show that nobody asks for
// it in vain.
type order struct {
	ID                         int64
	Status                     string
	Currency                   string
	Created, Modified          time.Time
	Paid, Completed            time.Time
	StockReduced               bool
	Lines                      []line
	Refunds                    []refund
	FirstName, LastName, Email string
}

type line struct {
	ID, ProductID, VariationID int64
	Name                       string
	Quantity                   int64
	Total                      float64
	// Reduced is what the line has taken from the stock; nil where it says
	// nothing of it.
	Reduced   *int64
	Restocked int64
}

type refund struct {
	ID      int64
	Created time.Time
	Amount  float64
	Lines   []refundLine
}

type refundLine struct{ ID, Of, Units int64 }

// Statuses of orders, and the ones in which an order takes stock or gives it
// back.
var (
	orderStatuses = []string{"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft"}
	takesStock    = []string{"processing", "on-hold", "completed"}
	givesStock    = []string{"pending", "cancelled"}
)

func (o order) clone() order {
	o.Lines, o.Refunds = slices.Clone(o.Lines), slices.Clone(o.Refunds)
	for n, l := range o.Lines {
		if l.Reduced != nil {
			units := *l.Reduced
			o.Lines[n].Reduced = &units
		}
	}
	return o
}

func (s *Shop) order(id int64) (order, bool) {
	r := s.orders[id]
	if r == nil {
		return order{}, false
	}
	o, ok := r.newest()
	return o.clone(), ok
}

func (s *Shop) saveOrder(o order) order {
	event := "updated"
	if o.ID == 0 {
		o.ID, o.Created, event = s.nextID(), s.now(), "created"
		s.orders[o.ID] = &row[order]{}
	}
	o.Modified = s.now()
	s.orders[o.ID].put(s.clock(), o.clone(), false)
	s.touch("order."+event, o.ID)
	return o
}

// place makes an order in a status, as a checkout does.
func (s *Shop) place(status string, lines []line) (order, error) {
	o := order{
		Currency: s.o.Currency, Status: "pending",
		FirstName: "Shopper", LastName: "Vienna", Email: "buyer@customer.test",
	}
	for _, l := range lines {
		id := l.ProductID
		if l.VariationID != 0 {
			id = l.VariationID
		}
		p, ok := s.product(id)
		if !ok {
			return order{}, fmt.Errorf("there is no product %d", id)
		}
		if p.ManageStock && p.Backorders == "no" && (p.Stock == nil || *p.Stock < l.Quantity) {
			return order{}, fmt.Errorf("%s is sold out", p.SKU)
		}
		price, _ := strconv.ParseFloat(p.RegularPrice, 64)
		l.ID, l.Name, l.Total = s.nextID(), p.Name, price*float64(l.Quantity)
		o.Lines = append(o.Lines, l)
	}
	o = s.saveOrder(o)
	if status == "checkout-draft" {
		o.Status = status
		return s.saveOrder(o), nil
	}
	return s.setStatus(o, status), nil
}

// setStatus moves an order to a status, with what that does to the stock.
func (s *Shop) setStatus(o order, status string) order {
	o.Status = status
	switch status {
	case "processing":
		if o.Paid.IsZero() {
			o.Paid = s.now()
		}
	case "completed":
		o.Completed = s.now()
	}
	o = s.saveOrder(o)
	switch {
	case slices.Contains(takesStock, status) && !o.StockReduced:
		s.reduce(&o)
	case slices.Contains(givesStock, status) && o.StockReduced:
		s.increase(&o)
	case status == "refunded":
		o.Refunds = append(o.Refunds, refund{ID: s.nextID(), Created: s.now(), Amount: o.rest()})
	}
	return s.saveOrder(o)
}

func (l line) product() int64 {
	if l.VariationID != 0 {
		return l.VariationID
	}
	return l.ProductID
}

// reduce takes the units of the lines that have not taken theirs.
func (s *Shop) reduce(o *order) {
	for n, l := range o.Lines {
		if l.Reduced != nil && *l.Reduced != 0 || !s.moveStock(l.product(), -l.Quantity) {
			continue
		}
		units := l.Quantity
		o.Lines[n].Reduced = &units
	}
	o.StockReduced = true
}

// increase gives back what the lines have taken.
func (s *Shop) increase(o *order) {
	for n, l := range o.Lines {
		if l.Reduced != nil && *l.Reduced != 0 && s.moveStock(l.product(), *l.Reduced) {
			o.Lines[n].Reduced = nil
		}
	}
	o.StockReduced = false
}

func (o order) rest() float64 {
	rest := 0.0
	for _, l := range o.Lines {
		rest += l.Total
	}
	for _, r := range o.Refunds {
		rest -= r.Amount
	}
	return rest
}

// refund gives money back for units of lines, and the units to the stock if
// restock. An order all of whose money is given back is refunded.
func (s *Shop) refund(o order, units map[int64]int64, restock bool) order {
	r := refund{ID: s.nextID(), Created: s.now()}
	for n, l := range o.Lines {
		count := units[l.ID]
		if count == 0 {
			continue
		}
		r.Lines = append(r.Lines, refundLine{ID: s.nextID(), Of: l.ID, Units: count})
		r.Amount += l.Total / float64(l.Quantity) * float64(count)
		if restock && l.Reduced != nil && *l.Reduced != 0 && s.moveStock(l.product(), count) {
			left := *l.Reduced - count
			o.Lines[n].Reduced, o.Lines[n].Restocked = &left, l.Restocked+count
		}
	}
	o.Refunds = append(o.Refunds, r)
	if o.rest() < 0.005 {
		o.Status = "refunded"
	}
	return s.saveOrder(o)
}
