package shopify

import (
	"context"
	"fmt"
	"time"
)

// These are the people around the shop: the merchant in the admin, and buyers.
// What they do is in the data at once, and in searches after a while.

// Settle waits until searches show the data as it is.
func (s *Shop) Settle(ctx context.Context) error {
	for !s.index.settled() {
		timer := time.NewTimer(10 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("waiting for the index of the searches: %w", ctx.Err())
		}
	}
	return nil
}

// NewProduct is a product to make.
type NewProduct struct {
	Handle, Title string
	SKU, Price    string
	Available     int64
	// Untracked products have no stock.
	Untracked bool
}

// Add makes products with one variant each, on sale in the Online Store.
func (s *Shop) Add(all ...NewProduct) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range all {
		if n.Handle == "" {
			n.Handle = fmt.Sprintf("product-%d", s.newID())
		}
		p := &product{
			id: s.newID(), handle: n.Handle, title: n.Title, status: "ACTIVE", options: []string{plainOption},
			published: map[int64]bool{s.publications[1].id: true},
		}
		v := &variant{
			id: s.newID(), item: s.newID(), sku: n.SKU, price: n.Price, values: []string{plainValue}, tracked: !n.Untracked,
			metafield: map[string]string{}, product: p, levels: map[int64]*level{},
		}
		s.levelAt(v, s.locations[0].id).available = n.Available
		p.variants = []*variant{v}
		s.enter(p)
	}
}

// ErrNoVariant says that no variant bears the SKU.
type ErrNoVariant string

func (e ErrNoVariant) Error() string { return "no variant has the SKU " + string(e) }

// edit changes the first variant with the SKU.
func (s *Shop) edit(sku string, change func(v *variant)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.variantsBySKU(sku)
	if len(all) == 0 {
		return ErrNoVariant(sku)
	}
	change(all[0])
	return nil
}

// SetPrice changes a price.
func (s *Shop) SetPrice(sku, price string) error {
	return s.edit(sku, func(v *variant) {
		v.price = price
		s.touch(v.product, v)
	})
}

// SetTitle changes the title of the product.
func (s *Shop) SetTitle(sku, title string) error {
	return s.edit(sku, func(v *variant) {
		v.product.title = title
		s.touch(v.product)
	})
}

// SetAvailable changes what is available at the first location.
func (s *Shop) SetAvailable(sku string, units int64) error {
	return s.edit(sku, func(v *variant) {
		s.levelAt(v, s.locations[0].id).available = units
		s.touchLevel(v, s.locations[0].id)
	})
}

// Rename gives a variant another SKU.
func (s *Shop) Rename(sku, to string) error {
	return s.edit(sku, func(v *variant) {
		v.sku = to
		s.touch(v.product, v)
	})
}

// Delete takes a variant away, and with the last one its product.
func (s *Shop) Delete(sku string) error {
	return s.edit(sku, func(v *variant) {
		p := v.product
		s.drop(v)
		if len(p.variants) > 0 {
			s.touch(p)
			return
		}
		for i, other := range s.products {
			if other == p {
				s.products = append(s.products[:i:i], s.products[i+1:]...)
				break
			}
		}
		s.index.remove("product", p.id)
		s.hooks.deleted(p)
	})
}

// SKUs are those of all variants.
func (s *Shop) SKUs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]string, len(s.variants))
	for i, v := range s.variants {
		all[i] = v.sku
	}
	return all
}

// Shown is what a shop stores of one variant.
type Shown struct {
	Title, Price string
	// OnSale: buyers find it in the Online Store.
	OnSale                       bool
	Available, Committed, OnHand int64
}

// Show tells what is stored.
func (s *Shop) Show(sku string) (Shown, error) {
	var shown Shown
	err := s.edit(sku, func(v *variant) {
		p := v.product
		shown = Shown{Title: v.title(), Price: v.price, OnSale: p.status == "ACTIVE" && p.published[s.publications[1].id]}
		if p.plain() {
			shown.Title = p.title
		}
		if own, ok := v.metafield["selaras.title"]; ok {
			shown.Title = own
		}
		if l := v.levels[s.locations[0].id]; l != nil {
			shown.Available, shown.Committed, shown.OnHand = l.available, l.committed, l.onHand()
		}
	})
	return shown, err
}

// Line is a number of units of one SKU.
type Line struct {
	SKU   string
	Units int64
}

