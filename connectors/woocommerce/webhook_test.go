package woocommerce

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"selaras.dev/selaras/connectors/driver"
)

func signedDelivery(secret, topic, body string) driver.Delivery {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(body))
	h := http.Header{}
	h.Set("X-WC-Webhook-Topic", topic)
	h.Set("X-WC-Webhook-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return driver.Delivery{Header: h, Body: []byte(body)}
}

func TestDeliveriesSayWhereToLook(t *testing.T) {
	t.Parallel()
	c := &connection{webhookSecret: `a&"b`}
	for _, d := range []struct {
		name string
		driver.Delivery
		want  []driver.Signal
		class driver.Class
	}{
		{"a new webhook", driver.Delivery{Body: []byte("webhook_id=17")}, []driver.Signal{{Kind: driver.SignalPing}}, ""},
		{"more than the form", driver.Delivery{Body: []byte("webhook_id=17&x=1")}, nil, driver.ClassUnauthorized},
		{"a form with a signature", driver.Delivery{Header: http.Header{"X-Wc-Webhook-Signature": {"YQ=="}}, Body: []byte("webhook_id=17")}, nil, driver.ClassUnauthorized},
		{
			"a product", signedDelivery(`a&"b`, "product.updated", `{"id":5,"type":"simple","sku":"A&amp;1","parent_id":0}`),
			[]driver.Signal{{Kind: driver.SignalListing, Key: driver.Key{SKU: "A&1", Ref: "5"}}}, "",
		},
		{
			"a variation", signedDelivery(`a&"b`, "product.updated", `{"id":6,"type":"variation","sku":"A-S","parent_id":5}`),
			[]driver.Signal{{Kind: driver.SignalListing, Key: driver.Key{SKU: "A-S", Ref: "5:6"}}}, "",
		},
		{
			"a product of variations", signedDelivery(`a&"b`, "product.updated", `{"id":5,"type":"variable","sku":"A"}`),
			[]driver.Signal{{Kind: driver.SignalListing, Key: driver.Key{Ref: "5:"}}}, "",
		},
		{
			"a deleted product", signedDelivery(`a&"b`, "product.deleted", `{"id":5}`),
			[]driver.Signal{{Kind: driver.SignalListing, Key: driver.Key{Ref: "5"}}}, "",
		},
		{
			"an order", signedDelivery(`a&"b`, "order.created", `{"id":9,"billing":{"email":"x@y.test"}}`),
			[]driver.Signal{{Kind: driver.SignalOrder, Order: "9"}}, "",
		},
		{"a customer", signedDelivery(`a&"b`, "customer.updated", `{"id":9}`), nil, ""},
		{"an action", signedDelivery(`a&"b`, "action.woocommerce_add_to_cart", `{"action":"woocommerce_add_to_cart","arg":"x"}`), nil, ""},
		{"what is gone when it is told of", signedDelivery(`a&"b`, "order.updated", `{"code":"woocommerce_rest_shop_order_invalid_id","message":"Invalid ID.","data":{"status":404}}`), nil, driver.ClassInvalid},
		{"another secret", signedDelivery("b", "order.created", `{"id":9}`), nil, driver.ClassUnauthorized},
		{"no base64", driver.Delivery{Header: http.Header{"X-Wc-Webhook-Signature": {"??"}}, Body: []byte(`{"id":9}`)}, nil, driver.ClassUnauthorized},
	} {
		got, err := c.ReceiveWebhook(t.Context(), d.Delivery)
		if d.class != "" {
			if err == nil || driver.ClassOf(err) != d.class {
				t.Errorf("%s: %v, %v; want class %s", d.name, got, err, d.class)
			}
			continue
		}
		if err != nil || !cmp.Equal(got, d.want) {
			t.Errorf("%s: %v, %v; want %v", d.name, got, err, d.want)
		}
	}
}

// The shop signs with the secret as it reads, whether it was stored as HTML or
// not.
func TestASecretMayHaveBeenStoredAsHTML(t *testing.T) {
	t.Parallel()
	body := `{"id":9}`
	for _, configured := range []string{`a&"b`, `a&amp;&quot;b`} {
		c := &connection{webhookSecret: configured}
		if _, err := c.ReceiveWebhook(t.Context(), signedDelivery(`a&"b`, "order.created", body)); err != nil {
			t.Errorf("%s: %v", configured, err)
		}
	}
	for _, d := range []driver.Delivery{signedDelivery("", "order.created", body), {Body: []byte("webhook_id=17")}} {
		if _, err := (&connection{}).ReceiveWebhook(t.Context(), d); driver.ClassOf(err) != driver.ClassUnauthorized {
			t.Errorf("%s without a secret: %v, want Unauthorized", d.Body, err)
		}
	}
}

func FuzzDeliveries(f *testing.F) {
	f.Add("product.updated", []byte(`{"id":6,"type":"variation","sku":"A-S","parent_id":5}`))
	f.Add("order.created", []byte(`{"id":9e99,"sku":[],"type":null}`))
	f.Add("", []byte(`webhook_id=1`))
	f.Fuzz(func(t *testing.T, topic string, body []byte) {
		c := &connection{webhookSecret: "s"}
		got, err := c.ReceiveWebhook(t.Context(), signedDelivery("s", topic, string(body)))
		if err == nil {
			for _, s := range got {
				if s.Kind == driver.SignalListing && s.Key == (driver.Key{}) {
					t.Errorf("a signal of nothing: %+v", s)
				}
			}
			return
		}
		if class := driver.ClassOf(err); class != driver.ClassInvalid && class != driver.ClassUnauthorized {
			t.Errorf("class %s: %v", class, err)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`[{"id":5,"type":"variable","name":"A","manage_stock":"parent","stock_quantity":"1.5","meta_data":{"2":{"key":"a","value":{}}},"attributes":[{"name":"x","variation":true,"options":["1"]}],"variations":[1]}]`))
	f.Add([]byte(`[{"id":1,"number":7,"status":"completed","line_items":[{"id":2,"sku":null,"quantity":-1,"total":"NaN"}],"date_created_gmt":null}]`))
	f.Fuzz(func(_ *testing.T, body []byte) {
		var products []product
		if json.Unmarshal(body, &products) == nil {
			for _, p := range products {
				_ = item{product: p}.listing("EUR")
				_ = item{product: p, parent: &p}.listing("EUR")
			}
		}
		var orders []vendorOrder
		if json.Unmarshal(body, &orders) == nil {
			for _, o := range orders {
				_ = o.order()
			}
		}
		_ = classify("fuzz", true, 400, http.Header{}, body)
	})
}
