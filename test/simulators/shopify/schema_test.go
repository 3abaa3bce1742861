package shopify_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	testshops "selaras.dev/selaras/test/shops"
	"selaras.dev/selaras/test/simulators/shopify"
)

// published is the schema as Shopify publishes it.
type published struct {
	Types      []publishedType `json:"types"`
	Directives []struct {
		Name      string   `json:"name"`
		Locations []string `json:"locations"`
		Args      []field  `json:"args"`
	} `json:"directives"`
}

type publishedType struct {
	Kind          string  `json:"kind"`
	Name          string  `json:"name"`
	IsOneOf       bool    `json:"isOneOf"`
	Fields        []field `json:"fields"`
	InputFields   []field `json:"inputFields"`
	Interfaces    []named `json:"interfaces"`
	EnumValues    []named `json:"enumValues"`
	PossibleTypes []named `json:"possibleTypes"`
}

type named struct {
	Name string `json:"name"`
}

type field struct {
	Name       string   `json:"name"`
	Args       []field  `json:"args"`
	Type       kindOf   `json:"type"`
	Default    *string  `json:"defaultValue"`
	Deprecated bool     `json:"isDeprecated"`
	Locations  []string `json:"locations"`
}

type kindOf struct {
	Kind string  `json:"kind"`
	Name string  `json:"name"`
	Of   *kindOf `json:"ofType"`
}

func (k kindOf) String() string {
	switch k.Kind {
	case "NON_NULL":
		return k.Of.String() + "!"
	case "LIST":
		return "[" + k.Of.String() + "]"
	}
	return k.Name
}

func readPublished(t *testing.T) map[string]publishedType {
	t.Helper()
	file, err := os.Open(testshops.ShopifySchema(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var introspection struct {
		Data struct {
			Schema published `json:"__schema"`
		} `json:"data"`
	}
	if err := json.NewDecoder(text).Decode(&introspection); err != nil {
		t.Fatal(err)
	}
	types := map[string]publishedType{}
	for _, one := range introspection.Data.Schema.Types {
		types[one.Name] = one
	}
	if len(types) < 1000 {
		t.Fatalf("the published schema has %d types, so nothing would be compared", len(types))
	}
	for _, d := range introspection.Data.Schema.Directives {
		if d.Name == "idempotent" && (len(d.Args) != 1 || d.Args[0].Type.String() != "String!" || !slices.Equal(d.Locations, []string{"FIELD"})) {
			t.Errorf("@idempotent is published as %+v", d)
		}
	}
	return types
}

// deprecated are fields that are used although they are to go: a sales channel
// has no other name.
var deprecated = []string{"Publication.name"}

// What the driver is validated against is what Shopify publishes: every type,
// field, argument and value, and no argument left out that must be given.
func TestTheSchemaIsTheOneThatIsPublished(t *testing.T) {
	t.Parallel()
	types := readPublished(t)
	for name, mine := range shopify.Schema().Types {
		if mine.BuiltIn || strings.HasPrefix(name, "__") {
			continue
		}
		theirs, ok := types[name]
		if !ok {
			t.Errorf("there is no type %s", name)
			continue
		}
		if string(mine.Kind) != theirs.Kind {
			t.Errorf("%s is %s, published as %s", name, mine.Kind, theirs.Kind)
		}
		if oneOf := mine.Directives.ForName("oneOf") != nil; oneOf != theirs.IsOneOf {
			t.Errorf("%s @oneOf: %v, published as %v", name, oneOf, theirs.IsOneOf)
		}
		compareFields(t, mine, theirs)
		compareEnum(t, mine, theirs)
		for _, implemented := range mine.Interfaces {
			if !slices.Contains(theirs.Interfaces, named{implemented}) {
				t.Errorf("%s does not implement %s", name, implemented)
			}
		}
	}
}

func compareFields(t *testing.T, mine *ast.Definition, theirs publishedType) {
	t.Helper()
	all := slices.Concat(theirs.Fields, theirs.InputFields)
	for _, f := range mine.Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		name := mine.Name + "." + f.Name
		i := slices.IndexFunc(all, func(p field) bool { return p.Name == f.Name })
		if i < 0 {
			t.Errorf("there is no %s", name)
			continue
		}
		p := all[i]
		compareValue(t, name, f.Type, f.DefaultValue, p)
		if p.Deprecated != slices.Contains(deprecated, name) {
			t.Errorf("%s is deprecated: %v", name, p.Deprecated)
		}
		for _, a := range f.Arguments {
			i := slices.IndexFunc(p.Args, func(p field) bool { return p.Name == a.Name })
			if i < 0 {
				t.Errorf("%s has no argument %s", name, a.Name)
				continue
			}
			compareValue(t, name+"("+a.Name+")", a.Type, a.DefaultValue, p.Args[i])
		}
		for _, a := range p.Args {
			if a.Type.Kind == "NON_NULL" && a.Default == nil && f.Arguments.ForName(a.Name) == nil {
				t.Errorf("%s must be given %s", name, a.Name)
			}
		}
	}
	for _, p := range theirs.InputFields {
		if p.Type.Kind == "NON_NULL" && p.Default == nil && mine.Fields.ForName(p.Name) == nil {
			t.Errorf("%s must be given %s", mine.Name, p.Name)
		}
	}
}

func compareValue(t *testing.T, name string, mine *ast.Type, byDefault *ast.Value, theirs field) {
	t.Helper()
	if mine.String() != theirs.Type.String() {
		t.Errorf("%s is %s, published as %s", name, mine, theirs.Type)
	}
	switch {
	case byDefault == nil && theirs.Default == nil:
	case byDefault == nil || theirs.Default == nil || byDefault.String() != *theirs.Default:
		t.Errorf("%s: default %v, published as %v", name, byDefault, theirs.Default)
	}
}

func compareEnum(t *testing.T, mine *ast.Definition, theirs publishedType) {
	t.Helper()
	for _, value := range theirs.EnumValues {
		if mine.Kind == ast.Enum && mine.EnumValues.ForName(value.Name) == nil {
			t.Errorf("%s lacks %s", mine.Name, value.Name)
		}
	}
	for _, value := range mine.EnumValues {
		if !slices.Contains(theirs.EnumValues, named{value.Name}) {
			t.Errorf("%s has no %s", mine.Name, value.Name)
		}
	}
}
