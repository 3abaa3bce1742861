package driver

import "context"

// Capability names one capability interface of this package.
type Capability string

// The capabilities, one for each interface.
const (
	CanReadListings   Capability = "ReadListings"   // ListingReader
	CanGetListings    Capability = "GetListings"    // ListingGetter
	CanReadChanges    Capability = "ReadChanges"    // ChangeReader
	CanWriteContent   Capability = "WriteContent"   // IntentWriter for content
	CanWritePrice     Capability = "WritePrice"     // IntentWriter for prices
	CanWriteStock     Capability = "WriteStock"     // IntentWriter for stock
	CanCreateListings Capability = "CreateListings" // ListingCreator
	CanRemoveListings Capability = "RemoveListings" // ListingRemover
	CanReadOrders     Capability = "ReadOrders"     // OrderReader
	CanReceiveWebhook Capability = "ReceiveWebhook" // WebhookReceiver
)

// Cursor is a channel's own position in a list; only its driver reads it.
type Cursor string

// Key names one listing: by SKU always, by the channel's own reference where
// it is known.
type Key struct {
	SKU string
	Ref Ref
}

// ListingReader reads every listing of the channel, page by page.
type ListingReader interface {
	// ReadPage returns the page after the cursor; the empty cursor is the
	// first page. Listings that change during the walk may come twice or in
	// their newer state, but one that exists all the time is never left out.
	// A listing without SKU is returned with an empty SKU.
	ReadPage(ctx context.Context, after Cursor, limit int) (ListingPage, error)
}

// ListingPage is one page of a full reading.
type ListingPage struct {
	Listings []Listing
	// Next is the cursor of the next page; empty on the last.
	Next Cursor
	// Total is the number of listings in all, or -1 when the channel does not
	// tell.
	Total int
}

// ListingGetter reads given listings.
type ListingGetter interface {
	// ReadListings returns what exists of the keys, in any order; an absent
	// listing is no error. Where several listings bear one SKU it returns all
	// of them.
	ReadListings(ctx context.Context, keys []Key) ([]Listing, error)
}

// ChangeReader reads what changed.
type ChangeReader interface {
	// ReadChanges returns listings changed after the cursor. The empty cursor
	// returns no listing and the cursor of now, by the channel's own clock or
	// sequence. A change may be returned more than once, never not at all.
	// What a change feed cannot see (see the driver's documentation) is found
	// by the comparison.
	ReadChanges(ctx context.Context, after Cursor, limit int) (ChangePage, error)
}

// ChangePage is one page of changes.
type ChangePage struct {
	Listings []Listing
	// Next is where to go on; never empty.
	Next Cursor
	// More says that another page is there already.
	More bool
}

// IntentWriter writes intents to listings that exist.
type IntentWriter interface {
	// WriteIntents writes the fields that are set in each intent and returns
	// one outcome for each, in the order of the intents. The error is for what
	// hit the whole call: then no outcome is returned, and its class says what
	// is known (ClassBatchRejected: nothing was applied, one of the items is
	// to blame; ClassUnknown: some, all or none may have been applied).
	WriteIntents(ctx context.Context, intents []Intent) ([]Outcome, error)
}

// ListingCreator makes listings that the channel does not have.
type ListingCreator interface {
	// CreateListings creates a listing for each intent, whose content, price
	// and stock are all set, and returns one outcome for each. Creating what
	// exists by SKU is not a second listing but an update of it.
	CreateListings(ctx context.Context, intents []Intent) ([]Outcome, error)
}

// ListingRemover takes listings out of sale.
type ListingRemover interface {
	// RemoveListings makes the listings unavailable to buyers (unpublished or
	// deleted, as the channel's customs are); absent listings are Verified.
	RemoveListings(ctx context.Context, keys []Key) ([]Outcome, error)
}

// OrderReader reads orders.
type OrderReader interface {
	// ReadOrders returns placed orders changed after the cursor, oldest change
	// first, whole orders with all their lines, personal data left out. The
	// empty cursor returns every order that is still open, and then goes on
	// with changes. The driver overlaps by its OrderVisibility: an order may
	// be returned more than once, never not at all.
	ReadOrders(ctx context.Context, after Cursor, limit int) (OrderPage, error)
}

// OrderPage is one page of orders.
type OrderPage struct {
	Orders []Order
	// Next is where to go on; never empty.
	Next Cursor
	// More says that another page is there already.
	More bool
}

// WebhookReceiver understands what the channel sends by itself.
type WebhookReceiver interface {
	// ReceiveWebhook checks the signature over the raw body and says what the
	// delivery is about. Errors are of class Unauthorized (signature) or
	// Invalid (malformed). It reads nothing from the channel.
	ReceiveWebhook(ctx context.Context, delivery Delivery) ([]Signal, error)
}

// Delivery is one webhook as it came.
type Delivery struct {
	// Header holds the request's headers by canonical name.
	Header map[string][]string
	// Body is the raw body, already bounded.
	Body []byte
}

// SignalKind is what a webhook is about.
type SignalKind string

// The kinds of signal.
const (
	SignalListing SignalKind = "Listing" // a listing changed, or was removed
	SignalOrder   SignalKind = "Order"   // an order changed
	SignalPing    SignalKind = "Ping"    // the channel tests the address
)

// Signal says where to look: a webhook is a hint, the reading is the fact.
type Signal struct {
	Kind SignalKind
	// Key names the listing of a Listing signal.
	Key Key
	// Order is the channel's id of the order of an Order signal.
	Order string
}

// Capabilities lists what a connection implements. Which field groups an
// IntentWriter takes is known from the driver's Description alone, so the
// three write capabilities are passed through from there.
func Capabilities(c Connection, description Description) []Capability {
	var has []Capability
	add := func(ok bool, name Capability) {
		if ok {
			has = append(has, name)
		}
	}
	_, ok := c.(ListingReader)
	add(ok, CanReadListings)
	_, ok = c.(ListingGetter)
	add(ok, CanGetListings)
	_, ok = c.(ChangeReader)
	add(ok, CanReadChanges)
	_, writes := c.(IntentWriter)
	for _, name := range description.Capabilities {
		switch name {
		case CanWriteContent, CanWritePrice, CanWriteStock:
			add(writes, name)
		}
	}
	_, ok = c.(ListingCreator)
	add(ok, CanCreateListings)
	_, ok = c.(ListingRemover)
	add(ok, CanRemoveListings)
	_, ok = c.(OrderReader)
	add(ok, CanReadOrders)
	_, ok = c.(WebhookReceiver)
	add(ok, CanReceiveWebhook)
	return has
}
