package woocommerce

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// product is a product or a variation, a post of WordPress either way.
type product struct {
	ID, ParentID       int64
	Type               string
	Name, Slug, Status string
	Description        string
	SKU                string
	RegularPrice       string
	SalePrice          string
	ManageStock        bool
	Stock              *int64
	Backorders         string
	Attributes         []attribute
	Chosen             []choice
	Meta               []metadata
	Created, Modified  time.Time
}

// attribute is one of a product; choice is one of a variation. Attributes of the
// whole shop have an id, those of one product 0.
type attribute struct {
	ID        int64
	Name      string
	Position  int64
	Visible   bool
	Variation bool
	Options   []string
}

type choice struct {
	ID           int64
	Name, Option string
}

type metadata struct {
	ID    int64
	Key   string
	Value any
}

// The types and statuses that the simulator knows.
const (
	typeSimple    = "simple"
	typeVariable  = "variable"
	typeGrouped   = "grouped"
	typeExternal  = "external"
	typeVariation = "variation"

	statusPublish = "publish"
	statusPrivate = "private"
	statusDraft   = "draft"
)

// apiError is an error as WordPress answers it.
type apiError struct {
	code, message string
	status        int
	data          map[string]any
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func refuse(status int, code, message string) *apiError {
	return &apiError{code: code, message: message, status: status}
}

// product returns a copy of what is stored now.
func (s *Shop) product(id int64) (product, bool) {
	r := s.products[id]
	if r == nil {
		return product{}, false
	}
	p, ok := r.newest()
	return p.clone(), ok
}

func (p product) clone() product {
	p.Attributes, p.Chosen, p.Meta = slices.Clone(p.Attributes), slices.Clone(p.Chosen), slices.Clone(p.Meta)
	if p.Stock != nil {
		units := *p.Stock
		p.Stock = &units
	}
	return p
}

// save stores a product or variation: WordPress moves its time, WooCommerce
// saves the product of a variation too, and webhooks tell.
func (s *Shop) save(p product) product {
	now := s.now()
	created := p.ID == 0
	if created {
		p.ID, p.Created = s.nextID(), now
		s.products[p.ID] = &row[product]{}
	}
	if p.Type == typeVariation {
		s.parents[p.ParentID] = true
		note(s.children, p.ParentID, p.ID)
	} else {
		p.Slug = s.uniqueSlug(p)
		note(s.bySlug, p.Slug, p.ID)
	}
	p.Modified = now
	if p.SKU != "" {
		note(s.bySKU, strings.ToLower(p.SKU), p.ID)
	}
	s.products[p.ID].put(s.clock(), p.clone(), false)
	event := "updated"
	if created {
		event = "created"
	}
	s.touch("product."+event, p.ID)
	return p
}

// shutdown is what a request of WordPress does when it ends: products of which
// variations were saved are saved, and webhooks are scheduled.
func (s *Shop) shutdown() {
	parents := s.parents
	s.parents = map[int64]bool{}
	for id := range parents {
		if p, ok := s.product(id); ok {
			s.save(p)
		}
	}
	s.schedule()
}

// remove deletes a product with its variations.
func (s *Shop) remove(p product) {
	for _, v := range s.variations(p.ID) {
		s.remove(v)
	}
	s.products[p.ID].put(s.clock(), product{}, true)
	if p.Type == typeVariation {
		s.parents[p.ParentID] = true
	}
	s.touch("product.deleted", p.ID)
}

// note adds to an index of what was once so; who reads it looks at the present.
func note[K comparable](index map[K][]int64, key K, id int64) {
	if !slices.Contains(index[key], id) {
		index[key] = append(index[key], id)
	}
}

// withSKU are the products and variations that bear the SKU now, as the
// database compares.
func (s *Shop) withSKU(sku string) []product {
	var all []product
	if sku == "" {
		return nil
	}
	for _, id := range s.bySKU[strings.ToLower(sku)] {
		if p, ok := s.product(id); ok && strings.EqualFold(p.SKU, sku) {
			all = append(all, p)
		}
	}
	return all
}

// checkSKU is the error for a SKU that another product bears.
func (s *Shop) checkSKU(sku string, id int64) error {
	for _, p := range s.withSKU(sku) {
		if p.ID != id {
			e := refuse(400, "product_invalid_sku", "Invalid or duplicated SKU.")
			e.data = map[string]any{"resource_id": p.ID, "unique_sku": sku + "-1"}
			return e
		}
	}
	return nil
}

// variations are those of a product that its list of children has: published or
// switched off.
func (s *Shop) variations(parent int64) []product {
	var all []product
	for _, id := range s.children[parent] {
		if p, ok := s.product(id); ok && p.ParentID == parent {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b product) int { return int(a.ID - b.ID) })
	return all
}

// uniqueSlug is the slug that WordPress gives: of the name where there is none,
// with a number where another product has it. Drafts keep theirs, or none.
func (s *Shop) uniqueSlug(p product) string {
	if p.Status == statusDraft || p.Status == "pending" {
		return p.Slug
	}
	want := p.Slug
	if want == "" {
		want = slugOf(p.Name)
	}
	slug := want
	for n := 2; s.slugTaken(slug, p.ID); n++ {
		slug = fmt.Sprintf("%s-%d", want, n)
	}
	return slug
}

func (s *Shop) slugTaken(slug string, id int64) bool {
	for _, other := range s.bySlug[slug] {
		if p, ok := s.product(other); ok && p.ID != id && p.Slug == slug {
			return true
		}
	}
	return false
}

// moveStock is what orders do to stock: in the database, and then the product is
// saved. A variation whose product counts the stock moves that.
func (s *Shop) moveStock(id, units int64) bool {
	p, ok := s.product(id)
	if !ok {
		return false
	}
	if p.Type == typeVariation && !p.ManageStock {
		if p, ok = s.product(p.ParentID); !ok {
			return false
		}
	}
	if !p.ManageStock || p.Stock == nil {
		return false
	}
	*p.Stock += units
	s.save(p)
	return true
}

// managing is what the API says of who counts the stock.
func (s *Shop) managing(p product) any {
	if p.ManageStock {
		return true
	}
	if p.Type == typeVariation {
		if parent, ok := s.product(p.ParentID); ok && parent.ManageStock {
			return "parent"
		}
	}
	return false
}
