package catalogsync

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/dataplane"
	"selaras.dev/selaras/controllers/hold"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/metrics"
	"selaras.dev/selaras/internal/workload"
)

// Collector exports the lag of every channel of every CatalogSync from the
// reports, at scrape time: a deleted resource has no series, and a dead
// connector's lag goes on rising.
type Collector struct {
	client client.Reader
	plane  *dataplane.Plane

	lag, oldest, target, items, failed, source, held, durability *prometheus.Desc
}

// NewCollector makes a Collector that lists CatalogSyncs from the cache.
func NewCollector(reader client.Reader, plane *dataplane.Plane) *Collector {
	return &Collector{
		client: reader, plane: plane,
		lag: metrics.SyncLag.Desc(), oldest: metrics.SyncOldestPending.Desc(), target: metrics.SyncLagTarget.Desc(),
		items: metrics.SyncItems.Desc(), failed: metrics.SyncOldestFailed.Desc(),
		source: metrics.SyncSourceInfo.Desc(), held: metrics.SyncHeld.Desc(), durability: metrics.HubDurability.Desc(),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.lag, c.oldest, c.target, c.items, c.failed, c.source, c.held, c.durability} {
		descs <- d
	}
}

// collectTimeout bounds the reading of the cache, which is empty until the
// manager has started.
const collectTimeout = 2 * time.Second

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	var list selarasv1alpha1.CatalogSyncList
	if err := c.client.List(ctx, &list); err != nil {
		return // before the cache is filled there is nothing to tell
	}
	now := time.Now()
	namespaces := map[string]bool{}
	for i := range list.Items {
		sync := &list.Items[i]
		namespaces[sync.Namespace] = true
		out <- prometheus.MustNewConstMetric(c.source, prometheus.GaugeValue, 1, sync.Namespace, sync.Name, sync.Spec.Source.Channel)
		if held, err := hold.On(ctx, c.client, sync); err == nil {
			out <- prometheus.MustNewConstMetric(c.held, prometheus.GaugeValue, hold.Gauge(held), sync.Namespace, sync.Name)
		}
		for j := range sync.Status.Channels {
			c.collectChannel(out, now, sync, sync.Status.Channels[j].Name)
		}
	}
	c.collectDurability(out, namespaces)
}

// collectDurability tells what only the operator may ask the hub.
func (c *Collector) collectDurability(out chan<- prometheus.Metric, namespaces map[string]bool) {
	for namespace := range namespaces {
		durability, open := c.plane.Durability(namespace)
		if !open {
			continue
		}
		for _, d := range []hub.Durability{hub.DurabilityAlways, hub.DurabilityLazy, hub.DurabilityUnknown} {
			value := 0.0
			if d == durability {
				value = 1
			}
			out <- prometheus.MustNewConstMetric(c.durability, prometheus.GaugeValue, value, string(d), namespace)
		}
	}
}

func (c *Collector) collectChannel(out chan<- prometheus.Metric, now time.Time, sync *selarasv1alpha1.CatalogSync, channel string) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, append(labels, sync.Namespace, sync.Name, channel)...)
	}
	gauge(c.target, maxLag(sync).Seconds())
	pending, progress, known := c.pendingSince(sync, channel)
	for _, cause := range []workload.Cause{workload.CauseChange, workload.CauseBackfill, workload.CauseRules} {
		since, isPending := pending[cause]
		switch {
		case isPending:
			gauge(c.lag, max(0, now.Sub(since).Seconds()), string(cause))
			gauge(c.oldest, float64(since.UnixMilli())/1000, string(cause))
		case known:
			gauge(c.lag, 0, string(cause))
		}
	}
	if !known {
		return
	}
	for state, n := range map[string]int{"in_sync": progress.InSync, "pending": progress.Pending, "failed": progress.Failed, "drifted": progress.Drifted} {
		gauge(c.items, float64(n), state)
	}
	if !progress.OldestFailed.IsZero() {
		gauge(c.failed, float64(progress.OldestFailed.UnixMilli())/1000)
	}
}

// pendingSince returns the oldest pending by cause: the connector's word while
// it speaks, the catalog worker's when it has fallen silent.
func (c *Collector) pendingSince(sync *selarasv1alpha1.CatalogSync, channel string) (map[workload.Cause]time.Time, workload.Progress, bool) {
	if report, live := c.plane.ChannelReport(sync.Namespace, channel); live {
		progress, ok := report.Progress[sync.Name]
		return progress.OldestPending, progress, ok
	}
	report, live := c.plane.CatalogReport(sync.Namespace)
	if !live {
		return nil, workload.Progress{}, false
	}
	oldest := report.Syncs[sync.Name].Channels[channel].OldestPending
	if oldest.IsZero() {
		return nil, workload.Progress{}, false
	}
	return map[workload.Cause]time.Time{workload.CauseChange: oldest}, workload.Progress{}, false
}
