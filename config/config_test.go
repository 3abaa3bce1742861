package config_test

import (
	"strings"
	"testing"

	"selaras.dev/selaras/config"
)

// The embedded manifests render and hold the kinds, the operator and the hub.
func TestDefaultHoldsEverything(t *testing.T) {
	t.Parallel()
	rendered, err := config.Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"name: channels.selaras.dev", "name: catalogsyncs.selaras.dev", "name: selaras-operator", "name: selaras-hub", "kind: ClusterRole\n"} {
		if !strings.Contains(string(rendered), want) {
			t.Errorf("config/default does not hold %q", want)
		}
	}
	kinds, err := config.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(kinds), "kind: CustomResourceDefinition"); got != 2 {
		t.Errorf("config/crd holds %d kinds, want 2", got)
	}
}
