package woocommerce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

func TestTheEndpointMayBeThatOfTheAPI(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"https://shop.test":                        "https://shop.test",
		"https://shop.test/":                       "https://shop.test",
		"https://shop.test/wp-json/wc/v3/":         "https://shop.test",
		"https://shop.test/wp-json":                "https://shop.test",
		"http://shop.test:8080/blog/wp-json/?x=1":  "http://shop.test:8080/blog",
		"https://shop.test/wp-jsonish":             "https://shop.test/wp-jsonish",
		"https://ck_1:cs_1@shop.test":              "",
		"ftp://shop.test":                          "",
		"shop.test":                                "",
		"https://shop.test/?rest_route=/wc/v3/#up": "https://shop.test",
	} {
		u, err := siteURL(endpoint)
		if (err != nil) != (want == "") || err == nil && u.String() != want {
			t.Errorf("%s: got %v, %v; want %q", endpoint, u, err, want)
		}
	}
}

// The bodies are those that WordPress and WooCommerce make.
func TestAnswersAreClassified(t *testing.T) {
	t.Parallel()
	told := func(code string, status int) string {
		return fmt.Sprintf(`{"code":%q,"message":"what it says","data":{"status":%d}}`, code, status)
	}
	const critical = `{"code":"internal_server_error","message":"<p>There has been a critical error on this website.</p>","data":{"status":500},"additional_errors":[]}`
	for _, c := range []struct {
		status       int
		body         string
		read, writes driver.Class
		reason       string
	}{
		{400, told("rest_invalid_param", 400), driver.ClassInvalid, driver.ClassBatchRejected, reasonRefused},
		{401, told("woocommerce_rest_cannot_view", 401), driver.ClassUnauthorized, driver.ClassUnauthorized, reasonBadCredentials},
		{401, `{"code":"woocommerce_rest_authentication_error","message":"Invalid nonce - nonce has already been used.","data":{"status":401}}`, driver.ClassTransient, driver.ClassTransient, reasonSignature},
		{401, "", driver.ClassUnauthorized, driver.ClassUnauthorized, reasonBadCredentials},
		{403, told("woocommerce_rest_cannot_edit", 403), driver.ClassUnauthorized, driver.ClassUnauthorized, reasonForbidden},
		{404, told("rest_no_route", 404), driver.ClassInvalid, driver.ClassInvalid, reasonNotWooCommerce},
		{404, told("woocommerce_rest_product_invalid_id", 404), driver.ClassInvalid, driver.ClassBatchRejected, reasonUnknownItem},
		{404, "<html>Not found</html>", driver.ClassInvalid, driver.ClassInvalid, reasonNotWooCommerce},
		{413, told("woocommerce_rest_request_entity_too_large", 413), driver.ClassInvalid, driver.ClassBatchRejected, reasonTooLarge},
		{413, "<html>nginx</html>", driver.ClassInvalid, driver.ClassBatchRejected, ""},
		{429, "", driver.ClassThrottled, driver.ClassThrottled, reasonThrottled},
		{500, critical, driver.ClassTransient, driver.ClassUnknown, reasonShopFailed},
		{500, `{"code":"x","message":"m","data":null}`, driver.ClassTransient, driver.ClassUnknown, reasonShopFailed},
		{500, "<h1>Error establishing a database connection</h1>", driver.ClassTransient, driver.ClassUnknown, reasonHTTPStatus},
		{502, "", driver.ClassTransient, driver.ClassUnknown, reasonHTTPStatus},
		{503, "", driver.ClassTransient, driver.ClassUnknown, reasonHTTPStatus},
		{504, "<html>", driver.ClassTransient, driver.ClassUnknown, reasonHTTPStatus},
		{302, "", driver.ClassInvalid, driver.ClassInvalid, reasonNotWooCommerce},
	} {
		for write, want := range map[bool]driver.Class{false: c.read, true: c.writes} {
			e := classify("try", write, c.status, http.Header{}, []byte(c.body))
			if e.Class != want || e.Reason == "" || c.reason != "" && e.Reason != c.reason || e.Message == "" || strings.Contains(e.Message, "<p>") {
				t.Errorf("%d %s, write %v: %+v, want %s (%s)", c.status, c.body, write, e, want, c.reason)
			}
		}
	}
	e := classify("try", true, 503, http.Header{"Retry-After": {"600"}}, nil)
	if e.Class != driver.ClassThrottled || e.RetryAfter != 10*time.Minute {
		t.Errorf("a shop that is being updated: %+v, want Throttled for ten minutes", e)
	}
}

