package woocommerce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestKeysAreTakenOverTLSAndSignaturesOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	if a := s.call(t, http.MethodGet, "/products", ""); a.status != http.StatusOK {
		t.Errorf("a key over TLS: %d %s", a.status, a.text)
	}
	wrong := *s
	wrong.key.ConsumerSecret = "cs_wrong"
	wrong.call(t, http.MethodGet, "/products", "").fails(t, "a wrong secret", 401, "woocommerce_rest_authentication_error")
	wrong.key.ConsumerKey = "ck_wrong"
	wrong.call(t, http.MethodGet, "/products", "").fails(t, "a key that does not exist", 401, "woocommerce_rest_cannot_view")
	reader := *s
	reader.key = s.NewKey(false)
	reader.call(t, http.MethodPost, "/products", "{}").fails(t, "a key that may not write", 401, "woocommerce_rest_authentication_error")

	open := httptest.NewServer(s.Shop)
	defer open.Close()
	try := func(what string, status int, code string, header string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, open.URL+root+"/products?sku=a%20b", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", header)
		a := send(t, open.Client(), request)
		if status != http.StatusOK {
			a.fails(t, what, status, code)
		} else if a.status != status {
			t.Errorf("%s: %d %s", what, a.status, a.text)
		}
	}
	basic := &http.Request{Header: http.Header{}}
	basic.SetBasicAuth(s.key.ConsumerKey, s.key.ConsumerSecret)
	try("a key over plain HTTP", 401, "woocommerce_rest_cannot_view", basic.Header.Get("Authorization"))
	oauth := func(algorithm, nonce, secret, address string, at time.Time) string {
		params := map[string][]string{
			"oauth_consumer_key": {s.key.ConsumerKey}, "oauth_nonce": {nonce}, "oauth_signature_method": {algorithm},
			"oauth_timestamp": {strconv.FormatInt(at.Unix(), 10)}, "sku": {"a b"},
		}
		signature, _ := sign(http.MethodGet, address+root+"/products", params, algorithm, secret)
		params["oauth_signature"] = []string{signature}
		delete(params, "sku")
		var fields []string
		for name, values := range params {
			fields = append(fields, fmt.Sprintf("%s=%q", name, url.QueryEscape(values[0])))
		}
		return "OAuth " + strings.Join(fields, ", ")
	}
	now := time.Now()
	const refused = "woocommerce_rest_authentication_error"
	try("a signature", 200, "", oauth("HMAC-SHA256", "1", s.key.ConsumerSecret, open.URL, now))
	try("the same again", 401, refused, oauth("HMAC-SHA256", "1", s.key.ConsumerSecret, open.URL, now))
	try("with SHA-1", 200, "", oauth("HMAC-SHA1", "2", s.key.ConsumerSecret, open.URL, now))
	try("another algorithm", 401, refused, oauth("PLAINTEXT", "3", s.key.ConsumerSecret, open.URL, now))
	try("another secret", 401, refused, oauth("HMAC-SHA256", "4", "cs_wrong", open.URL, now))
	try("another address", 401, refused, oauth("HMAC-SHA256", "5", s.key.ConsumerSecret, "http://shop.test", now))
	try("an old one", 401, refused, oauth("HMAC-SHA256", "6", s.key.ConsumerSecret, open.URL, now.Add(-16*time.Minute)))
}

