package vendure

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/shops"
	testshops "selaras.dev/selaras/test/shops"
)

// A shop is the same at every address, and no other shop at its address is it:
// the session is what notices.
func TestAConnectionIsOfOneShop(t *testing.T) {
	t.Parallel()
	first, second := testshops.StartVendure(t, shops.VendureOptions{}), testshops.StartVendure(t, shops.VendureOptions{})
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	var behind atomic.Pointer[httputil.ReverseProxy]
	lead := func(v *shops.Vendure) {
		to, err := url.Parse(v.AdminURL())
		if err != nil {
			t.Fatal(err)
		}
		to.Path = ""
		behind.Store(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})
	}
	lead(first)
	address := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { behind.Load().ServeHTTP(w, r) }))
	t.Cleanup(address.Close)
	c, _ := openReal(t, first, func(s *driver.Settings) { s.Endpoint = address.URL })
	account, err := c.Account(ctx)
	if err != nil {
		t.Fatal(err)
	}
	direct, _ := openReal(t, first, nil)
	same, err := direct.Account(ctx)
	if err != nil || same.Shop != account.Shop || same.ID == account.ID {
		t.Errorf("one shop at two addresses is %+v and %+v, %v; want one mark and two ids", account, same, err)
	}
	found, err := c.ReadListings(ctx, []driver.Key{{SKU: "L2201308"}})
	if err != nil || len(found) != 1 {
		t.Fatalf("found %+v, %v", found, err)
	}

	lead(second)
	before, err := second.Listing(ctx, "L2201308")
	if err != nil {
		t.Fatal(err)
	}
	price := driver.Money{Minor: 1, Currency: "USD"}
	intent := driver.Intent{Key: driver.Key{SKU: found[0].SKU, Ref: found[0].Ref}, Price: &price}
	for range 2 {
		outcomes, err := c.WriteIntents(ctx, []driver.Intent{intent})
		var e *driver.Error
		if !errors.As(err, &e) || e.Class != driver.ClassTransient || e.Reason != driver.ReasonOtherAccount {
			t.Errorf("a write to another shop gave %+v, %v; want OtherAccount", outcomes, err)
		}
	}
	if after, err := second.Listing(ctx, "L2201308"); err != nil || after.Price != before.Price {
		t.Errorf("the other shop's price went from %v to %v, %v", before.Price, after.Price, err)
	}
	other, err := c.Account(ctx)
	if err != nil || other.Shop == "" || other.Shop == account.Shop {
		t.Errorf("the other shop says it is %+v, %v; the first was %+v", other, err, account)
	}
	if _, err := c.ReadPage(ctx, "", 5); err == nil {
		t.Error("the other shop is read once it was asked who it is")
	}

	lead(first)
	if again, err := c.Account(ctx); err != nil || again != account {
		t.Errorf("back again it is %+v, %v; want %+v", again, err, account)
	}
	if _, err := c.ReadPage(ctx, "", 5); err != nil {
		t.Errorf("back again: %v", err)
	}
}
