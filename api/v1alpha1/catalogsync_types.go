package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SyncMode is how far a CatalogSync goes.
// +kubebuilder:validation:Enum=Observe;Enforce
type SyncMode string

// The modes.
const (
	// ModeObserve reads and reports, and writes to no channel.
	ModeObserve SyncMode = "Observe"
	// ModeEnforce writes what differs.
	ModeEnforce SyncMode = "Enforce"
)

// FieldOwner is who decides on the value of a field group.
// +kubebuilder:validation:Enum=Source
type FieldOwner string

// OwnerSource is the channel of spec.source.
const OwnerSource FieldOwner = "Source"

// StockOwner is who decides on the stock.
// +kubebuilder:validation:Enum=Ledger
type StockOwner string

// OwnerLedger is the ledger that Selaras keeps of one stock for all channels.
const OwnerLedger StockOwner = "Ledger"

// FieldDrift is what happens to a value that somebody else changed.
// +kubebuilder:validation:Enum=Enforce;Observe
type FieldDrift string

// StockDrift is what happens to a quantity that somebody else changed.
// +kubebuilder:validation:Enum=Enforce;Observe;Adopt
type StockDrift string

// The drift policies.
const (
	// DriftEnforce writes over it.
	DriftEnforce FieldDrift = "Enforce"
	// DriftObserve reports it and leaves it.
	DriftObserve FieldDrift = "Observe"
	// StockDriftEnforce writes over it.
	StockDriftEnforce StockDrift = "Enforce"
	// StockDriftObserve reports it and leaves it.
	StockDriftObserve StockDrift = "Observe"
	// StockDriftAdopt takes the difference into the ledger.
	StockDriftAdopt StockDrift = "Adopt"
)

// StockPolicy is how one stock is shown on several channels.
// +kubebuilder:validation:Enum=Shared;Percent;Dedicated
type StockPolicy string

// The policies of showing one stock.
const (
	// StockShared shows all that can be sold on every channel.
	StockShared StockPolicy = "Shared"
	// StockPercent shows a share of it on every channel.
	StockPercent StockPolicy = "Percent"
	// StockDedicated keeps units for single channels alone.
	StockDedicated StockPolicy = "Dedicated"
)

// CatalogSync keeps one catalog the same on several Channels: what is said of
// an item, its price and its stock.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=catalogsyncs,scope=Namespaced,shortName=csync,categories=selaras
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Items",type=integer,JSONPath=`.status.items`
// +kubebuilder:printcolumn:name="Channels",type=integer,JSONPath=`.status.channelCount`
// +kubebuilder:printcolumn:name="Pending",type=integer,JSONPath=`.status.pending`
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.failed`
// +kubebuilder:printcolumn:name="Oldest",type=date,JSONPath=`.status.oldestPendingTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Source",type=string,JSONPath=`.spec.source.channel`,priority=1
// +kubebuilder:printcolumn:name="InSync",type=string,JSONPath=`.status.conditions[?(@.type=="InSync")].status`,priority=1
// +kubebuilder:printcolumn:name="Lag",type=string,JSONPath=`.status.conditions[?(@.type=="LagWithinTarget")].reason`,priority=1
// +kubebuilder:printcolumn:name="Drifted",type=integer,JSONPath=`.status.drifted`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 52 && !self.metadata.name.contains('.')",message="metadata.name must be a DNS label of at most 52 characters: write small letters, digits and '-', no dots, such as main-catalog"
type CatalogSync struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what you want.
	// +required
	Spec CatalogSyncSpec `json:"spec,omitzero"`

	// status is what the operator found.
	// +optional
	Status CatalogSyncStatus `json:"status,omitzero"`
}

