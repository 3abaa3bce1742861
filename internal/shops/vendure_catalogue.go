package shops

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNoListing says that the shop sells nothing under a SKU.
var ErrNoListing = errors.New("no listing")

// RefusedError is a shop's refusal of an action, in the shop's own words.
type RefusedError struct{ Action, Code, Message string }

// Error names the action, the shop's code and its message.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("shops: %s: %s: %s", e.Action, e.Code, e.Message)
}

// Listing is what a shop shows and keeps for one SKU. A Vendure shop keeps
// money as an integer of hundredths whatever the currency: 1 JPY is 100.
type Listing struct {
	ID, ProductID string
	SKU, Name     string
	Enabled       bool
	Currency      string           // the channel's default
	Price         int64            // in Currency
	Prices        map[string]int64 // in every currency that has one
	OnHand        int              // over all stock locations
	Allocated     int              // ordered and not yet sent
	UpdatedAt     time.Time        // as the shop reports it; a sale does not move it
}

// NewProduct is a product with one variant.
type NewProduct struct {
	SKU, Name string
	Slug      string           // of the product's address; may be empty
	Price     int64            // in the default currency, in hundredths
	Prices    map[string]int64 // in other currencies, in hundredths
	OnHand    int
}

// Login proves the superadmin's credentials and opens a new session. Other
// actions log in by themselves.
func (v *VendureAPI) Login(ctx context.Context) error {
	return v.admin.login(ctx, v.Username(), v.Password())
}

func (g *graphql) login(ctx context.Context, username, password string) error {
	var out struct{ Login result }
	err := g.do(ctx, `mutation($u: String!, $p: String!) {
		login(username: $u, password: $p, rememberMe: true) { `+resultFields+` } }`,
		map[string]any{"u": username, "p": password}, &out)
	if err != nil {
		return err
	}
	return out.Login.err("login as " + username)
}

// call sends an operation to the Admin API as the superadmin.
func (v *VendureAPI) call(ctx context.Context, query string, variables map[string]any, out any) error {
	err := v.admin.do(ctx, query, variables, out)
	if !errors.Is(err, errForbidden) {
		return err
	}
	if err := v.Login(ctx); err != nil {
		return err
	}
	return v.admin.do(ctx, query, variables, out)
}

type variantNode struct {
	ID           string    `json:"id"`
	SKU          string    `json:"sku"`
	Name         string    `json:"name"`
	Enabled      bool      `json:"enabled"`
	CurrencyCode string    `json:"currencyCode"`
	Price        int64     `json:"price"`
	UpdatedAt    time.Time `json:"updatedAt"`
	Product      struct {
		ID string `json:"id"`
	} `json:"product"`
	Prices []struct {
		CurrencyCode string `json:"currencyCode"`
		Price        int64  `json:"price"`
	} `json:"prices"`
	StockLevels []struct {
		StockOnHand    int `json:"stockOnHand"`
		StockAllocated int `json:"stockAllocated"`
	} `json:"stockLevels"`
}

const variantFields = `id sku name enabled currencyCode price updatedAt product { id }
	prices { currencyCode price } stockLevels { stockOnHand stockAllocated }`

func (n variantNode) listing() Listing {
	l := Listing{
		ID: n.ID, ProductID: n.Product.ID, SKU: n.SKU, Name: n.Name, Enabled: n.Enabled,
		Currency: n.CurrencyCode, Price: n.Price, Prices: map[string]int64{}, UpdatedAt: n.UpdatedAt,
	}
	for _, p := range n.Prices {
		l.Prices[p.CurrencyCode] = p.Price
	}
	for _, level := range n.StockLevels {
		l.OnHand += level.StockOnHand
		l.Allocated += level.StockAllocated
	}
	return l
}

// pageSize is within the limit of 1,000 that Vendure sets.
const pageSize = 200

func (v *VendureAPI) variants(ctx context.Context, filter map[string]any) ([]Listing, error) {
	var listings []Listing
	for {
		var out struct {
			ProductVariants struct {
				TotalItems int           `json:"totalItems"`
				Items      []variantNode `json:"items"`
			} `json:"productVariants"`
		}
		err := v.call(ctx, `query($o: ProductVariantListOptions) {
			productVariants(options: $o) { totalItems items { `+variantFields+` } } }`,
			map[string]any{"o": map[string]any{
				"take": pageSize, "skip": len(listings), "sort": map[string]string{"id": "ASC"}, "filter": filter,
			}}, &out)
		if err != nil {
			return nil, err
		}
		for _, n := range out.ProductVariants.Items {
			listings = append(listings, n.listing())
		}
		if len(out.ProductVariants.Items) == 0 || len(listings) >= out.ProductVariants.TotalItems {
			return listings, nil
		}
	}
}

// Listings returns everything the shop lists, in the order of creation.
func (v *VendureAPI) Listings(ctx context.Context) ([]Listing, error) {
	return v.variants(ctx, map[string]any{})
}

// Listing returns the first listing with a SKU, or [ErrNoListing].
func (v *VendureAPI) Listing(ctx context.Context, sku string) (Listing, error) {
	listings, err := v.variants(ctx, map[string]any{"sku": map[string]string{"eq": sku}})
	if err != nil {
		return Listing{}, err
	}
	if len(listings) == 0 {
		return Listing{}, fmt.Errorf("shops: %s: %w with SKU %q", v.URL(), ErrNoListing, sku)
	}
	return listings[0], nil
}

