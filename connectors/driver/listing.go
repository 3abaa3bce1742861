package driver

import (
	"time"
)

// Ref is the channel's own name of a listing, such as an id or several ids;
// only its driver reads it. At most 512 bytes.
type Ref string

// Listing is one sellable SKU as a channel shows it.
type Listing struct {
	// SKU is the merchant's stock keeping unit as the channel stores it.
	SKU string
	Ref Ref
	// Content is what is said of the item.
	Content Content
	// Price is the price in the Channel's currency before tax settings of the
	// channel change it; nil when there is none in that currency.
	Price *Money
	// Stock is nil when the channel does not track the item's stock.
	Stock *Stock
	// ChangedAt is the channel's own time of the last change it knows; zero
	// when it does not tell.
	ChangedAt time.Time
}

// Content is the field group content: what is said of an item.
type Content struct {
	// Product groups the variants of one product: equal key, one product.
	Product Product `json:"product"`
	// Title is the variant's own name.
	Title string `json:"title"`
	// Options tell variants of one product apart, in the product's order.
	Options []Option `json:"options,omitempty"`
	// Enabled listings can be bought.
	Enabled bool `json:"enabled"`
}

// Product is what the variants of one product share.
type Product struct {
	// Key is stable and the same on every channel, such as a slug or handle.
	Key         string `json:"key"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

// Option is one choice, such as Size = L.
type Option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Stock is a reading of an item's stock, in units.
type Stock struct {
	// OnHand are the goods on the shelf; on a channel that only tells what is
	// available, equal to Available.
	OnHand int64
	// Reserved are units of open orders that are still on the shelf.
	Reserved int64
	// Available is what the channel would sell, its own threshold included;
	// negative when it has oversold.
	Available int64
}

// Version orders the intents of one SKU on one channel. Compare looks at the
// parts in the order of the fields.
type Version struct {
	// Epoch is the epoch of the hub's stream.
	Epoch uint64
	// Generation is the revision of the configuration.
	Generation uint64
	// Sequence is the item's sequence in the stream.
	Sequence uint64
}

// Compare returns -1, 0 or +1 as v is older than, equal to or newer than w.
func (v Version) Compare(w Version) int {
	for _, pair := range [3][2]uint64{{v.Epoch, w.Epoch}, {v.Generation, w.Generation}, {v.Sequence, w.Sequence}} {
		switch {
		case pair[0] < pair[1]:
			return -1
		case pair[0] > pair[1]:
			return 1
		}
	}
	return 0
}

// Intent is what one listing should show. Fields that are nil are left alone.
type Intent struct {
	Key
	Version Version
	Content *Content
	Price   *Money
	Stock   *StockWrite
}

// StockWrite is a quantity to write, in the basis of the driver's Traits.
type StockWrite struct {
	// Quantity is what the channel should store.
	Quantity int64
	// Previous is what the channel was last read to store. CompareAndSet
	// channels compare with it, Adjust channels add the difference to it.
	Previous *int64
}

// OutcomeKind is what became of one item of a write.
type OutcomeKind string

// The kinds of outcome (DESIGN §5.4).
const (
	// Verified: the channel answered with the stored value, and it is the
	// intended one.
	Verified OutcomeKind = "Verified"
	// Accepted: the channel took it; only reading back will tell.
	Accepted OutcomeKind = "Accepted"
	// Rejected: the channel will not take it; the same again is in vain.
	Rejected OutcomeKind = "Rejected"
	// Throttled: nothing was done, try after RetryAfter.
	Throttled OutcomeKind = "Throttled"
	// Failed: nothing was done, a later try may succeed.
	Failed OutcomeKind = "Failed"
	// Unknown: it was sent, and nobody knows whether it was or will be done.
	Unknown OutcomeKind = "Unknown"
)

// Outcome is what became of one item.
type Outcome struct {
	Kind OutcomeKind
	// Reason is a short CamelCase code for people and metrics, bounded in
	// number: InvalidQuantity, UnknownItem, Duplicate …
	Reason string
	// Message is the channel's own message, at most 512 bytes, no secrets.
	Message string
	// RetryAfter is set with Throttled, and with Rejected where the channel
	// says when it would take the item.
	RetryAfter time.Duration
	// Stored is what the channel answered that it stores now; nil when it did
	// not tell. Required from drivers that declare WriteReturnsStored.
	Stored *Listing
}
