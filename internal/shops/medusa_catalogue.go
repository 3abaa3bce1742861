package shops

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// MedusaListing is what a Medusa shop shows and keeps for one SKU.
type MedusaListing struct {
	ID, ProductID, InventoryItem string
	SKU, Name                    string // Name is the product's title
	Title                        string // the variant's own
	Published                    bool
	Prices                       map[string]string // by currency in lower case: decimal number of major units
	OnHand, Reserved             int               // over all stock locations
	UpdatedAt                    time.Time         // of the variant; a sale or a count does not move it
}

// MedusaProduct is a new product with its variants.
type MedusaProduct struct {
	Name     string
	Variants []MedusaVariant
}

// MedusaVariant is one SKU of a new product.
type MedusaVariant struct {
	SKU    string
	Title  string            // default: the SKU
	Prices map[string]string // by currency in lower case: decimal number of major units
	OnHand int
}

type medusaVariantNode struct {
	ID        string    `json:"id"`
	SKU       string    `json:"sku"`
	Title     string    `json:"title"`
	UpdatedAt time.Time `json:"updated_at"`
	Product   struct {
		ID     string `json:"id"`
		Title  string `json:"title"`
		Status string `json:"status"`
	} `json:"product"`
	Prices []struct {
		ID           string      `json:"id"`
		Amount       json.Number `json:"amount"`
		CurrencyCode string      `json:"currency_code"`
	} `json:"prices"`
	InventoryItems []struct {
		ID        string `json:"inventory_item_id"`
		Inventory struct {
			LocationLevels []struct {
				Stocked  int `json:"stocked_quantity"`
				Reserved int `json:"reserved_quantity"`
			} `json:"location_levels"`
		} `json:"inventory"`
	} `json:"inventory_items"`
}

const medusaVariantFields = "id,sku,title,updated_at,product.id,product.title,product.status," +
	"prices.id,prices.amount,prices.currency_code,inventory_items.inventory_item_id," +
	"inventory_items.inventory.location_levels.stocked_quantity," +
	"inventory_items.inventory.location_levels.reserved_quantity"

func (n medusaVariantNode) listing() MedusaListing {
	l := MedusaListing{
		ID: n.ID, ProductID: n.Product.ID, SKU: n.SKU, Name: n.Product.Title, Title: n.Title,
		Published: n.Product.Status == "published", Prices: map[string]string{}, UpdatedAt: n.UpdatedAt,
	}
	for _, p := range n.Prices {
		l.Prices[p.CurrencyCode] = p.Amount.String()
	}
	for _, item := range n.InventoryItems {
		l.InventoryItem = item.ID
		for _, level := range item.Inventory.LocationLevels {
			l.OnHand += level.Stocked
			l.Reserved += level.Reserved
		}
	}
	return l
}

func (m *MedusaAPI) variants(ctx context.Context, filter url.Values) ([]medusaVariantNode, error) {
	filter.Set("fields", medusaVariantFields)
	filter.Set("limit", strconv.Itoa(pageSize))
	filter.Set("order", "id")
	var nodes []medusaVariantNode
	for {
		filter.Set("offset", strconv.Itoa(len(nodes)))
		var out struct {
			Variants []medusaVariantNode `json:"variants"`
			Count    int                 `json:"count"`
		}
		if err := m.call(ctx, http.MethodGet, "/admin/product-variants?"+filter.Encode(), nil, &out); err != nil {
			return nil, err
		}
		nodes = append(nodes, out.Variants...)
		if len(out.Variants) == 0 || len(nodes) >= out.Count {
			return nodes, nil
		}
	}
}

// Listings returns everything the shop lists.
func (m *MedusaAPI) Listings(ctx context.Context) ([]MedusaListing, error) {
	nodes, err := m.variants(ctx, url.Values{})
	if err != nil {
		return nil, err
	}
	listings := make([]MedusaListing, len(nodes))
	for i, n := range nodes {
		listings[i] = n.listing()
	}
	return listings, nil
}

func (m *MedusaAPI) variant(ctx context.Context, sku string) (medusaVariantNode, error) {
	nodes, err := m.variants(ctx, url.Values{"sku": {sku}})
	if err != nil {
		return medusaVariantNode{}, err
	}
	if len(nodes) == 0 {
		return medusaVariantNode{}, fmt.Errorf("shops: %s: %w with SKU %q", m.URL(), ErrNoListing, sku)
	}
	return nodes[0], nil
}

// Listing returns the listing with a SKU, or [ErrNoListing].
func (m *MedusaAPI) Listing(ctx context.Context, sku string) (MedusaListing, error) {
	n, err := m.variant(ctx, sku)
	if err != nil {
		return MedusaListing{}, err
	}
	return n.listing(), nil
}

// SetPrice changes the price in one currency (lower case) to a decimal number of
// major units, and leaves the others.
func (m *MedusaAPI) SetPrice(ctx context.Context, sku, currency, amount string) error {
	n, err := m.variant(ctx, sku)
	if err != nil {
		return err
	}
	// The list replaces the one that is there.
	prices, found := []any{}, false
	for _, p := range n.Prices {
		if p.CurrencyCode == currency {
			p.Amount, found = json.Number(amount), true
		}
		prices = append(prices, map[string]any{"id": p.ID, "amount": p.Amount, "currency_code": p.CurrencyCode})
	}
	if !found {
		prices = append(prices, map[string]any{"amount": json.Number(amount), "currency_code": currency})
	}
	return m.updateVariant(ctx, n, map[string]any{"prices": prices})
}

