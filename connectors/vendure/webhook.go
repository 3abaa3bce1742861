package vendure

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// webhookBody is what the plugin of docs/channels/vendure.md sends.
type webhookBody struct {
	Type string `json:"type"`
	Data struct {
		ProductIDs []id     `json:"productIds"`
		VariantIDs []id     `json:"variantIds"`
		SKUs       []string `json:"skus"`
		OrderID    id       `json:"orderId"`
	} `json:"data"`
}

// id is an id written as a string or as a number: inside a Vendure server ids
// are what the database has.
type id string

// UnmarshalJSON implements json.Unmarshaler.
func (i *id) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(i))
	}
	var n json.Number
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	*i = id(n)
	return nil
}

// ReceiveWebhook implements driver.WebhookReceiver.
func (c *connection) ReceiveWebhook(_ context.Context, delivery driver.Delivery) ([]driver.Signal, error) {
	const op = "receive webhook"
	if err := c.webhook.Verify(delivery, time.Now()); err != nil {
		return nil, err
	}
	var body webhookBody
	if err := json.Unmarshal(delivery.Body, &body); err != nil {
		return nil, invalid(op, "MalformedBody", "the body is not the JSON of the plugin")
	}
	return body.signals(op)
}

func (b webhookBody) signals(op string) ([]driver.Signal, error) {
	subject, _, _ := strings.Cut(b.Type, ".")
	var signals []driver.Signal
	listing := func(key driver.Key) {
		signals = append(signals, driver.Signal{Kind: driver.SignalListing, Key: key})
	}
	switch subject {
	case "ping":
		return []driver.Signal{{Kind: driver.SignalPing}}, nil
	case "variant", "price", "stock":
		for n, v := range b.Data.VariantIDs {
			key := driver.Key{Ref: driver.Ref(v)}
			if len(b.Data.SKUs) == len(b.Data.VariantIDs) {
				key.SKU = b.Data.SKUs[n]
			}
			listing(key)
		}
	case "product":
		for _, p := range b.Data.ProductIDs {
			listing(driver.Key{Ref: driver.Ref(":" + p)})
		}
	case "order", "fulfillment":
		signals = append(signals, driver.Signal{Kind: driver.SignalOrder, Order: string(b.Data.OrderID)})
	case "":
		return nil, invalid(op, "MalformedBody", "the body has no type")
	}
	// Other types are of no interest.
	return signals, nil
}
