package medusa

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/standardwebhooks"
)

// Type is the value of Channel.spec.type.
const Type = "medusa"

// The keys of a Medusa channel's Secret.
const (
	// KeyEmail and KeyPassword log a user of the admin in.
	KeyEmail    = "email"
	KeyPassword = "password"
	// KeyWebhookSecret is the Standard Webhooks secret ("whsec_…") that the
	// shop's subscriber signs with. Optional.
	KeyWebhookSecret = standardwebhooks.SecretKey
)

const (
	version = "0.1.0"

	pageSize    = 100
	readBatch   = 100
	writeBatch  = 50
	createBatch = 20
	// Four calls keep the one thread of a Medusa server busy.
	concurrency = 4

	requestTimeout = 30 * time.Second

	// A workflow moves stock and order in separate transactions, the slowest
	// seen a second apart.
	orderVisibility = 10 * time.Second
	// Node answers from its socket buffer long after a freeze ends.
	lateWriteHorizon = 15 * time.Minute
	// sessionAge is how long a token is used. Medusa's tokens last for a day,
	// even when their user is deleted: a login is what notices it.
	sessionAge = time.Hour
)

// maxQuantity is the largest quantity written. Medusa's column has no bound;
// storefronts and other channels count in 32 bits.
const maxQuantity = 1<<31 - 1

// New returns the driver.
func New() driver.Driver { return medusaDriver{} }

type medusaDriver struct{}

// Describe implements driver.Driver.
func (medusaDriver) Describe() driver.Description {
	return driver.Description{
		Type:         Type,
		Version:      version,
		Title:        "Medusa",
		ConfigSchema: configSchema(),
		Credentials: []driver.CredentialKey{
			{Name: KeyEmail, Description: "E-mail address of a user of the Medusa admin."},
			{Name: KeyPassword, Description: "Password of that user."},
			{Name: KeyWebhookSecret, Optional: true, Description: "Standard Webhooks secret (whsec_…) of the shop's subscriber; without it webhooks are refused."},
		},
		Capabilities: []driver.Capability{
			driver.CanReadListings, driver.CanGetListings, driver.CanReadChanges,
			driver.CanWriteContent, driver.CanWritePrice, driver.CanWriteStock,
			driver.CanCreateListings, driver.CanRemoveListings,
			driver.CanReadOrders, driver.CanReceiveWebhook,
		},
		Traits: driver.Traits{
			PageSize:          pageSize,
			ReadBatch:         readBatch,
			WriteBatch:        writeBatch,
			CreateBatch:       createBatch,
			Concurrency:       concurrency,
			RequestsPerSecond: 10,
			Burst:             20,
			RequestTimeout:    requestTimeout,
			StockMode:         driver.StockSet,
			StockBasis:        driver.BasisOnHand,
			MaxQuantity:       maxQuantity,
			OrderVisibility:   orderVisibility,
			LateWriteHorizon:  lateWriteHorizon,
		},
	}
}

// Open implements driver.Driver.
func (medusaDriver) Open(_ context.Context, settings driver.Settings) (driver.Connection, error) {
	const op = "open Medusa channel"
	endpoint, err := serverURL(settings.Endpoint)
	if err != nil {
		return nil, invalid(op, "InvalidEndpoint", err.Error())
	}
	var config Config
	if err := driver.DecodeConfig(settings.Config, &config); err != nil {
		return nil, invalid(op, "InvalidConfig", err.Error())
	}
	for _, key := range []string{KeyEmail, KeyPassword} {
		if settings.Credentials[key] == "" {
			return nil, invalid(op, "CredentialMissing", "the Secret has no key "+key)
		}
	}
	if _, ok := driver.Digits(settings.Currency); !ok {
		return nil, invalid(op, "UnknownCurrency", "set the channel's currency to an ISO 4217 code such as EUR")
	}
	webhook, err := standardwebhooks.New(settings.Credentials[KeyWebhookSecret])
	if err != nil {
		return nil, invalid(op, "InvalidWebhookSecret", "the key "+KeyWebhookSecret+": "+err.Error())
	}
	log := settings.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if settings.Locale != "" {
		log.Warn("the locale has no effect: the Admin API of Medusa reads and writes the shop's own language", "locale", settings.Locale)
	}
	client := settings.HTTP
	if client == nil {
		client = &http.Client{Timeout: requestTimeout}
	}
	return &connection{
		api: &api{
			endpoint: endpoint,
			http:     driver.WithoutRedirects(client),
			session:  newSession(settings.Credentials[KeyEmail], settings.Credentials[KeyPassword]),
		},
		config:   config,
		currency: settings.Currency,
		log:      log,
		webhook:  webhook,
		creating: make(chan struct{}, 1),
	}, nil
}

// serverURL returns the address of the server, without the /admin that people
// see in their browser.
func serverURL(endpoint string) (*url.URL, error) {
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

// connection is one Medusa server.
type connection struct {
	api      *api
	config   Config
	currency string
	log      *slog.Logger
	webhook  standardwebhooks.Verifier
	shop     shopCache
	levels   levelMemory
	// creating is held while products are made: two creations of variants of
	// one product must not both find it absent.
	creating chan struct{}
}

// Account implements driver.Connection. It logs in anew, so that a password
// that was changed is noticed although an old session still lives.
func (c *connection) Account(ctx context.Context) (driver.Account, error) {
	ctx = driver.WithOperation(ctx, driver.OpAccount)
	if err := c.api.login(ctx); err != nil {
		return driver.Account{}, err
	}
	s, err := c.shop.renew(ctx, c)
	if err != nil {
		return driver.Account{}, err
	}
	return driver.Account{
		ID:       driver.Address(c.api.endpoint) + "#" + s.storeID,
		Shop:     s.storeID,
		Name:     s.storeName,
		Currency: s.defaultCurrency,
	}, nil
}

// Close implements driver.Connection. A token cannot be ended; it is forgotten.
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
