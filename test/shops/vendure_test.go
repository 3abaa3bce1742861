package shops_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	core "selaras.dev/selaras/internal/shops"
	"selaras.dev/selaras/test/shops"
)

// must returns a function that ends the test when an action failed.
func must(t *testing.T) func(error) {
	return func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// stock is what a listing's sale moves and what it leaves alone.
type stock struct {
	OnHand, Allocated int
	UpdatedAt         time.Time
}

func stockOf(t *testing.T, v *core.Vendure, sku string) stock {
	t.Helper()
	l, err := v.Listing(testContext(t), sku)
	must(t)(err)
	return stock{l.OnHand, l.Allocated, l.UpdatedAt}
}

// One shop serves these one after the other, because a start takes seconds;
// each sells something else.
func TestVendureShop(t *testing.T) {
	t.Parallel()
	shop := shops.StartVendure(t, core.VendureOptions{})
	t.Run("sells the sample catalogue", func(t *testing.T) { sellsTheSampleCatalogue(t, shop) })
	t.Run("fulfils and cancels an order in parts", func(t *testing.T) { fulfilsAndCancelsInParts(t, shop) })
	t.Run("signs its webhooks", func(t *testing.T) { signsItsWebhooks(t, shop) })
	t.Run("shows what the merchant did", func(t *testing.T) { showsWhatTheMerchantDid(t, shop) })
	t.Run("changes its currency", func(t *testing.T) { changesItsCurrency(t, shop) })
}

func sellsTheSampleCatalogue(t *testing.T, shop *core.Vendure) {
	ctx, ok := testContext(t), must(t)
	listings, err := shop.Listings(ctx)
	ok(err)
	if len(listings) != 88 {
		t.Errorf("listings = %d, want the sample's 88", len(listings))
	}
	before := stockOf(t, shop, "L2201308")
	order, err := shop.PlaceOrder(ctx, core.Line{SKU: "L2201308", Quantity: 2}, core.Line{SKU: "L2201508", Quantity: 3})
	ok(err)
	if order.State != "PaymentAuthorized" || len(order.Lines) != 2 {
		t.Errorf("order = %+v, want 2 lines and an authorized payment", order)
	}
	want := stock{before.OnHand, before.Allocated + 2, before.UpdatedAt}
	if diff := cmp.Diff(want, stockOf(t, shop, "L2201308")); diff != "" {
		t.Errorf("a sale raises allocated and leaves the rest alone (-want +got):\n%s", diff)
	}
	_, err = shop.PlaceOrder(ctx, core.Line{SKU: "L2201308", Quantity: 500})
	var refused *core.RefusedError
	if !errors.As(err, &refused) || refused.Code != "INSUFFICIENT_STOCK_ERROR" {
		t.Errorf("buying more than there is: %v, want INSUFFICIENT_STOCK_ERROR", err)
	}
}

func fulfilsAndCancelsInParts(t *testing.T, shop *core.Vendure) {
	ctx, ok := testContext(t), must(t)
	const sku = "L2201316" // 100 on hand

	order, err := shop.PlaceOrder(ctx, core.Line{SKU: sku, Quantity: 5})
	ok(err)
	expect := func(action string, onHand, allocated int, line core.OrderLine) {
		t.Helper()
		got := stockOf(t, shop, sku)
		if got.OnHand != onHand || got.Allocated != allocated {
			t.Errorf("after %s: on hand %d, allocated %d; want %d, %d", action, got.OnHand, got.Allocated, onHand, allocated)
		}
		o, err := shop.Order(ctx, order.Code)
		ok(err)
		line.ID, line.SKU = o.Lines[0].ID, sku
		if diff := cmp.Diff(line, o.Lines[0]); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", action, diff)
		}
	}
	expect("buying 5", 100, 5, core.OrderLine{Ordered: 5, Quantity: 5})
	ok(shop.SettlePayment(ctx, order.Code))
	ok(shop.Fulfill(ctx, order.Code, core.Line{SKU: sku, Quantity: 2}))
	expect("sending 2", 98, 3, core.OrderLine{Ordered: 5, Quantity: 5, Fulfilled: 2})
	ok(shop.CancelOrder(ctx, order.Code, core.Line{SKU: sku, Quantity: 1}))
	// Vendure takes the unit for a sent one and for a waiting one at once: it
	// comes back on hand although it never left.
	expect("cancelling 1", 99, 2, core.OrderLine{Ordered: 5, Quantity: 4, Fulfilled: 2})
	ok(shop.Fulfill(ctx, order.Code))
	expect("sending the rest", 97, 0, core.OrderLine{Ordered: 5, Quantity: 4, Fulfilled: 4})

	second, err := shop.PlaceOrder(ctx, core.Line{SKU: sku, Quantity: 1})
	ok(err)
	ok(shop.AddOrderLine(ctx, second.Code, core.Line{SKU: "L2201508", Quantity: 2}))
	second, err = shop.Order(ctx, second.Code)
	ok(err)
	if len(second.Lines) != 2 || second.State != "PaymentAuthorized" {
		t.Errorf("after adding a line: %+v, want 2 lines in PaymentAuthorized", second)
	}
	ok(shop.CancelOrder(ctx, second.Code))
	if got := stockOf(t, shop, sku); got.Allocated != 0 {
		t.Errorf("allocated after cancelling the order = %d, want 0", got.Allocated)
	}
}

