package shopify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"selaras.dev/selaras/test/simulators/shopify"
)

// client speaks to a simulator as an app does.
type client struct {
	t     *testing.T
	shop  *shopify.Shop
	url   string
	token string
}

func start(t *testing.T, o shopify.Options) *client {
	t.Helper()
	shop := shopify.New(o)
	server := httptest.NewServer(shop)
	t.Cleanup(func() {
		shop.Thaw()
		server.CloseClientConnections()
		server.Close()
		shop.Close()
	})
	shop.Install("app")
	return &client{t: t, shop: shop, url: server.URL, token: shop.FixedToken("app")}
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	Data   map[string]any
	Errors any
	Cost   struct {
		Requested float64
		Actual    *float64
		Throttle  struct{ Available float64 }
	}
}

func (c *client) post(ctx context.Context, version, query string, variables map[string]any) (reply, error) {
	name := strings.FieldsFunc(query, func(r rune) bool { return r == ' ' || r == '(' || r == '{' })[1]
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables, "operationName": name})
	if err != nil {
		return reply{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/admin/api/"+version+"/graphql.json", bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("X-Shopify-Access-Token", c.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	var decoded struct {
		Data       map[string]any `json:"data"`
		Errors     any            `json:"errors"`
		Extensions struct {
			Cost struct {
				Requested float64  `json:"requestedQueryCost"`
				Actual    *float64 `json:"actualQueryCost"`
				Throttle  struct {
					Available float64 `json:"currentlyAvailable"`
				} `json:"throttleStatus"`
			} `json:"cost"`
		} `json:"extensions"`
	}
	if err := json.NewDecoder(response.Body).Decode(&decoded); err != nil {
		return reply{}, err
	}
	r := reply{status: response.StatusCode, header: response.Header, Data: decoded.Data, Errors: decoded.Errors}
	r.Cost.Requested, r.Cost.Actual = decoded.Extensions.Cost.Requested, decoded.Extensions.Cost.Actual
	r.Cost.Throttle.Available = decoded.Extensions.Cost.Throttle.Available
	return r, nil
}

func (c *client) do(query string, variables map[string]any) reply {
	c.t.Helper()
	r, err := c.post(c.t.Context(), shopify.Version, query, variables)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// code is that of the first error of the answer.
func (r reply) code() string {
	all, _ := r.Errors.([]any)
	if len(all) == 0 {
		return ""
	}
	first, _ := all[0].(map[string]any)
	extensions, _ := first["extensions"].(map[string]any)
	code, _ := extensions["code"].(string)
	return code
}

// at follows names through an answer; numbers are indexes.
func at(value any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := value.(map[string]any)
			value = m[s]
		case int:
			l, _ := value.([]any)
			if s >= len(l) {
				return nil
			}
			value = l[s]
		}
	}
	return value
}

const shopName = `query Name { shop { name } }`

