package medusa

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// variantFields is what is read of a variant, everywhere.
const variantFields = "id,sku,title,updated_at,manage_inventory," +
	"product.id,product.handle,product.title,product.description,product.status,product.metadata,product.updated_at," +
	"product.sales_channels.id," +
	"options.value,options.option.id,options.option.title,options.option.created_at," +
	"prices.id,prices.amount,prices.currency_code,prices.min_quantity,prices.max_quantity," +
	"prices.price_rules.attribute,prices.price_rules.value," +
	"inventory_items.inventory_item_id,inventory_items.required_quantity," +
	"inventory_items.inventory.location_levels.location_id,inventory_items.inventory.location_levels.updated_at," +
	"inventory_items.inventory.location_levels.stocked_quantity,inventory_items.inventory.location_levels.reserved_quantity"

type variant struct {
	ID        string    `json:"id"`
	SKU       string    `json:"sku"`
	Title     string    `json:"title"`
	UpdatedAt time.Time `json:"updated_at"`
	Managed   bool      `json:"manage_inventory"`
	Product   product   `json:"product"`
	Options   []option  `json:"options"`
	Prices    []price   `json:"prices"`
	Items     []struct {
		ID        string      `json:"inventory_item_id"`
		Required  json.Number `json:"required_quantity"`
		Inventory struct {
			Levels []level `json:"location_levels"`
		} `json:"inventory"`
	} `json:"inventory_items"`
}

type product struct {
	ID          string    `json:"id"`
	Handle      string    `json:"handle"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Status      string    `json:"status"`
	UpdatedAt   time.Time `json:"updated_at"`
	Metadata    metadata  `json:"metadata"`
	Channels    []named   `json:"sales_channels"`
}

// optionOrder is the key of a product's metadata under which the order of its
// options is kept.
const optionOrder = "selaras_options"

// metadata is the part of a product's metadata that is the driver's own.
type metadata struct{ options []string }

// UnmarshalJSON implements json.Unmarshaler. What others keep there may be of
// any kind.
func (m *metadata) UnmarshalJSON(text []byte) error {
	var all map[string]json.RawMessage
	if json.Unmarshal(text, &all) == nil {
		_ = json.Unmarshal(all[optionOrder], &m.options)
	}
	return nil
}

type option struct {
	Value  string `json:"value"`
	Option struct {
		ID        string    `json:"id"`
		Title     string    `json:"title"`
		CreatedAt time.Time `json:"created_at"`
	} `json:"option"`
}

type level struct {
	Location  string    `json:"location_id"`
	Stocked   quantity  `json:"stocked_quantity"`
	Reserved  quantity  `json:"reserved_quantity"`
	UpdatedAt time.Time `json:"updated_at"`
}

// A product without options has one of this name with this value, as those have
// that are made in Medusa's admin.
const (
	plainOption = "Default option"
	plainValue  = "Default option value"
)

const (
	statusPublished = "published"
	statusDraft     = "draft"
)

// onSale says that buyers of the kept sales channel see the product.
func (p product) onSale(s *shop) bool {
	return p.Status == statusPublished && p.inChannel(s)
}

func (p product) inChannel(s *shop) bool {
	return s.salesChannel == "" || slices.ContainsFunc(p.Channels, func(n named) bool { return n.ID == s.salesChannel })
}

// key is the handle; a product without one is named by its id.
func (p product) key() string {
	if p.Handle == "" {
		return p.ID
	}
	return p.Handle
}

// listing translates a variant.
func (c *connection) listing(v variant, s *shop) driver.Listing {
	l := driver.Listing{
		SKU: v.SKU,
		Ref: makeRef(v.ID, v.Product.ID),
		Content: driver.Content{
			Product: driver.Product{Key: v.Product.key(), Title: v.Product.Title, Description: v.Product.Description},
			Title:   v.Title,
			Options: v.options(),
			Enabled: v.Product.onSale(s),
		},
		ChangedAt: latest(v.UpdatedAt, v.Product.UpdatedAt),
	}
	if amount, ok := v.shown(c.currency, s.region); ok {
		if money, err := driver.ParseMoney(amount, c.currency); err == nil {
			l.Price = &money
		} else {
			c.log.Warn("a price has more decimals than its currency and is left out", "variant", v.ID, "currency", c.currency)
		}
	}
	if _, ok := v.item(); ok {
		stock := driver.Stock{}
		if at, ok := v.level(s.location); ok {
			stock.OnHand, stock.Reserved = int64(at.Stocked), int64(at.Reserved)
			stock.Available = stock.OnHand - stock.Reserved
			l.ChangedAt = latest(l.ChangedAt, at.UpdatedAt)
		}
		l.Stock = &stock
	}
	return l
}

// item is the inventory item whose quantity is that of the variant. A variant
// that is not managed has none; one made of several items, or of several
// units of one, is a bundle, whose number cannot be set.
func (v variant) item() (string, bool) {
	if !v.Managed || len(v.Items) != 1 || v.Items[0].Required.String() != "1" && v.Items[0].Required != "" {
		return "", false
	}
	return v.Items[0].ID, true
}

// level is the variant's stock at the location.
func (v variant) level(location string) (level, bool) {
	for _, item := range v.Items {
		for _, at := range item.Inventory.Levels {
			if at.Location == location {
				return at, true
			}
		}
	}
	return level{}, false
}

// options are what tells the variant from its siblings: in the order that was
// kept when the driver made the product, else in that of their making.
func (v variant) options() []driver.Option {
	place := func(o option) int {
		if i := slices.Index(v.Product.Metadata.options, o.Option.Title); i >= 0 {
			return i
		}
		return len(v.Product.Metadata.options)
	}
	slices.SortFunc(v.Options, func(a, b option) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		if d := a.Option.CreatedAt.Compare(b.Option.CreatedAt); d != 0 {
			return d
		}
		return strings.Compare(a.Option.ID, b.Option.ID)
	})
	var all []driver.Option
	for _, o := range v.Options {
		if len(v.Options) == 1 && o.Option.Title == plainOption && o.Value == plainValue {
			return nil
		}
		all = append(all, driver.Option{Name: o.Option.Title, Value: o.Value})
	}
	return all
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// A Ref is "variant:product". Webhooks name only one thing: a variant as
// "variant", a product as ":product", an inventory level as "level/level".

const levelRef = "level/"

func makeRef(variantID, productID string) driver.Ref {
	return driver.Ref(variantID + ":" + productID)
}

func splitRef(ref driver.Ref) (variantID, productID string) {
	variantID, productID, _ = strings.Cut(string(ref), ":")
	return variantID, productID
}
