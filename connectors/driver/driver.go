package driver

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"
)

// Driver is one channel type.
type Driver interface {
	// Describe says what the type is and what it can do; it never fails and
	// never talks to a network.
	Describe() Description
	// Open makes a connection to one account. It checks the shape of the
	// settings, not the credentials: a shop that is down must not keep a
	// connector from starting. The error is of class Invalid.
	Open(ctx context.Context, settings Settings) (Connection, error)
}

// Connection is one account on one channel. Beside Account and Close it
// implements the capability interfaces of this package that its channel has.
// It stays one of that account: when it logs in again and finds another one,
// its calls fail with ReasonOtherAccount, and Account alone tells of it.
// All methods may be called from several goroutines at once.
type Connection interface {
	// Account proves the credentials against the channel and says whose
	// account it is. Errors are of class Unauthorized, Throttled or Transient.
	Account(ctx context.Context) (Account, error)
	// Close frees what the connection holds, such as a session.
	Close() error
}

// Account identifies the account behind a connection.
type Account struct {
	// ID is stable for the account and different for any other account of the
	// same channel type; two Channels with one ID sell the same shop. Where the
	// shop itself says nothing that tells it from a copy, its address is part.
	ID string
	// Shop is the shop's own mark, the same at whatever address it answers: by
	// it a shop that has moved is told from another shop at the same address.
	// Empty: ID.
	Shop string
	// Name is what a person calls the shop.
	Name string
	// Currency is the account's own ISO 4217 code, empty when it has several
	// or does not say.
	Currency string
}

// Description is what a driver says of itself.
type Description struct {
	// Type is the value of Channel.spec.type, lower case.
	Type string
	// Version is the version of the driver, a semantic version.
	Version string
	// Title is the product's own name for people, such as "Vendure".
	Title string
	// ConfigSchema is the JSON Schema (2020-12) of Channel.spec.config.
	ConfigSchema json.RawMessage
	// Credentials are the keys read from the Secret named by credentialsRef.
	Credentials []CredentialKey
	// Capabilities are the names of what connections of this type implement.
	Capabilities []Capability
	// Traits are the numbers and habits of the channel's API.
	Traits Traits
}

// CredentialKey is one key of a channel's Secret.
type CredentialKey struct {
	// Name is the key in the Secret.
	Name string
	// Optional keys may be absent.
	Optional bool
	// Description says for people what belongs there.
	Description string
}

// Settings is all that a connection is made from.
type Settings struct {
	// Endpoint is Channel.spec.endpoint, a URL.
	Endpoint string
	// Config is Channel.spec.config, valid against ConfigSchema, may be nil.
	Config json.RawMessage
	// Credentials are the values of the Secret by key. They must appear in no
	// log, error or outcome.
	Credentials map[string]string
	// Currency is the ISO 4217 code in which prices are read and written.
	Currency string
	// Locale is the BCP 47 tag of the content, empty for the shop's default.
	Locale string
	// HTTP sends every request of the driver (see the package comment).
	HTTP *http.Client
	// Log takes what a developer needs to know; never personal data.
	Log *slog.Logger
}

// StockMode is how a channel takes a quantity.
type StockMode string

// The stock modes.
const (
	// StockCompareAndSet takes a quantity only if the previous one still holds.
	StockCompareAndSet StockMode = "CompareAndSet"
	// StockAdjust takes a difference.
	StockAdjust StockMode = "Adjust"
	// StockSet takes an absolute quantity, blindly.
	StockSet StockMode = "Set"
)

// StockBasis is what the written quantity means.
type StockBasis string

// The stock bases.
const (
	// BasisOnHand counts the goods on the shelf, those reserved for open
	// orders included.
	BasisOnHand StockBasis = "OnHand"
	// BasisAvailable counts what may still be sold.
	BasisAvailable StockBasis = "Available"
)

// Traits are a channel type's habits. The zero value of a number means the
// connector's default.
type Traits struct {
	// PageSize is the largest page of listings, in items.
	PageSize int
	// ReadBatch is the most items of one ReadListings call.
	ReadBatch int
	// WriteBatch is the most items of one WriteIntents call.
	WriteBatch int
	// CreateBatch is the most items of one CreateListings call.
	CreateBatch int
	// Concurrency is the most write calls in flight at once; batches in flight
	// never share a SKU.
	Concurrency int
	// RequestsPerSecond and Burst are the rate budget when Channel.spec does
	// not set one.
	RequestsPerSecond float64
	Burst             int
	// RequestTimeout is the time one request may take after it was sent.
	RequestTimeout time.Duration
	// StockMode and StockBasis say how stock is written.
	StockMode  StockMode
	StockBasis StockBasis
	// MaxQuantity is the largest quantity the channel stores; 0 = 2^31-1.
	MaxQuantity int64
	// OrderVisibility is how long after it happened a change of an order may
	// be missing from what ReadOrders returns.
	OrderVisibility time.Duration
	// LateWriteHorizon is how long after a timeout a write may still land.
	LateWriteHorizon time.Duration
	// WriteReturnsStored says that a write answers with what the channel now
	// stores, so that no read-back is needed. Conformance proves it.
	WriteReturnsStored bool
}