func showsWhatTheMerchantDid(t *testing.T, shop *core.Vendure) {
	ctx, ok := testContext(t), must(t)
	created, err := shop.CreateProduct(ctx, core.NewProduct{
		SKU: "TEA-1", Name: "Tea", Price: 450, OnHand: 7,
		Prices: map[string]int64{"IDR": 6_500_000, "JPY": 65_000, "KWD": 138},
	})
	ok(err)
	ok(shop.SetPrice(ctx, "TEA-1", 475))
	ok(shop.SetPriceIn(ctx, "TEA-1", "EUR", 420))
	ok(shop.SetStock(ctx, "TEA-1", 9))
	ok(shop.SetName(ctx, "TEA-1", "Té verde 緑茶"))
	ok(shop.SetEnabled(ctx, "TEA-1", false))
	ok(shop.RenameSKU(ctx, "TEA-1", "TEA-2"))
	got, err := shop.Listing(ctx, "TEA-2")
	ok(err)
	want := core.Listing{
		ID: created.ID, ProductID: created.ProductID, SKU: "TEA-2", Name: "Té verde 緑茶", Currency: "USD", Price: 475,
		Prices: map[string]int64{"USD": 475, "EUR": 420, "IDR": 6_500_000, "JPY": 65_000, "KWD": 138},
		OnHand: 9, UpdatedAt: got.UpdatedAt,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
	ok(shop.DeleteVariant(ctx, "TEA-2"))
	if _, err := shop.Listing(ctx, "TEA-2"); !errors.Is(err, core.ErrNoListing) {
		t.Errorf("after deletion: %v, want %v", err, core.ErrNoListing)
	}

	ok(shop.CreateAdministrator(ctx, "connector@shop.test", "first-password"))
	ok(shop.SetAdministratorPassword(ctx, "connector@shop.test", "second-password"))
	ok(shop.DeleteAdministrator(ctx, "connector@shop.test"))
}

func changesItsCurrency(t *testing.T, shop *core.Vendure) {
	ctx, ok := testContext(t), must(t)
	ok(shop.UseCurrency(ctx, "KWD"))
	_, err := shop.CreateProduct(ctx, core.NewProduct{SKU: "TEA-KWD", Name: "Tea", Price: 138, OnHand: 1})
	ok(err)
	got, err := shop.Listing(ctx, "TEA-KWD")
	ok(err)
	if got.Currency != "KWD" || got.Price != 138 {
		t.Errorf("price = %d %s, want 138 KWD", got.Price, got.Currency)
	}
}

func TestVendureKeepsWhatItAnsweredThroughKill(t *testing.T) {
	t.Parallel()
	ctx, ok := testContext(t), must(t)
	directory := t.TempDir()
	shop := shops.StartVendure(t, core.VendureOptions{Dir: directory, Catalogue: core.Large})
	address := shop.URL()

	listings, err := shop.Listings(ctx)
	ok(err)
	if len(listings) != 1200 {
		t.Errorf("listings = %d, want the large catalogue's 1200", len(listings))
	}
	ok(shop.SetPrice(ctx, "NB-0007", 111))
	order, err := shop.PlaceOrder(ctx, core.Line{SKU: "NB-0007", Quantity: 1})
	ok(err)
	shop.Kill()
	ok(shop.Start(ctx))
	got, err := shop.Listing(ctx, "NB-0007")
	ok(err)
	if got.Price != 111 || got.Allocated != 1 {
		t.Errorf("after a kill: price %d, allocated %d; want 111, 1", got.Price, got.Allocated)
	}
	if shop.URL() != address {
		t.Errorf("address changed from %s to %s", address, shop.URL())
	}
	if _, err := shop.Order(ctx, order.Code); err != nil {
		t.Error(err)
	}

	// Another process that starts a shop on the directory finds the same shop.
	ok(shop.Close())
	shop = shops.StartVendure(t, core.VendureOptions{Dir: directory})
	if got, err := shop.Listing(ctx, "NB-0007"); err != nil || got.Price != 111 || shop.URL() != address {
		t.Errorf("reopened at %s: %+v, %v; want price 111 at %s", shop.URL(), got, err, address)
	}
}

func TestVendureShopsSideBySideShareNothing(t *testing.T) {
	t.Parallel()
	ctx, ok := testContext(t), must(t)
	one := shops.StartVendure(t, core.VendureOptions{})
	two := shops.StartVendure(t, core.VendureOptions{})

	ok(one.SetPrice(ctx, "L2201308", 111))
	got, err := two.Listing(ctx, "L2201308")
	ok(err)
	if got.Price != 129900 {
		t.Errorf("price in the other shop = %d, want the sample's 129900", got.Price)
	}
	if one.URL() == two.URL() || one.ChannelToken() == two.ChannelToken() {
		t.Error("two shops have one address or one channel token")
	}

	two.Freeze()
	frozen, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if _, err := two.Listing(frozen, "L2201308"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a frozen shop answered: %v", err)
	}
	two.Thaw()
	if _, err := two.Listing(ctx, "L2201308"); err != nil {
		t.Errorf("a thawed shop: %v", err)
	}
}

func signsItsWebhooks(t *testing.T, shop *core.Vendure) {
	ctx, ok := testContext(t), must(t)
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	verifier, err := standardwebhooks.NewWebhook(secret)
	ok(err)

	seen := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err == nil {
			err = verifier.Verify(body, r.Header)
		}
		if err != nil {
			t.Errorf("webhook: %v", err)
		}
		seen <- string(body)
	}))
	t.Cleanup(receiver.Close)
	ok(shop.SetWebhook(receiver.URL, secret))
	ok(shop.SetPrice(ctx, "L2201308", 222))
	select {
	case body := <-seen:
		var event struct {
			Type string
			Data struct{ SKUs []string }
		}
		ok(json.Unmarshal([]byte(body), &event))
		if event.Type != "variant.updated" || !slices.Equal(event.Data.SKUs, []string{"L2201308"}) {
			t.Errorf("webhook = %s, want variant.updated of L2201308", body)
		}
	case <-ctx.Done():
		t.Fatal("no webhook after a price change")
	}
	ok(shop.SetWebhook("", ""))
}

