package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"selaras.dev/selaras/internal/metrics"
)

const (
	priceRounds = 5
	// changeLimit is when a change is given up. On an idle machine it takes
	// less than a second; the demo may run on a busy one.
	changeLimit = 30 * time.Second
)

// tellPrice changes a price several times and measures when the others show it.
func (w *world) tellPrice(ctx context.Context, show audience) (string, error) {
	skus, err := w.skus(ctx, 0)
	if err != nil {
		return "", err
	}
	before, err := w.propagation(ctx)
	if err != nil {
		return "", err
	}
	took := map[*shop][]time.Duration{}
	for round := range priceRounds {
		sku := skus[round*len(skus)/priceRounds]
		price, err := w.raisePrice(ctx, sku, 100)
		if err != nil {
			return "", err
		}
		changed := time.Now()
		show.progress("%d of %d: %s now costs %s in the webshop", round+1, priceRounds, sku, dollars(price))
		times, err := untilAll(ctx, changed, changeLimit, w.targets(), sku, showing(sku, price))
		if err != nil {
			return "", err
		}
		for s, t := range times {
			took[s] = append(took[s], t)
		}
	}
	var slowest time.Duration
	for _, s := range w.targets() {
		slices.Sort(took[s])
		last := took[s][len(took[s])-1]
		slowest = max(slowest, last)
		show.measure("%-12s shows it after %s (median of %d), %s at worst", s.name, seconds(took[s][len(took[s])/2]), priceRounds, seconds(last))
	}
	after, err := w.propagationOf(ctx, before, priceRounds)
	if err != nil {
		return "", err
	}
	for _, s := range w.targets() {
		during := after[s].since(before[s])
		show.measure("%-12s %s: %s on average from the hub's commit to the read-back (%.0f confirmations)",
			s.name, metrics.SyncPropagation.Name, seconds(during.mean()), during.count)
	}
	if err := w.settled(ctx, show); err != nil {
		return "", err
	}
	return fmt.Sprintf("every change was on both shops within %s", seconds(slowest)), nil
}

// skus are the webshop's SKUs with at least so many units to sell, in order.
func (w *world) skus(ctx context.Context, available int) ([]string, error) {
	catalog, err := w.webshop.catalog(ctx)
	if err != nil {
		return nil, err
	}
	var skus []string
	for sku, s := range catalog {
		if s.available >= available {
			skus = append(skus, sku)
		}
	}
	slices.Sort(skus)
	if len(skus) < priceRounds {
		return nil, fmt.Errorf("the webshop has %d SKUs with %d units to sell, the demo needs %d", len(skus), available, priceRounds)
	}
	return skus, nil
}

// raisePrice makes a SKU dearer in the webshop, by cents, and returns the new
// price.
func (w *world) raisePrice(ctx context.Context, sku string, cents int64) (int64, error) {
	listing, err := w.webshop.Listing(ctx, sku)
	if err != nil {
		return 0, fmt.Errorf("read %s in the webshop: %w", sku, err)
	}
	if err := w.webshop.SetPrice(ctx, sku, listing.Price+cents); err != nil {
		return 0, fmt.Errorf("change the price of %s in the webshop: %w", sku, err)
	}
	return listing.Price + cents, nil
}

// propagation reads selaras_sync_propagation_seconds of the two connectors.
func (w *world) propagation(ctx context.Context) (map[*shop]histogram, error) {
	out := map[*shop]histogram{}
	for _, s := range w.targets() {
		exported, err := w.scrapeConnector(ctx, s)
		if err != nil {
			return nil, err
		}
		out[s] = exported.histogram(metrics.SyncPropagation.Name, map[string]string{"channel": s.name})
	}
	return out, nil
}

// propagationOf waits until both connectors have observed so many more
// confirmations: the shop shows a value before its connector has read it back.
func (w *world) propagationOf(ctx context.Context, before map[*shop]histogram, more int) (after map[*shop]histogram, err error) {
	err = until(ctx, changeLimit, metrics.SyncPropagation.Name+" counts the changes", func(ctx context.Context) (bool, string, error) {
		if after, err = w.propagation(ctx); err != nil {
			return false, "", err
		}
		for _, s := range w.targets() {
			if seen := after[s].since(before[s]).count; seen < float64(more) {
				return false, fmt.Sprintf("%s counts %.0f of %d", s.name, seen, more), nil
			}
		}
		return true, "", nil
	})
	return after, err
}