// The text that is signed, as RFC 5849 (3.4.1.1) has it, with the signature that
// OpenSSL makes of it.
func TestSignaturesAreThoseOfTheRFC(t *testing.T) {
	t.Parallel()
	got, good := sign(http.MethodPost, "http://example.com/request", map[string][]string{
		"b5": {"=%3D"}, "a3": {"a", "2 q"}, "c@": {""}, "a2": {"r b"}, "c2": {""},
		"oauth_consumer_key": {"9djdj82h48djs9d2"}, "oauth_token": {"kkk9d7dh3k39sjv7"},
		"oauth_signature_method": {"HMAC-SHA1"}, "oauth_timestamp": {"137131201"}, "oauth_nonce": {"7d8f3e4a"},
	}, "HMAC-SHA1", "j49sk3j29djd")
	if want := "Cz2XkNrhhu/mc60P6A1OxO2z6IM="; got != want || !good {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestErrorsHaveTheirEnvelope(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	id := s.AddProduct(Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/nothing", "", 404, "rest_no_route"},
		{"GET", "/products/7777", "", 404, "woocommerce_rest_product_invalid_id"},
		{"PUT", "/products/7777", "{}", 400, "woocommerce_rest_product_invalid_id"},
		{"GET", "/products/7777/variations", "", 404, "woocommerce_rest_product_invalid_id"},
		{"GET", "/products?per_page=101", "", 400, "rest_invalid_param"},
		{"GET", "/products?page=0", "", 400, "rest_invalid_param"},
		{"GET", "/products?orderby=color", "", 400, "rest_invalid_param"},
		{"GET", "/orders?orderby=modified", "", 400, "rest_invalid_param"}, // in new versions only
		{"GET", "/products?modified_after=yesterday", "", 400, "rest_invalid_param"},
		{"GET", "/orders?status=nosuch", "", 400, "rest_invalid_param"},
		{"POST", "/products", "{", 400, "rest_invalid_json"},
		{"POST", "/products", `{"sku":"a"}`, 400, "product_invalid_sku"},
		{"POST", "/products", `{"id":7}`, 400, "woocommerce_rest_product_exists"},
		{"DELETE", fmt.Sprintf("/products/%d", id), "", 501, "woocommerce_rest_trash_not_supported"},
		{"POST", "/webhooks", `{"topic":"nosuch.thing","delivery_url":"https://x.test"}`, 400, "woocommerce_rest_shop_webhook_invalid_topic"},
		{"POST", "/webhooks", `{"topic":"order.created","delivery_url":"x"}`, 400, "woocommerce_rest_shop_webhook_invalid_delivery_url"},
		{"PUT", "/webhooks/7777", `{"status":"active"}`, 400, "woocommerce_rest_shop_webhook_invalid_id"},
	} {
		s.call(t, c.method, c.path, c.body).fails(t, c.method+" "+c.path, c.status, c.code)
	}
	outside, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+"/shop", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := send(t, s.server.Client(), outside); a.status != 404 || !strings.Contains(a.text, "<html>") {
		t.Errorf("outside the API: %d %s", a.status, a.text)
	}
	newest := newSite(t, Options{Before103: true})
	newest.call(t, "GET", "/variations", "").fails(t, "the list of variations before 10.3", 404, "rest_no_route")
}

func TestListsArePages(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	var all []string
	for n := range 25 {
		all = append(all, strconv.FormatInt(s.AddProduct(Item{SKU: fmt.Sprint("A", n), Name: "A", Price: "1.00", Stock: 1}), 10))
	}
	a := s.call(t, http.MethodGet, "/products?orderby=id&order=asc&page=2", "")
	if got := ids(ok[[]object](t, a)); got != strings.Join(all[10:20], ",") {
		t.Errorf("the second page is %s", got)
	}
	if a.header.Get("X-WP-Total") != "25" || a.header.Get("X-WP-TotalPages") != "3" ||
		!strings.Contains(a.header.Get("Link"), `rel="prev"`) || !strings.Contains(a.header.Get("Link"), `page=3>; rel="next"`) {
		t.Errorf("headers %v", a.header)
	}
	a = s.call(t, http.MethodGet, "/products?orderby=id&order=asc&offset=20&per_page=100", "")
	if got := ids(ok[[]object](t, a)); got != strings.Join(all[20:], ",") || a.header.Get("X-WP-Total") != "25" {
		t.Errorf("by offset: %s, %v", got, a.header)
	}
	// Where nothing is found, WordPress counts nothing; WooCommerce makes up for
	// that with pages only.
	for query, total := range map[string]string{"offset=30": "0", "page=9": "25"} {
		if a = s.call(t, http.MethodGet, "/products?"+query, ""); a.text != "[]" || a.header.Get("X-WP-Total") != total {
			t.Errorf("%s: %s of %s", query, a.text, a.header.Get("X-WP-Total"))
		}
	}
	if got := get[[]object](t, s, "/products?_fields=sku&include="+all[3]); len(got) != 1 || len(got[0]) != 2 || got[0]["sku"] != "A3" {
		t.Errorf("fields that are asked for: %v", got)
	}
}

func TestTheStatusIsToldInParts(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{Currency: "JPY"})
	part := get[object](t, s, "/system_status?_fields=environment.store_id,settings.currency,settings.nothing")
	if len(part) != 2 || len(part["environment"].(object)) != 1 || part["settings"].(object)["currency"] != "JPY" || s.Lookups() != 0 {
		t.Errorf("got %v, %d lookups", part, s.Lookups())
	}
	if whole := get[object](t, s, "/system_status?_fields=environment"); len(whole) != 1 || s.Lookups() != 1 {
		t.Errorf("the whole environment: %v, %d lookups; want one", whole, s.Lookups())
	}
}

func TestVariationsAreListedBySKUAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	simple := s.AddProduct(Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	shirt := s.AddVariable("Shirt", "SHIRT", Item{SKU: "SHIRT-S", Price: "2.00", Stock: 3, Option: "S"}, Item{SKU: "", Price: "2.00", Option: "M"})
	if got := ids(get[[]object](t, s, "/products?orderby=id&order=asc")); got != fmt.Sprintf("%d,%d", simple, shirt) {
		t.Errorf("the list of products: %s", got)
	}
	found := get[[]object](t, s, "/products?sku=a,shirt-s,none&orderby=id&order=asc")
	if len(found) != 2 || found[1]["type"] != "variation" || found[1]["parent_id"] != json.Number(fmt.Sprint(shirt)) || found[1]["name"] != "Shirt - S" {
		t.Errorf("by SKU: %v", found)
	}
	product := get[object](t, s, fmt.Sprintf("/products/%d", shirt))
	if list := product["variations"].([]any); len(list) != 2 {
		t.Errorf("the product names %v", list)
	}
	own := get[[]object](t, s, fmt.Sprintf("/products/%d/variations?orderby=id&order=asc", shirt))
	if len(own) != 2 || own[0]["parent_id"] != nil || own[0]["type"] != nil || own[1]["sku"] != "SHIRT" {
		t.Errorf("the variations of a product: %v", own)
	}
	every := get[[]object](t, s, "/variations?orderby=id&order=asc")
	if len(every) != 2 || every[0]["parent_id"] != json.Number(fmt.Sprint(shirt)) {
		t.Errorf("all variations: %v", every)
	}
}

// Times are whole seconds. A filter without a zone is compared as it is, one with
// a zone in that of the site, also where the column is in UTC.
func TestTimesAreReadAsWordPressReadsThem(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 999, time.UTC)
	s := newSite(t, Options{Clock: func() time.Time { return now }})
	s.AddProduct(Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	p := get[[]object](t, s, "/products")[0]
	if p["date_modified_gmt"] != "2026-11-22T10:00:00" || p["date_modified"] != "2026-11-22T17:00:00" {
		t.Errorf("got %v and %v", p["date_modified_gmt"], p["date_modified"])
	}
	for query, want := range map[string]int{
		"modified_after=2026-11-22T09:59:59&dates_are_gmt=true":  1,
		"modified_after=2026-11-22T10:00:00&dates_are_gmt=true":  0, // strictly after
		"modified_after=2026-11-22T09:59:59Z&dates_are_gmt=true": 0, // taken for 16:59:59
		"modified_after=2026-11-22T09:59:59Z":                    1,
		"modified_after=2026-11-22T16:59:59":                     1,
		"modified_before=2026-11-22T10:00:01&dates_are_gmt=true": 1,
	} {
		if got := get[[]object](t, s, "/products?"+query); len(got) != want {
			t.Errorf("%s: %d products, want %d", query, len(got), want)
		}
	}
}

func TestWhatLagsIsReadLate(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	id := s.AddProduct(Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	s.Pass(time.Minute)
	s.Lag(5 * time.Second)
	written := ok[object](t, s.call(t, http.MethodPut, fmt.Sprintf("/products/%d", id), `{"regular_price":"2.00"}`))
	read := func() any { return get[object](t, s, fmt.Sprintf("/products/%d", id))["regular_price"] }
	if written["regular_price"] != "2.00" || read() != "1.00" {
		t.Errorf("written %v, read %v; want 2.00 and still 1.00", written["regular_price"], read())
	}
	s.Pass(6 * time.Second)
	if read() != "2.00" {
		t.Errorf("six seconds later: %v", read())
	}
}
