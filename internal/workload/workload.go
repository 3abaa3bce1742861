// Package workload holds what the operator hands to workloads and what they
// report back, as versioned plain values that travel through the hub's CFG
// bucket as JSON. Readers ignore fields they do not know; writers never change
// the meaning of a field (DESIGN §2: N reads messages of N-2 to N+1).
package workload

import (
	"encoding/json"
	"time"
)

// Keys of the CFG bucket.
const (
	ConfigChannelPrefix = "config.channel." // + Channel name: ChannelConfig
	ConfigSyncPrefix    = "config.sync."    // + CatalogSync name: SyncConfig
	ReportChannelPrefix = "report.channel." // + Channel name: ChannelReport
	ReportCatalog       = "report.catalog"  // CatalogReport
	LeaseChannelPrefix  = "lease.channel."  // + Channel name
	LeaseCatalog        = "lease.catalog"
)

// State is what the data plane of a channel does.
type State string

// The states.
const (
	// Running reads and writes.
	Running State = "Running"
	// Paused takes in facts and reports, writes nothing to the channel.
	Paused State = "Paused"
	// Stopped does nothing; the connector has no pod.
	Stopped State = "Stopped"
)

// Hold is an emergency stop (annotation selaras.dev/hold).
type Hold struct {
	// Until ends the hold; zero = when it is lifted.
	Until time.Time `json:"until,omitzero"`
	// Reason is shown to people.
	Reason string `json:"reason,omitempty"`
}

// ChannelConfig is what a connector runs by, beside its mounted credentials.
type ChannelConfig struct {
	// Generation is the Channel's metadata.generation, echoed in the report.
	Generation int64 `json:"generation"`
	// UID is the Channel's UID: a successor of the same name has another.
	UID      string            `json:"uid"`
	Type     string            `json:"type"`
	Endpoint string            `json:"endpoint"`
	Config   json.RawMessage   `json:"config,omitempty"`
	Currency string            `json:"currency,omitempty"`
	Locale   string            `json:"locale,omitempty"`
	Timezone string            `json:"timezone,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	// ProxyURL and ServerName shape the connection; CA bundle and client
	// certificate are mounted files.
	ProxyURL   string `json:"proxyURL,omitempty"`
	ServerName string `json:"serverName,omitempty"`
	// RequestsPerSecond and Burst are the rate budget; 0 = the driver's own.
	RequestsPerSecond float64 `json:"requestsPerSecond,omitempty"`
	Burst             int     `json:"burst,omitempty"`
	// RateShare of the budget is this connector's, above 0 up to 1; 0 = all.
	RateShare float64 `json:"rateShare,omitempty"`
	// PollInterval is how often changes and orders are asked for.
	PollInterval time.Duration `json:"pollInterval,omitempty"`
	State        State         `json:"state"`
	Hold         *Hold         `json:"hold,omitempty"`
	// Requested is the token of annotation selaras.dev/requestedAt: a new one
	// asks for a comparison at once.
	Requested string `json:"requested,omitempty"`
	// Delist asks the connector to take every listing that Selaras keeps out
	// of sale; it reports Delisted when done.
	Delist bool `json:"delist,omitempty"`
}

// Mode is how far a sync goes.
type Mode string

// The modes.
const (
	// Observe only reports differences.
	Observe Mode = "Observe"
	// Enforce writes.
	Enforce Mode = "Enforce"
)

// DriftPolicy is what happens to a value that somebody else changed.
type DriftPolicy string

// The drift policies.
const (
	DriftEnforce DriftPolicy = "Enforce" // it is written over
	DriftObserve DriftPolicy = "Observe" // it is reported and left
	DriftAdopt   DriftPolicy = "Adopt"   // it becomes a fact of the owner
)

// SyncConfig is one CatalogSync with its channels resolved: what the catalog
// worker and the connectors of those channels run by.
type SyncConfig struct {
	Name       string `json:"name"`
	Generation int64  `json:"generation"`
	UID        string `json:"uid"`
	Mode       Mode   `json:"mode"`
	// Source is the Channel that owns content and price.
	Source string `json:"source"`
	// Fields are the groups this sync keeps; an absent group is left alone.
	Fields map[string]FieldConfig `json:"fields"`
	// Policy is how the stock is divided among the channels; empty is Shared.
	Policy StockPolicy `json:"policy,omitempty"`
	// Channels are the targets. The source is listed too when its stock is
	// kept; its entry then has only the group stock.
	Channels map[string]SyncChannel `json:"channels"`
	// Resync is how often every listing is compared.
	Resync time.Duration `json:"resync"`
	// MaxLag is the lag target.
	MaxLag time.Duration `json:"maxLag"`
	Hold   *Hold         `json:"hold,omitempty"`
	// Requested is the token of annotation selaras.dev/requestedAt.
	Requested string `json:"requested,omitempty"`
}

// StockPolicy is how one stock is divided among channels.
type StockPolicy string

// The policies.
const (
	StockShared    StockPolicy = "Shared"    // every channel shows all of it
	StockPercent   StockPolicy = "Percent"   // every channel shows its share
	StockDedicated StockPolicy = "Dedicated" // pools are kept for single channels
)

// FieldConfig is the ownership of one field group.
type FieldConfig struct {
	Drift DriftPolicy `json:"drift"`
}

// SyncChannel is one channel's part in a sync.
type SyncChannel struct {
	// Groups of SyncConfig.Fields that are written on this channel; a group
	// that another sync writes there is left out by the operator.
	Groups []string   `json:"groups"`
	Price  *PriceRule `json:"price,omitempty"`
	// SafetyStock and MaxQuantity as in catalog.Rules.
	SafetyStock int64  `json:"safetyStock,omitempty"`
	MaxQuantity *int64 `json:"maxQuantity,omitempty"`
	// Share in percent and Pool in units, by the policy; absent, 100 and none.
	Share *int64 `json:"share,omitempty"`
	Pool  *int64 `json:"pool,omitempty"`
}

// PriceRule is a price rule as written in YAML, validated by the operator.
type PriceRule struct {
	Rule    string `json:"rule,omitempty"`
	RoundTo string `json:"roundTo,omitempty"`
	Floor   string `json:"floor,omitempty"`
}
