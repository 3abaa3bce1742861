package demo

import (
	"context"
	"fmt"
	"maps"
	"time"

	"selaras.dev/selaras/internal/metrics"
)

// tellMetrics waits until nothing is pending, compares every listing once more,
// and reads the lag where Prometheus would.
func (w *world) tellMetrics(ctx context.Context, show audience) (string, error) {
	if err := w.settled(ctx, show); err != nil {
		return "", err
	}
	source, err := w.webshop.catalog(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range w.targets() {
		target, err := s.catalog(ctx)
		if err != nil {
			return "", err
		}
		right, wrong := differences(source, target, s.shows)
		if wrong != "" {
			return "", fmt.Errorf("%s: %d of %d SKUs are right: %s", s.name, right, len(source), wrong)
		}
		show.measure("%-12s %d of %d SKUs right, read once more from its own API", s.name, right, len(source))
	}
	for _, s := range w.targets() {
		quoted, err := w.quoteMetrics(ctx, s)
		if err != nil {
			return "", err
		}
		for _, line := range quoted {
			show.measure("%-12s %s", s.name, line)
		}
	}
	return "the lag is 0, nothing is pending, failed or drifted", nil
}

// quoteMetrics waits until the metrics say that the shop is in sync, and quotes
// them.
func (w *world) quoteMetrics(ctx context.Context, s *shop) (quoted []string, err error) {
	labels := map[string]string{"namespace": namespace, "catalogsync": syncName, "channel": s.name}
	with := func(name, value string) map[string]string {
		out := maps.Clone(labels)
		out[name] = value
		return out
	}
	err = until(ctx, settlement, "the metrics of "+s.name+" say that it is in sync", func(ctx context.Context) (bool, string, error) {
		catalog, err := w.scrapeCatalog(ctx)
		if err != nil {
			return false, "", err
		}
		connector, err := w.scrapeConnector(ctx, s)
		if err != nil {
			return false, "", err
		}
		lag, known := catalog.gauge(metrics.SyncLag.Name, with("cause", "change"))
		target, _ := catalog.gauge(metrics.SyncLagTarget.Name, labels)
		inSync, _ := catalog.gauge(metrics.SyncItems.Name, with("state", "in_sync"))
		rest := 0.0
		for _, state := range []string{"pending", "failed", "drifted"} {
			n, _ := catalog.gauge(metrics.SyncItems.Name, with("state", state))
			rest += n
		}
		quoted = []string{fmt.Sprintf("%s %g s, target %g s; %s{in_sync} %g, others %g",
			metrics.SyncLag.Name, lag, target, metrics.SyncItems.Name, inSync, rest)}
		if h := connector.histogram(metrics.SyncPropagation.Name, labels).since(w.baseline[s]); h.count > 0 {
			quoted = append(quoted, fmt.Sprintf("%s p50 %s, p90 %s over %.0f changes",
				metrics.SyncPropagation.Name, seconds(h.quantile(0.5)), seconds(h.quantile(0.9)), h.count))
		}
		return known && lag == 0 && inSync > 0 && rest == 0, quoted[0], pause(ctx, 200*time.Millisecond)
	})
	return quoted, err
}
