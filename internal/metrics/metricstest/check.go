// Package metricstest holds what a process exports against the catalogue of
// internal/metrics.
package metricstest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"selaras.dev/selaras/internal/metrics"
)

// kept are the prefixes of what libraries export beside our own metrics.
var kept = []string{
	"go_", "process_", "promhttp_",
	"controller_runtime_", "workqueue_", "rest_client_", "leader_election_", "certwatcher_",
}

// Check gathers what a process (operator, connector, catalog) exports and fails
// the test on every metric that the catalogue does not name, does not ascribe
// to that process or describes otherwise, on label values outside their bounds,
// and on what `promtool check metrics` would find in our own metrics.
func Check(t testing.TB, gatherer prometheus.Gatherer, process string) {
	t.Helper()
	families, err := gatherer.Gather()
	if err != nil {
		t.Errorf("gathering the metrics of %s: %v", process, err)
	}
	for _, problem := range problems(families, process) {
		t.Error(problem)
	}
}

// Exports fails the test when one of the metrics has no series. Check alone
// cannot miss what is absent.
func Exports(t testing.TB, gatherer prometheus.Gatherer, want ...metrics.Definition) {
	t.Helper()
	families, err := gatherer.Gather()
	if err != nil {
		t.Errorf("gathering metrics: %v", err)
	}
	for _, d := range want {
		if !slices.ContainsFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == d.Name }) {
			t.Errorf("%s is not exported", d.Name)
		}
	}
}

// problems says, a line each, what is wrong with a process' metrics.
func problems(families []*dto.MetricFamily, process string) []string {
	var lines []string
	var own []*dto.MetricFamily
	for _, family := range families {
		name := family.GetName()
		if !strings.HasPrefix(name, "selaras_") {
			if !slices.ContainsFunc(kept, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
				lines = append(lines, fmt.Sprintf("%s: a metric of Selaras is called selaras_…, and no library that is known here exports it", name))
			}
			continue
		}
		own = append(own, family)
		definition, ok := metrics.Find(name)
		if !ok {
			lines = append(lines, fmt.Sprintf("%s: not in the catalogue; add a Definition to internal/metrics", name))
			continue
		}
		lines = append(lines, compare(family, definition, process)...)
	}
	found, err := promlint.NewWithMetricFamilies(own).Lint()
	if err != nil {
		lines = append(lines, fmt.Sprintf("linting the metrics of %s: %v", process, err))
	}
	for _, problem := range found {
		lines = append(lines, fmt.Sprintf("%s: %s", problem.Metric, problem.Text))
	}
	return lines
}

func compare(family *dto.MetricFamily, definition metrics.Definition, process string) []string {
	var lines []string
	complain := func(format string, args ...any) {
		line := definition.Name + ": " + fmt.Sprintf(format, args...)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if !slices.Contains(definition.From, process) {
		complain("exported by %s, in the catalogue by %s", process, strings.Join(definition.From, ", "))
	}
	if kind := strings.ToLower(family.GetType().String()); kind != string(definition.Kind) {
		complain("a %s, in the catalogue a %s", kind, definition.Kind)
	}
	if family.GetHelp() != definition.Help {
		complain("its help is %q, in the catalogue %q", family.GetHelp(), definition.Help)
	}
	want := slices.Sorted(slices.Values(definition.Labels))
	for _, metric := range family.GetMetric() {
		var names []string
		for _, pair := range metric.GetLabel() {
			names = append(names, pair.GetName())
			if label, ok := metrics.LabelOf(definition.Name, pair.GetName()); ok && !label.Allows(pair.GetValue()) {
				complain("label %s is %q, which is none of %s", label.Name, pair.GetValue(), strings.Join(label.Values, ", "))
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, want) {
			complain("has the labels %s, in the catalogue %s", strings.Join(names, ", "), strings.Join(want, ", "))
		}
	}
	return lines
}