// RenameSKU gives a listing another SKU.
func (m *MedusaAPI) RenameSKU(ctx context.Context, sku, to string) error {
	n, err := m.variant(ctx, sku)
	if err != nil {
		return err
	}
	return m.updateVariant(ctx, n, map[string]any{"sku": to})
}

func (m *MedusaAPI) updateVariant(ctx context.Context, n medusaVariantNode, fields map[string]any) error {
	return m.post(ctx, "/admin/products/"+n.Product.ID+"/variants/"+n.ID, fields, nil)
}

// SetTitle changes the title of a variant.
func (m *MedusaAPI) SetTitle(ctx context.Context, sku, title string) error {
	n, err := m.variant(ctx, sku)
	if err != nil {
		return err
	}
	return m.updateVariant(ctx, n, map[string]any{"title": title})
}

// SetName changes the title of a SKU's product.
func (m *MedusaAPI) SetName(ctx context.Context, sku, name string) error {
	return m.updateProduct(ctx, sku, map[string]any{"title": name})
}

// SetPublished shows or hides a SKU's product.
func (m *MedusaAPI) SetPublished(ctx context.Context, sku string, published bool) error {
	status := "draft"
	if published {
		status = "published"
	}
	return m.updateProduct(ctx, sku, map[string]any{"status": status})
}

func (m *MedusaAPI) updateProduct(ctx context.Context, sku string, fields map[string]any) error {
	n, err := m.variant(ctx, sku)
	if err != nil {
		return err
	}
	return m.post(ctx, "/admin/products/"+n.Product.ID, fields, nil)
}

// DeleteVariant takes a listing away.
func (m *MedusaAPI) DeleteVariant(ctx context.Context, sku string) error {
	n, err := m.variant(ctx, sku)
	if err != nil {
		return err
	}
	return m.call(ctx, http.MethodDelete, "/admin/products/"+n.Product.ID+"/variants/"+n.ID, nil, nil)
}

// SetStock counts the units at the stock location anew.
func (m *MedusaAPI) SetStock(ctx context.Context, sku string, onHand int) error {
	store, err := m.shopStore(ctx)
	if err != nil {
		return err
	}
	listing, err := m.Listing(ctx, sku)
	if err != nil {
		return err
	}
	return m.post(ctx, "/admin/inventory-items/"+listing.InventoryItem+"/location-levels/"+store.Location,
		map[string]any{"stocked_quantity": onHand}, nil)
}

// Reserve sets units aside without an order. Medusa refuses more than are
// available, but lets a later count go below what is reserved.
func (m *MedusaAPI) Reserve(ctx context.Context, sku string, quantity int) error {
	store, err := m.shopStore(ctx)
	if err != nil {
		return err
	}
	listing, err := m.Listing(ctx, sku)
	if err != nil {
		return err
	}
	return m.post(ctx, "/admin/reservations", map[string]any{
		"inventory_item_id": listing.InventoryItem, "location_id": store.Location, "quantity": quantity,
	}, nil)
}

// CreateProducts adds published products with their stock, in one call each.
func (m *MedusaAPI) CreateProducts(ctx context.Context, products ...MedusaProduct) error {
	store, err := m.shopStore(ctx)
	if err != nil {
		return err
	}
	create, onHand := []any{}, map[string]int{}
	for _, p := range products {
		values, variants := []string{}, []any{}
		for _, v := range p.Variants {
			prices := []any{}
			for currency, amount := range v.Prices {
				prices = append(prices, map[string]any{"amount": json.Number(amount), "currency_code": currency})
			}
			values = append(values, v.SKU)
			variants = append(variants, map[string]any{
				"title": cmp.Or(v.Title, v.SKU), "sku": v.SKU, "manage_inventory": true,
				"options": map[string]string{"Edition": v.SKU}, "prices": prices,
			})
			onHand[v.SKU] = v.OnHand
		}
		create = append(create, map[string]any{
			"title": p.Name, "status": "published", "shipping_profile_id": store.ShippingProfile,
			"sales_channels": []any{map[string]any{"id": store.SalesChannel}},
			"options":        []any{map[string]any{"title": "Edition", "values": values}}, "variants": variants,
		})
	}
	if err := m.post(ctx, "/admin/products/batch", map[string]any{"create": create}, nil); err != nil {
		return err
	}
	filter := url.Values{}
	for sku := range onHand {
		filter.Add("sku[]", sku)
	}
	nodes, err := m.variants(ctx, filter)
	if err != nil {
		return err
	}
	levels := []any{}
	for _, n := range nodes {
		levels = append(levels, map[string]any{
			"inventory_item_id": n.InventoryItems[0].ID, "location_id": store.Location, "stocked_quantity": onHand[n.SKU],
		})
	}
	return m.post(ctx, "/admin/inventory-items/location-levels/batch", map[string]any{"create": levels}, nil)
}

// stockLarge makes the same SKUs as Vendure's large catalogue.
func (m *MedusaAPI) stockLarge(ctx context.Context) error {
	const products, variants, perCall = 60, 20, 5
	var batch []MedusaProduct
	for p := range products {
		product := MedusaProduct{Name: fmt.Sprintf("Notebook %d", p)}
		for v := range variants {
			product.Variants = append(product.Variants, MedusaVariant{
				SKU: fmt.Sprintf("NB-%04d", p*variants+v), OnHand: 10 + v,
				Prices: map[string]string{"eur": fmt.Sprintf("%d.%02d", 1+p, v)},
			})
		}
		if batch = append(batch, product); len(batch) == perCall {
			if err := m.CreateProducts(ctx, batch...); err != nil {
				return err
			}
			batch = nil
		}
	}
	return nil
}
