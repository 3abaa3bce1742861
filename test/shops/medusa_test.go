//go:build medusa

// Medusa's packages take minutes to install, so its tests have a build tag and
// a make target of their own.

package shops_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	core "selaras.dev/selaras/internal/shops"
	"selaras.dev/selaras/test/shops"
)

func TestMedusaShop(t *testing.T) {
	database := shops.StartPostgres(t)
	shop := shops.StartMedusa(t, core.MedusaOptions{Postgres: database})
	ctx, ok := testContext(t), must(t)
	ok(shop.CreateProducts(ctx, core.MedusaProduct{Name: "Tea", Variants: []core.MedusaVariant{
		{SKU: "TEA-1", OnHand: 100, Prices: map[string]string{"eur": "19.99", "jpy": "1000", "kwd": "1.125"}},
		{SKU: "TEA-2", OnHand: 50, Prices: map[string]string{"eur": "10"}},
		{SKU: "TEA-4", OnHand: 1, Prices: map[string]string{"eur": "1"}},
	}}))
	t.Run("shows what the merchant did", func(t *testing.T) { medusaShowsWhatTheMerchantDid(t, shop) })
	t.Run("fulfils and cancels an order in parts", func(t *testing.T) { medusaFulfilsAndCancelsInParts(t, shop) })
	t.Run("signs its webhooks", func(t *testing.T) { medusaSignsItsWebhooks(t, shop) })
	t.Run("keeps what it answered through a kill", func(t *testing.T) { medusaKeepsWhatItAnswered(t, shop) })
}

func TestMedusaLargeCatalogue(t *testing.T) {
	shop := shops.StartMedusa(t, core.MedusaOptions{Postgres: shops.StartPostgres(t), Catalogue: core.Large})
	listings, err := shop.Listings(testContext(t))
	must(t)(err)
	if len(listings) != 1200 {
		t.Errorf("listings = %d, want 1200", len(listings))
	}
}

