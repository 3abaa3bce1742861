package controllers_test

import (
	"fmt"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"selaras.dev/selaras/internal/metrics"
	"selaras.dev/selaras/internal/metrics/metricstest"
	"selaras.dev/selaras/internal/workload"
)

// seriesOf returns the values of the operator's series of one namespace, by
// metric and by the value of one label.
func seriesOf(d metrics.Definition, namespace, label string) (map[string]float64, error) {
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("gathering the operator's metrics: %w", err)
	}
	values := map[string]float64{}
	for _, family := range families {
		if family.GetName() != d.Name {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := labelsOf(metric)
			if labels["namespace"] == namespace {
				values[labels[label]] = metric.GetGauge().GetValue()
			}
		}
	}
	return values, nil
}

func labelsOf(metric *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, pair := range metric.GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	return labels
}

// R51: the operator tells which Channels and syncs there are and how late they
// are, in the words of the catalogue, and forgets what is deleted.
func TestTheOperatorExportsWhatTheCatalogueSays(t *testing.T) {
	t.Parallel()
	s := newTrio(t)
	sync := s.sync("main")
	create(t, sync)
	catalog := startCatalog(t, s.namespace)
	s.reportCatalog(catalog, sync)
	since := time.Now().Add(-time.Minute)
	s.report(sync, map[string]workload.Progress{
		"web": {InSync: 88}, "till": {InSync: 88},
		"market": {
			InSync: 80, Pending: 7, Failed: 1, OldestFailed: since,
			OldestPending: map[workload.Cause]time.Time{workload.CauseChange: since},
		},
	})
	eventually(t, func() error {
		lag, err := seriesOf(metrics.SyncOldestFailed, s.namespace, "channel")
		if err != nil {
			return err
		}
		if lag["market"] == 0 {
			return fmt.Errorf("the oldest failure of market is not exported: %v", lag)
		}
		return nil
	})
	metricstest.Check(t, ctrlmetrics.Registry, "operator")
	metricstest.Exports(t, ctrlmetrics.Registry, metrics.SyncLag, metrics.SyncOldestPending, metrics.SyncLagTarget, metrics.SyncItems,
		metrics.SyncOldestFailed, metrics.SyncSourceInfo, metrics.SyncHeld, metrics.ChannelInfo, metrics.ChannelHeld, metrics.HubDurability)
	for _, want := range []struct {
		metric metrics.Definition
		label  string
		key    string
		value  float64
	}{
		{metrics.ChannelInfo, "channel", "market", 1},
		{metrics.SyncSourceInfo, "channel", "web", 1},
		{metrics.SyncLagTarget, "channel", "market", 10},
		{metrics.HubDurability, "durability", "always", 1},
	} {
		got, err := seriesOf(want.metric, s.namespace, want.label)
		if err != nil {
			t.Fatal(err)
		}
		if got[want.key] != want.value {
			t.Errorf("%s of %s %s is %v, want %v", want.metric.Name, want.label, want.key, got, want.value)
		}
	}

	if err := kube.Delete(t.Context(), sync); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		for _, d := range []metrics.Definition{metrics.SyncLag, metrics.SyncLagTarget, metrics.SyncItems, metrics.SyncSourceInfo} {
			if left, err := seriesOf(d, s.namespace, "channel"); err != nil || len(left) > 0 {
				return fmt.Errorf("after the CatalogSync is gone %s has %v (error: %v)", d.Name, left, said(err))
			}
		}
		return nil
	})
}

// The alert on a filling hub does not wait for a catalog worker: there is none
// without a CatalogSync, and a full hub may be why it does not come up.
func TestTheOperatorTellsHowFullTheHubIs(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	create(t, newChannel(namespace, "webshop"))
	eventually(t, func() error {
		used, err := seriesOf(metrics.HubStorage, namespace, "namespace")
		if err != nil {
			return err
		}
		limit, err := seriesOf(metrics.HubStorageLimit, namespace, "namespace")
		if err != nil {
			return err
		}
		if u, l := used[namespace], limit[namespace]; u <= 0 || l <= u || l > 64<<20 {
			return fmt.Errorf("%v of %v bytes are used", u, l)
		}
		return nil
	})
}
