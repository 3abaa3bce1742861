package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"selaras.dev/selaras/internal/metrics"
)

// expression is PromQL and where it stands.
type expression struct{ where, expr string }

// alertExpressions are those of the rules.
func alertExpressions(f ruleFile) []expression {
	var out []expression
	for _, group := range f.Groups {
		for _, r := range group.Rules {
			out = append(out, expression{"rule " + r.Alert + r.Record, r.Expr})
		}
	}
	return out
}

// boardOf reads the dashboard as it is shipped.
func boardOf(t *testing.T) board {
	t.Helper()
	var b board
	if err := json.Unmarshal(readFile(t, dashboardFile), &b); err != nil {
		t.Fatalf("%s: %v", dashboardFile, err)
	}
	return b
}

func panelExpressions(b board) []expression {
	var out []expression
	for _, p := range b.Panels {
		for _, target := range p.Targets {
			out = append(out, expression{fmt.Sprintf("panel %q %s", p.Title, target.RefID), target.Expr})
		}
	}
	return out
}

// documentExpressions are the promql blocks of the documents.
func documentExpressions(t *testing.T) []expression {
	t.Helper()
	var out []expression
	for _, name := range documents(t) {
		rest := string(readFile(t, name))
		for n := 1; ; n++ {
			_, after, found := strings.Cut(rest, "```promql\n")
			if !found {
				break
			}
			block, after, _ := strings.Cut(after, "```")
			out = append(out, expression{fmt.Sprintf("%s, block %d", name, n), block})
			rest = after
		}
	}
	return out
}

func TestEveryExpressionSpeaksOfMetricsThatExist(t *testing.T) {
	rules := rulesOf(t)
	v := newVocabulary(rules)
	board := boardOf(t)
	all := slices.Concat(alertExpressions(rules), panelExpressions(board), documentExpressions(t))
	for _, a := range board.Annotations.List {
		all = append(all, expression{"annotation " + a.Name, a.Expr})
	}
	for _, s := range board.Templating.List {
		if s.Definition != "" { // label_values(series, label)
			inner := strings.TrimSuffix(strings.TrimPrefix(s.Definition, "label_values("), ")")
			comma := strings.LastIndex(inner, ", ")
			series, label := inner[:comma], inner[comma+2:]
			all = append(all, expression{"variable " + s.Name, series})
			if !v.knownLabel(label) {
				t.Errorf("variable %s: no metric has label %s", s.Name, label)
			}
		}
	}
	if len(all) < 80 {
		t.Fatalf("found only %d expressions, so little was checked", len(all))
	}
	for _, e := range all {
		for _, problem := range v.check(e.expr) {
			t.Errorf("%s: %s\n\t%s", e.where, problem, e.expr)
		}
	}
}

func TestTheCheckFindsWhatDoesNotExist(t *testing.T) {
	v := newVocabulary(rulesOf(t))
	for _, c := range []struct{ expr, want string }{
		{`selaras_channel_up`, ""},
		{`max by (namespace, channel) (selaras_channel_up{namespace="a"}) == 0`, ""},
		{`sum by (le) (rate(selaras_sync_propagation_seconds_bucket{le="1"}[$__rate_interval]))`, ""},
		{`selaras:sync_lag_above_target:ratio1h{channel="a"} > 0.1`, ""},
		{`time() - selaras_channel_intake_timestamp_seconds{kind="items"} > 5m`, ""},
		{`selaras_channel_upp`, "no such metric"},
		{`selaras_channel_up{sku="4711"}`, "has no label sku"},
		{`max by (sku) (selaras_channel_up)`, "no metric has this label"},
		{`selaras_channel_up unless on (shop) selaras_channel_info`, "no metric has this label"},
		{`selaras_sync_lag_seconds{cause="changes"}`, `cause is never "changes"`},
		{`selaras_sync_items{state=~"pending|broken"}`, `state is never "broken"`},
		{`selaras_channel_info{state="in_sync"}`, `state is never "in_sync"`},
		{`sum(selaras_facts_total)`, "take its rate"},
		{`selaras_sync_propagation_seconds`, "no such metric"},
		{`rate(selaras_channel_up_bucket[5m])`, "no such metric"},
		{`selaras_channel_up_total`, "no such metric"},
	} {
		got := strings.Join(v.check(c.expr), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: found %q, want %q", c.expr, got, c.want)
		}
	}
}

// concrete replaces what Grafana would fill in.
var concrete = strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$channel", ".*", "$catalogsync", ".*")

