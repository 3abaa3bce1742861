package driver

import (
	"encoding/json"
	"testing"
)

func TestConfigIsReadStrictly(t *testing.T) {
	t.Parallel()
	type config struct {
		Location string `json:"location"`
	}
	for text, want := range map[string]string{``: "preset", `null`: "preset", `{}`: "preset", `{"location":"Main"}`: "Main"} {
		got := config{Location: "preset"}
		if err := DecodeConfig(json.RawMessage(text), &got); err != nil || got.Location != want {
			t.Errorf("%q: %+v, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`{"locaton":"Main"}`, `{"location":5}`, `{} {}`, `[]`, `{`} {
		if err := DecodeConfig(json.RawMessage(text), &config{}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
