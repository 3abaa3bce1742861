package conformance

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"selaras.dev/selaras/connectors/driver"
)

func (s *suite) descriptionCases() []testCase {
	return []testCase{
		{name: "DescriptionIsComplete", run: descriptionIsComplete},
		{name: "AConnectionImplementsWhatTheDescriptionSays", run: implementsItsCapabilities},
		{name: "OpenRefusesWhatCannotBeRight", run: openRefuses},
		{name: "AccountIsStable", run: accountIsStable},
	}
}

func descriptionIsComplete(t *testing.T, s *suite) {
	d := s.description
	if d.Type == "" || d.Version == "" || d.Title == "" || len(d.Credentials) == 0 || len(d.Capabilities) == 0 {
		t.Errorf("the description is not complete: %+v", d)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.ConfigSchema))
	if err != nil {
		t.Fatalf("ConfigSchema: %v", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("config.json", document); err != nil {
		t.Fatalf("ConfigSchema: %v", err)
	}
	schema, err := compiler.Compile("config.json")
	if err != nil {
		t.Fatalf("ConfigSchema: %v", err)
	}
	if err := schema.Validate(map[string]any{"noSuchKey": true}); err == nil {
		t.Error("ConfigSchema takes a key that does not exist")
	}
	if err := schema.Validate(map[string]any{}); err != nil && len(s.shop.Settings.Config) == 0 {
		t.Errorf("ConfigSchema refuses the empty config that the shop works with: %v", err)
	}
	if has := s.has(driver.CanWriteStock); has.have && (d.Traits.StockMode == "" || d.Traits.StockBasis == "") {
		t.Error("the driver writes stock and declares no stock mode or basis")
	}
}

func implementsItsCapabilities(t *testing.T, s *suite) {
	c := s.open(t)
	got := driver.Capabilities(c.Connection, s.description)
	less := func(a, b driver.Capability) bool { return a < b }
	if diff := cmp.Diff(s.description.Capabilities, got, cmpopts.SortSlices(less)); diff != "" {
		t.Errorf("capabilities: declared (-) and implemented (+) differ:\n%s", diff)
	}
}

func openRefuses(t *testing.T, s *suite) {
	for name, change := range map[string]func(*driver.Settings){
		"an endpoint that is no URL": func(x *driver.Settings) { x.Endpoint = "::not a URL" },
		"another scheme":             func(x *driver.Settings) { x.Endpoint = "ftp://127.0.0.1/" },
		"an unknown currency":        func(x *driver.Settings) { x.Currency = "ZZZ" },
		"a config key of no meaning": func(x *driver.Settings) { x.Config = []byte(`{"noSuchKey": true}`) },
		"config that is no object":   func(x *driver.Settings) { x.Config = []byte(`[`) },
		"no credentials":             func(x *driver.Settings) { x.Credentials = nil },
	} {
		settings := s.shop.Settings
		change(&settings)
		connection, err := s.shop.Driver.Open(s.context(t), settings)
		if err == nil {
			_ = connection.Close()
			t.Errorf("Open took %s", name)
		} else if driver.ClassOf(err) != driver.ClassInvalid {
			t.Errorf("Open with %s: class %s, want Invalid: %v", name, driver.ClassOf(err), err)
		}
	}
}

func accountIsStable(t *testing.T, s *suite) {
	ctx := s.context(t)
	first, err := s.open(t).Account(ctx)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.open(t).Account(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if first.ID == "" || first != second {
		t.Errorf("two connections to one account say %+v and %+v", first, second)
	}
}
