package shopify

import (
	"encoding/json"
	"errors"
	"sync"

	"github.com/invopop/jsonschema"
)

// Config is Channel.spec.config of a Shopify channel.
type Config struct {
	// Location is the id or the name of the location whose stock is kept.
	Location string `json:"location,omitempty" jsonschema:"maxLength=255,description=Id or name of the location whose stock is read and written. Absent: the shop's primary location."`
	// Publication is the id or the name of the sales channel in which products
	// are sold.
	Publication string `json:"publication,omitempty" jsonschema:"maxLength=255,description=Id or name of the sales channel to keep: a listing counts as on sale only where its product is published to it. Absent: the Online Store where the shop has it."`
	// WebhookURL is where the shop's webhooks for this channel go.
	WebhookURL string `json:"webhookURL,omitempty" jsonschema:"maxLength=2048,description=Address of the channel's webhooks (status.webhookURL). The app's subscriptions to it are made in the shop and made again where Shopify deleted them after failed deliveries. Absent: subscriptions are left to the app's own configuration."`
}

var errNotWebhookURL = errors.New("config.webhookURL must be a URL without user information, such as https://hooks.example.com/webhooks/retail/webshop")

var errNotURL = errors.New("the endpoint must be the address of the shop, an http or https URL without user information, such as https://example.myshopify.com")

// configSchema is made once; it depends on the Go type alone.
var configSchema = sync.OnceValue(func() json.RawMessage {
	reflector := jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true}
	schema := reflector.Reflect(&Config{})
	schema.Title = "Shopify channel"
	text, err := json.Marshal(schema)
	if err != nil {
		// The schema of a struct of strings always marshals.
		panic(err)
	}
	return text
})