func medusaShowsWhatTheMerchantDid(t *testing.T, shop *core.Medusa) {
	ctx, ok := testContext(t), must(t)
	ok(shop.SetPrice(ctx, "TEA-1", "eur", "22.5"))
	ok(shop.SetPrice(ctx, "TEA-1", "usd", "25"))
	ok(shop.SetStock(ctx, "TEA-1", 90))
	ok(shop.SetName(ctx, "TEA-1", "Té verde 緑茶"))
	ok(shop.SetPublished(ctx, "TEA-1", false))
	ok(shop.RenameSKU(ctx, "TEA-1", "TEA-3"))
	got, err := shop.Listing(ctx, "TEA-3")
	ok(err)
	want := core.MedusaListing{
		ID: got.ID, ProductID: got.ProductID, InventoryItem: got.InventoryItem, UpdatedAt: got.UpdatedAt,
		SKU: "TEA-3", Title: "TEA-1", Name: "Té verde 緑茶", OnHand: 90,
		Prices: map[string]string{"eur": "22.5", "usd": "25", "jpy": "1000", "kwd": "1.125"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
	ok(shop.Reserve(ctx, "TEA-3", 2))
	ok(shop.SetStock(ctx, "TEA-3", 1)) // less than is reserved
	if got, err = shop.Listing(ctx, "TEA-3"); err != nil || got.Reserved != 2 || got.OnHand != 1 {
		t.Errorf("reserved %d of %d, %v; want 2 of 1", got.Reserved, got.OnHand, err)
	}
	ok(shop.DeleteVariant(ctx, "TEA-4"))
	if _, err := shop.Listing(ctx, "TEA-4"); !errors.Is(err, core.ErrNoListing) {
		t.Errorf("after deletion: %v, want %v", err, core.ErrNoListing)
	}
	ok(shop.SetPublished(ctx, "TEA-2", true))
}

func medusaFulfilsAndCancelsInParts(t *testing.T, shop *core.Medusa) {
	ctx, ok := testContext(t), must(t)
	order, err := shop.PlaceOrder(ctx, core.Line{SKU: "TEA-2", Quantity: 5})
	ok(err)
	expect := func(action string, onHand, reserved int, line core.OrderLine) {
		t.Helper()
		got, err := shop.Listing(ctx, "TEA-2")
		ok(err)
		if got.OnHand != onHand || got.Reserved != reserved {
			t.Errorf("after %s: on hand %d, reserved %d; want %d, %d", action, got.OnHand, got.Reserved, onHand, reserved)
		}
		o, err := shop.Order(ctx, order.Code)
		ok(err)
		line.ID, line.SKU = o.Lines[0].ID, "TEA-2"
		if diff := cmp.Diff(line, o.Lines[0]); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", action, diff)
		}
	}
	expect("buying 5", 50, 5, core.OrderLine{Ordered: 5, Quantity: 5})
	ok(shop.CancelOrder(ctx, order.Code, core.Line{SKU: "TEA-2", Quantity: 1}))
	expect("cancelling 1", 50, 4, core.OrderLine{Ordered: 4, Quantity: 4})
	ok(shop.Fulfill(ctx, order.Code, core.Line{SKU: "TEA-2", Quantity: 1}))
	expect("sending 1", 49, 3, core.OrderLine{Ordered: 4, Quantity: 4, Fulfilled: 1})
	ok(shop.Fulfill(ctx, order.Code))
	expect("sending the rest", 46, 0, core.OrderLine{Ordered: 4, Quantity: 4, Fulfilled: 4})

	second, err := shop.PlaceOrder(ctx, core.Line{SKU: "TEA-2", Quantity: 1})
	ok(err)
	ok(shop.AddOrderLine(ctx, second.Code, core.Line{SKU: "TEA-2", Quantity: 2}))
	ok(shop.CancelOrder(ctx, second.Code))
	if second, err = shop.Order(ctx, second.Code); err != nil || second.State != "canceled" {
		t.Errorf("cancelled order = %+v, %v; want it canceled", second, err)
	}
	if _, err := shop.PlaceOrder(ctx, core.Line{SKU: "TEA-2", Quantity: 1000}); !errors.As(err, new(*core.RefusedError)) {
		t.Errorf("buying more than there is: %v, want a refusal", err)
	}
}

func medusaSignsItsWebhooks(t *testing.T, shop *core.Medusa) {
	ctx, ok := testContext(t), must(t)
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	verifier, err := standardwebhooks.NewWebhook(secret)
	ok(err)
	seen := make(chan error, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err == nil {
			err = verifier.Verify(body, r.Header)
		}
		seen <- err
	}))
	t.Cleanup(receiver.Close)
	ok(shop.SetWebhook(receiver.URL, secret))
	ok(shop.SetStock(ctx, "TEA-2", 60))
	select {
	case err := <-seen:
		ok(err)
	case <-ctx.Done():
		t.Fatal("no webhook after a count")
	}
	ok(shop.SetWebhook("", ""))
}

func medusaKeepsWhatItAnswered(t *testing.T, shop *core.Medusa) {
	ctx, ok := testContext(t), must(t)
	address := shop.URL()
	ok(shop.SetStock(ctx, "TEA-2", 33))
	shop.Kill()
	ok(shop.Start(ctx))
	got, err := shop.Listing(ctx, "TEA-2")
	ok(err)
	if got.OnHand != 33 || shop.URL() != address {
		t.Errorf("after a kill: %d on hand at %s, want 33 at %s", got.OnHand, shop.URL(), address)
	}
	shop.Freeze()
	frozen, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if _, err := shop.Listing(frozen, "TEA-2"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a frozen shop answered: %v", err)
	}
	shop.Thaw()
	if _, err := shop.Listing(ctx, "TEA-2"); err != nil {
		t.Errorf("a thawed shop: %v", err)
	}
}
