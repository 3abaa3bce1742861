package woocommerce

import (
	"fmt"
	"strconv"
)

// What a merchant does in the admin and a buyer in the shop: by SKUs, in the
// database, without the API.

// Item is a simple product or one variation.
type Item struct {
	SKU, Name, Price string
	Stock            int64
	// Option is the value of a variation's attribute, empty for a product.
	Option string
}

// Line is a number of units of one SKU.
type Line struct {
	SKU   string
	Units int64
}

// Shown is what the shop stores for one SKU.
type Shown struct {
	Name, Description, Price, SalePrice string
	Status, ParentStatus                string
	Stock                               int64
	Type                                string
}

// AddProduct adds a simple product that is on sale.
func (s *Shop) AddProduct(i Item) int64 {
	var id int64
	_ = s.do(func() error {
		id = s.save(simple(i)).ID
		return nil
	})
	return id
}

func simple(i Item) product {
	stock := i.Stock
	return product{
		Type: typeSimple, Status: statusPublish, Name: i.Name, SKU: clean(i.SKU), RegularPrice: i.Price, ManageStock: true,
		Stock: &stock, Backorders: "no",
	}
}

// AddVariable adds a product on sale with a variation for each item, told apart
// by an attribute of its own, Size.
func (s *Shop) AddVariable(name, sku string, items ...Item) int64 {
	return s.addVariable(0, name, sku, items)
}

// AddVariableOfShop does so with an attribute of the whole shop.
func (s *Shop) AddVariableOfShop(name, sku string, items ...Item) int64 {
	return s.addVariable(1, name, sku, items)
}

func (s *Shop) addVariable(attributeID int64, name, sku string, items []Item) int64 {
	var id int64
	_ = s.do(func() error {
		parent := product{Type: typeVariable, Status: statusPublish, Name: name, SKU: sku, Backorders: "no"}
		size := attribute{ID: attributeID, Name: "Size", Visible: true, Variation: true}
		for _, i := range items {
			size.Options = append(size.Options, i.Option)
		}
		parent.Attributes = []attribute{size}
		id = s.save(parent).ID
		for _, i := range items {
			v := simple(i)
			v.Type, v.ParentID, v.Name, v.Chosen = typeVariation, id, "", []choice{{attributeID, "Size", i.Option}}
			s.save(v)
		}
		return nil
	})
	return id
}

// Change changes what bears the SKU as a merchant does.
func (s *Shop) Change(sku string, change func(*Fields)) error {
	return s.do(func() error {
		p, err := s.one(sku)
		if err != nil {
			return err
		}
		f := Fields{
			Name: p.Name, SKU: p.SKU, Price: p.RegularPrice, SalePrice: p.SalePrice, Status: p.Status,
			Description: p.Description, Type: p.Type, ManageStock: p.ManageStock,
		}
		if p.Stock != nil {
			f.Stock = *p.Stock
		}
		change(&f)
		p.Name, p.SKU, p.RegularPrice, p.SalePrice, p.Status = f.Name, f.SKU, f.Price, f.SalePrice, f.Status
		p.Description, p.Type, p.ManageStock, p.Stock = f.Description, f.Type, f.ManageStock, nil
		if f.ManageStock {
			p.Stock = &f.Stock
		}
		s.save(p)
		return nil
	})
}

// ChangeParent changes the product of the variation with the SKU.
func (s *Shop) ChangeParent(sku string, change func(*Fields)) error {
	return s.do(func() error {
		v, err := s.one(sku)
		if err != nil {
			return err
		}
		p, _ := s.product(v.ParentID)
		f := Fields{Name: p.Name, SKU: p.SKU, Status: p.Status, Description: p.Description, ManageStock: p.ManageStock}
		change(&f)
		p.Name, p.SKU, p.Status, p.Description, p.ManageStock, p.Stock = f.Name, f.SKU, f.Status, f.Description, f.ManageStock, nil
		if f.ManageStock {
			p.Stock = &f.Stock
		}
		s.save(p)
		return nil
	})
}

// Fields are what a merchant can change.
type Fields struct {
	Name, SKU, Price, SalePrice, Status, Description, Type string
	ManageStock                                            bool
	Stock                                                  int64
}

func (s *Shop) one(sku string) (product, error) {
	all := s.withSKU(clean(sku))
	if len(all) == 0 {
		return product{}, fmt.Errorf("the shop has no %s", sku)
	}
	return all[0], nil
}

