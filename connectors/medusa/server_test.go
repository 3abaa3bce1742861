//go:build medusa

package medusa

import (
	"context"
	"fmt"
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

func (c *connection) regionID(t *testing.T, ctx context.Context) string {
	t.Helper()
	region, err := c.choose(ctx, "regions", "Europe", "")
	if err != nil {
		t.Fatal(err)
	}
	return region.ID
}

func otherPricesStay(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "PRICES")
	c := s.open(t, "")
	v := c.variantOf(t, ctx, "PRICES")
	c.post(t, ctx, "/admin/products/"+v.Product.ID+"/variants/"+v.ID, map[string]any{"prices": []any{
		map[string]any{"amount": 10, "currency_code": "eur"},
		map[string]any{"amount": 9, "currency_code": "eur", "min_quantity": 10, "max_quantity": 99},
		map[string]any{"amount": 11, "currency_code": "eur", "rules": map[string]any{"region_id": c.regionID(t, ctx)}},
		map[string]any{"amount": 1000, "currency_code": "jpy"},
	}})
	made := c.post(t, ctx, "/admin/price-lists", map[string]any{
		"title": "Sale", "description": "Sale", "status": "active", "type": "sale",
		"prices": []any{map[string]any{"variant_id": v.ID, "amount": 5, "currency_code": "eur"}},
	})
	list, _ := made["price_list"].(map[string]any)
	before := c.variantOf(t, ctx, "PRICES").Prices
	c.write(t, ctx, driver.Intent{Key: driver.Key{SKU: "PRICES"}, Price: euro(1234)})
	after := c.variantOf(t, ctx, "PRICES").Prices
	amounts := func(prices []price) map[string]string {
		all := map[string]string{}
		for _, p := range prices {
			least := "any"
			if p.Min != nil {
				least = p.Min.String() + "-" + p.Max.String()
			}
			all[fmt.Sprint(p.Currency, " ", p.Rules, " ", least)] = p.Amount.String()
		}
		return all
	}
	want := amounts(before)
	want["eur map[] any"] = "12.34"
	if diff := cmp.Diff(want, amounts(after)); diff != "" || len(want) != 4 {
		t.Errorf("prices (-want +got):\n%s", diff)
	}
	var answer struct {
		List struct {
			Prices []struct {
				ID string `json:"id"`
			} `json:"prices"`
		} `json:"price_list"`
	}
	if err := c.api.do(ctx, call{what: "test", path: fmt.Sprint("/admin/price-lists/", list["id"]), query: fields("id,prices.id", nil)}, &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.List.Prices) != 1 {
		t.Errorf("the price list has %d prices, want its 1", len(answer.List.Prices))
	}
}

func regionPrices(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "REGION")
	everywhere, region := s.open(t, ""), s.open(t, `{"region":"Europe"}`)
	if l := region.one(t, ctx, "REGION"); *l.Price != *euro(1000) {
		t.Errorf("without a price of the region: %v, want that of the currency", l.Price)
	}
	region.write(t, ctx, driver.Intent{Key: driver.Key{SKU: "REGION"}, Price: euro(2000)})
	region.write(t, ctx, driver.Intent{Key: driver.Key{SKU: "REGION"}, Price: euro(2100)})
	if l := region.one(t, ctx, "REGION"); *l.Price != *euro(2100) {
		t.Errorf("in the region: %v, want what was written", l.Price)
	}
	if l := everywhere.one(t, ctx, "REGION"); *l.Price != *euro(1000) {
		t.Errorf("elsewhere: %v, want it untouched", l.Price)
	}
	if got := len(everywhere.variantOf(t, ctx, "REGION").Prices); got != 2 {
		t.Errorf("%d prices, want 2", got)
	}
}

func salesChannel(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "CHANNEL")
	all := s.open(t, "")
	all.post(t, ctx, "/admin/sales-channels", map[string]any{"name": "Wholesale"})
	c := s.open(t, `{"salesChannel":"Wholesale"}`)
	l := c.one(t, ctx, "CHANNEL")
	if l.Content.Enabled {
		t.Error("a product of another sales channel is on sale in this one")
	}
	for _, enabled := range []bool{true, false} {
		l.Content.Enabled = enabled
		c.write(t, ctx, driver.Intent{Key: driver.Key{SKU: l.SKU}, Content: &l.Content})
		if got := c.one(t, ctx, "CHANNEL").Content.Enabled; got != enabled {
			t.Errorf("on sale here: %v, want %v", got, enabled)
		}
		if !all.one(t, ctx, "CHANNEL").Content.Enabled {
			t.Error("the product is not on sale elsewhere any more")
		}
	}
	made := driver.Intent{
		Key: driver.Key{SKU: "CHANNEL-NEW"}, Price: euro(500), Stock: &driver.StockWrite{Quantity: 3},
		Content: &driver.Content{Product: driver.Product{Key: "channel-new", Title: "New"}, Title: "New", Enabled: true},
	}
	if outcomes, err := c.CreateListings(ctx, []driver.Intent{made}); err != nil || outcomes[0].Kind != driver.Accepted {
		t.Fatalf("got %+v, %v", outcomes, err)
	}
	if !c.one(t, ctx, "CHANNEL-NEW").Content.Enabled {
		t.Error("a new listing is not on sale in the sales channel")
	}
	outcomes, err := c.RemoveListings(ctx, []driver.Key{{SKU: "CHANNEL-NEW"}})
	if err != nil || outcomes[0].Kind != driver.Verified || c.one(t, ctx, "CHANNEL-NEW").Content.Enabled {
		t.Errorf("after its removal: %+v, %v, or still on sale", outcomes, err)
	}
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