// CatalogSyncSpec is what a user wants of a CatalogSync.
//
// +kubebuilder:validation:XValidation:rule="!has(self.channels.names) || !(self.source.channel in self.channels.names)",message="channels.names must not contain the source: it takes part by itself, name only the other Channels"
// +kubebuilder:validation:XValidation:rule="!has(self.channels.overrides) || self.channels.overrides.all(o, o.channel != self.source.channel || !has(o.price))",message="the source owns the price and is shown none but its own: remove price from the override of the source, or put it into the overrides of the other Channels"
// +kubebuilder:validation:XValidation:rule="!has(self.channels.overrides) || has(self.channels.selector) || self.channels.overrides.all(o, o.channel == self.source.channel || o.channel in self.channels.names)",message="channels.overrides names a Channel that is not selected: add it to channels.names too"
// +kubebuilder:validation:XValidation:rule="!has(self.fields) || has(self.fields.stock) || (!has(self.stock) && (!has(self.channels.overrides) || self.channels.overrides.all(o, !has(o.stock))))",message="stock is set although fields leaves it out: add fields.stock (such as {drift: Enforce}), or remove the stock rules"
// +kubebuilder:validation:XValidation:rule="!has(self.fields) || has(self.fields.price) || (!has(self.price) && (!has(self.channels.overrides) || self.channels.overrides.all(o, !has(o.price))))",message="price is set although fields leaves it out: add fields.price (such as {drift: Enforce}), or remove the price rules"
// +kubebuilder:validation:XValidation:rule="!has(self.channels.overrides) || (has(self.stock) && has(self.stock.policy) && self.stock.policy == 'Percent') || self.channels.overrides.all(o, !has(o.stock) || !has(o.stock.share))",message="share only counts where stock is shown by share: write spec.stock.policy: Percent, or remove share from the overrides"
// +kubebuilder:validation:XValidation:rule="!has(self.channels.overrides) || (has(self.stock) && has(self.stock.policy) && self.stock.policy == 'Dedicated') || self.channels.overrides.all(o, !has(o.stock) || !has(o.stock.pool))",message="pool only counts where units are kept for single channels: write spec.stock.policy: Dedicated, or remove pool from the overrides"
// +kubebuilder:validation:XValidation:rule="!has(self.stock) || !has(self.stock.policy) || self.stock.policy != 'Dedicated' || (has(self.channels.overrides) && self.channels.overrides.exists(o, has(o.stock) && has(o.stock.pool)))",message="policy Dedicated keeps units for no channel: add a pool, such as channels.overrides: [{channel: marketplace, stock: {pool: 10}}]"
type CatalogSyncSpec struct {
	// mode is how far the sync goes. Observe reads every channel and reports
	// what differs, and writes nothing: start with it. Enforce writes. Going
	// from one to the other is safe at any time.
	// +required
	Mode SyncMode `json:"mode,omitempty"`

	// suspend stops the operator from acting on changes of this CatalogSync;
	// what was configured before runs on. To stop writing set mode: Observe.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// source is where the catalog comes from.
	// +required
	Source CatalogSource `json:"source,omitzero"`

	// channels on which the catalog is kept the same.
	// +required
	Channels ChannelSelection `json:"channels,omitzero"`

	// fields says which field groups are kept the same; a group that is left
	// out is not touched. When fields itself is absent: content, price and
	// stock, each with drift: Enforce.
	// +optional
	Fields *Fields `json:"fields,omitempty"`

	// stock is how one stock is shown on all channels.
	// +optional
	Stock *Stock `json:"stock,omitempty"`

	// price is how the source's price becomes the price of every channel.
	// When absent: it is shown as it is.
	// +optional
	Price *Price `json:"price,omitempty"`

	// resync is the time between two comparisons of every listing with what it
	// should show, from 1m to 168h. When absent: 6h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(ms|s|m|h)){1,3}$') && duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="write a duration between 1m and 168h, such as 30m or 6h (a day is 24h)"
	Resync *metav1.Duration `json:"resync,omitempty"`

	// slo is what you promise others.
	// +optional
	SLO *SLO `json:"slo,omitempty"`
}

// CatalogSource is where a catalog comes from.
type CatalogSource struct {
	// channel is the name of the Channel, in the same namespace, that owns
	// what is said of an item and what it costs. Its stock is kept in step
	// with the others'.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=52
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="write the name of a Channel in the same namespace, such as webshop"
	Channel string `json:"channel,omitempty"`
}