func TestARefusalOfAnItemIsItsOwn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]driver.Outcome{
		`{"code":"product_invalid_sku","message":"Invalid or duplicated SKU.","data":{"status":400,"resource_id":7}}`: {
			Kind: driver.Rejected, Reason: reasonDuplicate, Message: "Invalid or duplicated SKU.",
		},
		`{"code":"woocommerce_rest_product_invalid_id","message":"Invalid ID.","data":{"status":400}}`: {
			Kind: driver.Rejected, Reason: reasonUnknownItem, Message: "Invalid ID.",
		},
		`{"code":"woocommerce_rest_cannot_edit","message":"No.","data":{"status":403}}`: {
			Kind: driver.Rejected, Reason: reasonForbidden, Message: "No.",
		},
		`{"code":"db_update_error","message":"Could not update post in the database.","data":{"status":500}}`: {
			Kind: driver.Failed, Reason: reasonShopFailed, Message: "Could not update post in the database.",
		},
		`{"code":"rest_anything","message":"","data":[]}`: {Kind: driver.Rejected, Reason: reasonRefused, Message: "rest_anything"},
	} {
		if got := rejection(decode[apiError](t, text)); !cmp.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

// The example of RFC 5849, 3.4.1.1.
func TestTheTextThatIsSigned(t *testing.T) {
	t.Parallel()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://EXAMPLE.COM/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Host = strings.ToLower(request.URL.Host)
	got := signatureBase(request, map[string]string{
		"oauth_consumer_key": "9djdj82h48djs9d2", "oauth_token": "kkk9d7dh3k39sjv7", "oauth_signature_method": "HMAC-SHA1",
		"oauth_timestamp": "137131201", "oauth_nonce": "7d8f3e4a",
	})
	const want = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
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

func TestAProductIsReadAsItsFieldsSay(t *testing.T) {
	t.Parallel()
	p := decode[product](t, `{"id":5,"type":"simple","name":"Tea &amp; Caf&eacute;","slug":"tea","status":"publish","sku":"A&lt;1",
	  "description":"<p>a &amp; b</p>","regular_price":"19.90","manage_stock":true,"stock_quantity":"7.9","date_modified_gmt":"2026-11-22T10:00:00",
	  "meta_data":{"3":{"key":"x","value":[1]},"1":{"key":"selaras_title","value":"Kept"}}}`)
	l := item{product: p}.listing("EUR")
	want := driver.Listing{
		SKU: "A<1", Ref: "5", Price: &driver.Money{Minor: 1990, Currency: "EUR"}, Stock: &driver.Stock{OnHand: 7, Available: 7},
		ChangedAt: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		Content: driver.Content{
			Product: driver.Product{Key: "tea", Title: "Tea & Café", Description: "<p>a &amp; b</p>"}, Title: "Tea & Café", Enabled: true,
		},
	}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	p.Meta = append(p.Meta, meta{Key: metaTitleOf, Value: json.RawMessage(`"Tea & Café"`)})
	if got := (item{product: p}).title(); got != "Kept" {
		t.Errorf("the title kept beside this name: %q", got)
	}
	for text, want := range map[string]*driver.Stock{
		`{"manage_stock":true,"stock_quantity":null}`: {}, `{"manage_stock":true}`: nil, `{"manage_stock":false,"stock_quantity":3}`: nil,
		`{"manage_stock":"parent","stock_quantity":3}`: nil, `{"manage_stock":true,"stock_quantity":-2}`: {OnHand: -2, Available: -2},
		`{"manage_stock":true,"stock_quantity":"x"}`: nil, `{"manage_stock":true,"stock_quantity":1e300}`: nil,
	} {
		if got := (item{product: decode[product](t, text)}).listing("EUR").Stock; !cmp.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	for price, want := range map[string]*driver.Money{
		"": nil, "0": {Minor: 0, Currency: "EUR"}, "1.234": nil, "12": {Minor: 1200, Currency: "EUR"}, "x": nil,
	} {
		if got := (item{product: product{RegularPrice: price}}).listing("EUR").Price; !cmp.Equal(got, want) {
			t.Errorf("a price of %q: %v, want %v", price, got, want)
		}
	}
}

func TestAVariationIsReadWithItsProduct(t *testing.T) {
	t.Parallel()
	parent := decode[product](t, `{"id":5,"type":"variable","name":"Shirt","slug":"","status":"publish","sku":"SHIRT","attributes":[
	  {"id":1,"name":"Brand","position":0,"variation":false,"options":["X"]},
	  {"id":0,"name":"Color","position":2,"variation":true,"options":["Red"]},
	  {"id":0,"name":"Size","position":1,"variation":true,"options":["S"]}]}`)
	v := item{parent: &parent, product: decode[product](t, `{"id":6,"status":"publish","sku":"SHIRT","attributes":[
	  {"id":0,"name":"Color","option":"Red"},{"id":0,"name":"Size","option":"S"}]}`)}
	if v.sku() != "" {
		t.Errorf("a variation that has the SKU of its product has %q, want none", v.sku())
	}
	l := v.listing("EUR")
	if l.Content.Title != "Shirt - S, Red" || l.Content.Product.Key != "product-5" || l.Ref != "5:6" || !l.Content.Enabled {
		t.Errorf("got %+v", l)
	}
	if diff := cmp.Diff([]driver.Option{{Name: "Size", Value: "S"}, {Name: "Color", Value: "Red"}}, l.Content.Options); diff != "" {
		t.Errorf("options in the order of the product (-want +got)\n%s", diff)
	}
	parent.Status = statusDraft
	if v.enabled() {
		t.Error("a variation of a draft is on sale")
	}
}

func TestSKUsAreAskedForInPartsThatFit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		skus := rapid.SliceOf(rapid.StringMatching(`[a-zé,]{1,60}`)).Draw(t, "skus")
		asked := map[string]bool{}
		for _, chunk := range skuChunks(skus) {
			parts := strings.Split(chunk, ",")
			if len(parts) > readBatch && !slices.Contains(skus, chunk) {
				t.Fatalf("%d SKUs in one request", len(parts))
			}
			if len(parts) > 1 && len(chunk) > maxQuery {
				t.Fatalf("%d bytes in one request", len(chunk))
			}
			asked[chunk] = true
			for _, part := range parts {
				asked[part] = true
			}
		}
		for _, sku := range skus {
			if !asked[sku] {
				t.Fatalf("%q is not asked for", sku)
			}
		}
	})
}

