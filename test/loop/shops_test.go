package loop

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	core "selaras.dev/selaras/internal/shops"
	"selaras.dev/selaras/test/shops"
)

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// startShops starts web with Vendure's own catalogue, and till and market with
// an empty one.
func startShops(t *testing.T) map[string]*core.Vendure {
	t.Helper()
	started := map[string]*core.Vendure{}
	for _, s := range []struct {
		name      string
		catalogue core.Catalogue
	}{{"web", core.Full}, {"till", core.Empty}, {"market", core.Empty}} {
		started[s.name] = shops.StartVendure(t, core.VendureOptions{Catalogue: s.catalogue})
	}
	return started
}

// patience bounds every wait; a fill of two shops takes most of it on a
// machine that is busy.
const patience = 4 * time.Minute

// lookEvery is how often the shops are looked at: seldom enough to leave them
// to their work.
const lookEvery = 500 * time.Millisecond

// eventually waits until check says nothing is wrong any more.
func eventually(t *testing.T, what string, check func(context.Context) error) time.Duration {
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return time.Since(begun)
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
	}
}

// shown is what a buyer sees of a SKU.
type shown struct {
	name      string
	enabled   bool
	price     int64
	available int
}

// view is what a shop shows. Vendure's own catalogue has SKUs that several
// variants bear: those are left alone, and are not looked at.
func view(ctx context.Context, shop *core.Vendure) (map[string]shown, error) {
	listings, err := shop.Listings(ctx)
	if err != nil {
		return nil, err
	}
	seen, twice := map[string]shown{}, map[string]bool{}
	for _, l := range listings {
		if _, ok := seen[l.SKU]; ok {
			twice[l.SKU] = true
		}
		seen[l.SKU] = shown{l.Name, l.Enabled, l.Price, l.OnHand - l.Allocated}
	}
	maps.DeleteFunc(seen, func(sku string, _ shown) bool { return twice[sku] })
	return seen, nil
}

// same is I1 for shops without overrides: all show the same.
func same(started map[string]*core.Vendure) func(context.Context) error {
	return func(ctx context.Context) error {
		want, err := view(ctx, started["web"])
		if err != nil {
			return err
		}
		for name, shop := range started {
			if name == "web" {
				continue
			}
			got, err := view(ctx, shop)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			var differ []string
			for sku, w := range want {
				if g, ok := got[sku]; !ok || g != w {
					differ = append(differ, fmt.Sprintf("%s %+v, want %+v", sku, got[sku], w))
				}
			}
			for sku := range got {
				if _, ok := want[sku]; !ok && got[sku].enabled {
					differ = append(differ, sku+" is for sale and should not be")
				}
			}
			if len(differ) > 0 {
				slices.Sort(differ)
				return fmt.Errorf("%s differs in %d of %d: %s", name, len(differ), len(want), strings.Join(differ[:min(3, len(differ))], "; "))
			}
		}
		return nil
	}
}