func TestVendureOnPostgresSurvivesAnOutage(t *testing.T) {
	t.Parallel()
	ctx, ok := testContext(t), must(t)
	database := shops.StartPostgres(t)
	shop := shops.StartVendure(t, core.VendureOptions{Postgres: database})

	var writers sync.WaitGroup
	for i, sku := range []string{"L2201308", "L2201508", "L2201316", "L2201516"} {
		writers.Go(func() {
			if err := shop.SetPrice(ctx, sku, int64(1000+i)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	database.Stop()
	if err := shop.SetPrice(ctx, "L2201308", 2000); err == nil {
		t.Error("a write without the database succeeded")
	}
	ok(database.Start(ctx))
	ok(eventually(ctx, func() error { return shop.SetPrice(ctx, "L2201308", 3000) }))
	got, err := shop.Listing(ctx, "L2201308")
	ok(err)
	if got.Price != 3000 {
		t.Errorf("price after the outage = %d, want 3000", got.Price)
	}
}

func TestLimiterAnswersAsProxiesOfRealShopsDo(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
		}
	}))
	limiter := shops.StartNginxLimiter(t, core.LimiterOptions{
		Upstream: upstream.URL, Rate: 1, Burst: 2, Timeout: 200 * time.Millisecond,
	})
	call := func(path, session string) (status int, retryAfter string) {
		t.Helper()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, limiter.URL()+path, nil)
		must(t)(err)
		request.Header.Set("Authorization", session)
		response, err := http.DefaultClient.Do(request)
		must(t)(err)
		must(t)(response.Body.Close())
		return response.StatusCode, response.Header.Get("Retry-After")
	}
	statuses := map[string]int{}
	for range 20 {
		status, retryAfter := call("/", "Bearer one")
		statuses[fmt.Sprintf("%d %s", status, retryAfter)]++
	}
	if statuses["200 "] < 3 || statuses["429 1"] == 0 || len(statuses) != 2 {
		t.Errorf("20 calls at once = %v, want some 200 and some 429 with Retry-After: 1", statuses)
	}
	if status, _ := call("/", "Bearer two"); status != http.StatusOK {
		t.Errorf("another session = %d, want 200", status)
	}
	if status, _ := call("/hang", "Bearer three"); status != http.StatusGatewayTimeout {
		t.Errorf("a shop that hangs = %d, want 504", status)
	}
	upstream.CloseClientConnections()
	upstream.Close()
	if status, _ := call("/", "Bearer four"); status != http.StatusBadGateway {
		t.Errorf("a shop that is down = %d, want 502", status)
	}
}

// eventually calls try until it succeeds or the context ends.
func eventually(ctx context.Context, try func() error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		}
	}
}