// Pages of products make pages of listings, whatever number of variations the
// products have, and leave out none.
func TestAPageHoldsAsManyListingsAsAskedFor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []product
		want := map[string]bool{}
		next := int64(1000)
		for n := range rapid.IntRange(0, 30).Draw(t, "products") {
			p := product{ID: int64(n + 1), Type: rapid.SampledFrom([]string{typeSimple, typeVariable, typeGrouped}).Draw(t, "type")}
			if p.Type == typeVariable {
				for range rapid.IntRange(0, 20).Draw(t, "variations") {
					next++
					p.Variations = append(p.Variations, next)
					want[fmt.Sprintf("%d:%d", p.ID, next)] = true
				}
			}
			if p.Type == typeSimple {
				want[fmt.Sprint(p.ID)] = true
			}
			all = append(all, p)
		}
		limit := rapid.IntRange(1, 9).Draw(t, "limit")
		var at readPosition
		for pages := 0; ; pages++ {
			if pages > 700 {
				t.Fatal("the walk does not end")
			}
			wanted, on := cutPage(pageOf(all, at.Products, limit), at, limit)
			listings := 0
			for _, p := range wanted {
				for _, id := range p.Variations {
					delete(want, fmt.Sprintf("%d:%d", p.ID, id))
					listings++
				}
				if p.Type == typeSimple {
					delete(want, fmt.Sprint(p.ID))
					listings++
				}
			}
			if listings > limit {
				t.Fatalf("a page of %d listings, want at most %d", listings, limit)
			}
			if on == nil {
				break
			}
			at = *on
		}
		if len(want) > 0 {
			t.Fatalf("left out: %v", want)
		}
	})
}

// pageOf is the page of products after a position, as a walk reads it.
func pageOf(all []product, at paging.OffsetPosition, limit int) paging.OffsetPage[product] {
	end := min(at.Skip+limit, len(all))
	page := paging.OffsetPage[product]{Begin: at.Skip, Total: len(all)}
	for _, p := range all[at.Skip:end] {
		p.Variations = slices.Clone(p.Variations)
		page.Items = append(page.Items, p)
	}
	if end < len(all) {
		page.Next = &paging.OffsetPosition{Skip: end, Last: strconv.FormatInt(all[end-1].ID, 10)}
	}
	return page
}

func TestPricesFitTheShop(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		currency string
		decimals int
		minor    int64
		good     bool
	}{
		{"EUR", 2, 1999, true}, {"EUR", 0, 1999, false}, {"EUR", 0, 2000, true}, {"EUR", 1, 1990, true},
		{"JPY", 0, 500, true}, {"BHD", 2, 1234, false}, {"BHD", 2, 1230, true}, {"BHD", 3, 1234, true}, {"EUR", 2, -1, false},
	} {
		s := &shop{currency: c.currency, decimals: c.decimals}
		if err := s.checkPrice(driver.Money{Minor: c.minor, Currency: c.currency}); (err == nil) != c.good {
			t.Errorf("%d %s with %d decimals: %v, want good %v", c.minor, c.currency, c.decimals, err, c.good)
		}
	}
}
