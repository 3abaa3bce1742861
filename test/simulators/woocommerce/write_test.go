package woocommerce

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestItemsOfABatchAnswerForThemselves(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	a := s.AddProduct(Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	s.AddProduct(Item{SKU: "B", Name: "B", Price: "1.00", Stock: 1})
	doomed := s.AddProduct(Item{SKU: "C", Name: "C", Price: "1.00", Stock: 1})
	answer := ok[map[string][]object](t, s.call(t, http.MethodPost, "/products/batch", fmt.Sprintf(
		`{"create":[{"sku":"B"},{"sku":"D","name":"D"}],"update":[{"id":%d,"regular_price":"9.99"},{"id":7777}],"delete":[%d,8888]}`, a, doomed)))
	code := func(kind string, n int) any {
		if e, _ := answer[kind][n]["error"].(object); e != nil {
			return e["code"]
		}
		return nil
	}
	if code("create", 0) != "product_invalid_sku" || answer["create"][1]["sku"] != "D" ||
		answer["update"][0]["regular_price"] != "9.99" || code("update", 1) != "woocommerce_rest_product_invalid_id" ||
		code("delete", 0) != nil || code("delete", 1) != "woocommerce_rest_product_invalid_id" {
		t.Errorf("got %v", answer)
	}
	if got := s.SKUs(); strings.Join(got, " ") != "A B D" {
		t.Errorf("the shop has %v", got)
	}
	var many []string
	for range 101 {
		many = append(many, fmt.Sprintf(`{"id":%d}`, a))
	}
	s.call(t, http.MethodPost, "/products/batch", `{"update":[`+strings.Join(many, ",")+`]}`).
		fails(t, "101 items", 413, "woocommerce_rest_request_entity_too_large")
	if got := ok[map[string][]object](t, s.call(t, http.MethodPost, "/products/batch", `{"update":[`+strings.Join(many[:100], ",")+`]}`)); len(got["update"]) != 100 {
		t.Errorf("100 items: %d answers", len(got["update"]))
	}
}

func TestABatchThatDiesIsDoneInPart(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	a, b := s.AddProduct(Item{SKU: "A", Name: "A", Price: "1.00"}), s.AddProduct(Item{SKU: "B", Name: "B", Price: "1.00"})
	s.DieInBatch(2)
	batch := fmt.Sprintf(`{"update":[{"id":%d,"regular_price":"2.00"},{"id":%d,"regular_price":"2.00"}]}`, a, b)
	s.call(t, http.MethodPost, "/products/batch", batch).fails(t, "PHP that dies", 500, "internal_server_error")
	first, _ := s.Show("A")
	second, _ := s.Show("B")
	if first.Price != "2.00" || second.Price != "1.00" {
		t.Errorf("A costs %s and B %s, want 2.00 and 1.00", first.Price, second.Price)
	}
}

// A variation that is named in the batch of another product becomes one of it.
func TestABatchMovesVariations(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	shirt := s.AddVariable("Shirt", "SHIRT", Item{SKU: "SHIRT-S", Price: "2.00", Option: "S"})
	other := s.AddVariable("Other", "OTHER", Item{SKU: "OTHER-S", Price: "2.00", Option: "S"})
	v := get[[]object](t, s, fmt.Sprintf("/products/%d/variations", shirt))[0]["id"]
	answer := ok[map[string][]object](t, s.call(t, http.MethodPost, "/products/batch", fmt.Sprintf(`{"update":[{"id":%s}]}`, v)))
	if e, _ := answer["update"][0]["error"].(object); e["code"] != "woocommerce_rest_invalid_product_id" {
		t.Errorf("a variation in a batch of products: %v", answer)
	}
	s.call(t, http.MethodPut, fmt.Sprintf("/products/%d/variations/%s", other, v), "{}").
		fails(t, "a variation of another product alone", 403, "woocommerce_rest_cannot_edit")
	ok[object](t, s.call(t, http.MethodPost, fmt.Sprintf("/products/%d/variations/batch", other), fmt.Sprintf(`{"update":[{"id":%s}]}`, v)))
	if got := get[[]object](t, s, fmt.Sprintf("/products/%d/variations", other)); len(got) != 2 {
		t.Errorf("the other product has %d variations, want 2", len(got))
	}
}

func TestTextsAreTidied(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Tea & coffee": "Tea &amp; coffee", "Tea &amp; coffee": "Tea &amp; coffee", `a\b\\c`: `ab\c`, "1 < 2": "1 &lt; 2",
		"<b>x</b>": "<b>x</b>", "a<script>b</script>c": "ac", `"q" 'q'`: `"q" 'q'`,
	} {
		if got := kses(in); got != want {
			t.Errorf("kses(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"  a \t b ": "a b", "a<b>c</b>": "ac", "a<b": "a&lt;b", "100%25": "100", "ÄÖ&%_*": "ÄÖ&%_*",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSlugsAndStockAreWooCommerces(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	create := func(body string) object {
		return ok[object](t, s.call(t, http.MethodPost, "/products", body))
	}
	first, second := create(`{"name":"Green Tea"}`), create(`{"name":"Green Tea"}`)
	draft := create(`{"name":"Green Tea","status":"draft"}`)
	if first["slug"] != "green-tea" || second["slug"] != "green-tea-2" || draft["slug"] != "" {
		t.Errorf("slugs %v, %v, %v", first["slug"], second["slug"], draft["slug"])
	}
	unmanaged := create(`{"name":"A","stock_quantity":7}`)
	if unmanaged["manage_stock"] != false || unmanaged["stock_quantity"] != nil {
		t.Errorf("a quantity that is not managed: %v", unmanaged)
	}
	managed := create(`{"name":"B","manage_stock":true,"stock_quantity":7.9,"regular_price":"x1.50","description":"text"}`)
	if fmt.Sprint(managed["stock_quantity"]) != "7" || managed["stock_status"] != "instock" || managed["regular_price"] != "1.50" {
		t.Errorf("got %v", managed)
	}
	view := get[object](t, s, fmt.Sprintf("/products/%s", managed["id"]))
	edit := get[object](t, s, fmt.Sprintf("/products/%s?context=edit", managed["id"]))
	if view["description"] == edit["description"] || edit["description"] != "text" {
		t.Errorf("the description is shown as %v and stored as %v", view["description"], edit["description"])
	}
	parent := create(`{"name":"Shirt","type":"variable","attributes":[{"name":"Größe","variation":true,"options":["S","M|L"]},{"name":"Brand","options":["X"]}]}`)
	if options := parent["attributes"].([]any)[0].(object)["options"].([]any); len(options) != 3 {
		t.Errorf("a bar in an option: %v", options)
	}
	v := ok[object](t, s.call(t, http.MethodPost, fmt.Sprintf("/products/%s/variations", parent["id"]), `{"attributes":[{"name":"größe","option":"S"},{"name":"Brand","option":"X"},{"name":"None","option":"Y"}]}`))
	if chosen := v["attributes"].([]any); len(chosen) != 1 || chosen[0].(object)["name"] != "Größe" {
		t.Errorf("the variation has %v, want the attribute for variations alone", chosen)
	}
	// Attributes of the whole shop are named by their ids alone.
	shared := s.AddVariableOfShop("Hat", "HAT", Item{SKU: "HAT-S", Price: "2.00", Option: "S"})
	for body, want := range map[string]int{`{"attributes":[{"name":"Size","option":"M"}]}`: 0, `{"attributes":[{"id":1,"option":"M"}]}`: 1} {
		v := ok[object](t, s.call(t, http.MethodPost, fmt.Sprintf("/products/%d/variations", shared), body))
		if chosen := v["attributes"].([]any); len(chosen) != want {
			t.Errorf("%s: %v, want %d", body, chosen, want)
		}
	}
}
