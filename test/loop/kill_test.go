package loop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	core "selaras.dev/selaras/internal/shops"
	"selaras.dev/selaras/test/shops"
)

// I1, I2, I3: under a stream of price changes and orders every process of the
// data plane is killed by SIGKILL again and again. When it ends, all shops show
// the last prices, and every order has lowered the stock everywhere, once.
func TestKillingAnythingAtAnyMomentLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	started := map[string]*core.Vendure{}
	for _, name := range []string{"web", "till", "market"} {
		started[name] = shops.StartVendure(t, core.VendureOptions{Catalogue: core.Full})
	}
	p := newPlane(t, started)
	p.sync("web")
	eventually(t, "the first comparison", same(started))
	begin, err := view(t.Context(), started["web"])
	if err != nil {
		t.Fatal(err)
	}
	var skus []string
	for sku := range begin {
		if skus = append(skus, sku); len(skus) == 8 {
			break
		}
	}

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	price, sold := map[string]int64{}, map[string]int{}
	victims := []*process{p.hub, p.catalog, p.connectors["web"], p.connectors["till"], p.connectors["market"]}
	const rounds = 24
	for round := range rounds {
		sku := skus[dice.IntN(len(skus))]
		price[sku] = begin[sku].price + int64(round) + 1
		if err := started["web"].SetPrice(t.Context(), sku, price[sku]); err != nil {
			t.Fatal(err)
		}
		if round%3 == 0 {
			buyer, quantity := []string{"web", "till", "market"}[dice.IntN(3)], 1+dice.IntN(2)
			if _, err := started[buyer].PlaceOrder(t.Context(), core.Line{SKU: sku, Quantity: quantity}); err != nil {
				t.Fatalf("buying %d of %s in %s: %v", quantity, sku, buyer, err)
			}
			sold[sku] += quantity
		}
		if round%2 == 0 {
			victim := victims[(round/2)%len(victims)]
			victim.kill(syscall.SIGKILL)
			victim.start()
		}
	}
	eventually(t, "convergence after the kills", func(ctx context.Context) error {
		now, err := view(ctx, started["web"])
		if err != nil {
			return err
		}
		for sku, was := range begin {
			want := was
			want.available -= sold[sku]
			if price[sku] != 0 {
				want.price = price[sku]
			}
			if now[sku] != want {
				return fmt.Errorf("web shows %s as %+v, want %+v", sku, now[sku], want)
			}
		}
		return same(started)(ctx)
	})
}
