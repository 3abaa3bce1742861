package woocommerce

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What WooCommerce's reference of the API (wc/v3) names, of what is shown here.
// Two things are as the code has them and not as they are written there: the
// price of a line is a number, and manage_stock of a variation may be a word.
var documented = map[string]string{
	"products": "attributes:list backorders:text description:text id:number manage_stock:flag meta_data:list name:text " +
		"parent_id:number price:text regular_price:text sale_price:text sku:text slug:text status:text stock_quantity:number " +
		"stock_status:text type:text variations:list " + documentedTimes,
	"products.attributes": "id:number name:text options:list position:number variation:flag visible:flag",
	"variations": "attributes:list backorders:text description:text id:number manage_stock:flag meta_data:list price:text " +
		"regular_price:text sale_price:text sku:text status:text stock_quantity:number stock_status:text " + documentedTimes,
	"variations.attributes": "id:number name:text option:text",
	"orders": "billing:object currency:text date_completed:time date_completed_gmt:time date_paid:time date_paid_gmt:time " +
		"id:number line_items:list meta_data:list number:text refunds:list shipping:object status:text total:text " + documentedTimes,
	"orders.line_items": "id:number meta_data:list name:text price:number product_id:number quantity:number sku:text total:text " +
		"total_tax:text variation_id:number",
	"orders.refunds":     "id:number reason:text total:text",
	"refunds":            "amount:text date_created:time date_created_gmt:time id:number line_items:list",
	"refunds.line_items": "id:number meta_data:list quantity:number",
	"webhooks": "delivery_url:text event:text hooks:list id:number name:text resource:text status:text topic:text " +
		documentedTimes,
}

const documentedTimes = "date_created:time date_created_gmt:time date_modified:time date_modified_gmt:time"

func TestWhatIsShownIsWhatIsDocumented(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	s.AddProduct(Item{SKU: "A", Name: "A", Price: "1.00", Stock: 1})
	id := s.AddVariable("Shirt", "SHIRT", Item{SKU: "S", Price: "2.00", Stock: 3, Option: "S"})
	order, err := s.PlaceOrder("processing", Line{"A", 1}, Line{"S", 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Refund(order, true, Line{"S", 1}); err != nil {
		t.Fatal(err)
	}
	_, address := startHooked(t)
	if _, err := s.AddWebhooks(address, "s", "order.created"); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"products": "/products", "variations": fmt.Sprintf("/products/%d/variations", id), "orders": "/orders",
		"refunds": "/orders/" + order + "/refunds", "webhooks": "/webhooks",
	} {
		list := get[[]object](t, s, path)
		if len(list) == 0 {
			t.Errorf("%s: nothing is shown", name)
		}
		for _, o := range list {
			isDocumented(t, name, o)
		}
	}
}

// isDocumented checks an object, and the objects in its lists.
func isDocumented(t *testing.T, name string, o object) {
	t.Helper()
	kinds := map[string]string{}
	for field := range strings.FieldsSeq(documented[name]) {
		key, kind, _ := strings.Cut(field, ":")
		kinds[key] = kind
	}
	for key, value := range o {
		if kinds[key] == "" {
			t.Errorf("%s: %s is not documented", name, key)
			continue
		}
		if got := kindOf(value); value != nil && got != kinds[key] && (got != "text" || kinds[key] != "time") {
			t.Errorf("%s: %s is %s (%v), documented is %s", name, key, got, value, kinds[key])
		}
		parts, _ := value.([]any)
		for _, part := range parts {
			if p, isObject := part.(object); isObject && documented[name+"."+key] != "" {
				isDocumented(t, name+"."+key, p)
			}
		}
	}
	for key := range kinds {
		if _, shown := o[key]; !shown {
			t.Errorf("%s: %s is not shown", name, key)
		}
	}
}

func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case json.Number:
		return "number"
	case bool:
		return "flag"
	case []any:
		return "list"
	}
	return "object"
}
