package woocommerce

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// Headers of a delivery. Its X-WC-Webhook-Delivery-ID is of no use: two
// deliveries in one second have the same. Deliveries are hints, so one that
// comes twice does no harm.
const (
	headerSignature = "X-WC-Webhook-Signature"
	headerTopic     = "X-WC-Webhook-Topic"
)

// maxDelivery bounds a body: that of an order with a hundred lines is far below.
const maxDelivery = 1 << 20

// ping is the whole body of what a shop sends when a webhook is made. It is a
// form, and not signed.
var ping = regexp.MustCompile(`^webhook_id=[0-9]{1,20}$`)

// ReceiveWebhook implements driver.WebhookReceiver.
func (c *connection) ReceiveWebhook(_ context.Context, delivery driver.Delivery) ([]driver.Signal, error) {
	const op = "receive webhook"
	header := http.Header(delivery.Header)
	if c.webhookSecret == "" {
		return nil, &driver.Error{Class: driver.ClassUnauthorized, Op: op, Reason: "WebhookSecretMissing", Message: "the Secret has no key " + KeyWebhookSecret}
	}
	if ping.Match(delivery.Body) && header.Get(headerSignature) == "" {
		return []driver.Signal{{Kind: driver.SignalPing}}, nil
	}
	if len(delivery.Body) > maxDelivery {
		return nil, invalid(op, "BodyTooLarge", "the body is larger than 1 MiB")
	}
	if !c.signed(delivery.Body, header.Get(headerSignature)) {
		return nil, &driver.Error{Class: driver.ClassUnauthorized, Op: op, Reason: "BadSignature", Message: "the signature is not one of this secret"}
	}
	return signals(op, header.Get(headerTopic), delivery.Body)
}

// signed checks the signature. The shop signs with the secret as it was typed,
// or, where it was stored as HTML, as that reads.
func (c *connection) signed(body []byte, signature string) bool {
	got, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || len(got) == 0 {
		return false
	}
	for _, secret := range []string{c.webhookSecret, plain(c.webhookSecret)} {
		mac := hmac.New(sha256.New, []byte(secret))
		_, _ = mac.Write(body)
		if hmac.Equal(got, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

// signals say where to look. The topic is not signed, and need not be: whatever
// it says, the reading is the fact.
func signals(op, topic string, body []byte) ([]driver.Signal, error) {
	var resource struct {
		ID       int64  `json:"id"`
		ParentID int64  `json:"parent_id"`
		Type     string `json:"type"`
		SKU      string `json:"sku"`
	}
	if err := json.Unmarshal(body, &resource); err != nil {
		return nil, invalid(op, "MalformedBody", "the body is not the JSON of a WooCommerce webhook")
	}
	kind, _, _ := strings.Cut(strings.ToLower(topic), ".")
	if kind != "product" && kind != "order" {
		// Of no interest here; "action" has no resource at all.
		return nil, nil
	}
	if resource.ID <= 0 {
		return nil, invalid(op, "MalformedBody", "the body names no "+kind)
	}
	id := strconv.FormatInt(resource.ID, 10)
	if kind == "order" {
		return []driver.Signal{{Kind: driver.SignalOrder, Order: id}}, nil
	}
	p := product{Type: resource.Type}
	key := driver.Key{SKU: plain(resource.SKU), Ref: driver.Ref(id)}
	switch {
	case p.Type == typeVariation:
		key.Ref = driver.Ref(fmt.Sprintf("%d:%d", resource.ParentID, resource.ID))
	case p.hasVariations():
		key = driver.Key{Ref: driver.Ref(id + ":")}
	}
	return []driver.Signal{{Kind: driver.SignalListing, Key: key}}, nil
}
