package vendure

import (
	"encoding/json"
	"errors"
	"sync"

	"github.com/invopop/jsonschema"
)

// Config is Channel.spec.config of a Vendure channel.
type Config struct {
	// ChannelToken chooses one of the server's Vendure channels.
	ChannelToken string `json:"channelToken,omitempty" jsonschema:"maxLength=255,description=Token of the Vendure channel to keep (Settings > Channels). Absent: the server's default channel."`
	// StockLocation is the id or the name of the stock location that is read
	// and written.
	StockLocation string `json:"stockLocation,omitempty" jsonschema:"maxLength=255,description=Id or name of the stock location that is read and written. Absent: the first one of the channel."`
	// TaxCategory is the id or the name of the tax category of new listings.
	TaxCategory string `json:"taxCategory,omitempty" jsonschema:"maxLength=255,description=Id or name of the tax category that new listings get. Absent: the shop's own default."`
}

var errNotURL = errors.New("the endpoint must be an http or https URL without user information, such as https://shop.example.com/admin-api")

// configSchema is made once; it depends on the Go type alone.
var configSchema = sync.OnceValue(func() json.RawMessage {
	reflector := jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true}
	schema := reflector.Reflect(&Config{})
	schema.Title = "Vendure channel"
	text, err := json.Marshal(schema)
	if err != nil {
		// The schema of a struct of strings always marshals.
		panic(err)
	}
	return text
})