// PlaceOrder buys, and returns the id of the order. The shop sells no more than
// it has available.
func (s *Shop) PlaceOrder(lines ...Line) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &order{id: s.newID(), createdAt: now()}
	for _, l := range lines {
		all := s.variantsBySKU(l.SKU)
		if len(all) == 0 {
			return 0, ErrNoVariant(l.SKU)
		}
		if at := all[0].levels[s.locations[0].id]; at == nil || at.available < l.Units {
			return 0, fmt.Errorf("%s is sold out", l.SKU)
		}
		o.lines = append(o.lines, &line{id: s.newID(), sku: l.SKU, variant: all[0], price: all[0].price, quantity: l.Units})
	}
	for _, l := range o.lines {
		s.move(l, -l.quantity, l.quantity)
	}
	s.orders = append(s.orders, o)
	s.touchOrder(o, "orders/create")
	return o.id, nil
}

// move changes what is available and committed of a line's variant. The lock is
// held.
func (s *Shop) move(l *line, available, committed int64) {
	at := s.levelAt(l.variant, s.locations[0].id)
	at.available += available
	at.committed += committed
	s.touchLevel(l.variant, s.locations[0].id)
}

// change finds an order and changes it.
func (s *Shop) change(id int64, topic string, do func(o *order) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orderByID(id)
	if o == nil {
		return fmt.Errorf("there is no order %d", id)
	}
	if err := do(o); err != nil {
		return err
	}
	s.touchOrder(o, topic)
	return nil
}

// each calls do for the units of the lines, or for all that are left.
func (o *order) each(lines []Line, do func(l *line, units int64) error) error {
	for _, l := range o.lines {
		units := l.left()
		if len(lines) > 0 {
			units = 0
			for _, wanted := range lines {
				if wanted.SKU == l.sku {
					units = wanted.Units
				}
			}
		}
		if units == 0 {
			continue
		}
		if err := do(l, units); err != nil {
			return err
		}
	}
	return nil
}

// Fulfil sends units of an order; none means all that are left.
func (s *Shop) Fulfil(id int64, lines ...Line) error {
	return s.change(id, "orders/updated", func(o *order) error {
		return o.each(lines, func(l *line, units int64) error {
			if units > l.left() {
				return fmt.Errorf("%d units of %s are not left to send", units, l.sku)
			}
			l.fulfilled += units
			s.move(l, 0, -units)
			return nil
		})
	})
}

// Refund gives back money for units: of those that were not sent, which are put
// back on the shelf, or of those that were sent and came back.
func (s *Shop) Refund(id int64, lines ...Line) error {
	return s.refund(id, true, lines)
}

// RefundWithoutRestock gives back money for units that are not put back.
func (s *Shop) RefundWithoutRestock(id int64, lines ...Line) error {
	return s.refund(id, false, lines)
}

func (s *Shop) refund(id int64, restock bool, lines []Line) error {
	return s.change(id, "refunds/create", func(o *order) error {
		r := &refund{id: s.newID()}
		err := o.each(lines, func(l *line, units int64) error {
			how := s.giveBack(l, units, restock)
			r.lines = append(r.lines, refunded{line: l, quantity: units, restock: how})
			return nil
		})
		o.refunds = append(o.refunds, r)
		return err
	})
}

// giveBack moves the units of a refund. The lock is held.
func (s *Shop) giveBack(l *line, units int64, restock bool) string {
	switch {
	case l.left() >= units && restock:
		l.cancelled += units
		s.move(l, units, -units)
		return "CANCEL"
	case l.left() >= units:
		l.lost += units
		s.move(l, 0, -units)
		return "NO_RESTOCK"
	case restock:
		l.returned += units
		s.move(l, units, 0)
		return "RETURN"
	}
	return "NO_RESTOCK"
}

// Edit takes units out of an order that was not sent.
func (s *Shop) Edit(id int64, lines ...Line) error {
	return s.change(id, "orders/updated", func(o *order) error {
		return o.each(lines, func(l *line, units int64) error {
			l.removed += units
			s.move(l, units, -units)
			return nil
		})
	})
}

// Cancel ends an order: what was not sent is refunded and put back.
func (s *Shop) Cancel(id int64) error {
	return s.change(id, "orders/updated", func(o *order) error {
		r := &refund{id: s.newID()}
		err := o.each(nil, func(l *line, units int64) error {
			l.cancelled += units
			s.move(l, units, -units)
			r.lines = append(r.lines, refunded{line: l, quantity: units, restock: "CANCEL"})
			return nil
		})
		o.refunds, o.cancelled = append(o.refunds, r), true
		return err
	})
}
