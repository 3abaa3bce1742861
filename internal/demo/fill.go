package demo

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

const (
	fillLimit  = 5 * time.Minute
	settlement = time.Minute // for what follows a change in status and metrics
)

// tellFill applies the samples and waits until the two empty shops show the
// whole catalog by the sample's rules.
func (w *world) tellFill(ctx context.Context, show audience) (string, error) {
	source, err := w.webshop.catalog(ctx)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := w.applySamples(ctx); err != nil {
		return "", err
	}
	show.measure("applied: 3 Channels, 3 Secrets, 1 CatalogSync (the outlet: price × 0.8, five units held back)")

	right := map[*shop]int{}
	took := map[*shop]time.Duration{}
	err = until(ctx, fillLimit, "every SKU on the marketplace and the outlet", func(ctx context.Context) (bool, string, error) {
		wrong := ""
		for _, s := range w.targets() {
			target, err := s.catalog(ctx)
			if err != nil {
				return false, "", err
			}
			var first string
			if right[s], first = differences(source, target, s.shows); first != "" {
				wrong = s.name + ": " + first
			} else if took[s] == 0 {
				took[s] = time.Since(began)
			}
		}
		show.progress("marketplace %d of %d, outlet %d of %d", right[w.marketplace], len(source), right[w.outlet], len(source))
		return wrong == "", wrong, pause(ctx, 100*time.Millisecond)
	})
	if err != nil {
		return "", err
	}
	for _, s := range w.targets() {
		show.measure("%-12s %d of %d SKUs right (names, prices, stock), read back from its own API, after %s", s.name, right[s], len(source), seconds(took[s]))
	}
	if err := w.settled(ctx, show); err != nil {
		return "", err
	}
	for _, s := range w.shops() {
		if _, err := w.awaitConnector(ctx, settlement, s, 0); err != nil {
			return "", err
		}
		if _, err := w.awaitChannel(ctx, settlement, s, selarasv1alpha1.ConditionReady, metav1.ConditionTrue); err != nil {
			return "", err
		}
	}
	if err := w.awaitSync(ctx, settlement, selarasv1alpha1.ConditionReady, metav1.ConditionTrue); err != nil {
		return "", err
	}
	if w.baseline, err = w.propagation(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d SKUs on both shops %s after kubectl apply", len(source), seconds(max(took[w.marketplace], took[w.outlet]))), nil
}

// settled waits until the status says that nothing is pending.
func (w *world) settled(ctx context.Context, show audience) error {
	show.progress("the status follows")
	return w.awaitSync(ctx, settlement, selarasv1alpha1.ConditionInSync, metav1.ConditionTrue)
}

// pause spares the shops a hot loop.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
