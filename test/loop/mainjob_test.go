package loop

import (
	"context"
	"fmt"
	"testing"

	core "selaras.dev/selaras/internal/shops"
)

// The main job (R6, R48, R51): one catalog filled into two empty shops, a price
// changed in one confirmed in the others, an order in one lowering the stock
// in the others.
func TestOneCatalogIsKeptTheSameOnThreeShops(t *testing.T) {
	t.Parallel()
	started := startShops(t)
	p := newPlane(t, started)
	p.sync("web")
	t.Logf("initial fill: %s", eventually(t, "the initial fill", same(started)))

	web := started["web"]
	listings, err := web.Listings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sku := listings[0].SKU
	if err := web.SetPrice(t.Context(), sku, listings[0].Price+111); err != nil {
		t.Fatal(err)
	}
	t.Logf("price change: %s", eventually(t, "the price change", same(started)))

	before := listings[0].OnHand - listings[0].Allocated
	if _, err := started["till"].PlaceOrder(t.Context(), core.Line{SKU: sku, Quantity: 3}); err != nil {
		t.Fatal(err)
	}
	t.Logf("order: %s", eventually(t, "the order", func(ctx context.Context) error {
		seen, err := view(ctx, web)
		if err != nil {
			return err
		}
		if got := seen[sku].available; got != before-3 {
			return fmt.Errorf("web shows %d of %s, want %d", got, sku, before-3)
		}
		return same(started)(ctx)
	}))
}