// ChannelSelection names the channels of a sync, by label, by name, or both.
// The source takes part by itself and counts in neither.
//
// +kubebuilder:validation:XValidation:rule="has(self.selector) || has(self.names)",message="write which Channels take part: channels.names (a list), channels.selector (by label; {} means every Channel of the namespace), or both"
type ChannelSelection struct {
	// selector picks Channels of the same namespace by their labels; the empty
	// selector {} picks all of them.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// names picks Channels of the same namespace by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=52
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="write the name of a Channel in the same namespace, such as marketplace"
	Names []string `json:"names,omitempty"`

	// overrides are rules of single channels, one entry a channel. A field set
	// here replaces the same field of spec.price or spec.stock.
	// +optional
	// +listType=map
	// +listMapKey=channel
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	Overrides []ChannelOverride `json:"overrides,omitempty"`
}

// ChannelOverride is the rules of one channel.
//
// +kubebuilder:validation:XValidation:rule="has(self.price) || has(self.stock)",message="the override changes nothing: write price or stock into it, or remove it"
type ChannelOverride struct {
	// channel is the name of the Channel.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=52
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="write the name of a Channel in the same namespace, such as marketplace"
	Channel string `json:"channel,omitempty"`

	// price of this channel.
	// +optional
	Price *Price `json:"price,omitempty"`

	// stock of this channel.
	// +optional
	Stock *ChannelStock `json:"stock,omitempty"`
}

// Fields says which field groups are kept the same, and by whose word.
//
// +kubebuilder:validation:XValidation:rule="has(self.content) || has(self.price) || has(self.stock)",message="fields names no group: write content, price or stock (such as price: {drift: Enforce}), or remove fields to keep all three"
type Fields struct {
	// content is what is said of an item: titles, description, options,
	// whether it can be bought.
	// +optional
	Content *FieldGroup `json:"content,omitempty"`

	// price of an item.
	// +optional
	Price *FieldGroup `json:"price,omitempty"`

	// stock of an item.
	// +optional
	Stock *StockGroup `json:"stock,omitempty"`
}

// FieldGroup is the ownership of content or price.
type FieldGroup struct {
	// owner of the group: Source, the channel of spec.source. When absent:
	// Source.
	// +optional
	Owner FieldOwner `json:"owner,omitempty"`

	// drift is what happens when a channel shows something else than was
	// written there. Enforce writes it again. Observe reports it and leaves
	// it. When absent: Enforce.
	// +optional
	Drift FieldDrift `json:"drift,omitempty"`
}

// StockGroup is the ownership of stock.
type StockGroup struct {
	// owner of the stock: Ledger, the one stock that Selaras keeps from all
	// channels' orders and counts. When absent: Ledger.
	// +optional
	Owner StockOwner `json:"owner,omitempty"`

	// drift is what happens when somebody changes a quantity on a channel.
	// Enforce writes the ledger's quantity again. Observe reports it and
	// leaves it. Adopt takes the difference into the ledger, so that counts
	// made in a shop's own admin page hold for all. On the source differences
	// are always adopted. When absent: Enforce.
	// +optional
	Drift StockDrift `json:"drift,omitempty"`
}

// Stock is how one stock is shown on all channels.
type Stock struct {
	// policy of showing it. Shared: every channel shows all that can be sold,
	// less the safety stock. Percent: every channel shows its share of that,
	// rounded down. Dedicated: a channel with a pool shows that many units, which
	// are kept for it alone; the others show what is left, less the safety stock.
	// When absent: Shared.
	// +optional
	Policy StockPolicy `json:"policy,omitempty"`

	StockLimits `json:",inline"`
}

// ChannelStock is the stock of one channel.
type ChannelStock struct {
	StockLimits `json:",inline"`

	// share of what can be sold that the channel shows, in percent, with policy:
	// Percent. Shares need not add up to 100: more than that shows some units
	// twice. When absent: 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Share *int64 `json:"share,omitempty"`

	// pool are the units of each item that are kept for the channel alone, with
	// policy: Dedicated. Where there are fewer than all pools together, each gets
	// its part. When absent: the channel shows what the pools leave.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000000
	Pool *int64 `json:"pool,omitempty"`
}

// StockLimits bound the quantity that a channel shows:
// min(what can be sold - safetyStock, maxQuantity), never below 0.
type StockLimits struct {
	// safetyStock is held back, in units. When absent: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000000
	SafetyStock *int64 `json:"safetyStock,omitempty"`

	// maxQuantity is the most that is shown, in units. When absent: no bound.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000
	MaxQuantity *int64 `json:"maxQuantity,omitempty"`
}

