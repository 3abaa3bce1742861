package channel

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/dataplane"
	"selaras.dev/selaras/controllers/hold"
	"selaras.dev/selaras/internal/metrics"
)

// Collector exports which Channels there are, from the cache at scrape time:
// whoever watches connectors learns from it which of them is missing. Of their
// namespaces it tells what they use of the hub, which must not depend on a
// worker that a full hub keeps from working.
type Collector struct {
	client client.Reader
	plane  *dataplane.Plane

	info, held, storage, limit *prometheus.Desc
}

// NewCollector makes a Collector that lists Channels from the cache.
func NewCollector(reader client.Reader, plane *dataplane.Plane) *Collector {
	return &Collector{
		client: reader, plane: plane,
		info: metrics.ChannelInfo.Desc(), held: metrics.ChannelHeld.Desc(), storage: metrics.HubStorage.Desc(), limit: metrics.HubStorageLimit.Desc(),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.info, c.held, c.storage, c.limit} {
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
	var list selarasv1alpha1.ChannelList
	if err := c.client.List(ctx, &list); err != nil {
		return // before the cache is filled there is nothing to tell
	}
	namespaces := map[string]bool{}
	for i := range list.Items {
		channel := &list.Items[i]
		namespaces[channel.Namespace] = true
		state := channel.Spec.State
		if state == "" {
			state = selarasv1alpha1.ChannelRunning
		}
		out <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1,
			channel.Spec.Type, string(state), channel.Namespace, channel.Name)
		if held, err := hold.On(ctx, c.client, channel); err == nil {
			out <- prometheus.MustNewConstMetric(c.held, prometheus.GaugeValue, hold.Gauge(held), channel.Namespace, channel.Name)
		}
	}
	for namespace := range namespaces {
		if storage, known := c.plane.Storage(namespace); known {
			out <- prometheus.MustNewConstMetric(c.storage, prometheus.GaugeValue, float64(storage.Used), namespace)
			out <- prometheus.MustNewConstMetric(c.limit, prometheus.GaugeValue, float64(storage.Limit), namespace)
		}
	}
}
