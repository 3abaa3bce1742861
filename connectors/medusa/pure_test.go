package medusa

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
)

func TestTheEndpointMayBeThatOfTheAdmin(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"https://shop.test":             "https://shop.test",
		"https://shop.test/":            "https://shop.test",
		"https://shop.test/admin/":      "https://shop.test",
		"http://shop.test:9000/api?x=1": "http://shop.test:9000/api",
		"https://user:pw@shop.test":     "",
		"ftp://shop.test":               "",
		"shop.test":                     "",
	} {
		u, err := serverURL(endpoint)
		if (err != nil) != (want == "") || err == nil && u.String() != want {
			t.Errorf("%s: got %v, %v; want %q", endpoint, u, err, want)
		}
	}
}

// The bodies are those a real server gave.
func TestAnswersAreClassified(t *testing.T) {
	t.Parallel()
	const told = `{"type":"invalid_data","message":"Cannot update non-existing variants with ids: variant_x"}`
	for _, c := range []struct {
		status       int
		body         string
		read, writes driver.Class
	}{
		{400, told, driver.ClassInvalid, driver.ClassBatchRejected},
		{404, `{"type":"not_found","message":"Item iitem_x is not stocked at location sloc_1"}`, driver.ClassInvalid, driver.ClassBatchRejected},
		{404, "<html>Cannot POST /admin</html>", driver.ClassInvalid, driver.ClassInvalid},
		{401, `{"message":"Unauthorized"}`, driver.ClassUnauthorized, driver.ClassUnauthorized},
		{409, `{"code":"invalid_state_error","type":"conflict","message":"The request conflicted"}`, driver.ClassTransient, driver.ClassTransient},
		{413, "", driver.ClassInvalid, driver.ClassBatchRejected},
		{422, told, driver.ClassInvalid, driver.ClassBatchRejected},
		{429, "", driver.ClassThrottled, driver.ClassThrottled},
		{500, `{"code":"unknown_error","type":"unknown_error","message":"An unknown error occurred."}`, driver.ClassTransient, driver.ClassUnknown},
		{502, "", driver.ClassTransient, driver.ClassUnknown},
		{503, "", driver.ClassTransient, driver.ClassTransient},
		{504, "<html>", driver.ClassTransient, driver.ClassUnknown},
		{302, "", driver.ClassInvalid, driver.ClassInvalid},
	} {
		for write, want := range map[bool]driver.Class{false: c.read, true: c.writes} {
			if e := classify("try", write, c.status, http.Header{}, []byte(c.body)); e.Class != want || e.Reason == "" || e.Message == "" {
				t.Errorf("%d %s, write %v: %+v, want %s", c.status, c.body, write, e, want)
			}
		}
	}
}

func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

const pricedVariant = `{"id":"variant_1","prices":[
  {"id":"price_1","amount":20.5,"currency_code":"eur","min_quantity":null,"max_quantity":null,"rules":{}},
  {"id":"price_2","amount":21.5,"currency_code":"eur","min_quantity":null,"max_quantity":null,"rules":{"region_id":"reg_1"}},
  {"id":"price_3","amount":19,"currency_code":"eur","min_quantity":10,"max_quantity":null,"rules":{}},
  {"id":"price_4","amount":100,"currency_code":"jpy","min_quantity":null,"max_quantity":null,"rules":{}}]}`

// What is not in a list that is sent is deleted by the shop.
func TestAPriceIsWrittenWithAllTheOthers(t *testing.T) {
	t.Parallel()
	v := decode[variant](t, pricedVariant)
	for _, c := range []struct {
		region string
		money  driver.Money
		want   string
	}{
		{"", driver.Money{Minor: 1999, Currency: "EUR"}, `0: 19.99`},
		{"reg_1", driver.Money{Minor: 1999, Currency: "EUR"}, `1: 19.99`},
		{"", driver.Money{Minor: 500, Currency: "JPY"}, `3: 500`},
		{"", driver.Money{Minor: 1234, Currency: "KWD"}, `4: 1.234`},
		{"reg_2", driver.Money{Minor: 1, Currency: "EUR"}, `4: 0.01`},
	} {
		list := v.priceList(c.money, c.region)
		changed := ""
		for i, p := range list {
			if i >= len(v.Prices) {
				changed += fmt.Sprintf("%d: %s", i, p.Amount)
				if !p.isFor(c.money.Currency, c.region) {
					t.Errorf("%s for %q became %+v", c.money, c.region, p)
				}
				continue
			}
			if p.ID != v.Prices[i].ID || p.Currency != v.Prices[i].Currency {
				t.Errorf("price %d became %+v", i, p)
			}
			if p.Amount != v.Prices[i].Amount {
				changed += fmt.Sprintf("%d: %s", i, p.Amount)
			}
		}
		if changed != c.want {
			t.Errorf("%s for %q changed %q, want %q", c.money, c.region, changed, c.want)
		}
	}
	if v.Prices[0].Amount != "20.5" {
		t.Error("the variant itself was changed")
	}
}