// Price is how the source's price becomes a channel's price.
//
// +kubebuilder:validation:XValidation:rule="has(self.rule) || has(self.roundTo) || has(self.floor)",message="price says nothing: write rule, roundTo or floor (such as rule: item.price * 1.05), or remove price"
type Price struct {
	// rule is a CEL expression whose result is the price in the channel's
	// currency, such as item.price * 1.05. When absent: item.price.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Rule string `json:"rule,omitempty"`

	// roundTo rounds the result to the nearest multiple, in the channel's
	// currency, such as "500" or "0.05". When absent: to the currency's own
	// smallest unit.
	// +optional
	RoundTo PositiveDecimal `json:"roundTo,omitempty"`

	// floor is a CEL expression whose result is the lowest price that is ever
	// shown, in the channel's currency, such as "9.90" or item.price * 0.8.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Floor string `json:"floor,omitempty"`
}

// SLO is what is promised of a sync.
type SLO struct {
	// maxLag is the oldest that a change may grow before every channel shows
	// it, from 1s to 24h. It decides the condition LagWithinTarget and the
	// alerts. When absent: 10s.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(ms|s|m|h)){1,3}$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="write a duration between 1s and 24h, such as 10s or 5m"
	MaxLag *metav1.Duration `json:"maxLag,omitempty"`
}

// CatalogSyncStatus is what the operator found of a CatalogSync. Nothing in it
// changes while nothing happens.
type CatalogSyncStatus struct {
	// observedGeneration is the generation of the spec that this status is
	// about.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, SourceReady, ChannelsReady,
	// InSync, LagWithinTarget, DriftFree, HubAvailable. All are always present.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// items in the source's catalog.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Items *int64 `json:"items,omitempty"`

	// channelCount is the number of channels that are kept the same, the
	// source included where its stock is.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ChannelCount *int32 `json:"channelCount,omitempty"`

	// pending is the sum over channels of items that do not yet show what they
	// should.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Pending *int64 `json:"pending,omitempty"`

	// failed is the sum over channels of items that a channel does not take.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Failed *int64 `json:"failed,omitempty"`

	// drifted is the sum over channels of items that somebody else changed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Drifted *int64 `json:"drifted,omitempty"`

	// oldestPendingTime is when the oldest pending item of any channel became
	// so; absent when none is pending.
	// +optional
	OldestPendingTime *metav1.Time `json:"oldestPendingTime,omitempty"`

	// channels holds one entry a channel, by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=1000
	Channels []SyncChannelStatus `json:"channels,omitempty"`

	// failures are samples of items that a channel does not take, at most ten.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Failures []FailureSample `json:"failures,omitempty"`

	// lastHandledRequest echoes the annotation selaras.dev/requestedAt.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledRequest string `json:"lastHandledRequest,omitempty"`
}

// SyncChannelStatus is how far one channel is.
type SyncChannelStatus struct {
	// name of the Channel.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// inSync is how many items show what they should, by reading them back.
	// +optional
	// +kubebuilder:validation:Minimum=0
	InSync int64 `json:"inSync"`

	// pending is how many do not yet.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Pending int64 `json:"pending"`

	// failed is how many the channel does not take.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Failed int64 `json:"failed"`

	// drifted is how many somebody else changed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Drifted int64 `json:"drifted"`

	// oldestPendingTime is when the oldest pending item became so; absent when
	// none is pending.
	// +optional
	OldestPendingTime *metav1.Time `json:"oldestPendingTime,omitempty"`

	// lastComparison is when every listing was last compared with what it
	// should show.
	// +optional
	LastComparison *metav1.Time `json:"lastComparison,omitempty"`
}

// FailureSample is one item that a channel does not take.
type FailureSample struct {
	// channel that does not take it.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Channel string `json:"channel,omitempty"`

	// sku of the item.
	// +required
	// +kubebuilder:validation:MaxLength=256
	SKU string `json:"sku,omitempty"`

	// reason in one word.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// message of the channel.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`

	// since when.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// CatalogSyncList is a list of CatalogSyncs.
//
// +kubebuilder:object:root=true
type CatalogSyncList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// items are the CatalogSyncs.
	Items []CatalogSync `json:"items"`
}
