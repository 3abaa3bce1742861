package woocommerce

import (
	"bytes"
	"encoding/json"
	"html"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// productFields are those of a product that are read. Fields that a shop does
// not know are left out by it.
const productFields = "id,parent_id,type,name,slug,status,description,sku,regular_price,manage_stock,stock_quantity," +
	"attributes,variations,meta_data,date_modified_gmt"

// product is a product or a variation as the API answers it. Lists of products
// show variations in the form of products, lists of variations leave out their
// type, and most versions their parent.
type product struct {
	ID           int64       `json:"id"`
	ParentID     int64       `json:"parent_id"`
	Type         string      `json:"type"`
	Name         string      `json:"name"`
	Slug         string      `json:"slug"`
	Status       string      `json:"status"`
	Description  string      `json:"description"`
	SKU          string      `json:"sku"`
	RegularPrice string      `json:"regular_price"`
	ManageStock  managed     `json:"manage_stock"`
	Quantity     units       `json:"stock_quantity"`
	Attributes   []attribute `json:"attributes"`
	Variations   []int64     `json:"variations"`
	Meta         metas       `json:"meta_data"`
	ModifiedGMT  gmt         `json:"date_modified_gmt"`
}

// The types of products that differ from a simple one.
const (
	typeSimple    = "simple"
	typeVariable  = "variable"
	typeVariation = "variation"
	typeGrouped   = "grouped"
	typeExternal  = "external"
)

// The statuses that Selaras sets. A variation that is switched off in the admin
// is private; a product that is not published yet, a draft.
const (
	statusPublish = "publish"
	statusPrivate = "private"
	statusDraft   = "draft"
)

// attribute is one of a product (Options, Variation) or of a variation (Option).
type attribute struct {
	ID        int64    `json:"id"`
	Name      string   `json:"name"`
	Position  int      `json:"position"`
	Visible   bool     `json:"visible"`
	Variation bool     `json:"variation"`
	Options   []string `json:"options,omitempty"`
	Option    string   `json:"option,omitempty"`
}

// meta is one entry of the metadata, of which anything may be the value.
type meta struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// text is the value where it is a string or a number.
func (m meta) text() string {
	var s string
	if json.Unmarshal(m.Value, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(m.Value, &n) == nil {
		return n.String()
	}
	return ""
}

// metas are the metadata of a thing. PHP writes a list with a gap as an object.
type metas []meta

// UnmarshalJSON reads a list, or the values of an object.
func (m *metas) UnmarshalJSON(text []byte) error {
	var list []meta
	if json.Unmarshal(text, &list) == nil {
		*m = list
		return nil
	}
	var byIndex map[string]meta
	if err := json.Unmarshal(text, &byIndex); err != nil {
		return err
	}
	for _, index := range slices.Sorted(maps.Keys(byIndex)) {
		*m = append(*m, byIndex[index])
	}
	return nil
}

func metaText(all metas, key string) string {
	// The last one counts: it is what WordPress reads after a write.
	for _, m := range slices.Backward(all) {
		if m.Key == key {
			return m.text()
		}
	}
	return ""
}

// managed says who counts the stock of an item.
type managed string

const (
	managedHere     managed = "here"
	managedByParent managed = "parent"
	managedNot      managed = ""
)

// UnmarshalJSON reads true, false, or "parent".
func (m *managed) UnmarshalJSON(text []byte) error {
	switch {
	case bytes.Equal(text, []byte("true")):
		*m = managedHere
	case bytes.Equal(text, []byte(`"parent"`)):
		*m = managedByParent
	default:
		*m = managedNot
	}
	return nil
}

// units is a number of units, or none. Plugins for goods by weight make
// fractions of it: what may be sold whole is counted.
type units struct {
	n     int64
	known bool
}

// UnmarshalJSON reads a number, a number in a string, or null, which WooCommerce
// counts as none.
func (u *units) UnmarshalJSON(text []byte) error {
	if *u = (units{}); string(text) == "null" {
		u.known = true
		return nil
	}
	f, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1<<53 {
		return nil
	}
	*u = units{n: int64(math.Floor(f)), known: true}
	return nil
}

// gmt is a time as the API writes it, without a zone.
type gmt struct{ time.Time }

const gmtLayout = "2006-01-02T15:04:05"

// UnmarshalJSON reads a time or null.
func (g *gmt) UnmarshalJSON(text []byte) error {
	*g = gmt{}
	if at, err := time.Parse(gmtLayout, strings.TrimSuffix(strings.Trim(string(text), `"`), "Z")); err == nil {
		g.Time = at
	}
	return nil
}

// plain undoes what WordPress makes of & and < in names and SKUs.
func plain(text string) string { return html.UnescapeString(text) }

// hasVariations says that the product is sold by its variations.
func (p product) hasVariations() bool {
	return strings.HasPrefix(p.Type, typeVariable)
}

// isSold says that the product itself is a listing: it is none where it is a
// group of others, or is sold by somebody else.
func (p product) isSold() bool {
	return !p.hasVariations() && p.Type != typeGrouped && p.Type != typeExternal
}

// key is the product's slug. A draft that was never published has none.
func (p product) key() string {
	if p.Slug == "" {
		return "product-" + strconv.FormatInt(p.ID, 10)
	}
	return p.Slug
}

// choices are the attributes that tell variations apart, in their order.
func (p product) choices() []attribute {
	all := slices.DeleteFunc(slices.Clone(p.Attributes), func(a attribute) bool { return !a.Variation })
	slices.SortStableFunc(all, func(a, b attribute) int { return a.Position - b.Position })
	return all
}
