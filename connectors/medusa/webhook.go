package medusa

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// webhookBody is what the subscriber of docs/channels/medusa.md sends: the name
// and the data of an event of the server. Data is an object, or a list of them.
type webhookBody struct {
	Type string    `json:"type"`
	Data eventData `json:"data"`
}

type eventData []eventIDs

type eventIDs struct {
	ID      string `json:"id"`
	OrderID string `json:"order_id"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *eventData) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]eventIDs)(d))
	}
	var one eventIDs
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*d = eventData{one}
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
		return nil, invalid(op, "MalformedBody", "the body is not the JSON of the subscriber")
	}
	if body.Type == "" {
		return nil, invalid(op, "MalformedBody", "the body has no type")
	}
	return body.signals(), nil
}

// signals are none for events of no interest. Those of single prices are left
// out: the variant's own event comes with them.
func (b webhookBody) signals() []driver.Signal {
	if b.Type == "ping" {
		return []driver.Signal{{Kind: driver.SignalPing}}
	}
	var signals []driver.Signal
	for _, d := range b.Data {
		if signal, ok := d.signal(b.Type); ok {
			signals = append(signals, signal)
		}
	}
	return signals
}

func (d eventIDs) signal(event string) (driver.Signal, bool) {
	listing := func(ref string) (driver.Signal, bool) {
		return driver.Signal{Kind: driver.SignalListing, Key: driver.Key{Ref: driver.Ref(ref)}}, d.ID != ""
	}
	switch {
	case strings.HasPrefix(event, "product-variant."):
		return listing(d.ID)
	case strings.HasPrefix(event, "product."):
		return listing(":" + d.ID)
	case strings.HasPrefix(event, "inventory.inventory-level."):
		return listing(levelRef + d.ID)
	case strings.HasPrefix(event, "order."):
		id := d.OrderID
		if id == "" {
			id = d.ID
		}
		return driver.Signal{Kind: driver.SignalOrder, Order: id}, id != ""
	}
	return driver.Signal{}, false
}