// location makes a second stock location.
func (s *serverTest) location(t *testing.T, ctx context.Context, name string) string {
	t.Helper()
	made := s.open(t, "").post(t, ctx, "/admin/stock-locations", map[string]any{"name": name})
	location, _ := made["stock_location"].(map[string]any)
	id, _ := location["id"].(string)
	return id
}

func newLocation(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "MOVED")
	s.location(t, ctx, "Annex")
	main, annex := s.open(t, ""), s.open(t, `{"stockLocation":"Annex"}`)
	if l := annex.one(t, ctx, "MOVED"); l.Stock == nil || *l.Stock != (driver.Stock{}) {
		t.Errorf("stock where there is none: %+v, want zero", l.Stock)
	}
	for _, units := range []int64{6, 7} {
		annex.write(t, ctx, driver.Intent{Key: driver.Key{SKU: "MOVED"}, Stock: &driver.StockWrite{Quantity: units}})
		if l := annex.one(t, ctx, "MOVED"); l.Stock.OnHand != units {
			t.Errorf("stock %+v, want %d", l.Stock, units)
		}
	}
	if l := main.one(t, ctx, "MOVED"); l.Stock.OnHand != 40 {
		t.Errorf("the other location has %+v, want it untouched", l.Stock)
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

func changeBesideOlder(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "BESIDE")
	s.location(t, ctx, "Depot")
	depot := s.open(t, `{"stockLocation":"Depot"}`)
	depot.write(t, ctx, driver.Intent{Key: driver.Key{SKU: "BESIDE"}, Stock: &driver.StockWrite{Quantity: 1}})
	start, err := depot.ReadChanges(ctx, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	// Newer than the change to come: levels of other items at the first location.
	depot.write(t, ctx, driver.Intent{Key: driver.Key{SKU: "BESIDE"}, Stock: &driver.StockWrite{Quantity: 2}})
	for n := range 15 {
		s.add(t, ctx, fmt.Sprintf("BESIDE-%d", n))
	}
	seen := false
	for cursor, more := start.Next, true; more; {
		page, err := depot.ReadChanges(ctx, cursor, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range page.Listings {
			seen = seen || l.SKU == "BESIDE" && l.Stock.OnHand == 2
		}
		cursor, more = page.Next, page.More
	}
	if !seen {
		t.Error("the change of stock is not seen")
	}
}

// A batch gives all levels one time, and more are changed while it is read; the
// process is another one half-way.
func manyLevels(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	var skus []string
	for n := range 30 {
		skus = append(skus, fmt.Sprintf("MANY-%02d", n))
	}
	s.add(t, ctx, skus...)
	c := s.open(t, "")
	start, err := c.ReadChanges(ctx, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	count := func(units int64, skus ...string) {
		var intents []driver.Intent
		for _, sku := range skus {
			intents = append(intents, driver.Intent{Key: driver.Key{SKU: sku}, Stock: &driver.StockWrite{Quantity: units}})
		}
		c.write(t, ctx, intents...)
	}
	count(5, skus...)
	seen := map[string]int64{}
	cursor, reader, pages := start.Next, c, 0
	walk := func() {
		for more := true; more; pages++ {
			switch pages {
			case 2:
				count(6, skus[0], skus[29])
			case 4:
				reader = s.open(t, "")
			}
			page, err := reader.ReadChanges(ctx, cursor, 4)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range page.Listings {
				seen[l.SKU] = l.Stock.OnHand
			}
			cursor, more = page.Next, page.More
		}
	}
	walk()
	if pages < 8 {
		t.Errorf("%d pages, want the changes in pages of 4", pages)
	}
	walk()
	for n, sku := range skus {
		want := int64(5)
		if n == 0 || n == 29 {
			want = 6
		}
		if seen[sku] != want {
			t.Errorf("%s was seen with %d, want %d", sku, seen[sku], want)
		}
	}
}

func levelWebhook(t *testing.T, s *serverTest) {
	ctx := s.context(t)
	s.add(t, ctx, "LEVEL")
	c := s.open(t, "")
	sh, err := c.shop.read(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	items, err := c.newestLevels(ctx, "test", sh, 1)
	if err != nil || len(items) != 1 {
		t.Fatalf("got %v, %v", items, err)
	}
	found, err := c.ReadListings(ctx, []driver.Key{{Ref: driver.Ref(levelRef + items[0].Levels[0].ID)}, {Ref: levelRef + "ilev_gone"}})
	if err != nil || len(found) != 1 || found[0].SKU != "LEVEL" {
		t.Errorf("got %v, %v; want LEVEL", found, err)
	}
	product := c.variantOf(t, ctx, "LEVEL").Product.ID
	if found, err = c.ReadListings(ctx, []driver.Key{{Ref: driver.Ref(":" + product)}}); err != nil || len(found) != 1 || found[0].SKU != "LEVEL" {
		t.Errorf("by product: got %v, %v; want LEVEL", found, err)
	}
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
