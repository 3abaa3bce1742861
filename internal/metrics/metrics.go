// Package metrics names every metric of Selaras once: what it is called, what
// it means and which labels it bears. Exporters, the documentation, the alerts
// and the dashboard are made from, or checked against, this list. No label
// holds a SKU, an id or anything else without a bound.
package metrics

import "github.com/prometheus/client_golang/prometheus"

// Kind is the type of a metric in Prometheus' words.
type Kind string

// The kinds.
const (
	Gauge     Kind = "gauge"
	Counter   Kind = "counter"
	Histogram Kind = "histogram"
)

// Definition is one metric.
type Definition struct {
	Name   string
	Kind   Kind
	Help   string
	Labels []string
	// Buckets of a histogram, in the unit of the name.
	Buckets []float64
	// From are the processes that export it: operator, connector, catalog, hub.
	From []string
}

// Desc returns the description for a scrape-time collector.
func (d Definition) Desc() *prometheus.Desc {
	return prometheus.NewDesc(d.Name, d.Help, d.Labels, nil)
}

// CounterVec makes the metric, which must be a counter.
func (d Definition) CounterVec() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.Name, Help: d.Help}, d.Labels)
}

// GaugeVec makes the metric, which must be a gauge.
func (d Definition) GaugeVec() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d.Name, Help: d.Help}, d.Labels)
}

// HistogramVec makes the metric, which must be a histogram.
func (d Definition) HistogramVec() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: d.Name, Help: d.Help, Buckets: d.Buckets}, d.Labels)
}

var (
	syncLabels    = []string{"namespace", "catalogsync", "channel"}
	channelLabels = []string{"namespace", "channel"}
)

// The lag of a channel in a sync (DESIGN §5.2).
var (
	SyncLag = Definition{
		Name: "selaras_sync_lag_seconds", Kind: Gauge, From: []string{"catalog", "operator"},
		Help:   "Age of the oldest change that the channel has not confirmed, by cause; 0 when none is pending. The target judges cause=change.",
		Labels: append([]string{"cause"}, syncLabels...),
	}
	SyncOldestPending = Definition{
		Name: "selaras_sync_oldest_pending_timestamp_seconds", Kind: Gauge, From: []string{"catalog", "operator"},
		Help:   "Unix time since when the oldest unconfirmed change is pending, by cause; absent when none is.",
		Labels: append([]string{"cause"}, syncLabels...),
	}
	SyncLagTarget = Definition{
		Name: "selaras_sync_lag_target_seconds", Kind: Gauge, From: []string{"catalog", "operator"},
		Help:   "The lag target of the CatalogSync, spec.slo.maxLag.",
		Labels: syncLabels,
	}
	SyncItems = Definition{
		Name: "selaras_sync_items", Kind: Gauge, From: []string{"catalog", "operator"},
		Help:   "SKUs of the channel in the sync by state: in_sync, pending, failed, drifted.",
		Labels: append([]string{"state"}, syncLabels...),
	}
	SyncOldestFailed = Definition{
		Name: "selaras_sync_oldest_failed_timestamp_seconds", Kind: Gauge, From: []string{"catalog", "operator"},
		Help:   "Unix time since when the oldest rejected SKU is rejected; absent when none is.",
		Labels: syncLabels,
	}
	SyncSourceInfo = Definition{
		Name: "selaras_sync_source_info", Kind: Gauge, From: []string{"operator"},
		Help:   "1 for the channel that is the source of the CatalogSync.",
		Labels: syncLabels,
	}
	SyncHeld = Definition{
		Name: "selaras_sync_held", Kind: Gauge, From: []string{"operator"},
		Help:   "1 while annotation selaras.dev/hold, of the CatalogSync or its namespace, keeps it from writing, else 0.",
		Labels: []string{"namespace", "catalogsync"},
	}
	SyncPropagation = Definition{
		Name: "selaras_sync_propagation_seconds", Kind: Histogram, From: []string{"connector"},
		Help:    "Time from the commit of a change in the hub to its confirmation on the channel by read-back.",
		Labels:  syncLabels,
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600},
	}
	SyncEndToEnd = Definition{
		Name: "selaras_sync_end_to_end_seconds", Kind: Histogram, From: []string{"connector"},
		Help:    "Time from the source channel's own time of a change to its confirmation on the channel.",
		Labels:  syncLabels,
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600},
	}
)

