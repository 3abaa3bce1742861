package shopify

import (
	"slices"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// The metafield of a variant that holds its title where that is not the one
// Shopify makes.
const (
	titleNamespace = "selaras"
	titleKey       = "title"
	titleType      = "single_line_text_field"
)

// The option of a product that has no options, as Shopify makes it.
const (
	plainOption = "Title"
	plainValue  = "Default Title"
)

const (
	statusActive   = "ACTIVE"
	statusUnlisted = "UNLISTED"
	statusDraft    = "DRAFT"
)

const variantFields = `
fragment Variant on ProductVariant {
  id sku title price updatedAt
  selectedOptions { name value }
  metafield(namespace: "selaras", key: "title") { value }
  product {
    id handle title descriptionHtml status hasOnlyDefaultVariant updatedAt
    publishedOnPublication(publicationId: $publication) @include(if: $published)
  }
  inventoryItem {
    id tracked duplicateSkuCount
    inventoryLevel(locationId: $location) {
      updatedAt
      quantities(names: ["available", "committed", "on_hand"]) { name quantity }
    }
  }
}`

// scopeParameters are what the fragment needs of a query.
const scopeParameters = `$location: ID!, $publication: ID!, $published: Boolean!`

// scope are the values of these parameters, and others.
func (s *shop) scope(more map[string]any) map[string]any {
	publication := s.publication
	if publication == "" {
		publication = gid(kindPublished, "0") // not asked for then
	}
	variables := map[string]any{"location": s.location, "publication": publication, "published": s.publication != ""}
	for name, value := range more {
		variables[name] = value
	}
	return variables
}

type option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type product struct {
	ID          string    `json:"id"`
	Handle      string    `json:"handle"`
	Title       string    `json:"title"`
	Description string    `json:"descriptionHtml"`
	Status      string    `json:"status"`
	Plain       bool      `json:"hasOnlyDefaultVariant"`
	UpdatedAt   time.Time `json:"updatedAt"`
	// Published is nil where it was not asked for.
	Published *bool `json:"publishedOnPublication"`
}

// active says that the product can be bought where it is published. Unlisted
// ones can, by their address.
func (p product) active() bool { return p.Status == statusActive || p.Status == statusUnlisted }

func (p product) onSale() bool { return p.active() && (p.Published == nil || *p.Published) }

type variant struct {
	ID        string    `json:"id"`
	SKU       string    `json:"sku"`
	Title     string    `json:"title"`
	Price     string    `json:"price"`
	UpdatedAt time.Time `json:"updatedAt"`
	Selected  []option  `json:"selectedOptions"`
	OwnTitle  *struct {
		Value string `json:"value"`
	} `json:"metafield"`
	Product product `json:"product"`
	Item    struct {
		ID      string `json:"id"`
		Tracked bool   `json:"tracked"`
		Others  int    `json:"duplicateSkuCount"`
		Level   *level `json:"inventoryLevel"`
	} `json:"inventoryItem"`
}

type level struct {
	UpdatedAt  time.Time `json:"updatedAt"`
	Quantities []struct {
		Name     string `json:"name"`
		Quantity int64  `json:"quantity"`
	} `json:"quantities"`
}

// of is the quantity of the name; a variant that is not stocked at the location
// has none there.
func (l *level) of(name string) int64 {
	if l == nil {
		return 0
	}
	for _, q := range l.Quantities {
		if q.Name == name {
			return q.Quantity
		}
	}
	return 0
}

// options are those of the variant, none where the product has only the one
// that Shopify makes.
func (v variant) options() []driver.Option {
	if v.Product.Plain {
		return nil
	}
	options := make([]driver.Option, len(v.Selected))
	for i, o := range v.Selected {
		options[i] = driver.Option{Name: o.Name, Value: o.Value}
	}
	return options
}

// madeTitle is the title that the variant has without one of its own, under the
// product's title.
func (v variant) madeTitle(product string) string {
	if v.Product.Plain {
		return product
	}
	return v.Title
}

func (v variant) shownTitle() string {
	if v.OwnTitle != nil {
		return v.OwnTitle.Value
	}
	return v.madeTitle(v.Product.Title)
}

func (v variant) changedAt() time.Time {
	times := []time.Time{v.UpdatedAt, v.Product.UpdatedAt}
	if v.Item.Level != nil {
		times = append(times, v.Item.Level.UpdatedAt)
	}
	return slices.MaxFunc(times, time.Time.Compare)
}

// listing translates a variant.
func (c *connection) listing(v variant, s *shop) driver.Listing {
	l := driver.Listing{
		SKU: v.SKU, Ref: variantRef(v.ID), ChangedAt: v.changedAt(),
		Content: driver.Content{
			Product: driver.Product{Key: v.Product.Handle, Title: v.Product.Title, Description: v.Product.Description},
			Title:   v.shownTitle(), Options: v.options(), Enabled: v.Product.onSale(),
		},
	}
	if price, err := driver.ParseMoney(v.Price, s.currency); err == nil {
		l.Price = &price
	}
	if v.Item.Tracked {
		l.Stock = &driver.Stock{OnHand: v.Item.Level.of("on_hand"), Reserved: v.Item.Level.of("committed"), Available: v.Item.Level.of("available")}
	}
	return l
}

// listings translates variants and remembers them.
func (c *connection) listings(variants []variant, s *shop) []driver.Listing {
	all := make([]driver.Listing, len(variants))
	for i, v := range variants {
		c.known.note(v.SKU, number(v.ID), number(v.Item.ID))
		all[i] = c.listing(v, s)
	}
	return all
}
