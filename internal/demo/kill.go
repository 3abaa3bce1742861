package demo

import (
	"context"
	"fmt"
	"time"
)

const (
	streamSKUs    = 30
	streamChanges = 90
	streamEvery   = 100 * time.Millisecond
	killAt        = streamChanges / 3
	// comeBack includes the lease of the killed process, which its successor
	// waits for.
	comeBack = 2 * time.Minute
)

// tellKill changes prices in a stream, kills the marketplace's connector in
// the middle of it, and counts what arrived.
func (w *world) tellKill(ctx context.Context, show audience) (string, error) {
	skus, err := w.skus(ctx, 0)
	if err != nil {
		return "", err
	}
	skus = skus[:min(streamSKUs, len(skus))]
	prices := map[string]int64{}
	for _, sku := range skus {
		listing, err := w.webshop.Listing(ctx, sku)
		if err != nil {
			return "", fmt.Errorf("read %s in the webshop: %w", sku, err)
		}
		prices[sku] = listing.Price
	}
	before, err := w.connectorPod(ctx, w.marketplace)
	if err != nil {
		return "", err
	}
	count, _ := restarts(before)

	var killed time.Time
	tick := time.NewTicker(streamEvery)
	defer tick.Stop()
	for change := range streamChanges {
		if change == killAt {
			pid, err := kill(before)
			if err != nil {
				return "", err
			}
			killed = time.Now()
			show.measure("%-12s kill -9 %d, pod %s, after %d of %d changes", w.marketplace.name, pid, before.Name, change, streamChanges)
		}
		sku := skus[change%len(skus)]
		prices[sku] += 5
		if err := w.webshop.SetPrice(ctx, sku, prices[sku]); err != nil {
			return "", fmt.Errorf("change the price of %s in the webshop: %w", sku, err)
		}
		show.progress("%d of %d price changes in the webshop", change+1, streamChanges)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
	}
	streamed := time.Now()
	all := func(ctx context.Context, s *shop) (bool, string, error) { return w.allPrices(ctx, s, prices) }
	show.progress("waiting for both shops to show the last of each")
	took, err := untilAll(ctx, streamed, comeBack, w.targets(), fmt.Sprintf("the last prices of %d SKUs", len(skus)), all)
	if err != nil {
		return "", err
	}
	back, err := w.awaitConnector(ctx, comeBack, w.marketplace, count+1)
	if err != nil {
		return "", err
	}
	show.measure("%-12s came back by itself (%d restart), and first waited until the lease of the killed process was over for certain", w.marketplace.name, back-count)
	show.measure("%-12s %d of %d SKUs right %s after the kill, %s after the last change", w.marketplace.name, len(skus), len(skus),
		seconds(streamed.Add(took[w.marketplace]).Sub(killed)), seconds(took[w.marketplace]))
	show.measure("%-12s not disturbed: %d of %d SKUs right %s after the last change", w.outlet.name, len(skus), len(skus), seconds(took[w.outlet]))
	if err := w.settled(ctx, show); err != nil {
		return "", err
	}
	after, err := w.propagation(ctx)
	if err != nil {
		return "", err
	}
	w.baseline[w.marketplace] = after[w.marketplace]
	return fmt.Sprintf("%d changes of %d SKUs, none lost", streamChanges, len(skus)), nil
}

// allPrices is the condition that a shop shows the prices by its rules.
func (w *world) allPrices(ctx context.Context, s *shop, prices map[string]int64) (bool, string, error) {
	catalog, err := s.catalog(ctx)
	if err != nil {
		return false, "", err
	}
	right, wrong := 0, ""
	for sku, price := range prices {
		want := s.shows(shown{price: price}).price
		if got := catalog[sku].price; got == want {
			right++
		} else {
			wrong = fmt.Sprintf("; %s shows %s, should show %s", sku, dollars(got), dollars(want))
		}
	}
	return right == len(prices), fmt.Sprintf("%d of %d right%s", right, len(prices), wrong), nil
}