// Delete deletes what bears the SKU.
func (s *Shop) Delete(sku string) error {
	return s.do(func() error {
		p, err := s.one(sku)
		if err == nil {
			s.remove(p)
		}
		return err
	})
}

// SKUs are those of all that is sold.
func (s *Shop) SKUs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, id := range sortedKeys(s.products) {
		if p, ok := s.product(id); ok && p.SKU != "" && p.Type != typeVariable && p.Type != typeGrouped && p.Type != typeExternal {
			all = append(all, p.SKU)
		}
	}
	return all
}

// Show tells what is stored for the SKU.
func (s *Shop) Show(sku string) (Shown, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.one(sku)
	if err != nil {
		return Shown{}, err
	}
	shown := Shown{
		Name: p.Name, Description: p.Description, Price: p.RegularPrice, SalePrice: p.SalePrice, Status: p.Status,
		ParentStatus: p.Status, Type: p.Type,
	}
	if p.Stock != nil {
		shown.Stock = *p.Stock
	}
	if p.Type == typeVariation {
		parent, _ := s.product(p.ParentID)
		shown.Name, shown.Description, shown.ParentStatus = parent.Name, parent.Description, parent.Status
	}
	return shown, nil
}

// Meta is the metadata of what bears the SKU.
func (s *Shop) Meta(sku, key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.one(sku)
	if err != nil {
		return nil
	}
	for _, m := range p.Meta {
		if m.Key == key {
			return m.Value
		}
	}
	return nil
}

// PlaceOrder buys, and leaves the order in the status.
func (s *Shop) PlaceOrder(status string, lines ...Line) (string, error) {
	var o order
	err := s.do(func() error {
		var all []line
		for _, l := range lines {
			p, err := s.one(l.SKU)
			if err != nil {
				return err
			}
			bought := line{ProductID: p.ID, Quantity: l.Units}
			if p.Type == typeVariation {
				bought.ProductID, bought.VariationID = p.ParentID, p.ID
			}
			all = append(all, bought)
		}
		var err error
		o, err = s.place(status, all)
		return err
	})
	return strconv.FormatInt(o.ID, 10), err
}

// SetStatus moves an order to a status.
func (s *Shop) SetStatus(id, status string) error {
	return s.change(id, func(o order) order { return s.setStatus(o, status) })
}

// Refund gives units of an order back, to the stock too if restock; without
// lines all that are left.
func (s *Shop) Refund(id string, restock bool, lines ...Line) error {
	return s.change(id, func(o order) order {
		units := map[int64]int64{}
		for _, l := range o.Lines {
			p, _ := s.product(l.product())
			if len(lines) == 0 {
				units[l.ID] = l.Quantity - o.refunded(l.ID)
			}
			for _, want := range lines {
				if clean(want.SKU) == p.SKU {
					units[l.ID] = want.Units
				}
			}
		}
		return s.refund(o, units, restock)
	})
}

func (o order) refunded(line int64) int64 {
	var sum int64
	for _, r := range o.Refunds {
		for _, l := range r.Lines {
			if l.Of == line {
				sum += l.Units
			}
		}
	}
	return sum
}

func (s *Shop) change(id string, change func(order) order) error {
	return s.do(func() error {
		n, _ := strconv.ParseInt(id, 10, 64)
		o, ok := s.order(n)
		if !ok {
			return fmt.Errorf("the shop has no order %s", id)
		}
		change(o)
		return nil
	})
}

// AddWebhooks makes webhooks for topics, and announces them.
func (s *Shop) AddWebhooks(address, secret string, topics ...string) ([]int64, error) {
	var ids []int64
	err := s.do(func() error {
		for _, topic := range topics {
			w, err := s.createWebhook(topic, address, secret)
			if err != nil {
				return err
			}
			ids = append(ids, w.ID)
		}
		return nil
	})
	return ids, err
}

// RemoveWebhooks deletes all webhooks.
func (s *Shop) RemoveWebhooks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.webhooks)
}

// Webhooks counts the shop's webhooks by topic and address.
func (s *Shop) Webhooks() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for _, w := range s.webhooks {
		counts[w.Topic+" "+w.URL]++
	}
	return counts
}

// SetWebhookStatus does what a merchant does in the settings.
func (s *Shop) SetWebhookStatus(id int64, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhooks[id].Status = status
}

// WebhookStatus is active, paused or disabled; empty where there is no such
// webhook.
func (s *Shop) WebhookStatus(id int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.webhooks[id]; w != nil {
		return w.Status
	}
	return ""
}
