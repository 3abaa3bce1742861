package catalog

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"selaras.dev/selaras/connectors/driver"
)

// Shape is how a channel keeps a listing: what a comparison must know of it.
type Shape struct {
	// Basis and MaxQuantity are those of the driver's Traits.
	Basis       driver.StockBasis
	MaxQuantity int64
	// NoProduct, NoDescription, NoOptions and NoEnabled say that the channel
	// cannot store that part of the content, so that it is not compared.
	NoProduct, NoDescription, NoOptions, NoEnabled bool
}

// Difference says what of a listing is not as desired.
type Difference struct {
	Content, Price, Stock bool
	// Present is true for a listing that should be absent and can be bought.
	Present bool
	// Fields names what differs, for people: title, price, stock …
	Fields []string
}

// Any is true when anything differs.
func (d Difference) Any() bool { return d.Content || d.Price || d.Stock || d.Present }

// Has says whether a field group differs.
func (d Difference) Has(group FieldGroup) bool {
	switch group {
	case GroupContent:
		return d.Content
	case GroupPrice:
		return d.Price
	case GroupStock:
		return d.Stock
	}
	return false
}

// Matches compares a listing with what it should show. Groups that are nil in
// desired are not compared. Texts are compared in Unicode's NFC, without
// surrounding space and with any line ends, as channels store them so or
// otherwise; options in any order.
func Matches(desired Desired, listing driver.Listing, shape Shape) Difference {
	var d Difference
	if desired.Absent {
		if listing.Content.Enabled {
			d.Present = true
			d.Fields = append(d.Fields, "enabled")
		}
		return d
	}
	if desired.Content != nil {
		d.Fields = contentFields(desired.Content, &listing.Content, shape)
		d.Content = len(d.Fields) > 0
	}
	if desired.Price != nil && (listing.Price == nil || *listing.Price != *desired.Price) {
		d.Price = true
		d.Fields = append(d.Fields, "price")
	}
	// A channel that does not track the item's stock shows none.
	if desired.Available != nil && (listing.Stock == nil || !stockMatches(*desired.Available, listing.Stock, shape)) {
		d.Stock = true
		d.Fields = append(d.Fields, "stock")
	}
	return d
}

func stockMatches(available int64, stock *driver.Stock, shape Shape) bool {
	want := StockValue(available, stock.Reserved, shape.Basis, shape.MaxQuantity)
	if shape.Basis == driver.BasisAvailable {
		return max(0, stock.Available) == want
	}
	return stock.OnHand == want
}

func contentFields(want, have *driver.Content, shape Shape) []string {
	var fields []string
	check := func(skip bool, same bool, name string) {
		if !skip && !same {
			fields = append(fields, name)
		}
	}
	check(false, sameText(want.Title, have.Title), "title")
	check(shape.NoEnabled, want.Enabled == have.Enabled, "enabled")
	check(shape.NoOptions, sameOptions(want.Options, have.Options), "options")
	check(shape.NoProduct, sameText(want.Product.Key, have.Product.Key), "product.key")
	check(shape.NoProduct, sameText(want.Product.Title, have.Product.Title), "product.title")
	check(shape.NoProduct || shape.NoDescription, sameText(want.Product.Description, have.Product.Description), "product.description")
	return fields
}

func sameText(a, b string) bool {
	return a == b || plain(a) == plain(b)
}

func plain(s string) string {
	return strings.TrimSpace(norm.NFC.String(strings.ReplaceAll(s, "\r\n", "\n")))
}

func sameOptions(a, b []driver.Option) bool {
	if len(a) != len(b) {
		return false
	}
	values := make(map[string]string, len(a))
	for _, option := range a {
		values[plain(option.Name)] = plain(option.Value)
	}
	for _, option := range b {
		if value, ok := values[plain(option.Name)]; !ok || value != plain(option.Value) {
			return false
		}
	}
	return len(values) == len(b)
}
