package workload

import (
	"encoding/json"
	"time"
)

// CredentialState is what a connector knows of its credentials.
type CredentialState string

// The credential states; they are the reasons of condition CredentialsValid.
const (
	CredentialsUnknown      CredentialState = "Unknown"
	CredentialsValid        CredentialState = "Valid"
	CredentialsMissing      CredentialState = "SecretMissing"
	CredentialsKeyMissing   CredentialState = "KeyMissing"
	CredentialsUnauthorized CredentialState = "Unauthorized"
)

// ChannelReport is what a connector says of itself. It is put into CFG within
// 2 s of a change and at least every HeartbeatInterval.
type ChannelReport struct {
	// Generation and Syncs echo the configuration that is applied.
	Generation int64            `json:"generation"`
	UID        string           `json:"uid"`
	Syncs      map[string]int64 `json:"syncs,omitempty"`
	// At is the connector's time of the report; only its change is looked at.
	At time.Time `json:"at"`
	// Driver describes the driver, for third-party images too.
	Driver DriverReport `json:"driver"`
	// AccountID identifies the account; empty until known.
	AccountID string `json:"accountID,omitempty"`
	// Shop is the driver's mark of the shop that OrdersCursor and the facts of
	// orders are of; it stays the same when the shop moves to another address.
	Shop        string          `json:"shop,omitempty"`
	Credentials CredentialState `json:"credentials"`
	// CredentialsMessage says which key or what the channel answered.
	CredentialsMessage string `json:"credentialsMessage,omitempty"`
	// Connected is true while the channel answers; Reason is the reason of the
	// condition Connected.
	Connected bool   `json:"connected"`
	Reason    string `json:"reason,omitempty"`
	Message   string `json:"message,omitempty"`
	// Problem is a configuration the connector cannot run by (bad config,
	// unknown type); the Channel is Stalled with its reason.
	Problem        string `json:"problem,omitempty"`
	ProblemMessage string `json:"problemMessage,omitempty"`
	// Webhooks: None, Healthy, Failing.
	Webhooks        string `json:"webhooks,omitempty"`
	WebhooksMessage string `json:"webhooksMessage,omitempty"`
	// ReadOnce is true after the first full reading.
	ReadOnce bool `json:"readOnce"`
	// Listings is the number of listings at the last full reading.
	Listings int `json:"listings"`
	// DuplicateSKUs is the number of SKUs that several listings bear.
	DuplicateSKUs int `json:"duplicateSKUs,omitempty"`
	// UnusableSKUs is the number of listings whose SKU is empty, longer than
	// 128 bytes or not text, at the last full reading.
	UnusableSKUs int `json:"unusableSKUs,omitempty"`
	// ItemsIntake and OrdersIntake are when an intake last succeeded.
	ItemsIntake  time.Time `json:"itemsIntake,omitzero"`
	OrdersIntake time.Time `json:"ordersIntake,omitzero"`
	// OrdersCursor is the channel's own position in its orders: every order
	// change before it is a durable fact. A connector that lost its store goes
	// on from it.
	OrdersCursor string `json:"ordersCursor,omitempty"`
	// Progress is, by CatalogSync name, how far this channel is.
	Progress map[string]Progress `json:"progress,omitempty"`
	// Requested echoes ChannelConfig.Requested once that comparison is done.
	Requested string `json:"requested,omitempty"`
	// Delisted is true when every listing was taken out of sale.
	Delisted bool `json:"delisted,omitempty"`
	// Writing is false while paused, held or without lease.
	Writing bool `json:"writing"`
}

// DriverReport describes the driver a connector runs.
type DriverReport struct {
	Type         string          `json:"type"`
	Version      string          `json:"version"`
	Capabilities []string        `json:"capabilities"`
	ConfigSchema json.RawMessage `json:"configSchema,omitempty"`
}

// HeartbeatInterval is how often a report is put even if nothing changed;
// without one for NoReportAfter a workload counts as silent.
const (
	HeartbeatInterval = 10 * time.Second
	NoReportAfter     = 30 * time.Second
)

// Cause is why a SKU is pending.
type Cause string

// The causes of being pending; the lag target judges CauseChange alone.
const (
	CauseChange   Cause = "change"
	CauseBackfill Cause = "backfill"
	CauseRules    Cause = "rules"
)

// Progress is how far one channel is in one sync.
type Progress struct {
	InSync  int `json:"inSync"`
	Pending int `json:"pending"`
	Failed  int `json:"failed"`
	Drifted int `json:"drifted"`
	// OldestPending is the oldest pending since, by cause; absent = none.
	OldestPending map[Cause]time.Time `json:"oldestPending,omitempty"`
	// OldestFailed is the same over rejected SKUs.
	OldestFailed time.Time `json:"oldestFailed,omitzero"`
	// Watermark: every item sequence up to it is confirmed or rejected.
	Watermark uint64 `json:"watermark"`
	// Epoch is the stream epoch that Watermark belongs to.
	Epoch uint64 `json:"epoch"`
	// LastComparison is when the last full comparison ended.
	LastComparison time.Time `json:"lastComparison,omitzero"`
	// Failures are at most ten samples.
	Failures []Failure `json:"failures,omitempty"`
}

// Failure is a SKU that the channel does not take.
type Failure struct {
	SKU     string    `json:"sku"`
	Reason  string    `json:"reason"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since"`
}

// CatalogReport is what the catalog worker of a namespace says.
type CatalogReport struct {
	At time.Time `json:"at"`
	// Syncs echoes the applied generation by CatalogSync name.
	Syncs map[string]SyncReport `json:"syncs"`
	// FactSeq is the last folded fact.
	FactSeq uint64 `json:"factSeq"`
	// Backlog is the number of facts not folded yet.
	Backlog uint64 `json:"backlog"`
	// Durability of the hub: always, lazy, unknown.
	Durability string `json:"durability"`
	// HubBytes and HubLimit are the storage used and allowed in the namespace.
	HubBytes int64 `json:"hubBytes"`
	HubLimit int64 `json:"hubLimit"`
}

// SyncReport is one sync as the catalog worker sees it.
type SyncReport struct {
	Generation int64  `json:"generation"`
	UID        string `json:"uid"`
	// Items is the number of items of the source that are not removed.
	Items int `json:"items"`
	// Problem is a configuration the worker cannot run by.
	Problem        string `json:"problem,omitempty"`
	ProblemMessage string `json:"problemMessage,omitempty"`
	// Channels is what the worker knows beside the connectors' own reports.
	Channels map[string]SyncChannelReport `json:"channels,omitempty"`
}

// SyncChannelReport is a channel's lag as the worker sees it, which rises even
// when the connector is dead.
type SyncChannelReport struct {
	// OldestPending is the hub time of the first item change that the channel
	// has not confirmed; zero when none.
	OldestPending time.Time `json:"oldestPending,omitzero"`
	// Silent is true when the connector has not reported for NoReportAfter.
	Silent bool `json:"silent"`
}