// update changes fields of the first listing with a SKU.
func (v *VendureAPI) update(ctx context.Context, sku string, fields map[string]any) error {
	listing, err := v.Listing(ctx, sku)
	if err != nil {
		return err
	}
	return v.updateVariant(ctx, listing.ID, fields)
}

func (v *VendureAPI) updateVariant(ctx context.Context, id string, fields map[string]any) error {
	fields["id"] = id
	return v.call(ctx, `mutation($i: [UpdateProductVariantInput!]!) { updateProductVariants(input: $i) { id } }`,
		map[string]any{"i": []any{fields}}, nil)
}

// SetPrice changes the price in the default currency, in hundredths.
func (v *VendureAPI) SetPrice(ctx context.Context, sku string, price int64) error {
	return v.update(ctx, sku, map[string]any{"price": price})
}

// SetPriceIn changes the price in one of the channel's currencies, in hundredths.
func (v *VendureAPI) SetPriceIn(ctx context.Context, sku, currency string, price int64) error {
	return v.update(ctx, sku, map[string]any{
		"prices": []any{map[string]any{"currencyCode": currency, "price": price}},
	})
}

// SetStock counts the units on hand anew.
func (v *VendureAPI) SetStock(ctx context.Context, sku string, onHand int) error {
	return v.update(ctx, sku, map[string]any{"stockOnHand": onHand})
}

// SetEnabled shows or hides the listing.
func (v *VendureAPI) SetEnabled(ctx context.Context, sku string, enabled bool) error {
	return v.update(ctx, sku, map[string]any{"enabled": enabled})
}

// RenameSKU gives the first listing with a SKU another one.
func (v *VendureAPI) RenameSKU(ctx context.Context, sku, to string) error {
	return v.update(ctx, sku, map[string]any{"sku": to})
}

// SetName changes the name that shoppers see.
func (v *VendureAPI) SetName(ctx context.Context, sku, name string) error {
	return v.update(ctx, sku, map[string]any{
		"translations": []any{map[string]any{"languageCode": "en", "name": name}},
	})
}

// DeleteVariant takes the first listing with a SKU away.
func (v *VendureAPI) DeleteVariant(ctx context.Context, sku string) error {
	listing, err := v.Listing(ctx, sku)
	if err != nil {
		return err
	}
	var out struct {
		DeleteProductVariant struct{ Result, Message string } `json:"deleteProductVariant"`
	}
	err = v.call(ctx, `mutation($id: ID!) { deleteProductVariant(id: $id) { result message } }`,
		map[string]any{"id": listing.ID}, &out)
	if err != nil {
		return err
	}
	if deleted := out.DeleteProductVariant; deleted.Result != "DELETED" {
		return &RefusedError{Action: "delete " + sku, Code: deleted.Result, Message: deleted.Message}
	}
	return nil
}

// CreateProduct adds a product with one variant. Vendure accepts a SKU that it
// has already.
func (v *VendureAPI) CreateProduct(ctx context.Context, p NewProduct) (Listing, error) {
	var product struct {
		CreateProduct struct {
			ID string `json:"id"`
		} `json:"createProduct"`
	}
	name := []any{map[string]any{"languageCode": "en", "name": p.Name, "slug": p.Slug, "description": ""}}
	err := v.call(ctx, `mutation($i: CreateProductInput!) { createProduct(input: $i) { id } }`,
		map[string]any{"i": map[string]any{"translations": name}}, &product)
	if err != nil {
		return Listing{}, err
	}
	var out struct {
		CreateProductVariants []variantNode `json:"createProductVariants"`
	}
	err = v.call(ctx, `mutation($i: [CreateProductVariantInput!]!) {
		createProductVariants(input: $i) { `+variantFields+` } }`,
		map[string]any{"i": []any{map[string]any{
			"productId": product.CreateProduct.ID, "sku": p.SKU, "price": p.Price,
			"stockOnHand": p.OnHand, "trackInventory": "TRUE", "optionIds": []any{},
			"translations": []any{map[string]any{"languageCode": "en", "name": p.Name}},
		}}}, &out)
	if err != nil {
		return Listing{}, err
	}
	listing := out.CreateProductVariants[0].listing()
	// Vendure ignores further prices of a variant that it creates.
	if len(p.Prices) > 0 {
		prices := []any{}
		for currency, price := range p.Prices {
			prices = append(prices, map[string]any{"currencyCode": currency, "price": price})
			listing.Prices[currency] = price
		}
		err := v.updateVariant(ctx, listing.ID, map[string]any{"prices": prices})
		if err != nil {
			return Listing{}, err
		}
	}
	return listing, nil
}

// UseCurrency makes one of the channel's currencies its default one. Vendure
// then takes the prices in the old default currency for prices in the new one,
// number for number.
func (v *VendureAPI) UseCurrency(ctx context.Context, currency string) error {
	var channel struct {
		ActiveChannel struct {
			ID string `json:"id"`
		} `json:"activeChannel"`
	}
	if err := v.call(ctx, `{ activeChannel { id } }`, nil, &channel); err != nil {
		return err
	}
	var out struct {
		UpdateChannel result `json:"updateChannel"`
	}
	err := v.call(ctx, `mutation($i: UpdateChannelInput!) { updateChannel(input: $i) { `+resultFields+` } }`,
		map[string]any{"i": map[string]any{
			"id": channel.ActiveChannel.ID, "defaultCurrencyCode": currency,
		}}, &out)
	if err != nil {
		return err
	}
	return out.UpdateChannel.err("use currency " + currency)
}
