package woocommerce

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// An order takes stock once and gives it back once, whichever way it goes, and
// its lines say how much of it they have.
func TestOrdersTakeAndGiveBackStock(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	s.AddProduct(Item{SKU: "A", Name: "A", Price: "2.00", Stock: 10})
	id, err := s.PlaceOrder("pending", Line{"A", 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		status  string
		stock   int64
		reduced string
	}{
		{"pending", 10, ""}, {"on-hold", 7, "3"}, {"processing", 7, "3"}, {"completed", 7, "3"}, {"cancelled", 10, ""},
		{"processing", 7, "3"}, {"pending", 10, ""}, {"failed", 10, ""}, {"processing", 7, "3"}, {"failed", 7, "3"}, {"refunded", 7, "3"},
	} {
		if err := s.SetStatus(id, step.status); err != nil {
			t.Fatal(err)
		}
		shown, _ := s.Show("A")
		o := get[object](t, s, "/orders/"+id)
		if got := reducedOf(o); shown.Stock != step.stock || got != step.reduced || o["status"] != step.status {
			t.Errorf("%s: stock %d, line %q; want %d, %q", step.status, shown.Stock, got, step.stock, step.reduced)
		}
	}
	if _, err := s.PlaceOrder("processing", Line{"A", 8}); err == nil {
		t.Error("8 of 7 were sold")
	}
}

func reducedOf(o object) string {
	line := o["line_items"].([]any)[0].(object)
	for _, m := range line["meta_data"].([]any) {
		if m.(object)["key"] == "_reduced_stock" {
			return m.(object)["value"].(string)
		}
	}
	return ""
}

func TestRefundsGiveBackWhatTheyAreAskedTo(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	s.AddVariable("Shirt", "SHIRT", Item{SKU: "A", Price: "2.00", Stock: 10, Option: "S"})
	id, err := s.PlaceOrder("processing", Line{"A", 3})
	if err != nil {
		t.Fatal(err)
	}
	o := get[object](t, s, "/orders/"+id)
	line := o["line_items"].([]any)[0].(object)["id"]
	s.Pass(time.Second)
	ok[object](t, s.call(t, http.MethodPost, "/orders/"+id+"/refunds", fmt.Sprintf(`{"line_items":[{"id":%s,"quantity":1}]}`, line)))
	ok[object](t, s.call(t, http.MethodPost, "/orders/"+id+"/refunds", fmt.Sprintf(`{"api_restock":false,"line_items":[{"id":%s,"quantity":1}]}`, line)))
	shown, _ := s.Show("A")
	after := get[object](t, s, "/orders/"+id)
	if shown.Stock != 8 || reducedOf(after) != "2" || after["status"] != "processing" || after["date_modified_gmt"] == o["date_modified_gmt"] {
		t.Errorf("one restocked and one not: stock %d, %v", shown.Stock, after)
	}
	refunds := get[[]object](t, s, "/orders/"+id+"/refunds")
	back := refunds[0]["line_items"].([]any)[0].(object)
	if len(refunds) != 2 || fmt.Sprint(back["quantity"]) != "-1" || back["meta_data"].([]any)[0].(object)["value"] != fmt.Sprint(line) {
		t.Errorf("refunds %v", refunds)
	}
	if err := s.Refund(id, true); err != nil {
		t.Fatal(err)
	}
	shown, _ = s.Show("A")
	if o := get[object](t, s, "/orders/"+id); o["status"] != "refunded" || shown.Stock != 9 {
		t.Errorf("all refunded: %v, stock %d", o["status"], shown.Stock)
	}
}

// What an order does to a variation is seen in its product, by the time of its
// last change.
func TestASaleMovesTheTimeOfTheProduct(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	id := s.AddVariable("Shirt", "SHIRT", Item{SKU: "A", Price: "2.00", Stock: 10, Option: "S"})
	before := get[object](t, s, fmt.Sprintf("/products/%d", id))["date_modified_gmt"]
	s.Pass(2 * time.Second)
	created := ok[object](t, s.call(t, http.MethodPost, "/orders", fmt.Sprintf(
		`{"set_paid":true,"line_items":[{"product_id":%d,"variation_id":%d,"quantity":2}]}`, id, id+1)))
	if created["status"] != "processing" {
		t.Fatalf("got %v", created)
	}
	if after := get[object](t, s, fmt.Sprintf("/products/%d", id))["date_modified_gmt"]; after == before {
		t.Errorf("the product is as of %v, before and after", before)
	}
	var known bool
	for _, total := range get[[]object](t, s, "/reports/orders/totals") {
		known = known || total["slug"] == "processing" && total["total"] == json.Number("1")
	}
	if !known {
		t.Error("the totals do not count the order")
	}
	if err := s.SetStatus(fmt.Sprint(created["id"]), "completed"); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("A"); err != nil {
		t.Fatal(err)
	}
	o := get[[]object](t, s, "/orders?status=completed")[0]
	if sku := o["line_items"].([]any)[0].(object)["sku"]; sku != nil || o["date_completed_gmt"] == nil {
		t.Errorf("the line of a deleted product has the SKU %v, order %v", sku, o)
	}
}
