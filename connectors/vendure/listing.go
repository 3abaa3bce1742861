package vendure

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// variantFields is what is read of a variant, everywhere. It leaves out
// ProductVariant.price, which is an error when the variant has no price in the
// channel's default currency.
const variantFields = `
fragment Variant on ProductVariant {
  id sku name enabled updatedAt trackInventory outOfStockThreshold useGlobalOutOfStockThreshold
  prices { currencyCode price }
  stockLevels { stockLocationId stockOnHand stockAllocated updatedAt }
  options { name group { id name } }
  product { id slug name description enabled updatedAt }
}
`

type variant struct {
	ID             string    `json:"id"`
	SKU            string    `json:"sku"`
	Name           string    `json:"name"`
	Enabled        bool      `json:"enabled"`
	UpdatedAt      time.Time `json:"updatedAt"`
	TrackInventory string    `json:"trackInventory"`
	Threshold      int64     `json:"outOfStockThreshold"`
	UseGlobal      bool      `json:"useGlobalOutOfStockThreshold"`
	Prices         []struct {
		Currency string `json:"currencyCode"`
		Price    int64  `json:"price"`
	} `json:"prices"`
	StockLevels []struct {
		Location  string    `json:"stockLocationId"`
		OnHand    int64     `json:"stockOnHand"`
		Allocated int64     `json:"stockAllocated"`
		UpdatedAt time.Time `json:"updatedAt"`
	} `json:"stockLevels"`
	Options []struct {
		Name  string `json:"name"`
		Group named  `json:"group"`
	} `json:"options"`
	Product product `json:"product"`
}

type product struct {
	ID          string    `json:"id"`
	Slug        string    `json:"slug"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Enabled     bool      `json:"enabled"`
	UpdatedAt   time.Time `json:"updatedAt"`
}

// key is the slug; a product that was made without one is named by its id.
func (p product) key() string {
	if p.Slug == "" {
		return "product-" + p.ID
	}
	return p.Slug
}

// listing translates a variant.
func (c *connection) listing(v variant, s *shop, global globalStock) driver.Listing {
	l := driver.Listing{
		SKU: v.SKU,
		Ref: makeRef(v.ID, v.Product.ID),
		Content: driver.Content{
			Product: driver.Product{Key: v.Product.key(), Title: v.Product.Name, Description: v.Product.Description},
			Title:   v.Name,
			Enabled: v.Enabled && v.Product.Enabled,
		},
		ChangedAt: latest(v.UpdatedAt, v.Product.UpdatedAt),
	}
	// Groups are numbered in the order they were given to the product.
	slices.SortFunc(v.Options, func(a, b struct {
		Name  string `json:"name"`
		Group named  `json:"group"`
	}) int {
		return compareIDs(a.Group.ID, b.Group.ID)
	})
	for _, o := range v.Options {
		l.Content.Options = append(l.Content.Options, driver.Option{Name: o.Group.Name, Value: o.Name})
	}
	for _, p := range v.Prices {
		if p.Currency != c.currency {
			continue
		}
		if money, ok := fromStored(p.Price, p.Currency, s.precision); ok {
			l.Price = &money
		} else {
			c.log.Warn("a price has more decimals than its currency and is left out", "variant", v.ID, "currency", p.Currency)
		}
	}
	if v.TrackInventory == "TRUE" || (v.TrackInventory != "FALSE" && global.TrackInventory) {
		threshold := v.Threshold
		if v.UseGlobal {
			threshold = global.OutOfStockThreshold
		}
		stock := driver.Stock{Available: -threshold}
		for _, level := range v.StockLevels {
			if level.Location == s.location {
				stock = driver.Stock{
					OnHand:    level.OnHand,
					Reserved:  level.Allocated,
					Available: level.OnHand - level.Allocated - threshold,
				}
				l.ChangedAt = latest(l.ChangedAt, level.UpdatedAt)
			}
		}
		l.Stock = &stock
	}
	return l
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}

// A Ref is "variant:product", "variant" or ":product"; the last two come from
// webhooks, which do not always name both.

func makeRef(variantID, productID string) driver.Ref {
	return driver.Ref(variantID + ":" + productID)
}

func splitRef(ref driver.Ref) (variantID, productID string) {
	variantID, productID, _ = strings.Cut(string(ref), ":")
	return variantID, productID
}

// compareIDs orders ids as the database does: by number where they are
// numbers, else as text.
func compareIDs(a, b string) int {
	x, errX := strconv.ParseUint(a, 10, 64)
	y, errY := strconv.ParseUint(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}