func TestThePriceOfTheRegionComesFirst(t *testing.T) {
	t.Parallel()
	v := decode[variant](t, pricedVariant)
	for _, c := range []struct{ currency, region, want string }{
		{"EUR", "", "20.5"}, {"EUR", "reg_1", "21.5"}, {"EUR", "reg_2", "20.5"}, {"JPY", "reg_1", "100"}, {"USD", "", ""},
	} {
		if got, _ := v.shown(c.currency, c.region); got != c.want {
			t.Errorf("%s in %q: %q, want %q", c.currency, c.region, got, c.want)
		}
	}
}

// The wire holds major units as JSON numbers, of which JavaScript keeps 53 bits.
func TestPricesSurviveTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := driver.Money{
			Minor:    rapid.Int64Range(0, 1e12).Draw(t, "minor"),
			Currency: rapid.SampledFrom([]string{"EUR", "JPY", "KWD"}).Draw(t, "currency"),
		}
		var number float64
		if err := json.Unmarshal([]byte(newPrice(m, "").Amount), &number); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(number)
		if err != nil {
			t.Fatal(err)
		}
		back, err := driver.ParseMoney(string(text), m.Currency)
		if err != nil || back != m {
			t.Fatalf("%s became %s, then %v, %v", m, text, back, err)
		}
	})
	for _, m := range []driver.Money{{Minor: -1, Currency: "EUR"}, {Minor: math.MaxInt64, Currency: "EUR"}, {Minor: 1, Currency: "CHF"}} {
		if checkPrice(m, "EUR") == nil {
			t.Errorf("%s would be sent", m)
		}
	}
}

func TestStockIsThatOfTheLocation(t *testing.T) {
	t.Parallel()
	c := &connection{currency: "EUR"}
	s := &shop{location: "sloc_1"}
	const levels = `"inventory":{"location_levels":[{"location_id":"sloc_2","stocked_quantity":7,"reserved_quantity":0},{"location_id":"sloc_1","stocked_quantity":1,"reserved_quantity":2}]}`
	for _, x := range []struct {
		name, items string
		managed     bool
		want        *driver.Stock
	}{
		{"oversold", `{"inventory_item_id":"iitem_1","required_quantity":1,` + levels + `}`, true, &driver.Stock{OnHand: 1, Reserved: 2, Available: -1}},
		{"not stocked there", `{"inventory_item_id":"iitem_1","required_quantity":1}`, true, &driver.Stock{}},
		{"not managed", `{"inventory_item_id":"iitem_1","required_quantity":1,` + levels + `}`, false, nil},
		{"several units", `{"inventory_item_id":"iitem_1","required_quantity":2,` + levels + `}`, true, nil},
		{"several items", `{"inventory_item_id":"iitem_1","required_quantity":1},{"inventory_item_id":"iitem_2","required_quantity":1}`, true, nil},
	} {
		v := decode[variant](t, fmt.Sprintf(`{"id":"variant_1","manage_inventory":%v,"inventory_items":[%s]}`, x.managed, x.items))
		if diff := cmp.Diff(x.want, c.listing(v, s).Stock); diff != "" {
			t.Errorf("%s (-want +got):\n%s", x.name, diff)
		}
	}
}

func TestOptionsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const options = `[{"value":"Blau","option":{"id":"opt_2","title":"Farbe","created_at":"2026-11-22T04:44:30.413Z"}},
	  {"value":"S","option":{"id":"opt_3","title":"Größe","created_at":"2026-11-22T04:44:30.413Z"}}]`
	names := func(metadata string) string {
		v := decode[variant](t, `{"product":{"metadata":`+metadata+`},"options":`+options+`}`)
		var all []string
		for _, o := range v.options() {
			all = append(all, o.Name+"="+o.Value)
		}
		return strings.Join(all, " ")
	}
	for metadata, want := range map[string]string{
		`{"selaras_options":["Größe","Farbe"]}`:       "Größe=S Farbe=Blau",
		`{"selaras_options":["Größe"],"x":{"y":[1]}}`: "Größe=S Farbe=Blau",
		`{"selaras_options":7}`:                       "Farbe=Blau Größe=S",
		`null`:                                        "Farbe=Blau Größe=S",
	} {
		if got := names(metadata); got != want {
			t.Errorf("%s: %s, want %s", metadata, got, want)
		}
	}
	plain := decode[variant](t, `{"options":[{"value":"Default option value","option":{"title":"Default option"}}]}`)
	if got := plain.options(); got != nil {
		t.Errorf("a product without options shows %v", got)
	}
}

