//go:build medusa

package medusa

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/shops"
	testshops "selaras.dev/selaras/test/shops"
)

// What the suite, which knows no shop, cannot ask of a real Medusa server.
func TestMedusaServer(t *testing.T) {
	m := testshops.StartMedusa(t, shops.MedusaOptions{Postgres: testshops.StartPostgres(t)})
	for name, test := range map[string]func(*testing.T, *serverTest){
		"APriceWriteLeavesOtherPricesAndPriceListsAlone": otherPricesStay,
		"ARegionHasPricesOfItsOwn":                       regionPrices,
		"ASalesChannelDecidesWhatIsOnSale":               salesChannel,
		"OneOfSeveralVariantsIsNotHiddenButRemoved":      oneOfSeveral,
		"AVariantIsStockedWhereItWasNot":                 newLocation,
		"ALineThatAnEditEmptiedIsTold":                   emptiedLine,
		"AChangeAtOneLocationIsSeenBesideAnOlderOne":     changeBesideOlder,
		"ChangesOfStockAreAllSeenInSmallPages":           manyLevels,
		"AWebhookOfALevelLeadsToItsListing":              levelWebhook,
		"SettingsThatDoNotFitTheShopAreTold":             wrongSettings,
		"ADeletedUserIsNoticedAtTheNextLogin":            deletedUser,
	} {
		t.Run(name, func(t *testing.T) { test(t, &serverTest{m: m}) })
	}
}

type serverTest struct{ m *shops.Medusa }

