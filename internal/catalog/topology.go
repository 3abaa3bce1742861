package catalog

import (
	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog/allot"
)

// Topology says who owns what among the channels of a namespace: all that a
// fold needs to know of the CatalogSyncs.
type Topology struct {
	// Sources are the channels that own content and price of items.
	Sources map[string]bool
	// StockSource is, by channel, the source whose ledger the channel's stock
	// and orders belong to. A source whose stock is synced names itself.
	StockSource map[string]string
	// AdoptsStock are the channels whose unexplained differences of stock are
	// taken into the ledger; the others' are drift.
	AdoptsStock map[string]bool
	// Policies are, by source, how its stock is divided; without one every
	// channel works out what to show by its own rules.
	Policies map[string]*allot.Policy
}

// FieldGroup is one of the groups that ownership is given by.
type FieldGroup string

// The field groups.
const (
	GroupContent FieldGroup = "content"
	GroupPrice   FieldGroup = "price"
	GroupStock   FieldGroup = "stock"
)

// Rules are one channel's rules in one sync, compiled: what Project needs
// beside the item.
type Rules struct {
	// Content, Price and Stock say whether the group is projected at all.
	Content, Price, Stock bool
	// Currency is the channel's currency.
	Currency string
	// PriceRule changes the price; nil shows the source's price as it is.
	PriceRule *PriceRule
	// Channel is in the scope of the price rule.
	Channel ChannelScope
	// SafetyStock is held back, MaxQuantity is the most that is shown; nil
	// means no bound.
	SafetyStock int64
	MaxQuantity *int64
}

// ChannelScope is what a rule can read of the channel.
type ChannelScope struct {
	Name     string
	Currency string
	Labels   map[string]string
}

// Desired is what a channel should show for a SKU: nil groups are not
// Selaras's business.
type Desired struct {
	SKU     string
	Content *driver.Content
	Price   *driver.Money
	// Available is the quantity that buyers should see.
	Available *int64
	// Absent items should not be for sale on the channel.
	Absent bool
}
