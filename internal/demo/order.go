package demo

import (
	"context"
	"fmt"
	"time"

	"selaras.dev/selaras/internal/shops"
)

const soldUnits = 3

// tellOrder buys on the marketplace and measures when the webshop and the
// outlet offer less.
func (w *world) tellOrder(ctx context.Context, show audience) (string, error) {
	skus, err := w.skus(ctx, 4*soldUnits+outletSafety)
	if err != nil {
		return "", err
	}
	sku := skus[len(skus)/2]
	before := map[*shop]int{}
	for _, s := range w.shops() {
		listing, err := s.Listing(ctx, sku)
		if err != nil {
			return "", fmt.Errorf("read %s in %s: %w", sku, s.name, err)
		}
		before[s] = shownBy(listing).available
	}
	show.progress("buying %d of %s", soldUnits, sku)
	order, err := w.marketplace.PlaceOrder(ctx, shops.Line{SKU: sku, Quantity: soldUnits})
	if err != nil {
		return "", fmt.Errorf("buy %d of %s on the marketplace: %w", soldUnits, sku, err)
	}
	bought := time.Now()
	show.measure("%-12s order %s: %d of %s, of %d that could be bought", w.marketplace.name, order.Code, soldUnits, sku, before[w.marketplace])
	others := []*shop{w.webshop, w.outlet}
	took, err := untilAll(ctx, bought, changeLimit, others, "less of "+sku, w.available(sku, before, -soldUnits))
	if err != nil {
		return "", err
	}
	for _, s := range others {
		show.measure("%-12s offers %d in place of %d, after %s", s.name, before[s]-soldUnits, before[s], seconds(took[s]))
	}
	// What was sold there must not come off twice.
	if _, err := untilAll(ctx, bought, changeLimit, []*shop{w.marketplace}, "less of "+sku, w.available(sku, before, -soldUnits)); err != nil {
		return "", err
	}
	if err := w.cancelled(ctx, show, order, sku, before); err != nil {
		return "", err
	}
	if err := w.settled(ctx, show); err != nil {
		return "", err
	}
	return fmt.Sprintf("the other shops offered %d less within %s", soldUnits, seconds(max(took[w.webshop], took[w.outlet]))), nil
}

// cancelled cancels the order: its units can be bought everywhere again.
func (w *world) cancelled(ctx context.Context, show audience, order shops.Order, sku string, before map[*shop]int) error {
	show.progress("cancelling the order")
	if err := w.marketplace.CancelOrder(ctx, order.Code); err != nil {
		return fmt.Errorf("cancel order %s: %w", order.Code, err)
	}
	took, err := untilAll(ctx, time.Now(), changeLimit, w.shops(), "as much of "+sku+" as before the order", w.available(sku, before, 0))
	if err != nil {
		return err
	}
	var slowest time.Duration
	for _, t := range took {
		slowest = max(slowest, t)
	}
	show.measure("%-12s cancels it: all three offer as much as before, after %s", w.marketplace.name, seconds(slowest))
	return nil
}

// available is the condition that a shop offers as much as before, and so many
// units more.
func (w *world) available(sku string, before map[*shop]int, more int) func(context.Context, *shop) (bool, string, error) {
	return func(ctx context.Context, s *shop) (bool, string, error) {
		listing, err := s.Listing(ctx, sku)
		if err != nil {
			return false, "", err
		}
		got, want := shownBy(listing).available, before[s]+more
		return got == want, fmt.Sprintf("%s offers %d of %s, should offer %d", s.name, got, sku, want), nil
	}
}
