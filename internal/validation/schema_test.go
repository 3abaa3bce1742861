package validation

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

func channelWith(config string) *selarasv1alpha1.Channel {
	channel := &selarasv1alpha1.Channel{}
	if config != "" {
		channel.Spec.Config = &apiextensionsv1.JSON{Raw: []byte(config)}
	}
	return channel
}

func TestConfigIsJudgedByTheSchemaWithThePathOfTheField(t *testing.T) {
	t.Parallel()
	schema, err := CompileSchema(json.RawMessage(`{
		"type": "object", "additionalProperties": false, "required": ["shop"],
		"properties": {
			"shop": {"type": "string", "minLength": 2},
			"mode": {"enum": ["fast", "slow"]},
			"rows": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}}
		}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config string
		want   []string
	}{
		{config: `{"shop": "ab"}`},
		{config: "", want: []string{"spec.config.shop: is missing; this type of channel needs it"}},
		{config: `{"shop": "a"}`, want: []string{"spec.config.shop: minLength: got 1, want 2"}},
		{config: `{"shop": "ab", "mode": "warp"}`, want: []string{"spec.config.mode: value must be one of 'fast', 'slow'"}},
		{config: `{"shop": "ab", "rows": [{"id": 1}, {"id": "x"}]}`, want: []string{"spec.config.rows[1].id: got string, want integer"}},
		{config: `{"shop": "ab", "z": 1, "a": 2}`, want: []string{
			"spec.config.a: is not known to this type of channel; remove it, or write one of: mode, rows, shop",
			"spec.config.z: is not known to this type of channel; remove it, or write one of: mode, rows, shop",
		}},
		{config: `{"shop": 1, "mode": 2}`, want: []string{
			"spec.config.mode: value must be one of 'fast', 'slow'",
			"spec.config.shop: got number, want string",
		}},
	} {
		var got []string
		for _, p := range schema.Config(channelWith(c.config)) {
			got = append(got, p.String())
			if p.Reason != selarasv1alpha1.ReasonInvalidConfig {
				t.Errorf("config %s: reason %s", c.config, p.Reason)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("config %s (-want +got):\n%s", c.config, diff)
		}
	}
}

// I7: a status must not change while nothing happens.
func TestTheSameConfigGivesTheSameProblems(t *testing.T) {
	t.Parallel()
	schema, err := CompileSchema(json.RawMessage(`{"additionalProperties": false, "allOf": [
		{"required": ["a", "b"]}, {"properties": {"c": {"type": "string"}, "d": {"type": "string"}}}],
		"properties": {"c": {}, "d": {}}}`))
	if err != nil {
		t.Fatal(err)
	}
	channel := channelWith(`{"c": 1, "d": 2, "e": 3, "f": 4, "g": 5}`)
	first := schema.Config(channel)
	if len(first) != 7 {
		t.Fatalf("found %d problems, want 7: %v", len(first), first)
	}
	for range 50 {
		if diff := cmp.Diff(first, schema.Config(channel)); diff != "" {
			t.Fatalf("other problems for the same config:\n%s", diff)
		}
	}
}

// I9: a schema comes from a third party's image, and reads nothing of the
// operator's.
func TestASchemaReachesNothingOutsideOfItself(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(file, []byte(`{"type": "string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"file://" + file, file, "http://127.0.0.1:1/schema.json", "other.json"} {
		text, err := json.Marshal(map[string]any{"$ref": reference})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := CompileSchema(text); err == nil {
			t.Errorf("a schema that refers to %s compiles", reference)
		}
	}
	if _, err := CompileSchema(json.RawMessage(`{"$defs": {"a": {"type": "string"}}, "$ref": "#/$defs/a"}`)); err != nil {
		t.Errorf("a schema that refers to itself: %v", err)
	}
}

func TestASchemaThatCannotBeUsedIsAnError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{`, `{"type": "strin"}`, `{"pattern": "("}`, `{"$comment": "` + strings.Repeat("x", maxSchemaBytes) + `"}`} {
		if _, err := CompileSchema(json.RawMessage(text)); err == nil {
			t.Errorf("%.40s compiles", text)
		}
	}
	if schema, err := CompileSchema(nil); schema != nil || err != nil {
		t.Errorf("no schema gives %v, %v; want nil, nil", schema, err)
	}
	var none *Schema
	if problems := none.Config(channelWith(`{"any": "thing"}`)); problems != nil {
		t.Errorf("no schema finds %v", problems)
	}
}
