package vendure

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

func TestTheEndpointMayLeaveOutThePath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://shop.example.com":                "https://shop.example.com/admin-api",
		"https://shop.example.com/":               "https://shop.example.com/admin-api",
		"http://127.0.0.1:3000/vendure/admin-api": "http://127.0.0.1:3000/vendure/admin-api",
		"https://shop.example.com/admin-api#x":    "https://shop.example.com/admin-api",
		"shop.example.com":                        "",
		"ftp://shop.example.com":                  "",
		"https://user:secret@shop.example.com":    "",
		"::":                                      "",
	} {
		u, err := adminEndpoint(in)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q: %s, want an error", in, u)
		case want != "" && (err != nil || u.String() != want):
			t.Errorf("%q: %v, %v; want %s", in, u, err, want)
		}
	}
}

func TestTheLocaleChoosesTheShopsLanguage(t *testing.T) {
	t.Parallel()
	available := []string{"en", "pt", "pt_BR", "zh_Hans"}
	for locale, want := range map[string]string{
		"": "en", "pt-BR": "pt_BR", "pt-PT": "pt", "zh-Hans-CN": "zh_Hans", "EN": "en", "fr": "", "f": "",
	} {
		got, ok := language(locale, "en", available)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", locale, got, ok, want)
		}
	}
}

func TestThingsArePickedByIDThenByName(t *testing.T) {
	t.Parallel()
	from := []named{{"1", "Main"}, {"2", "1"}, {"3", "Outlet"}}
	for wish, want := range map[string]string{"": "1", "1": "1", "Outlet": "3", "2": "2", "none": ""} {
		got, err := pick(from, wish)
		if got.ID != want || (err == nil) != (want != "") {
			t.Errorf("%q: %v, %v; want %q", wish, got, err, want)
		}
	}
	if _, err := pick(nil, ""); err == nil {
		t.Error("picked the first of none")
	}
}

func TestCodesAreStableAndDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range []string{"Size", "Größe", "Grosse", "Gre", "尺寸", "颜色", "Shoe size", "A/B", "AB", "  ", ""} {
		c := code(name)
		if c == "" || c != code(name) {
			t.Errorf("%q has code %q", name, c)
		}
		if other, taken := seen[c]; taken {
			t.Errorf("%q and %q have the code %q", name, other, c)
		}
		seen[c] = name
	}
}

func TestOnlySlugsAreProductKeys(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"shirt": true, "shirt-2": true, "4711": true, "": false, "Shirt": false, "a b": false, "ü": false, "-a": false, "a-": false, "a/b": false,
	} {
		if got := isSlug(key); got != want {
			t.Errorf("%q: %v, want %v", key, got, want)
		}
	}
}

func TestIDsAreOrderedAsTheDatabaseDoes(t *testing.T) {
	t.Parallel()
	ids := []string{"10", "9", "100", "1"}
	slices.SortFunc(ids, compareIDs)
	if diff := cmp.Diff([]string{"1", "9", "10", "100"}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestTheOrderOfIDsIsKnownWhereTheyAreNumbersOrUUIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"7": true, "1200": true, "0b2ff3c6-6b4b-4b67-9d3a-0d8a1b7e2f11": true, "": false, "T_7": false, "7x": false,
	} {
		if got := isOrdered(id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
}

func TestCursorsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	for _, cursor := range []driver.Cursor{"x", "!", "e30x", "W10"} {
		var at paging.OffsetPosition
		if err := driver.DecodeCursor("read", cursor, &at); driver.ClassOf(err) != driver.ClassInvalid || err == nil {
			t.Errorf("%q: %v, want class Invalid", cursor, err)
		}
	}
	var back paging.OffsetPosition
	if err := driver.DecodeCursor("read", driver.EncodeCursor(paging.OffsetPosition{Skip: 7, Last: "9"}), &back); err != nil || back != (paging.OffsetPosition{Skip: 7, Last: "9"}) {
		t.Errorf("got %+v, %v", back, err)
	}
}

func TestWebhooksNameWhatChanged(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]driver.Signal{
		`{"type":"ping"}`: {{Kind: driver.SignalPing}},
		`{"type":"variant.updated","data":{"variantIds":[5,"6"],"skus":["A","B"]}}`: {
			{Kind: driver.SignalListing, Key: driver.Key{SKU: "A", Ref: "5"}}, {Kind: driver.SignalListing, Key: driver.Key{SKU: "B", Ref: "6"}},
		},
		`{"type":"stock.moved","data":{"action":"ADJUSTMENT","variantIds":["5"]}}`: {{Kind: driver.SignalListing, Key: driver.Key{Ref: "5"}}},
		`{"type":"product.updated","data":{"productIds":["7"]}}`:                   {{Kind: driver.SignalListing, Key: driver.Key{Ref: ":7"}}},
		`{"type":"order.placed","data":{"orderId":"3","orderCode":"X"}}`:           {{Kind: driver.SignalOrder, Order: "3"}},
		`{"type":"fulfillment.created","data":{"fulfillmentId":"3"}}`:              {{Kind: driver.SignalOrder}},
		`{"type":"customer.created","data":{}}`:                                    nil,
	} {
		var body webhookBody
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			t.Fatal(err)
		}
		got, err := body.signals("receive")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
}