func TestOnSaleIsPublishedAndInTheChannel(t *testing.T) {
	t.Parallel()
	published := product{Status: "published", Channels: []named{{ID: "sc_1"}}}
	for _, c := range []struct {
		p       product
		channel string
		want    bool
	}{
		{published, "", true}, {published, "sc_1", true}, {published, "sc_2", false}, {product{Status: "draft"}, "", false},
	} {
		if got := c.p.onSale(&shop{salesChannel: c.channel}); got != c.want {
			t.Errorf("%+v in %q: %v, want %v", c.p, c.channel, got, c.want)
		}
	}
}

func TestThingsArePickedByIDThenByNameThenByAge(t *testing.T) {
	t.Parallel()
	all := []named{{ID: "1", Name: "Old"}, {ID: "2", Name: "New"}}
	for _, c := range []struct{ wish, preferred, want string }{
		{"", "", "1"}, {"", "2", "2"}, {"", "gone", "1"}, {"2", "1", "2"}, {"New", "", "2"}, {"None", "1", ""},
	} {
		got, err := pick(all, c.wish, c.preferred)
		if got.ID != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q or %q: got %+v, %v; want %q", c.wish, c.preferred, got, err, c.want)
		}
	}
	if _, err := pick(nil, "", ""); err == nil {
		t.Error("one of none was picked")
	}
}

// Node and proxies refuse long headers.
func TestQueriesStayShort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.StringN(1, 128, 128)).Draw(t, "values")
		var again []string
		for _, chunk := range chunks(values) {
			if length := len(fields(variantFields, map[string][]string{"sku[]": chunk}).Encode()); length > 7<<10 {
				t.Fatalf("a query of %d bytes", length)
			}
			again = append(again, chunk...)
		}
		if len(values) > 0 && !cmp.Equal(values, again) {
			t.Fatalf("%v became %v", values, again)
		}
	})
}

func TestTheOrderOfIDsIsKnownWhereMedusaMadeThem(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"variant_01M80RPJWZM5AAK9N63ASN0001": true, "variant_01m80rpjwzm5aak9n63asn0001": false, "variant_1": false, "b": false, "": false,
	} {
		if got := isOrdered(id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
}

func TestWebhooksNameWhatChanged(t *testing.T) {
	t.Parallel()
	listing := func(ref string) []driver.Signal {
		return []driver.Signal{{Kind: driver.SignalListing, Key: driver.Key{Ref: driver.Ref(ref)}}}
	}
	for body, want := range map[string][]driver.Signal{
		`{"type":"product-variant.updated","data":{"id":"variant_1"}}`:                    listing("variant_1"),
		`{"type":"product.updated","data":{"id":"prod_1"}}`:                               listing(":prod_1"),
		`{"type":"inventory.inventory-level.updated","data":{"id":"ilev_1"}}`:             listing("level/ilev_1"),
		`{"type":"product-variant.updated","data":[{"id":"variant_1"},{"id":""}]}`:        listing("variant_1"),
		`{"type":"order.placed","data":{"id":"order_1"}}`:                                 {{Kind: driver.SignalOrder, Order: "order_1"}},
		`{"type":"order.fulfillment_created","data":{"order_id":"order_1","id":"ful_1"}}`: {{Kind: driver.SignalOrder, Order: "order_1"}},
		`{"type":"pricing.price.updated","data":{"id":"price_1"}}`:                        nil,
		`{"type":"product.updated","data":{}}`:                                            nil,
		`{"type":"ping","data":{}}`:                                                       {{Kind: driver.SignalPing}},
	} {
		if diff := cmp.Diff(want, decode[webhookBody](t, body).signals()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

func TestWithoutASecretWebhooksAreRefused(t *testing.T) {
	t.Parallel()
	c := &connection{}
	if _, err := c.ReceiveWebhook(context.Background(), driver.Delivery{Body: []byte(`{"type":"ping"}`)}); driver.ClassOf(err) != driver.ClassUnauthorized {
		t.Errorf("got %v, want Unauthorized", err)
	}
}
