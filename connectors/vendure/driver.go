package vendure

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
const Type = "vendure"

// The keys of a Vendure channel's Secret.
const (
	// KeyUsername and KeyPassword log an administrator in.
	KeyUsername = "username"
	KeyPassword = "password"
	// KeyWebhookSecret is the Standard Webhooks secret ("whsec_…") that the
	// shop's webhook plugin signs with. Optional.
	KeyWebhookSecret = standardwebhooks.SecretKey
)

const (
	version = "0.1.0"

	pageSize    = 100
	readBatch   = 100
	writeBatch  = 20
	createBatch = 20
	// Vendure does not scale with batches: four writes on disjoint rows are as
	// fast as one four times the size, and answer sooner.
	concurrency = 4

	requestTimeout = 30 * time.Second

	// Vendure changes stock and order in one transaction, so an order is
	// visible with its effect; this is the time such a transaction takes.
	orderVisibility = 5 * time.Second
	// Node answers from its socket buffer long after a freeze ends.
	lateWriteHorizon = 15 * time.Minute
)

// New returns the driver.
func New() driver.Driver { return vendureDriver{} }

type vendureDriver struct{}

// Describe implements driver.Driver.
func (vendureDriver) Describe() driver.Description {
	return driver.Description{
		Type:         Type,
		Version:      version,
		Title:        "Vendure",
		ConfigSchema: configSchema(),
		Credentials: []driver.CredentialKey{
			{Name: KeyUsername, Description: "User name of an administrator whose role may read and update the catalog, stock and orders."},
			{Name: KeyPassword, Description: "Password of that administrator."},
			{Name: KeyWebhookSecret, Optional: true, Description: "Standard Webhooks secret (whsec_…) of the shop's webhook plugin; without it webhooks are refused."},
		},
		Capabilities: []driver.Capability{
			driver.CanReadListings, driver.CanGetListings, driver.CanReadChanges,
			driver.CanWriteContent, driver.CanWritePrice, driver.CanWriteStock,
			driver.CanCreateListings, driver.CanRemoveListings,
			driver.CanReadOrders, driver.CanReceiveWebhook,
		},
		Traits: driver.Traits{
			PageSize:           pageSize,
			ReadBatch:          readBatch,
			WriteBatch:         writeBatch,
			CreateBatch:        createBatch,
			Concurrency:        concurrency,
			RequestsPerSecond:  10,
			Burst:              20,
			RequestTimeout:     requestTimeout,
			StockMode:          driver.StockSet,
			StockBasis:         driver.BasisOnHand,
			MaxQuantity:        maxInt32,
			OrderVisibility:    orderVisibility,
			LateWriteHorizon:   lateWriteHorizon,
			WriteReturnsStored: true,
		},
	}
}

// Open implements driver.Driver.
func (vendureDriver) Open(_ context.Context, settings driver.Settings) (driver.Connection, error) {
	const op = "open Vendure channel"
	endpoint, err := adminEndpoint(settings.Endpoint)
	if err != nil {
		return nil, invalid(op, "InvalidEndpoint", err.Error())
	}
	var config Config
	if err := driver.DecodeConfig(settings.Config, &config); err != nil {
		return nil, invalid(op, "InvalidConfig", err.Error())
	}
	for _, key := range []string{KeyUsername, KeyPassword} {
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
	client := settings.HTTP
	if client == nil {
		client = &http.Client{Timeout: requestTimeout}
	}
	return &connection{
		api: &api{
			endpoint:     endpoint,
			channelToken: config.ChannelToken,
			http:         driver.WithoutRedirects(client),
			session:      newSession(settings.Credentials[KeyUsername], settings.Credentials[KeyPassword]),
		},
		config:   config,
		currency: settings.Currency,
		locale:   settings.Locale,
		log:      log,
		webhook:  webhook,
		creating: make(chan struct{}, 1),
		orders:   newOrderMemory(),
	}, nil
}

// adminEndpoint returns the URL of the Admin API: the endpoint as it is, with
// /admin-api where it has no path.
func adminEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, errNotURL
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return nil, errNotURL
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/admin-api"
	}
	u.Fragment = ""
	return u, nil
}

// connection is one channel of one Vendure server.
type connection struct {
	api      *api
	config   Config
	currency string
	locale   string
	log      *slog.Logger
	webhook  standardwebhooks.Verifier
	shop     shopCache
	settings settingsCache
	// creating is held while products are made: two creations of variants of
	// one product must not both find it absent.
	creating chan struct{}
	orders   *orderMemory
	own      ownProducts
}

// Account implements driver.Connection. It logs in anew, so that a password
// that was changed is noticed although an old session still lives.
func (c *connection) Account(ctx context.Context) (driver.Account, error) {
	ctx = driver.WithOperation(ctx, driver.OpAccount)
	who, err := c.api.login(ctx)
	account := driver.Account{ID: driver.Address(c.api.endpoint) + "#" + who.ID, Shop: who.mark()}
	if otherAccount(err) {
		return account, nil
	}
	if err != nil {
		return driver.Account{}, err
	}
	s, err := c.shop.renew(ctx, c)
	if err != nil {
		return driver.Account{}, err
	}
	account.Name, account.Currency = s.channelCode, s.defaultCurrency
	return account, nil
}

// Close implements driver.Connection; it ends the session.
func (c *connection) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c.api.logout(driver.WithOperation(ctx, driver.OpAccount))
	return nil
}

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