// A channel and its API.
var (
	ChannelInfo = Definition{
		Name: "selaras_channel_info", Kind: Gauge, From: []string{"operator"},
		Help:   "1 for every Channel, with its type and its spec.state: Running, Paused, Stopped.",
		Labels: append([]string{"type", "state"}, channelLabels...),
	}
	ChannelHeld = Definition{
		Name: "selaras_channel_held", Kind: Gauge, From: []string{"operator"},
		Help:   "1 while annotation selaras.dev/hold, of the Channel or its namespace, keeps the channel from being written, else 0.",
		Labels: channelLabels,
	}
	ChannelUp = Definition{
		Name: "selaras_channel_up", Kind: Gauge, From: []string{"connector"},
		Help: "1 while the channel answers, else 0.", Labels: channelLabels,
	}
	ChannelIntake = Definition{
		Name: "selaras_channel_intake_timestamp_seconds", Kind: Gauge, From: []string{"connector"},
		Help:   "Unix time of the last successful look at what changed on the channel, by kind: items, orders.",
		Labels: append([]string{"kind"}, channelLabels...),
	}
	APIRequests = Definition{
		Name: "selaras_channel_api_requests_total", Kind: Counter, From: []string{"connector"},
		Help:   "Calls to the channel's API by operation and outcome: ok, throttled, unauthorized, rejected, failed, unknown.",
		Labels: append([]string{"operation", "outcome"}, channelLabels...),
	}
	APIRequestDuration = Definition{
		Name: "selaras_channel_api_request_duration_seconds", Kind: Histogram, From: []string{"connector"},
		Help:    "Duration of calls to the channel's API, without the wait for the rate budget.",
		Labels:  append([]string{"operation"}, channelLabels...),
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}
	RateLimitWait = Definition{
		Name: "selaras_channel_rate_limit_wait_seconds", Kind: Histogram, From: []string{"connector"},
		Help:    "Time that calls waited for the channel's rate budget.",
		Labels:  channelLabels,
		Buckets: []float64{.001, .01, .1, .5, 1, 2.5, 5, 10, 30, 60, 300},
	}
)

// The hub and what is folded from it.
var (
	Facts = Definition{
		Name: "selaras_facts_total", Kind: Counter, From: []string{"catalog"},
		Help: "Facts folded, by type.", Labels: []string{"type", "namespace"},
	}
	StockExposure = Definition{
		Name: "selaras_stock_exposure_units", Kind: Gauge, From: []string{"catalog"},
		Help:   "Units that the channels of a source are to show together beyond what there is: what they can sell twice until they hear of each other. At most some minutes old.",
		Labels: channelLabels,
	}
	StockOversold = Definition{
		Name: "selaras_stock_oversold_units_total", Kind: Counter, From: []string{"catalog"},
		Help:   "Units promised beyond what there is, by cause and the channel whose order or count showed it.",
		Labels: append([]string{"cause"}, channelLabels...),
	}
	FactsBacklog = Definition{
		Name: "selaras_facts_backlog", Kind: Gauge, From: []string{"catalog"},
		Help: "Facts in the hub that are not folded yet.", Labels: []string{"namespace"},
	}
	HubStorage = Definition{
		Name: "selaras_hub_storage_bytes", Kind: Gauge, From: []string{"catalog", "operator"},
		Help: "Bytes the namespace uses on the hub. The operator's is the share that the fullest stream uses of its own, of the whole.", Labels: []string{"namespace"},
	}
	HubStorageLimit = Definition{
		Name: "selaras_hub_storage_limit_bytes", Kind: Gauge, From: []string{"catalog", "operator"},
		Help: "Bytes the namespace may use on the hub.", Labels: []string{"namespace"},
	}
	HubDurability = Definition{
		Name: "selaras_hub_durability", Kind: Gauge, From: []string{"catalog", "operator"},
		Help:   "1 for how the hub makes writes durable: always (every write is flushed), lazy, unknown. Only the operator may ask a hub of accounts.",
		Labels: []string{"durability", "namespace"},
	}
)

// All lists every definition, in the order of the documentation.
func All() []Definition {
	return []Definition{
		SyncLag, SyncOldestPending, SyncLagTarget, SyncItems, SyncOldestFailed, SyncSourceInfo, SyncHeld, SyncPropagation, SyncEndToEnd,
		ChannelInfo, ChannelHeld, ChannelUp, ChannelIntake, APIRequests, APIRequestDuration, RateLimitWait,
		Facts, StockExposure, StockOversold, FactsBacklog, HubStorage, HubStorageLimit, HubDurability,
	}
}