func (s *serverTest) context(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func (s *serverTest) open(t *testing.T, config string) *connection {
	t.Helper()
	c, err := New().Open(s.context(t), driver.Settings{
		Endpoint: s.m.URL() + "/admin", Currency: "EUR", Config: []byte(config),
		Credentials: map[string]string{KeyEmail: s.m.Username(), KeyPassword: s.m.Password()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*connection)
}

// add makes one product with a variant for each SKU: 10 EUR, 40 on hand.
func (s *serverTest) add(t *testing.T, ctx context.Context, skus ...string) {
	t.Helper()
	p := shops.MedusaProduct{Name: "Product " + skus[0]}
	for _, sku := range skus {
		p.Variants = append(p.Variants, shops.MedusaVariant{SKU: sku, OnHand: 40, Prices: map[string]string{"eur": "10"}})
	}
	if err := s.m.CreateProducts(ctx, p); err != nil {
		t.Fatal(err)
	}
}

// post is a request that a merchant makes in the admin.
func (c *connection) post(t *testing.T, ctx context.Context, path string, body any) map[string]any {
	t.Helper()
	var answer map[string]any
	if err := c.api.do(ctx, call{what: "test", path: path, body: body, write: true}, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func (c *connection) one(t *testing.T, ctx context.Context, sku string) driver.Listing {
	t.Helper()
	found, err := c.ReadListings(ctx, []driver.Key{{SKU: sku}})
	if err != nil || len(found) != 1 {
		t.Fatalf("reading %s: %v, %v; want one listing", sku, found, err)
	}
	return found[0]
}

func (c *connection) write(t *testing.T, ctx context.Context, intents ...driver.Intent) []driver.Outcome {
	t.Helper()
	outcomes, err := c.WriteIntents(ctx, intents)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

func euro(minor int64) *driver.Money { return &driver.Money{Minor: minor, Currency: "EUR"} }

func (c *connection) variantOf(t *testing.T, ctx context.Context, sku string) variant {
	t.Helper()
	found, err := c.readBy(ctx, "sku[]", []string{sku})
	if err != nil || len(found) != 1 {
		t.Fatalf("reading %s: %v, %v; want one variant", sku, found, err)
	}
	return found[0]
}

func oneOfSeveral(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "SEVERAL-1", "SEVERAL-2", "SEVERAL-3")
	c := s.open(t, "")
	off := func(sku string) driver.Intent {
		l := c.one(t, ctx, sku)
		l.Content.Enabled, l.Content.Title = false, "Off"
		return driver.Intent{Key: driver.Key{SKU: sku}, Content: &l.Content, Stock: &driver.StockWrite{Quantity: 4}}
	}
	if o := c.write(t, ctx, off("SEVERAL-1"))[0]; o.Kind != driver.Rejected || o.Reason != "VariantsShareStatus" {
		t.Errorf("hiding one of three: %+v, want Rejected", o)
	}
	if l := c.one(t, ctx, "SEVERAL-1"); !l.Content.Enabled || l.Content.Title != "Off" || l.Stock.OnHand != 4 {
		t.Errorf("what could be written was not: %+v, %+v", l, l.Stock)
	}
	for _, o := range c.write(t, ctx, off("SEVERAL-1"), off("SEVERAL-2"), off("SEVERAL-3")) {
		if o.Kind != driver.Accepted {
			t.Errorf("hiding all three: %+v, want Accepted", o)
		}
	}
	if c.one(t, ctx, "SEVERAL-2").Content.Enabled {
		t.Error("all are to be hidden and the product is on sale")
	}
	on := off("SEVERAL-1")
	on.Content.Enabled = true
	c.write(t, ctx, on)
	if outcomes, err := c.RemoveListings(ctx, []driver.Key{{SKU: "SEVERAL-1"}}); err != nil || outcomes[0].Kind != driver.Verified {
		t.Fatalf("got %+v, %v", outcomes, err)
	}
	if found, err := c.ReadListings(ctx, []driver.Key{{SKU: "SEVERAL-1"}}); err != nil || len(found) != 0 {
		t.Errorf("a removed variant of a product on sale: %v, %v; want none", found, err)
	}
	if !c.one(t, ctx, "SEVERAL-2").Content.Enabled {
		t.Error("its siblings are not on sale any more")
	}
	if _, err := c.RemoveListings(ctx, []driver.Key{{SKU: "SEVERAL-2"}, {SKU: "SEVERAL-3"}}); err != nil {
		t.Fatal(err)
	}
	if c.one(t, ctx, "SEVERAL-2").Content.Enabled || c.one(t, ctx, "SEVERAL-3").Content.Enabled {
		t.Error("the last variants are to be kept off sale")
	}
}

func emptiedLine(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "EDIT-1", "EDIT-2")
	order, err := s.m.PlaceOrder(ctx, shops.Line{SKU: "EDIT-1", Quantity: 2}, shops.Line{SKU: "EDIT-2", Quantity: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.m.CancelOrder(ctx, order.Code, shops.Line{SKU: "EDIT-2", Quantity: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.m.CancelOrder(ctx, order.Code, shops.Line{SKU: "EDIT-2", Quantity: 2}); err != nil {
		t.Fatal(err)
	}
	c := s.open(t, "")
	check := func(step string, cursor driver.Cursor, want map[string][2]int64) driver.Cursor {
		t.Helper()
		got := map[string][2]int64{}
		for {
			page, err := c.ReadOrders(ctx, cursor, 50)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Orders {
				if o.ID != order.Code {
					continue
				}
				for _, l := range o.Lines {
					got[l.SKU] = [2]int64{l.Ordered, l.Cancelled}
				}
			}
			if cursor = page.Next; !page.More {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: ordered and cancelled (-want +got):\n%s", step, diff)
		}
		return cursor
	}
	cursor := check("emptied", "", map[string][2]int64{"EDIT-1": {2, 0}, "EDIT-2": {3, 3}})
	if err := s.m.CancelOrder(ctx, order.Code); err != nil {
		t.Fatal(err)
	}
	check("canceled", cursor, map[string][2]int64{"EDIT-1": {2, 2}, "EDIT-2": {3, 3}})
}

func wrongSettings(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	for config, reason := range map[string]string{
		`{"salesChannel":"Nowhere"}`:  "SalesChannelNotFound",
		`{"stockLocation":"Nowhere"}`: "StockLocationNotFound",
		`{"region":"Nowhere"}`:        "RegionNotFound",
	} {
		_, err := s.open(t, config).Account(ctx)
		if e, ok := err.(*driver.Error); !ok || e.Class != driver.ClassInvalid || e.Reason != reason { //nolint:errorlint // the driver's own
			t.Errorf("%s: %v, want %s", config, err, reason)
		}
	}
	c := s.open(t, "")
	c.currency = "CHF"
	if _, err := c.Account(ctx); driver.ClassOf(err) != driver.ClassInvalid {
		t.Errorf("a currency that is not sold: %v, want Invalid", err)
	}
	account, err := s.open(t, "").Account(ctx)
	if u, _ := url.Parse(s.m.URL()); err != nil || account.Currency != "EUR" || account.ID[:len(u.Host)] != u.Host {
		t.Errorf("got %+v, %v", account, err)
	}
}

// A token outlives its user; checking the account does not.
func deletedUser(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	if err := s.m.CreateUser(ctx, "leaver@shop.test", "secret of a leaver"); err != nil {
		t.Fatal(err)
	}
	c, err := New().Open(ctx, driver.Settings{
		Endpoint: s.m.URL(), Currency: "EUR",
		Credentials: map[string]string{KeyEmail: "leaver@shop.test", KeyPassword: "secret of a leaver"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Account(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.m.DeleteUser(ctx, "leaver@shop.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Account(ctx); driver.ClassOf(err) != driver.ClassUnauthorized {
		t.Errorf("the account of a deleted user: %v, want Unauthorized", err)
	}
	if _, err := c.(driver.ListingGetter).ReadListings(ctx, []driver.Key{{SKU: "ANY"}}); driver.ClassOf(err) != driver.ClassUnauthorized {
		t.Errorf("reading after that: %v, want Unauthorized", err)
	}
}
