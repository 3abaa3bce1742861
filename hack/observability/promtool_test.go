package main

import (
	"os/exec"
	"testing"
)

// promtool runs Prometheus' own tool, which must be there: what the alerts do
// is known by trying them alone.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is not installed. On Debian, as root: hack/prometheus/install.sh " +
			"(apt-get install --no-install-recommends prometheus). Elsewhere: put promtool of github.com/prometheus/prometheus, " +
			"2.42 or later, on PATH.")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("promtool %v: %v\n%s", args, err, out)
	}
}
