package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

func TestAListingIsComparedByFieldGroup(t *testing.T) {
	t.Parallel()
	five := int64(5)
	want := catalog.Desired{
		SKU: "A", Available: &five, Price: &driver.Money{Minor: 100, Currency: "EUR"},
		Content: &driver.Content{
			Product: driver.Product{Key: "mug", Title: "Café", Description: "one\ntwo"}, Title: "Red", Enabled: true,
			Options: []driver.Option{{Name: "Size", Value: "L"}, {Name: "Colour", Value: "red"}},
		},
	}
	same := driver.Listing{
		SKU: "A", Price: &driver.Money{Minor: 100, Currency: "EUR"}, Stock: &driver.Stock{OnHand: 7, Reserved: 2, Available: 5},
		Content: driver.Content{
			Product: driver.Product{Key: "mug", Title: "Cafe\u0301", Description: " one\r\ntwo\n"}, Title: "Red", Enabled: true,
			Options: []driver.Option{{Name: "Colour", Value: "red"}, {Name: "Size", Value: "L"}},
		},
	}
	shelf := catalog.Shape{Basis: driver.BasisOnHand}
	for name, c := range map[string]struct {
		change func(*driver.Listing)
		shape  catalog.Shape
		want   catalog.Difference
	}{
		"the same":                   {func(*driver.Listing) {}, shelf, catalog.Difference{}},
		"the same, available":        {func(l *driver.Listing) { l.Stock.OnHand = 5 }, catalog.Shape{Basis: driver.BasisAvailable}, catalog.Difference{}},
		"another title":              {func(l *driver.Listing) { l.Content.Title = "Blue" }, shelf, catalog.Difference{Content: true, Fields: []string{"title"}}},
		"another option":             {func(l *driver.Listing) { l.Content.Options[0].Value = "blue" }, shelf, catalog.Difference{Content: true, Fields: []string{"options"}}},
		"options are not kept":       {func(l *driver.Listing) { l.Content.Options = nil }, catalog.Shape{Basis: driver.BasisOnHand, NoOptions: true}, catalog.Difference{}},
		"no description":             {func(l *driver.Listing) { l.Content.Product.Description = "" }, shelf, catalog.Difference{Content: true, Fields: []string{"product.description"}}},
		"descriptions are not kept":  {func(l *driver.Listing) { l.Content.Product.Description = "" }, catalog.Shape{Basis: driver.BasisOnHand, NoDescription: true}, catalog.Difference{}},
		"disabled":                   {func(l *driver.Listing) { l.Content.Enabled = false }, shelf, catalog.Difference{Content: true, Fields: []string{"enabled"}}},
		"another price":              {func(l *driver.Listing) { l.Price.Minor = 101 }, shelf, catalog.Difference{Price: true, Fields: []string{"price"}}},
		"no price":                   {func(l *driver.Listing) { l.Price = nil }, shelf, catalog.Difference{Price: true, Fields: []string{"price"}}},
		"one more on the shelf":      {func(l *driver.Listing) { l.Stock.OnHand++ }, shelf, catalog.Difference{Stock: true, Fields: []string{"stock"}}},
		"one less reserved":          {func(l *driver.Listing) { l.Stock.Reserved-- }, shelf, catalog.Difference{Stock: true, Fields: []string{"stock"}}},
		"stock is not tracked there": {func(l *driver.Listing) { l.Stock = nil }, shelf, catalog.Difference{Stock: true, Fields: []string{"stock"}}},
		"as much as the channel can": {func(l *driver.Listing) { l.Stock.OnHand = 6 }, catalog.Shape{Basis: driver.BasisOnHand, MaxQuantity: 6}, catalog.Difference{}},
	} {
		listing := same
		price, stock := *same.Price, *same.Stock
		listing.Price, listing.Stock = &price, &stock
		listing.Content.Options = append([]driver.Option(nil), same.Content.Options...)
		c.change(&listing)
		got := catalog.Matches(want, listing, c.shape)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got.Any() != (len(c.want.Fields) > 0) || got.Has(catalog.GroupStock) != c.want.Stock ||
			got.Has(catalog.GroupPrice) != c.want.Price || got.Has(catalog.GroupContent) != c.want.Content {
			t.Errorf("%s: Any and Has do not agree with %+v", name, got)
		}
	}
	if got := catalog.Matches(catalog.Desired{SKU: "A"}, same, shelf); got.Any() {
		t.Errorf("groups that are nobody's business differ: %+v", got)
	}
	if got := catalog.Matches(catalog.Desired{SKU: "A", Absent: true}, same, shelf); !got.Present || !got.Any() {
		t.Errorf("a listing that should be absent is taken for right: %+v", got)
	}
}

func TestARemovedItemIsAbsentOnEveryChannel(t *testing.T) {
	t.Parallel()
	ats := int64(3)
	desired, err := catalog.Project(catalog.Item{SKU: "A", Removed: true, ATS: &ats, Content: content("Red")}, &catalog.Rules{Content: true, Stock: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(catalog.Desired{SKU: "A", Absent: true}, desired); diff != "" {
		t.Error(diff)
	}
}
