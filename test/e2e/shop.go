package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"selaras.dev/selaras/internal/shops"
)

// currency is what all shops of the suite sell in: the one in which a shopper
// can buy from Medusa's only region.
const currency = "EUR"

// shop is a running shop: where its people and its connector find it.
type shop struct {
	people
	name, kind  string            // kind is the Channel's spec.type
	endpoint    string            // the Channel's spec.endpoint, an address in the cluster
	credentials map[string]string // the Channel's Secret
	control
}

// people is what merchants and shoppers do in a shop, by the shop's own API.
// Money is in cents.
type people interface {
	// shown is what shoppers see of every SKU that is for sale.
	shown(context.Context) (map[string]shown, error)
	setPrice(ctx context.Context, sku string, price int64) error
	// setStock counts the units on hand anew.
	setStock(ctx context.Context, sku string, onHand int) error
	// order buys, and returns the shop's name of the order.
	order(ctx context.Context, sku string, quantity int) (string, error)
	// cancel takes a whole order back.
	cancel(ctx context.Context, order string) error
	sell(ctx context.Context, products ...product) error
	remove(ctx context.Context, sku string) error
}

// shown is what shoppers see of a SKU.
type shown struct {
	price     int64
	available int
}

// product is something new to sell.
type product struct {
	sku    string
	price  int64
	onHand int
}

// products makes n products PREFIX-0, PREFIX-1, … with 1000, 1001, … cents.
func products(prefix string, n, onHand int) []product {
	made := make([]product, n)
	for i := range made {
		made[i] = product{sku: fmt.Sprintf("%s-%d", prefix, i), price: 1000 + int64(i), onHand: onHand}
	}
	return made
}

// look is what a shop that runs shows. A connection into the cluster breaks now
// and then: then it is asked again.
func (s *shop) look(t *testing.T) (seen map[string]shown) {
	t.Helper()
	within(t, soon, "an answer of "+s.name, func(ctx context.Context) (err error) {
		seen, err = s.shown(ctx)
		return err
	})
	return seen
}

type vendurePeople struct{ api *shops.VendureAPI }

func (v vendurePeople) shown(ctx context.Context) (map[string]shown, error) {
	listings, err := v.api.Listings(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]shown{}
	for _, l := range listings {
		if l.Enabled {
			seen[l.SKU] = shown{l.Price, l.OnHand - l.Allocated}
		}
	}
	return seen, nil
}

func (v vendurePeople) setPrice(ctx context.Context, sku string, price int64) error {
	return v.api.SetPrice(ctx, sku, price)
}

func (v vendurePeople) setStock(ctx context.Context, sku string, onHand int) error {
	return v.api.SetStock(ctx, sku, onHand)
}

func (v vendurePeople) order(ctx context.Context, sku string, quantity int) (string, error) {
	placed, err := v.api.PlaceOrder(ctx, shops.Line{SKU: sku, Quantity: quantity})
	return placed.Code, err
}

func (v vendurePeople) cancel(ctx context.Context, order string) error {
	return v.api.CancelOrder(ctx, order)
}

func (v vendurePeople) sell(ctx context.Context, products ...product) error {
	for _, p := range products {
		_, err := v.api.CreateProduct(ctx, shops.NewProduct{
			SKU: p.sku, Name: "Product " + p.sku, Slug: strings.ToLower(p.sku), Price: p.price, OnHand: p.onHand,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v vendurePeople) remove(ctx context.Context, sku string) error {
	return v.api.DeleteVariant(ctx, sku)
}

type medusaPeople struct{ api *shops.MedusaAPI }

func (m medusaPeople) shown(ctx context.Context) (map[string]shown, error) {
	listings, err := m.api.Listings(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]shown{}
	for _, l := range listings {
		if !l.Published {
			continue
		}
		price, err := cents(l.Prices[strings.ToLower(currency)])
		if err != nil {
			return nil, fmt.Errorf("price of %s: %w", l.SKU, err)
		}
		seen[l.SKU] = shown{price, l.OnHand - l.Reserved}
	}
	return seen, nil
}

// cents reads a decimal number of major units; no price at all is -1.
func cents(amount string) (int64, error) {
	if amount == "" {
		return -1, nil
	}
	whole, part, _ := strings.Cut(amount, ".")
	if len(part) > 2 {
		return 0, fmt.Errorf("%s has more than two decimals", amount)
	}
	return strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
}

func euros(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

func (m medusaPeople) setPrice(ctx context.Context, sku string, price int64) error {
	return m.api.SetPrice(ctx, sku, strings.ToLower(currency), euros(price))
}

func (m medusaPeople) setStock(ctx context.Context, sku string, onHand int) error {
	return m.api.SetStock(ctx, sku, onHand)
}

func (m medusaPeople) order(ctx context.Context, sku string, quantity int) (string, error) {
	placed, err := m.api.PlaceOrder(ctx, shops.Line{SKU: sku, Quantity: quantity})
	return placed.ID, err
}

func (m medusaPeople) cancel(ctx context.Context, order string) error {
	return m.api.CancelOrder(ctx, order)
}

func (m medusaPeople) sell(ctx context.Context, products ...product) error {
	var made []shops.MedusaProduct
	for _, p := range products {
		made = append(made, shops.MedusaProduct{Name: "Product " + p.sku, Variants: []shops.MedusaVariant{{
			SKU: p.sku, Prices: map[string]string{strings.ToLower(currency): euros(p.price)}, OnHand: p.onHand,
		}}})
	}
	return m.api.CreateProducts(ctx, made...)
}

func (m medusaPeople) remove(ctx context.Context, sku string) error {
	return m.api.DeleteVariant(ctx, sku)
}

// same says in what targets differ from what the source shows: I1 for
// CatalogSyncs without overrides.
func same(source *shop, targets ...*shop) func(context.Context) error {
	return func(ctx context.Context) error {
		want, err := source.shown(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", source.name, err)
		}
		var all []error
		for _, target := range targets {
			got, err := target.shown(ctx)
			if err != nil {
				all = append(all, fmt.Errorf("%s: %w", target.name, err))
				continue
			}
			all = append(all, differences(target.name, got, want))
		}
		return errors.Join(all...)
	}
}

// differences tells the first few SKUs that a shop does not show as it should.
func differences(name string, got, want map[string]shown) error {
	var differ []string
	for _, sku := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[sku]; !ok {
			differ = append(differ, sku+" is not for sale")
		} else if g != want[sku] {
			differ = append(differ, fmt.Sprintf("%s is %+v, want %+v", sku, g, want[sku]))
		}
	}
	for _, sku := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[sku]; !ok {
			differ = append(differ, sku+" is for sale and should not be")
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return fmt.Errorf("%s differs in %d of %d: %s", name, len(differ), len(want), strings.Join(differ[:min(4, len(differ))], "; "))
}

// showing says in what a shop differs from what a SKU should be there.
func showing(s *shop, sku string, want shown) func(context.Context) error {
	return func(ctx context.Context) error {
		seen, err := s.shown(ctx)
		if err != nil {
			return err
		}
		if got, ok := seen[sku]; !ok || got != want {
			return fmt.Errorf("%s shows %s as %+v (for sale: %t), want %+v", s.name, sku, got, ok, want)
		}
		return nil
	}
}
