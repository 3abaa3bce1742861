package woocommerce

import (
	"encoding/json"
	"errors"
	"net/url"
	"sync"

	"github.com/invopop/jsonschema"
)

// Config is Channel.spec.config of a WooCommerce channel.
type Config struct {
	// WebhookURL is where the shop's webhooks for this channel go.
	WebhookURL string `json:"webhookURL,omitempty" jsonschema:"maxLength=2048,description=Address of the channel's webhooks (status.webhookURL). Webhooks to it are made in the shop and made active again where WooCommerce disabled them after failed deliveries; needs the key webhookSecret. Absent: webhooks of the shop are left alone."`
}

var errNotURL = errors.New("the endpoint must be an http or https URL without user information, such as https://shop.example.com")

var errNotWebhookURL = errors.New("config.webhookURL must be a URL without user information, such as https://hooks.example.com/webhooks/retail/webshop")

// checkWebhookURL checks the address of webhooks, which may be absent.
func checkWebhookURL(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return errNotWebhookURL
	}
	return nil
}

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
