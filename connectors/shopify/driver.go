package shopify

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// Type is the value of Channel.spec.type.
const Type = "shopify"

// The keys of a Shopify channel's Secret.
const (
	// KeyClientID and KeyClientSecret are those of the app that is installed in
	// the shop. The secret also signs webhooks.
	KeyClientID     = "clientId"
	KeyClientSecret = "clientSecret"
	// KeyAccessToken is the Admin API token of an app that was made in the
	// shop's own admin, which knows no grant. Optional.
	KeyAccessToken = "accessToken"
)

// APIVersion is the version of the Admin API that the driver speaks.
const APIVersion = "2026-10"

const (
	version = "0.1.0"

	pageSize  = 100
	readBatch = 100
	// writeBatch is far below the 250 quantities of one mutation: a price costs
	// a mutation for each product.
	writeBatch  = 50
	createBatch = 10
	concurrency = 2

	requestTimeout = 30 * time.Second

	// Orders are found by a search, whose index follows the data.
	orderVisibility = 30 * time.Second
	// A write that was sent can land after its caller gave up; a quantity then
	// meets another one than it expects, a price does not.
	lateWriteHorizon = 15 * time.Minute
)

// maxQuantity is the largest quantity that Shopify stores.
const maxQuantity = 1_000_000_000

// New returns the driver.
func New() driver.Driver { return shopifyDriver{} }

type shopifyDriver struct{}

// Describe implements driver.Driver.
func (shopifyDriver) Describe() driver.Description {
	return driver.Description{
		Type:         Type,
		Version:      version,
		Title:        "Shopify",
		ConfigSchema: configSchema(),
		Credentials: []driver.CredentialKey{
			{Name: KeyClientID, Description: "Client id of the app that is installed in the shop (API key of an app made in the shop's admin)."},
			{Name: KeyClientSecret, Description: "Client secret of that app (API secret key); it gets the access tokens and verifies webhooks."},
			{Name: KeyAccessToken, Optional: true, Description: "Admin API access token (shpat_…) of an app made in the shop's admin; without it tokens are got with id and secret."},
		},
		Capabilities: []driver.Capability{
			driver.CanReadListings, driver.CanGetListings, driver.CanReadChanges,
			driver.CanWriteContent, driver.CanWritePrice, driver.CanWriteStock,
			driver.CanCreateListings, driver.CanRemoveListings,
			driver.CanReadOrders, driver.CanReceiveWebhook,
		},
		Traits: driver.Traits{
			PageSize:    pageSize,
			ReadBatch:   readBatch,
			WriteBatch:  writeBatch,
			CreateBatch: createBatch,
			Concurrency: concurrency,
			// Shopify counts points, not requests: the bucket keeps to them.
			RequestsPerSecond: 20,
			Burst:             40,
			RequestTimeout:    requestTimeout,
			StockMode:         driver.StockCompareAndSet,
			StockBasis:        driver.BasisAvailable,
			MaxQuantity:       maxQuantity,
			OrderVisibility:   orderVisibility,
			LateWriteHorizon:  lateWriteHorizon,
		},
	}
}

// Open implements driver.Driver.
func (shopifyDriver) Open(_ context.Context, settings driver.Settings) (driver.Connection, error) {
	const op = "open Shopify channel"
	endpoint, err := shopURL(settings.Endpoint)
	if err != nil {
		return nil, invalid(op, "InvalidEndpoint", err.Error())
	}
	var config Config
	if err := driver.DecodeConfig(settings.Config, &config); err != nil {
		return nil, invalid(op, "InvalidConfig", err.Error())
	}
	if err := checkWebhookURL(config.WebhookURL); err != nil {
		return nil, invalid(op, "InvalidConfig", err.Error())
	}
	for _, key := range []string{KeyClientID, KeyClientSecret} {
		if settings.Credentials[key] == "" {
			return nil, invalid(op, "CredentialMissing", "the Secret has no key "+key)
		}
	}
	if _, ok := driver.Digits(settings.Currency); !ok {
		return nil, invalid(op, "UnknownCurrency", "set the channel's currency to an ISO 4217 code such as EUR")
	}
	log := settings.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if settings.Locale != "" {
		log.Warn("the locale has no effect: products are read and written in the shop's default language", "locale", settings.Locale)
	}
	client := settings.HTTP
	if client == nil {
		client = &http.Client{Timeout: requestTimeout}
	}
	return &connection{
		api: &api{
			endpoint: endpoint,
			http:     driver.WithoutRedirects(client),
			session:  newSession(settings.Credentials),
			bucket:   newBucket(),
			log:      log,
		},
		config:   config,
		currency: settings.Currency,
		secret:   settings.Credentials[KeyClientSecret],
		known:    newMemory(),
		attempts: newAttempts(),
		creating: make(chan struct{}, 1),
	}, nil
}

// shopURL returns the address of the shop, without the /admin that people see
// in their browser.
func shopURL(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, errNotURL
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return nil, errNotURL
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/admin")
	u.RawPath, u.RawQuery, u.Fragment = "", "", ""
	return u, nil
}

// connection is one Shopify shop.
type connection struct {
	api      *api
	config   Config
	currency string
	secret   string
	shop     shopCache
	known    *memory
	attempts *attempts
	// creating is held while products are made: two creations of variants of
	// one product must not both find it absent.
	creating chan struct{}
}

// Account implements driver.Connection. It asks for a token anew, so that a
// secret that was changed is noticed although an old token still lives.
func (c *connection) Account(ctx context.Context) (driver.Account, error) {
	ctx = driver.WithOperation(ctx, driver.OpAccount)
	id, err := c.api.session.renew(ctx, c.api)
	if otherAccount(err) {
		return driver.Account{ID: id, Shop: id}, nil
	}
	if err != nil {
		return driver.Account{}, err
	}
	s, err := c.shop.renew(ctx, c)
	if err != nil {
		return driver.Account{}, err
	}
	c.keepSubscriptions(ctx)
	// A shop's id is its own at any address, and no copy of a shop has it.
	return driver.Account{ID: s.id, Shop: s.id, Name: s.name, Currency: s.currency}, nil
}

// Close implements driver.Connection. Tokens end by themselves.
func (c *connection) Close() error { return nil }

var (
	_ driver.ListingReader   = (*connection)(nil)
	_ driver.ListingGetter   = (*connection)(nil)
	_ driver.ChangeReader    = (*connection)(nil)
	_ driver.IntentWriter    = (*connection)(nil)
	_ driver.ListingCreator  = (*connection)(nil)
	_ driver.ListingRemover  = (*connection)(nil)
	_ driver.OrderReader     = (*connection)(nil)
	_ driver.WebhookReceiver = (*connection)(nil)
)
