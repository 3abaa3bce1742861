package validation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"k8s.io/apimachinery/pkg/util/validation/field"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// Bounds of a schema, which may come from a third party's image.
const (
	maxSchemaBytes = 256 << 10
	maxProblems    = 10
)

// Schema is the compiled JSON Schema of a channel type's config. It may be
// used by several goroutines at once.
type Schema struct {
	compiled *jsonschema.Schema
}

// CompileSchema compiles a JSON Schema (2020-12 unless it says otherwise). It
// refuses schemas above 256 KiB and references to anything outside of the
// schema: a third party's schema must not make the operator read files. An
// empty schema gives nil, which allows everything.
func CompileSchema(text json.RawMessage) (*Schema, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	if len(text) > maxSchemaBytes {
		return nil, fmt.Errorf("the config schema has %d bytes, more than %d", len(text), maxSchemaBytes)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the config schema is not JSON: %w", err)
	}
	const name = "config.schema.json"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(name, document); err != nil {
		return nil, fmt.Errorf("the config schema cannot be used: %w", err)
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("the config schema cannot be used: %w", err)
	}
	return &Schema{compiled}, nil
}

// noLoader loads nothing.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s, and may refer to itself alone", url)
}

// Config checks the config of a Channel, which is of the named type; at most
// ten problems are returned. An absent config counts as an empty one, so that
// required keys are asked for.
func (s *Schema) Config(channel *selarasv1alpha1.Channel) []Problem {
	if s == nil {
		return nil
	}
	path := field.NewPath("spec", "config")
	text := []byte("{}")
	if channel.Spec.Config != nil && len(channel.Spec.Config.Raw) > 0 {
		text = channel.Spec.Config.Raw
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []Problem{problemAt(path, selarasv1alpha1.ReasonInvalidConfig, "is not JSON: %v", err)}
	}
	var invalid *jsonschema.ValidationError
	if err := s.compiled.Validate(value); err == nil {
		return nil
	} else if !errors.As(err, &invalid) {
		return []Problem{problemAt(path, selarasv1alpha1.ReasonInvalidConfig, "cannot be checked: %v", err)}
	}
	var problems []Problem
	s.leaves(path, invalid, &problems)
	return inOrder(problems)[:min(len(problems), maxProblems)]
}

// leaves collects what is wrong at the ends of the tree of causes: the nodes
// above only say that something below is.
func (s *Schema) leaves(path *field.Path, e *jsonschema.ValidationError, problems *[]Problem) {
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			s.leaves(path, cause, problems)
		}
		return
	}
	at := path
	for _, step := range e.InstanceLocation {
		if i, err := strconv.Atoi(step); err == nil {
			at = at.Index(i)
		} else {
			at = at.Child(step)
		}
	}
	add := func(at *field.Path, text string) {
		*problems = append(*problems, problemAt(at, selarasv1alpha1.ReasonInvalidConfig, "%s", text))
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			text := "is not known to this type of channel; remove it"
			if allowed := s.keysAt(e.InstanceLocation); allowed != "" {
				text += ", or write one of: " + allowed
			}
			add(at.Child(name), text)
		}
	case *kind.Required:
		for _, name := range k.Missing {
			add(at.Child(name), "is missing; this type of channel needs it")
		}
	default:
		add(at, k.LocalizedString(message.NewPrinter(language.English)))
	}
}

// keysAt lists the keys that the schema knows at the top; below it says
// nothing rather than something wrong.
func (s *Schema) keysAt(location []string) string {
	if len(location) > 0 {
		return ""
	}
	keys := make([]string, 0, len(s.compiled.Properties))
	for key := range s.compiled.Properties {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}
