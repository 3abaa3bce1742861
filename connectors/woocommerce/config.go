package woocommerce

import (
	"encoding/json"
	"errors"
	"sync"

	"github.com/invopop/jsonschema"
)

// Config is Channel.spec.config of a WooCommerce channel.
type Config struct {
	// WebhookURL is where the shop's webhooks for this channel go.
	WebhookURL string `json:"webhookURL,omitempty" jsonschema:"maxLength=2048,description=Address of the webhooks that the shop has for this channel (status.webhookURL). WooCommerce disables a webhook after more than five failed deliveries in a row; those of this address are made active again. Absent: webhooks of the shop are left alone."`
}

var errNotURL = errors.New("the endpoint must be an http or https URL without user information, such as https://shop.example.com")

// configSchema is made once; it depends on the Go type alone.
var configSchema = sync.OnceValue(func() json.RawMessage {
	reflector := jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true}
	schema := reflector.Reflect(&Config{})
	schema.Title = "WooCommerce channel"
	text, err := json.Marshal(schema)
	if err != nil {
		// The schema of a struct of strings always marshals.
		panic(err)
	}
	return text
})
