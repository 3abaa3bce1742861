package woocommerce

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// Type is the value of Channel.spec.type.
const Type = "woocommerce"

// The keys of a WooCommerce channel's Secret.
const (
	// KeyConsumerKey and KeyConsumerSecret are a REST API key of the shop.
	KeyConsumerKey    = "consumerKey"
	KeyConsumerSecret = "consumerSecret"
	// KeyWebhookSecret is the secret of the shop's webhooks. Optional.
	KeyWebhookSecret = "webhookSecret"
)

const (
	version = "0.1.0"

	// maxPerPage is the most that WooCommerce gives or takes in one request. A
	// page of a walk begins with the last item of the one before.
	maxPerPage = 100
	pageSize   = maxPerPage - 1
	readBatch  = 100
	// A save takes a tenth of a second and more, and many a host ends requests
	// after 30 s: half of what a batch may hold.
	writeBatch  = 50
	createBatch = 20
	// A shared host runs few requests at once.
	concurrency = 2

	requestTimeout = 60 * time.Second

	// Stock and order are saved one after the other in one request, which may
	// take as long as a payment; database replicas lag besides.
	orderVisibility = 30 * time.Second
	// PHP goes on with a request whose client has gone.
	lateWriteHorizon = 15 * time.Minute
)

// maxQuantity is the largest quantity written. WooCommerce's column is text;
// storefronts and other channels count in 32 bits.
const maxQuantity = 1<<31 - 1

// New returns the driver.
func New() driver.Driver { return wooDriver{} }

type wooDriver struct{}

// Describe implements driver.Driver.
func (wooDriver) Describe() driver.Description {
	return driver.Description{
		Type:         Type,
		Version:      version,
		Title:        "WooCommerce",
		ConfigSchema: configSchema(),
		Credentials: []driver.CredentialKey{
			{Name: KeyConsumerKey, Description: "Consumer key (ck_…) of a REST API key with read and write permission."},
			{Name: KeyConsumerSecret, Description: "Consumer secret (cs_…) of that key."},
			{Name: KeyWebhookSecret, Optional: true, Description: "Secret of the shop's webhooks; without it webhooks are refused."},
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
			RequestsPerSecond: 5,
			Burst:             10,
			RequestTimeout:    requestTimeout,
			StockMode:         driver.StockSet,
			StockBasis:        driver.BasisAvailable,
			MaxQuantity:       maxQuantity,
			OrderVisibility:   orderVisibility,
			LateWriteHorizon:  lateWriteHorizon,
		},
	}
}

// Open implements driver.Driver.
func (wooDriver) Open(_ context.Context, settings driver.Settings) (driver.Connection, error) {
	const op = "open WooCommerce channel"
	endpoint, err := siteURL(settings.Endpoint)
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
	for _, key := range []string{KeyConsumerKey, KeyConsumerSecret} {
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
		log.Warn("the locale has no effect: the REST API of WooCommerce reads and writes the site's own language", "locale", settings.Locale)
	}
	client := settings.HTTP
	if client == nil {
		client = &http.Client{Timeout: requestTimeout}
	}
	return &connection{
		api: &api{
			endpoint: endpoint,
			http:     driver.WithoutRedirects(client),
			key:      settings.Credentials[KeyConsumerKey],
			secret:   settings.Credentials[KeyConsumerSecret],
		},
		config:        config,
		currency:      settings.Currency,
		log:           log,
		webhookSecret: settings.Credentials[KeyWebhookSecret],
		creating:      make(chan struct{}, 1),
	}, nil
}

// siteURL returns the address of the WordPress site, without the /wp-json and
// what is behind it.
func siteURL(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, errNotURL
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return nil, errNotURL
	}
	path, _, _ := strings.Cut(u.Path+"/", "/wp-json/")
	u.Path = strings.TrimRight(path, "/")
	u.RawPath, u.RawQuery, u.Fragment = "", "", ""
	return u, nil
}

// connection is one WooCommerce shop.
type connection struct {
	api           *api
	config        Config
	currency      string
	log           *slog.Logger
	webhookSecret string
	shop          shopCache
	// noIndex is set once the shop said that it has no list of variations.
	noIndex atomic.Bool
	// creating is held while products are made: two creations of variations of
	// one product must not both find it absent.
	creating chan struct{}
}

// Account implements driver.Connection. It also looks after the webhooks of the
// channel, because it is asked every few minutes.
func (c *connection) Account(ctx context.Context) (driver.Account, error) {
	ctx = driver.WithOperation(ctx, driver.OpAccount)
	s, err := c.shop.renew(ctx, c)
	if err != nil {
		return driver.Account{}, err
	}
	c.keepWebhooks(ctx)
	account := driver.Account{ID: driver.Address(c.api.endpoint), Shop: s.id, Name: s.name, Currency: s.currency}
	if s.id != "" {
		account.ID += "#" + s.id
	}
	return account, nil
}

// Close implements driver.Connection. There is no session to end.
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
