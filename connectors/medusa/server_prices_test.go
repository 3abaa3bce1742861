//go:build medusa

package medusa

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selaras.dev/selaras/connectors/driver"
)

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
