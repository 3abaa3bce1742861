package validation

import (
	"encoding/json"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation/field"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/connectors/driver"
)

// OwnImage says whether a Channel runs an image of its own, of whose driver
// nothing is known until it has reported.
func OwnImage(channel *selarasv1alpha1.Channel) bool { return ownImage(channel) }

// Reported returns what is wrong with a Channel by what its connector's image
// says of its driver. It is for Channels with an image of their own: the other
// drivers are known beforehand.
func (v *Validator) Reported(channel *selarasv1alpha1.Channel, says driver.Description) []Problem {
	spec := field.NewPath("spec")
	if says.Type != channel.Spec.Type {
		return []Problem{problemAt(spec.Child("type"), selarasv1alpha1.ReasonUnknownType,
			"the image of spec.connector.image brings the type %q; write that, or an image that brings %q", says.Type, channel.Spec.Type)}
	}
	if says.Title == "" {
		says.Title = says.Type
	}
	k := known{description: says}
	k.config, k.broken = v.reported.compile(says.ConfigSchema)
	return driverProblems(spec, channel, k)
}

// maxCompiled is how many schemas of third parties are remembered.
const maxCompiled = 64

// compiledSchemas remembers schemas by their text: the same one comes with
// every report.
type compiledSchemas struct {
	mu     sync.Mutex
	byText map[string]compiledSchema
}

type compiledSchema struct {
	schema *Schema
	broken error
}

func (c *compiledSchemas) compile(text json.RawMessage) (*Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.byText[string(text)]; ok {
		return known.schema, known.broken
	}
	if c.byText == nil || len(c.byText) >= maxCompiled {
		c.byText = map[string]compiledSchema{}
	}
	var compiled compiledSchema
	compiled.schema, compiled.broken = CompileSchema(text)
	c.byText[string(text)] = compiled
	return compiled.schema, compiled.broken
}
