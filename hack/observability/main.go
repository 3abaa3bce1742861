// Command observability writes what Selaras ships for those who watch it, from
// the sources that hold it once: the tables of docs/metrics.md from
// internal/metrics, the PrometheusRule and the index of runbooks from the plain
// rule file, the Grafana dashboard from the panels in this package. Its tests
// hold alerts, runbooks and every expression against the catalogue of metrics.
//
//	go run ./hack/observability
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Where things are, from the root of the module.
const (
	rulesFile     = "config/prometheus/selaras.rules.yml"
	rulesTests    = "config/prometheus/tests"
	operatorRules = "config/prometheus/rules.yaml"
	dashboardFile = "config/grafana/selaras.json"
	metricsDoc    = "docs/metrics.md"
	alertsDir     = "docs/alerts"
	alertsIndex   = "docs/alerts/README.md"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "observability:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, name)
		if old, err := os.ReadFile(path); err == nil && string(old) == string(files[name]) {
			continue
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil { //nolint:gosec // documents and manifests, for everybody to read
			return fmt.Errorf("writing a generated file: %w", err)
		}
		fmt.Println("wrote", name)
	}
	return nil
}

// generate makes every generated file, by its path from the root.
func generate(root string) (map[string][]byte, error) {
	read := func(name string) ([]byte, error) {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, fmt.Errorf("reading a source (run it in the root of the module): %w", err)
		}
		return b, nil
	}
	text, err := read(rulesFile)
	if err != nil {
		return nil, err
	}
	rules, err := parseRules(text)
	if err != nil {
		return nil, err
	}
	document, err := read(metricsDoc)
	if err != nil {
		return nil, err
	}
	document, err = fillMetricsDoc(document)
	if err != nil {
		return nil, err
	}
	board, err := dashboard()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		operatorRules: prometheusRule(text),
		alertsIndex:   runbookIndex(rules),
		metricsDoc:    document,
		dashboardFile: board,
	}, nil
}
