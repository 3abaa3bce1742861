package medusa

import (
	"encoding/json"
	"errors"
	"sync"

	"github.com/invopop/jsonschema"
)

// Config is Channel.spec.config of a Medusa channel.
type Config struct {
	// SalesChannel is the id or the name of the sales channel in which products
	// are sold.
	SalesChannel string `json:"salesChannel,omitempty" jsonschema:"maxLength=255,description=Id or name of the sales channel to keep: a listing counts as on sale only where its product is in it. Absent: any; new products go to the store's default."`
	// StockLocation is the id or the name of the stock location that is read
	// and written.
	StockLocation string `json:"stockLocation,omitempty" jsonschema:"maxLength=255,description=Id or name of the stock location that is read and written. Absent: the store's default or else its oldest."`
	// Region is the id or the name of the region whose prices are read and
	// written.
	Region string `json:"region,omitempty" jsonschema:"maxLength=255,description=Id or name of the region whose own prices are read and written; its currency must be the channel's. Absent: the prices of the currency."`
}

var errNotURL = errors.New("the endpoint must be an http or https URL without user information, such as https://shop.example.com")

// configSchema is made once; it depends on the Go type alone.
var configSchema = sync.OnceValue(func() json.RawMessage {
	reflector := jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true}
	schema := reflector.Reflect(&Config{})
	schema.Title = "Medusa channel"
	text, err := json.Marshal(schema)
	if err != nil {
		// The schema of a struct of strings always marshals.
		panic(err)
	}
	return text
})
