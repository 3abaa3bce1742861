package woocommerce

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// item is one listing: a product that is sold by itself, or a variation and its
// product.
type item struct {
	product
	parent *product
}

// owner is the product that buyers see.
func (i item) owner() *product {
	if i.parent != nil {
		return i.parent
	}
	return &i.product
}

// A Ref is the id of a product, "product:variation", or "product:" for a
// product with all its variations.

func (i item) ref() driver.Ref {
	id := strconv.FormatInt(i.ID, 10)
	if i.parent == nil {
		return driver.Ref(id)
	}
	return driver.Ref(strconv.FormatInt(i.parent.ID, 10) + ":" + id)
}

func splitRef(ref driver.Ref) (productID, variationID int64, all bool) {
	first, second, found := strings.Cut(string(ref), ":")
	productID, _ = strconv.ParseInt(first, 10, 64)
	variationID, _ = strconv.ParseInt(second, 10, 64)
	return productID, variationID, found && second == ""
}

// sku is the item's own. A variation without one answers with its product's.
func (i item) sku() string {
	if i.parent != nil && i.SKU == i.parent.SKU {
		return ""
	}
	return plain(i.SKU)
}

// enabled items can be bought.
func (i item) enabled() bool {
	return i.Status == statusPublish && i.owner().Status == statusPublish
}

// Metadata in which the title of a listing is kept. WooCommerce has one name for
// a product and all its variations, and a simple product has no second one.
const (
	metaTitle = "selaras_title"
	// metaTitleOf is the name of the simple product that the title was kept
	// beside: once the merchant has given it another name, that name counts.
	metaTitleOf = "selaras_title_of"
)

// title is what is kept, or else what the shop shows.
func (i item) title() string {
	kept := metaText(i.Meta, metaTitle)
	switch {
	case i.parent == nil && (kept == "" || metaText(i.Meta, metaTitleOf) != plain(i.Name)):
		return plain(i.Name)
	case kept != "":
		return kept
	}
	parts := []string{plain(i.parent.Name)}
	if options := i.options(); len(options) > 0 {
		values := make([]string, len(options))
		for n, o := range options {
			values[n] = o.Value
		}
		parts = append(parts, strings.Join(values, ", "))
	}
	return strings.Join(parts, " - ")
}

// options are those of a variation in the order of its product's attributes. An
// attribute of which it takes any value is none.
func (i item) options() []driver.Option {
	if i.parent == nil {
		return nil
	}
	order := map[string]int{}
	for n, a := range i.parent.choices() {
		order[a.Name] = n + 1
	}
	chosen := slices.Clone(i.Attributes)
	slices.SortStableFunc(chosen, func(a, b attribute) int { return cmp.Compare(order[a.Name], order[b.Name]) })
	var options []driver.Option
	for _, a := range chosen {
		options = append(options, driver.Option{Name: plain(a.Name), Value: plain(a.Option)})
	}
	return options
}

// tracked says that the item has stock of its own. What several variations share
// is counted at their product, and is no stock of any one of them.
func (i item) tracked() bool { return i.ManageStock == managedHere && i.Quantity.known }

// listing translates the item. The price is the regular one: what a promotion
// of the shop makes of it for a while is no price of the listing.
func (i item) listing(currency string) driver.Listing {
	owner := i.owner()
	l := driver.Listing{
		SKU: i.sku(), Ref: i.ref(), ChangedAt: i.ModifiedGMT.Time,
		Content: driver.Content{
			Product: driver.Product{Key: owner.key(), Title: plain(owner.Name), Description: owner.Description},
			Title:   i.title(),
			Options: i.options(),
			Enabled: i.enabled(),
		},
	}
	if owner.ModifiedGMT.After(l.ChangedAt) {
		l.ChangedAt = owner.ModifiedGMT.Time
	}
	if price, err := driver.ParseMoney(i.RegularPrice, currency); err == nil && i.RegularPrice != "" {
		l.Price = &price
	}
	if i.tracked() {
		l.Stock = &driver.Stock{OnHand: i.Quantity.n, Available: i.Quantity.n}
	}
	return l
}