func TestWithoutASecretWebhooksAreRefused(t *testing.T) {
	t.Parallel()
	c, err := New().Open(context.Background(), driver.Settings{
		Endpoint: "http://127.0.0.1:1", Currency: "EUR", Credentials: map[string]string{KeyUsername: "u", KeyPassword: "p"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.(driver.WebhookReceiver).ReceiveWebhook(context.Background(), driver.Delivery{Body: []byte(`{"type":"ping"}`)})
	if driver.ClassOf(err) != driver.ClassUnauthorized || err == nil {
		t.Errorf("got %v, want class Unauthorized", err)
	}
}

func TestTheVerdictOfAWriteIsWhatIsStored(t *testing.T) {
	t.Parallel()
	stored := driver.Listing{
		SKU: "A", Price: &driver.Money{Minor: 5, Currency: "EUR"}, Stock: &driver.Stock{OnHand: 3},
		Content: driver.Content{Product: driver.Product{Key: "p", Title: "P"}, Title: "T", Enabled: true, Options: []driver.Option{{Name: "Size", Value: "L"}}},
	}
	content := func(change func(*driver.Content)) *driver.Content {
		c := stored.Content
		change(&c)
		return &c
	}
	same := content(func(*driver.Content) {})
	for _, c := range []struct {
		name   string
		intent driver.Intent
		want   driver.OutcomeKind
	}{
		{"all the same", driver.Intent{Content: same, Price: stored.Price, Stock: &driver.StockWrite{Quantity: 3}}, driver.Verified},
		{"another price", driver.Intent{Price: &driver.Money{Minor: 6, Currency: "EUR"}}, driver.Accepted},
		{"another quantity", driver.Intent{Stock: &driver.StockWrite{Quantity: 4}}, driver.Accepted},
		{"another title", driver.Intent{Content: content(func(c *driver.Content) { c.Title = "X" })}, driver.Accepted},
		{"another product title", driver.Intent{Content: content(func(c *driver.Content) { c.Product.Title = "X" })}, driver.Accepted},
		{"another product", driver.Intent{Content: content(func(c *driver.Content) { c.Product.Key = "q" })}, driver.Rejected},
		{"other options", driver.Intent{Content: content(func(c *driver.Content) { c.Options = nil })}, driver.Rejected},
	} {
		c.intent.SKU = "A"
		if got := verdict(c.intent, stored); got.Kind != c.want {
			t.Errorf("%s: %+v, want %s", c.name, got, c.want)
		}
	}
	if got := verdict(driver.Intent{Key: driver.Key{SKU: "B"}}, stored); got.Kind != driver.Rejected {
		t.Errorf("another SKU: %+v, want Rejected", got)
	}
	untracked := stored
	untracked.Stock = nil
	if got := verdict(driver.Intent{Key: driver.Key{SKU: "A"}, Stock: &driver.StockWrite{}}, untracked); got.Kind != driver.Rejected {
		t.Errorf("stock that is not tracked: %+v, want Rejected", got)
	}
}