// What is shipped is PromQL in the eyes of Prometheus itself.
func TestEveryExpressionIsPromQL(t *testing.T) {
	group := ruleGroup{Name: "expressions"}
	for i, e := range slices.Concat(panelExpressions(boardOf(t)), documentExpressions(t)) {
		group.Rules = append(group.Rules, rule{Record: "e" + strconv.Itoa(i), Expr: concrete.Replace(e.expr)})
	}
	promtool(t, "check", "rules", writeYAML(t, ruleFile{Groups: []ruleGroup{group}}))
}

// A panel that never shows anything is worse than none: on an installation in
// which everything happens, every panel has data.
func TestEveryPanelShowsSomething(t *testing.T) {
	type query struct {
		Expr    string           `json:"expr"`
		Time    string           `json:"eval_time"`
		Samples []map[string]any `json:"exp_samples"`
	}
	type series struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	type group struct {
		Name        string   `json:"name"`
		Interval    string   `json:"interval"`
		Input       []series `json:"input_series"`
		Expressions []query  `json:"promql_expr_test"`
	}
	test := group{Name: "every panel shows something", Interval: "30s"}
	for name, values := range everything() {
		test.Input = append(test.Input, series{Series: name, Values: values})
	}
	slices.SortFunc(test.Input, func(a, b series) int { return strings.Compare(a.Series, b.Series) })
	expressions := panelExpressions(boardOf(t))
	for _, a := range boardOf(t).Annotations.List {
		expressions = append(expressions, expression{"annotation " + a.Name, a.Expr})
	}
	for _, e := range documentExpressions(t) {
		// What looks for trouble may find none; it must not be an error, though two processes export a series.
		test.Expressions = append(test.Expressions, query{
			Expr: "(count(" + e.expr + ") or vector(0)) >= bool 0", Time: "2h",
			Samples: []map[string]any{{"labels": "{}", "value": 1}},
		})
	}
	for _, e := range expressions {
		// The result is 1 when there is a series, and empty when there is none.
		test.Expressions = append(test.Expressions, query{
			Expr: "count(" + concrete.Replace(e.expr) + ") > bool 0", Time: "2h",
			Samples: []map[string]any{{"labels": "{}", "value": 1}},
		})
	}
	rules, err := filepath.Abs(filepath.Join(root, rulesFile))
	if err != nil {
		t.Fatal(err)
	}
	promtool(t, "test", "rules", writeYAML(t, map[string]any{
		"rule_files": []string{rules}, "evaluation_interval": "30s", "tests": []group{test},
	}))
}

// everything is every metric of every process that exports it, with every value
// of its bounded labels and two resources of each kind: promtool's notation of
// the values by the series' name.
func everything() map[string]string {
	all := map[string]string{`controller_runtime_reconcile_total{controller="catalogsync",result="error"}`: "0+1x300"}
	outside := map[string][]string{
		"namespace": {"retail", "wholesale"}, "catalogsync": {"main", "outlet"}, "channel": {"webshop", "marketplace"}, "type": {"vendure"},
	}
	for _, d := range metrics.All() {
		var sets []map[string]string
		for _, process := range d.From {
			sets = append(sets, map[string]string{"job": process})
		}
		for _, name := range d.Labels {
			label, _ := metrics.LabelOf(d.Name, name)
			values := label.Values
			if len(values) == 0 {
				values = outside[name]
			}
			var more []map[string]string
			for _, set := range sets {
				for _, value := range values {
					next := maps.Clone(set)
					next[name] = value
					more = append(more, next)
				}
			}
			sets = more
		}
		for _, set := range sets {
			values := "60+0x300"
			switch {
			case d.Kind != metrics.Gauge:
				values = "0+10x300"
			case strings.HasSuffix(d.Name, "_info"):
				values = "1+0x300"
			case d.Name == metrics.ChannelUp.Name: // it does not answer, so that its alert and its count have something to show
				values = "0+0x300"
			case d.Name == metrics.SyncLagTarget.Name:
				values = "10+0x300"
			}
			if d.Kind != metrics.Histogram {
				all[seriesName(d.Name, set)] = values
				continue
			}
			all[seriesName(d.Name+"_count", set)] = values
			all[seriesName(d.Name+"_sum", set)] = values
			for _, bound := range d.Buckets {
				set["le"] = strconv.FormatFloat(bound, 'g', -1, 64)
				all[seriesName(d.Name+"_bucket", set)] = values
			}
			set["le"] = "+Inf"
			all[seriesName(d.Name+"_bucket", set)] = values
		}
	}
	return all
}

func seriesName(name string, labels map[string]string) string {
	var pairs []string
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, fmt.Sprintf("%s=%q", label, labels[label]))
	}
	return name + "{" + strings.Join(pairs, ",") + "}"
}

func writeYAML(t *testing.T, value any) string {
	t.Helper()
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "generated.yml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
