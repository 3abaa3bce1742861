package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"selaras.dev/selaras/internal/metrics"
)

const runbooks = "https://selaras.dev/" + alertsDir + "/"

// alertNames are the alerts' names, each once, sorted.
func alertNames(f ruleFile) []string {
	var names []string
	for _, a := range f.alerts() {
		names = append(names, a.Alert)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// filesIn lists the files of a folder that end so, without the ending.
func filesIn(t *testing.T, folder, ending string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, folder))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ending); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestEveryAlertSaysWhatPeopleNeed(t *testing.T) {
	for _, a := range rulesOf(t).alerts() {
		name := a.Alert + " " + a.Labels["severity"]
		if !strings.HasPrefix(a.Alert, "Selaras") {
			t.Errorf("%s: an alert of Selaras is called Selaras…", name)
		}
		if !slices.Contains([]string{"critical", "warning"}, a.Labels["severity"]) {
			t.Errorf("%s: its severity is %q, not critical or warning", name, a.Labels["severity"])
		}
		for _, annotation := range []string{"summary", "description"} {
			if a.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", name, annotation)
			}
		}
		if want := runbooks + a.Alert + ".md"; a.Annotations["runbook_url"] != want {
			t.Errorf("%s: its runbook_url is %q, not %s", name, a.Annotations["runbook_url"], want)
		}
	}
}

func TestOneRunbookForEveryAlert(t *testing.T) {
	pages := slices.DeleteFunc(filesIn(t, alertsDir, ".md"), func(name string) bool { return name == "README" })
	if diff := cmp.Diff(alertNames(rulesOf(t)), pages); diff != "" {
		t.Errorf("alerts (-) and pages of %s (+) differ:\n%s", alertsDir, diff)
	}
	for _, name := range pages {
		text := string(readFile(t, alertsDir+"/"+name+".md"))
		var headings []string
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "#") {
				headings = append(headings, strings.TrimSpace(line))
			}
		}
		if diff := cmp.Diff([]string{"# " + name, "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"}, headings); diff != "" {
			t.Errorf("headings of %s: %s", name, diff)
		}
		_, diagnosis, _ := strings.Cut(text, "## Diagnosis")
		diagnosis, _, _ = strings.Cut(diagnosis, "## Mitigation")
		for _, language := range []string{"sh", "promql"} {
			if !strings.Contains(diagnosis, "```"+language+"\n") {
				t.Errorf("%s: its diagnosis has no %s commands", name, language)
			}
		}
	}
}

// markdownLink is a link to a file in Markdown.
var markdownLink = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	for _, document := range documents(t) {
		for _, found := range markdownLink.FindAllStringSubmatch(string(readFile(t, document)), -1) {
			target := filepath.Join(filepath.Dir(document), found[1])
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s, which is not there", document, found[1])
			}
		}
	}
}

// documents are the pages that this command's sources speak in.
func documents(t *testing.T) []string {
	t.Helper()
	pages := []string{metricsDoc}
	for _, name := range filesIn(t, alertsDir, ".md") {
		pages = append(pages, alertsDir+"/"+name+".md")
	}
	return pages
}

// Every alert is tried: it fires, it stays quiet, it resolves, and when what it
// is made of is gone, another alert speaks. The alerts on absence itself need
// no further twin.
func TestEveryAlertIsTried(t *testing.T) {
	rules := rulesOf(t)
	if diff := cmp.Diff(alertNames(rules), filesIn(t, rulesTests, ".test.yml")); diff != "" {
		t.Errorf("alerts (-) and cases in %s (+) differ:\n%s", rulesTests, diff)
	}
	ends := []string{"SelarasSyncLagAbsent", "SelarasMetricsAbsent"}
	for _, name := range alertNames(rules) {
		var file struct {
			Tests []struct {
				Name string `json:"name"`
			} `json:"tests"`
		}
		path := rulesTests + "/" + name + ".test.yml"
		if err := yaml.Unmarshal(readFile(t, path), &file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, kind := range []string{"fires", "quiet", "resolves", "absent"} {
			tried := slices.ContainsFunc(file.Tests, func(c struct {
				Name string `json:"name"`
			},
			) bool {
				return strings.HasPrefix(c.Name, kind+" ")
			})
			if !tried && (kind != "absent" || !slices.Contains(ends, name)) {
				t.Errorf("%s has no case named %q", path, kind+" …")
			}
		}
	}
}

func TestAlertsFireAndResolve(t *testing.T) {
	rules := filepath.Join(root, rulesFile)
	readFile(t, rulesFile) // so that a cached result is dropped when it changes
	promtool(t, "check", "rules", rules)
	for _, name := range filesIn(t, rulesTests, ".test.yml") {
		t.Run(name, func(t *testing.T) {
			path := rulesTests + "/" + name + ".test.yml"
			readFile(t, path)
			promtool(t, "test", "rules", filepath.Join(root, path))
		})
	}
}

func TestThePrometheusRuleIsThePlainRuleFile(t *testing.T) {
	var resource struct {
		Spec json.RawMessage `json:"spec"`
	}
	if err := yaml.Unmarshal(readFile(t, operatorRules), &resource); err != nil {
		t.Fatal(err)
	}
	spec, err := parseRules(resource.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rulesOf(t), spec); diff != "" {
		t.Errorf("%s (-) and %s (+) differ:\n%s", rulesFile, operatorRules, diff)
	}
}

// The shares of late time divide by the number of evaluations in a window.
func TestLateTimeIsCountedAgainstTheWholeWindow(t *testing.T) {
	ratio := regexp.MustCompile(`\[(\w+)\]\) / (\d+), 1\)`)
	for _, group := range rulesOf(t).Groups {
		interval, err := time.ParseDuration(group.Interval)
		if err != nil {
			t.Fatalf("group %s: its interval: %v", group.Name, err)
		}
		for _, r := range group.Rules {
			_, window, ok := strings.Cut(r.Record, ":ratio")
			if !ok {
				continue
			}
			found := ratio.FindStringSubmatch(r.Expr)
			if found == nil || found[1] != window {
				t.Errorf("%s: %s does not look at its window", r.Record, r.Expr)
				continue
			}
			length, err := time.ParseDuration(strings.Replace(window, "1d", "24h", 1))
			if err != nil {
				t.Fatal(err)
			}
			if want := strconv.Itoa(int(length / interval)); found[2] != want {
				t.Errorf("%s divides by %s; %s at an interval of %s are %s evaluations", r.Record, found[2], window, interval, want)
			}
		}
	}
}

// Worker and operator export the same lag: whoever does not aggregate has two
// alerts, or an error of the join.
func TestAlertsTakeASeriesOfSeveralExportersOnce(t *testing.T) {
	for _, d := range metrics.All() {
		if len(d.From) < 2 {
			continue
		}
		bare := regexp.MustCompile(`(max|min) by \([a-z, ]*\) \(\s*` + d.Name + `\b`)
		for _, group := range rulesOf(t).Groups {
			for _, r := range group.Rules {
				all := strings.Count(r.Expr, d.Name+"{") + strings.Count(r.Expr, d.Name+")")
				if aggregated := len(bare.FindAllString(r.Expr, -1)); all != aggregated {
					t.Errorf("%s%s takes %s %d times, of which %d by max or min: %s exports it too",
						r.Alert, r.Record, d.Name, all, aggregated, fmt.Sprint(d.From))
				}
			}
		}
	}
}
