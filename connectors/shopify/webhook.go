package shopify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// maxBody bounds the body of a delivery.
const maxBody = 1 << 20

// The headers of a delivery. Those of the newer events have no prefix.
const (
	headerSignature = "X-Shopify-Hmac-Sha256"
	headerTopic     = "X-Shopify-Topic"
	headerShop      = "X-Shopify-Shop-Domain"
	plainPrefix     = "Shopify-"
)

// webhookBody holds what tells where to look. Bodies of products, inventory and
// orders all have numbers for ids.
type webhookBody struct {
	ID        json.Number `json:"id"`
	SKU       *string     `json:"sku"`
	ItemID    json.Number `json:"inventory_item_id"`
	OrderID   json.Number `json:"order_id"`
	OrderEdit struct {
		OrderID json.Number `json:"order_id"`
	} `json:"order_edit"`
	Variants []struct {
		ID  json.Number `json:"id"`
		SKU *string     `json:"sku"`
	} `json:"variants"`
}

// ReceiveWebhook implements driver.WebhookReceiver. A delivery that comes again,
// with the Webhook-Id of the first, says the same again: it may have come again
// because the first was not taken in.
func (c *connection) ReceiveWebhook(_ context.Context, delivery driver.Delivery) ([]driver.Signal, error) {
	const op = "receive webhook"
	if len(delivery.Body) > maxBody {
		return nil, invalid(op, "TooLarge", "the body is larger than 1 MiB")
	}
	header := http.Header(delivery.Header)
	if !c.signed(headerOf(header, headerSignature), delivery.Body) {
		return nil, &driver.Error{Class: driver.ClassUnauthorized, Op: op, Reason: "WrongSignature", Message: "the signature is not one of the app's client secret"}
	}
	if from := headerOf(header, headerShop); !c.isShop(from) {
		return nil, invalid(op, "OtherShop", "the delivery is of another shop that has the app installed")
	}
	var body webhookBody
	if err := json.Unmarshal(delivery.Body, &body); err != nil {
		return nil, invalid(op, "MalformedBody", "the body is not the JSON of a webhook")
	}
	return c.signals(op, headerOf(header, headerTopic), body)
}

func headerOf(header http.Header, name string) string {
	if value := header.Get(name); value != "" {
		return value
	}
	return header.Get(plainPrefix + strings.TrimPrefix(name, "X-"+plainPrefix))
}

func (c *connection) signed(signature string, body []byte) bool {
	given, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || len(given) == 0 {
		return false
	}
	mac := hmac.New(sha256.New, []byte(c.secret))
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}

// isShop says that the domain is that of the shop, as far as it is known: one
// app, and so one secret, may be installed in several shops.
func (c *connection) isShop(domain string) bool {
	own := c.api.endpoint.Hostname()
	if known := c.shop.peek(); known != nil {
		own = known.domain
	} else if !strings.HasSuffix(own, ".myshopify.com") {
		return true
	}
	return domain == "" || strings.EqualFold(domain, own)
}

// signals are none for topics of no interest.
func (c *connection) signals(op, topic string, body webhookBody) ([]driver.Signal, error) {
	subject, _, _ := strings.Cut(topic, "/")
	var (
		signals []driver.Signal
		known   = true
	)
	switch subject {
	case "products":
		signals = body.ofProduct()
	case "inventory_levels":
		signals = c.ofItem(body.ItemID.String(), nil)
	case "inventory_items":
		signals = c.ofItem(body.ID.String(), body.SKU)
	case "orders":
		signals = ofOrder(body.OrderEdit.OrderID, body.ID)
	case "refunds", "fulfillments":
		signals = ofOrder(body.OrderID)
	default:
		known = false
	}
	if known && len(signals) == 0 {
		return nil, invalid(op, "MalformedBody", "the body does not say what it is about")
	}
	return signals, nil
}

func listingSignal(sku, ref string) driver.Signal {
	return driver.Signal{Kind: driver.SignalListing, Key: driver.Key{SKU: sku, Ref: driver.Ref(ref)}}
}

// ofProduct are signals for the variants, or for the product where they are not
// told.
func (b webhookBody) ofProduct() []driver.Signal {
	var signals []driver.Signal
	for _, v := range b.Variants {
		if id := number(v.ID.String()); id != "" && v.SKU != nil && *v.SKU != "" {
			signals = append(signals, listingSignal(*v.SKU, id))
		}
	}
	if id := number(b.ID.String()); id != "" && len(signals) == 0 {
		signals = append(signals, listingSignal("", refProduct+id))
	}
	return signals
}

func (c *connection) ofItem(id string, sku *string) []driver.Signal {
	if id = number(id); id == "" {
		return nil
	}
	name := c.known.sku(id)
	if sku != nil && *sku != "" {
		name = *sku
	}
	return []driver.Signal{listingSignal(name, refItem+id)}
}

func ofOrder(ids ...json.Number) []driver.Signal {
	for _, id := range ids {
		if n := number(id.String()); n != "" {
			return []driver.Signal{{Kind: driver.SignalOrder, Order: n}}
		}
	}
	return nil
}