func TestAVersionThatIsServedNoMoreIsAnsweredByTheOldest(t *testing.T) {
	t.Parallel()
	c := start(t, shopify.Options{})
	for version, want := range map[string]string{
		"2026-10": "2026-10", "2026-04": "2026-04", "unstable": "unstable", "2027-01": "2027-01",
		"2025-07": "2026-01", "2019-04": "2026-01", "2031-01": "", "2026-13": "", "latest": "",
	} {
		r, err := c.post(t.Context(), version, shopName, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.header.Get("X-Shopify-Api-Version"); got != want || (r.status == http.StatusOK) != (want != "") {
			t.Errorf("%s: status %d, served by %q, want %q", version, r.status, got, want)
		}
	}
}

func TestTokensAreGivenToInstalledAppsWithTheirSecret(t *testing.T) {
	t.Parallel()
	c := start(t, shopify.Options{})
	secret := c.shop.Install("granted")
	grant := func(id, secret string) (int, string) {
		response, err := http.PostForm(c.url+"/admin/oauth/access_token", url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		var got struct {
			Token string `json:"access_token"`
		}
		if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, got.Token
	}
	if status, token := grant("granted", "wrong"); status != http.StatusBadRequest || token != "" {
		t.Errorf("a wrong secret: %d %q", status, token)
	}
	_, token := grant("granted", secret)
	c.token = token
	if r := c.do(shopName, nil); at(r.Data, "shop", "name") != "Simulated shop" {
		t.Errorf("with a token: %+v", r)
	}
	c.shop.Uninstall("granted")
	if r := c.do(shopName, nil); r.status != http.StatusUnauthorized {
		t.Errorf("after the app was taken out: %+v", r)
	}
	if status, _ := grant("granted", secret); status != http.StatusBadRequest {
		t.Errorf("a grant after the app was taken out: %d", status)
	}
}

func TestRequestsAreValidatedAgainstTheSchema(t *testing.T) {
	t.Parallel()
	c := start(t, shopify.Options{})
	for name, query := range map[string]string{
		"an unknown field":    `query Q { shop { nothing } }`,
		"a missing argument":  `query Q { nodes { id } }`,
		"a wrong type":        `query Q { locations(first: "1") { nodes { id } } }`,
		"an undefined value":  `query Q { products(first: 1, sortKey: NOTHING) { nodes { id } } }`,
		"an unused variable":  `query Q($x: Int) { shop { id } }`,
		"an unknown mutation": `mutation Q { nothing { id } }`,
	} {
		if r := c.do(query, nil); r.code() == "" || r.Data != nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// The costs are those of recorded answers of Shopify, for the same requests.
func TestCostsAreThoseOfRecordedAnswers(t *testing.T) {
	t.Parallel()
	c := start(t, shopify.Options{})
	c.shop.Add(shopify.NewProduct{SKU: "A", Title: "A", Price: "1.00", Available: 1})
	variant := at(c.do(`query V { productVariants(first: 1) { nodes { id product { id } } } }`, nil).Data, "productVariants", "nodes", 0)
	id, product := at(variant, "id"), at(variant, "product", "id")
	for _, one := range []struct {
		query             string
		requested, actual float64
	}{
		{`query Q { nodes(ids: ["gid://shopify/Product/1", "gid://shopify/Product/2"]) { __typename id } }`, 1, 1},
		{`query Q { locations(first: 1) { nodes { id name } } }`, 3, 3},
		{`query Q { shop { currencyCode } locations(first: 1) { nodes { id name isActive } } }`, 4, 4},
		{`query Q { publications(first: 50) { nodes { id name } } }`, 9, 3},
		{`query Q { product(id: "gid://shopify/Product/1") { variants(first: 250) { nodes { inventoryItem { id tracked } } } } }`, 25, 1},
		{`mutation Q { productVariantsBulkUpdate(productId: "` + product.(string) + `", variants: [{id: "` + id.(string) + `"}]) { productVariants { id inventoryItem { id } } userErrors { field } } }`, 11, 11},
	} {
		r := c.do(one.query, nil)
		if r.Cost.Requested != one.requested || r.Cost.Actual == nil || *r.Cost.Actual != one.actual {
			t.Errorf("%s: cost %+v, want %v and %v", one.query, r.Cost, one.requested, one.actual)
		}
	}
}

func TestARequestThatFindsTooFewPointsIsThrottledAndNotCarriedOut(t *testing.T) {
	t.Parallel()
	for _, byStatus := range []bool{false, true} {
		c := start(t, shopify.Options{BucketSize: 1000, RestoreRate: 50, ThrottleByStatus: byStatus})
		c.shop.Add(shopify.NewProduct{SKU: "A", Title: "A", Price: "1.00"})
		product := at(c.do(`query P { productVariants(first: 1) { nodes { product { id } } } }`, nil).Data, "productVariants", "nodes", 0, "product", "id")
		c.shop.Drain(0)
		const rename = `mutation Rename($id: ID!) { productUpdate(product: {id: $id, title: "New"}) { userErrors { message } } }`
		r := c.do(rename, map[string]any{"id": product})
		if byStatus {
			if r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
				t.Errorf("got %+v, want status 429 with Retry-After", r)
			}
		} else if r.status != http.StatusOK || r.code() != "THROTTLED" || r.Cost.Requested != 10 || r.Cost.Actual != nil || r.Cost.Throttle.Available > 5 {
			t.Errorf("got %+v, want status 200 with THROTTLED and what is missing", r)
		}
		if shown, err := c.shop.Show("A"); err != nil || shown.Title != "A" {
			t.Errorf("a throttled mutation was carried out: %+v, %v", shown, err)
		}
		c.shop.Drain(20)
		if r := c.do(rename, map[string]any{"id": product}); r.Errors != nil || r.Cost.Throttle.Available > 12 {
			t.Errorf("with enough points: %+v", r)
		}
	}
}

func TestARequestThatCostsTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	c := start(t, shopify.Options{})
	query := `query Much { products(first: 250) { nodes { variants(first: 250) { nodes { inventoryItem { variants(first: 250) { nodes { id } } } } } } } }`
	if r := c.do(query, nil); r.code() != "MAX_COST_EXCEEDED" || r.Data != nil {
		t.Errorf("got %+v", r)
	}
}

// A search follows the data; what is read by id is the data.
func TestSearchesAreBehindTheData(t *testing.T) {
	t.Parallel()
	c := start(t, shopify.Options{IndexLag: 400 * time.Millisecond})
	c.shop.Add(shopify.NewProduct{SKU: "NEW-1", Title: "A", Price: "1.00"})
	const bySKU = `query Search { productVariants(first: 10, query: "sku:\"NEW-1\" OR sku:other") { nodes { id sku } } }`
	all := c.do(`query All { productVariants(first: 10) { nodes { id sku } } }`, nil)
	if at(all.Data, "productVariants", "nodes", 0, "sku") != "NEW-1" {
		t.Fatalf("the list does not show the variant: %+v", all)
	}
	if r := c.do(bySKU, nil); at(r.Data, "productVariants", "nodes", 0) != nil {
		t.Errorf("the search found at once what was made: %+v", r)
	}
	if err := c.shop.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := c.do(bySKU, nil); at(r.Data, "productVariants", "nodes", 0, "sku") != "NEW-1" {
		t.Errorf("the search does not find it later: %+v", r)
	}
	if err := c.shop.Rename("NEW-1", "RENAMED"); err != nil {
		t.Fatal(err)
	}
	if r := c.do(bySKU, nil); at(r.Data, "productVariants", "nodes", 0, "sku") != "RENAMED" {
		t.Errorf("a search finds by what was, and shows what is: %+v", r)
	}
}

func TestPagesGoOnAfterTheLastOneWhateverIsDeleted(t *testing.T) {
	t.Parallel()
	c := start(t, shopify.Options{})
	for _, sku := range []string{"A", "B", "C", "D"} {
		c.shop.Add(shopify.NewProduct{SKU: sku, Title: sku, Price: "1.00"})
	}
	const query = `query Page($after: String) { productVariants(first: 2, after: $after) { nodes { sku } pageInfo { hasNextPage endCursor } } }`
	first := c.do(query, nil)
	if at(first.Data, "productVariants", "nodes", 1, "sku") != "B" || at(first.Data, "productVariants", "pageInfo", "hasNextPage") != true {
		t.Fatalf("the first page: %+v", first)
	}
	if err := c.shop.Delete("B"); err != nil {
		t.Fatal(err)
	}
	second := c.do(query, map[string]any{"after": at(first.Data, "productVariants", "pageInfo", "endCursor")})
	if at(second.Data, "productVariants", "nodes", 0, "sku") != "C" || at(second.Data, "productVariants", "pageInfo", "hasNextPage") != false {
		t.Errorf("the second page: %+v", second)
	}
}

func TestFaultsMeetRequests(t *testing.T) {
	t.Parallel()
	c := start(t, shopify.Options{})
	c.shop.Add(shopify.NewProduct{SKU: "A", Title: "A", Price: "1.00"})
	product := at(c.do(`query P { productVariants(first: 1) { nodes { product { id } } } }`, nil).Data, "productVariants", "nodes", 0, "product", "id")
	const renames = "Rename"
	rename := func(title string, patient bool) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if !patient {
			c.shop.Before(renames, cancel)
		}
		_, err := c.post(ctx, shopify.Version, `mutation Rename($id: ID!, $title: String!) { productUpdate(product: {id: $id, title: $title}) { userErrors { message } } }`, map[string]any{"id": product, "title": title})
		return err
	}
	shows := func(what, title string) {
		t.Helper()
		show := func() any { shown, err := c.shop.Show("A"); return [2]any{shown.Title, err} }
		soon(t, what, func() bool { return show() == [2]any{title, nil} }, show)
	}
	var fault shopify.Fault
	c.shop.Fault(func(shopify.Request) shopify.Fault { return fault })
	fault = shopify.Fault{Lose: true}
	if err := rename("Lost", false); err == nil {
		t.Error("a request whose answer is lost was answered")
	}
	shows("a lost answer", "Lost")
	fault = shopify.Fault{Late: true}
	if err := rename("Late", false); err == nil {
		t.Error("a late request was answered")
	}
	soon(t, "the late request", func() bool { return c.shop.Waiting() == 1 }, func() any { return c.shop.Waiting() })
	shows("before it lands", "Lost")
	fault = shopify.Fault{}
	if err := rename("Newer", true); err != nil {
		t.Fatal(err)
	}
	if c.shop.Land() != 1 {
		t.Error("no request landed")
	}
	shows("a write that lands late", "Late")
	fault = shopify.Fault{Status: http.StatusBadGateway}
	if r := c.do(shopName, nil); r.status != http.StatusBadGateway {
		t.Errorf("got %+v", r)
	}
	fault = shopify.Fault{Code: "INTERNAL_SERVER_ERROR"}
	if r := c.do(shopName, nil); r.status != http.StatusOK || r.code() != "INTERNAL_SERVER_ERROR" {
		t.Errorf("got %+v", r)
	}
}
