package catalog

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/metrics"
	"selaras.dev/selaras/internal/workload"
)

// factCounts counts folded facts by type.
type factCounts struct {
	mu sync.Mutex
	n  map[string]int
}

func newFactCounts() *factCounts {
	c := &factCounts{n: map[string]int{}}
	for _, typ := range []string{
		catalog.TypeItemObserved, catalog.TypeItemRemoved, catalog.TypeOrderChanged, catalog.TypeStockObserved,
		catalog.TypeStockWritten, catalog.TypeStockConfirmed, catalog.TypeStockCounted, "unknown", "invalid",
	} {
		c.n[typ] = 0
	}
	return c
}

func (c *factCounts) add(typ string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[typ] += n
}

// oversoldUnits counts the units that were promised and are not there.
type oversoldUnits map[oversoldBy]int64

type oversoldBy struct {
	cause   catalog.OversoldCause
	channel string
}

func (o oversoldUnits) add(oversold []catalog.Oversold) {
	for i := range oversold {
		o[oversoldBy{oversold[i].Cause, oversold[i].Channel}] += oversold[i].Units
	}
}

// of are the counts of the channels whose stock is kept, those that never rose
// too: a rise from nothing would not be seen.
func (o oversoldUnits) of(channels map[string]string) oversoldUnits {
	counts := make(oversoldUnits, len(allOversold)*len(channels))
	for channel := range channels {
		for _, cause := range allOversold {
			by := oversoldBy{cause, channel}
			counts[by] = o[by]
		}
	}
	return counts
}

// collector makes the worker's metrics when they are asked for, from the
// configuration and the reports as they are then: what is deleted has no
// series any more, and lags rise without anyone writing them. A standby
// exports its counters alone.
type collector struct{ w *Worker }

var (
	descLag          = metrics.SyncLag.Desc()
	descOldest       = metrics.SyncOldestPending.Desc()
	descTarget       = metrics.SyncLagTarget.Desc()
	descItems        = metrics.SyncItems.Desc()
	descOldestFailed = metrics.SyncOldestFailed.Desc()
	descFacts        = metrics.Facts.Desc()
	descExposure     = metrics.StockExposure.Desc()
	descOversold     = metrics.StockOversold.Desc()
	descBacklog      = metrics.FactsBacklog.Desc()
	descStorage      = metrics.HubStorage.Desc()
	descStorageLimit = metrics.HubStorageLimit.Desc()
	descDurability   = metrics.HubDurability.Desc()
	allDurabilities  = []hub.Durability{hub.DurabilityAlways, hub.DurabilityLazy, hub.DurabilityUnknown}
	allCauses        = []workload.Cause{workload.CauseChange, workload.CauseBackfill, workload.CauseRules}
	allOversold      = []catalog.OversoldCause{catalog.OversoldGranted, catalog.OversoldShop, catalog.OversoldLost}
	allDescs         = []*prometheus.Desc{
		descLag, descOldest, descTarget, descItems, descOldestFailed, descFacts, descExposure, descOversold, descBacklog, descStorage, descStorageLimit, descDurability,
	}
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range allDescs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	w := c.w
	namespace := w.o.Namespace
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	w.counts.mu.Lock()
	for typ, n := range w.counts.n {
		to <- prometheus.MustNewConstMetric(descFacts, prometheus.CounterValue, float64(n), typ, namespace)
	}
	w.counts.mu.Unlock()

	syncs, reports := w.config.snapshot()
	topology, _ := w.config.current()
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.active {
		return
	}
	for by, units := range w.oversold.of(topology.StockSource) {
		to <- prometheus.MustNewConstMetric(descOversold, prometheus.CounterValue, float64(units), string(by.cause), namespace, by.channel)
	}
	for source, units := range w.exposure {
		gauge(descExposure, float64(units), namespace, source)
	}
	if w.asked {
		gauge(descBacklog, float64(w.backlog()), namespace)
		gauge(descStorage, float64(w.hubBytes()), namespace)
		if limit := hubLimit(&w.state); limit > 0 {
			gauge(descStorageLimit, float64(limit), namespace)
		}
		for _, d := range allDurabilities {
			value := 0.0
			if d == w.state.Durability {
				value = 1
			}
			gauge(descDurability, value, string(d), namespace)
		}
	}
	for name, s := range syncs {
		for channel := range s.config.Channels {
			lag := w.lag(&s.config, name, channel, reports, now)
			for _, cause := range allCauses {
				at, pending := lag.pending[cause]
				if !pending {
					gauge(descLag, 0, string(cause), namespace, name, channel)
					continue
				}
				gauge(descLag, catalog.Lag(at, now).Seconds(), string(cause), namespace, name, channel)
				gauge(descOldest, unix(at), string(cause), namespace, name, channel)
			}
			gauge(descTarget, s.config.MaxLag.Seconds(), namespace, name, channel)
			p := lag.progress
			if p == nil {
				continue
			}
			gauge(descItems, float64(p.InSync), "in_sync", namespace, name, channel)
			gauge(descItems, float64(p.Pending), "pending", namespace, name, channel)
			gauge(descItems, float64(p.Failed), "failed", namespace, name, channel)
			gauge(descItems, float64(p.Drifted), "drifted", namespace, name, channel)
			if !p.OldestFailed.IsZero() {
				gauge(descOldestFailed, unix(p.OldestFailed), namespace, name, channel)
			}
		}
	}
}

func unix(at time.Time) float64 { return float64(at.UnixNano()) / float64(time.Second) }
