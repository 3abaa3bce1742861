package catalog

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"selaras.dev/selaras/internal/metrics"
	"selaras.dev/selaras/internal/metrics/metricstest"
	"selaras.dev/selaras/internal/workload"
)

// R51: the worker exports what the catalogue says, and nothing of a sync that
// is gone.
func TestTheWorkerExportsWhatTheCatalogueSays(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 64<<20)
	n.sync(t, "market")
	registry := prometheus.NewPedanticRegistry()
	w := n.start(t, t.TempDir(), func(w *Worker) {
		registry.MustRegister(&collector{w})
	})
	defer w.stop()
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10)))
	since := time.Now().Add(-time.Minute)
	n.put(t, workload.ReportChannelPrefix+"market", workload.ChannelReport{
		At: time.Now(), Generation: 1, Syncs: map[string]int64{"main": 3},
		Progress: map[string]workload.Progress{"main": {
			InSync: 80, Pending: 7, Failed: 1, OldestFailed: since,
			OldestPending: map[workload.Cause]time.Time{workload.CauseChange: since},
		}},
	})
	exported := func(name string) bool {
		families, err := registry.Gather()
		if err != nil {
			t.Fatalf("gather: %v", err)
		}
		return slices.ContainsFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == name })
	}
	for _, d := range metrics.All() {
		if slices.Contains(d.From, "catalog") {
			wait(t, n.ctx, func() string {
				if !exported(d.Name) {
					return d.Name + " is not exported"
				}
				return ""
			})
		}
	}
	metricstest.Check(t, registry, "catalog")

	if err := n.space.Delete(n.ctx, workload.ConfigSyncPrefix+"main"); err != nil {
		t.Fatal(err)
	}
	wait(t, n.ctx, func() string {
		if exported(metrics.SyncLagTarget.Name) || exported(metrics.SyncLag.Name) || exported(metrics.SyncItems.Name) {
			return "there are series of a CatalogSync that is gone"
		}
		return ""
	})
}
