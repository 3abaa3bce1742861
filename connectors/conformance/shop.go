// Package conformance is the suite that every driver passes against the real
// shop it is for. It knows the contract (connectors/driver) and nothing of any
// shop: what a test does to a shop behind the driver's back, such as buying or
// stopping the database, comes in as a Shop.
package conformance

import (
	"context"
	"net/http"
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

// Shop is a real shop in the hands of a test. It is the suite's alone while
// the suite runs, sells at least 1,000 listings, and is left as the tests made
// it. Fields that are nil are things that cannot be done to this shop: the
// cases that need them are listed as not applicable.
type Shop struct {
	// Driver is the driver under test.
	Driver driver.Driver
	// Settings open a working connection. The suite sets HTTP and Log.
	Settings driver.Settings

	// SKUs lists what the shop sells, by another way than the driver. Required.
	SKUs func(ctx context.Context) ([]string, error)
	// Show tells what the shop stores for the SKU now, by another way than the
	// driver. Required.
	Show func(ctx context.Context, sku string) (Shown, error)
	// Add makes a listing that is on sale. Required.
	Add func(ctx context.Context, item Item) error
	// SetPrice, SetStock and SetTitle change a listing as a merchant would.
	// Required.
	SetPrice func(ctx context.Context, sku string, price driver.Money) error
	SetStock func(ctx context.Context, sku string, onHand int64) error
	SetTitle func(ctx context.Context, sku, title string) error
	// Delete takes a listing away. Required.
	Delete func(ctx context.Context, sku string) error

	// AllowsDuplicates says that Add takes a SKU that exists.
	AllowsDuplicates bool
	// Currencies are further currencies the shop can sell in, best with 0, 2
	// and 3 decimals.
	Currencies []string

	// PlaceOrder buys and returns a handle of the order.
	PlaceOrder func(ctx context.Context, lines ...Line) (order string, err error)
	// Fulfil sends units of an order; none means all that are left.
	Fulfil func(ctx context.Context, order string, lines ...Line) error
	// FulfilsWhole says that the shop sends an order as a whole: Fulfil is
	// called without lines.
	FulfilsWhole bool
	// Cancel takes units out of an order; none means all that are left.
	Cancel func(ctx context.Context, order string, lines ...Line) error
	// OpenCart leaves a purchase unfinished.
	OpenCart func(ctx context.Context, line Line) error
	// Personal are words about the buyer that must not appear in what
	// ReadOrders returns.
	Personal []string

	// Freeze stops the shop's execution, Thaw lets it go on.
	Freeze, Thaw func()
	// StopDatabase and StartDatabase make an outage of the database.
	StopDatabase  func()
	StartDatabase func(ctx context.Context) error
	// Limited starts a proxy in front of the shop that lets through a few calls
	// a second, answers 429 with Retry-After to the rest, and 504 while the
	// shop is frozen. It returns its endpoint.
	Limited func(t testing.TB) string

	// NewAccount makes credentials; Rotate changes their secret and returns the
	// new ones; Revoke ends them.
	NewAccount func(ctx context.Context) (map[string]string, error)
	Rotate     func(ctx context.Context, credentials map[string]string) (map[string]string, error)
	Revoke     func(ctx context.Context, credentials map[string]string) error

	// SendWebhooks makes the shop send its webhooks to the URL, signed with the
	// secret in Settings.Credentials.
	SendWebhooks func(url string) error
	// SignWebhook returns the headers of a delivery of the body, made now.
	SignWebhook func(body []byte) http.Header
	// Webhooks are bodies of the shop's own form; absent where it says itself
	// what a delivery is about, as {"type":"ping","data":{}}.
	Webhooks WebhookBodies
}

// WebhookBodies are bodies of deliveries, JSON objects.
type WebhookBodies struct {
	// Good is one that the shop could send, WrongTypes the same with values that
	// are none of their kind.
	Good, WrongTypes string
}

// Item is a listing to make.
type Item struct {
	SKU, Title string
	Price      driver.Money
	OnHand     int64
}

// Line is a number of units of one SKU.
type Line struct {
	SKU   string
	Units int64
}

// Shown is what a shop stores for one SKU.
type Shown struct {
	Title   string
	Enabled bool
	// Prices are in minor units by currency.
	Prices map[string]int64
	OnHand int64
}

// needs lists what a case cannot do without.
type needs struct {
	what string
	have bool
}

// testCase is one promise of a driver. Its name is the promise.
type testCase struct {
	name  string
	needs []needs
	run   func(*testing.T, *suite)
}
