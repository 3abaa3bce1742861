package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"selaras.dev/selaras/internal/metrics"
)

// A reader of PromQL that knows just enough to say which metrics and labels an
// expression speaks of. Whether it is PromQL at all is for promtool to say; the
// parser of Prometheus itself would bring its whole module with it.

// foreign are metrics of others that may be used, with their labels.
var foreign = map[string][]string{
	"controller_runtime_reconcile_total": {"controller", "result"},
	"ALERTS":                             {"alertname", "alertstate", "severity", "burn", "namespace", "catalogsync", "channel"},
	"up":                                 {"namespace", "pod", "job"},
}

var (
	// scraped are labels that a scrape or a gathering of clusters adds.
	scraped  = []string{"cluster", "job", "instance", "pod", "container"}
	grouping = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}
	words    = []string{"and", "or", "unless", "bool", "offset"}
	token    = regexp.MustCompile(`^(?:#[^\n]*|\s+|"(?:[^"\\]|\\.)*"|\$?[a-zA-Z_:][a-zA-Z0-9_:]*|[0-9.]+[a-z]*|=~|!~|!=|==|>=|<=|.)`)
	word     = regexp.MustCompile(`^[a-zA-Z_:]`)
)

// vocabulary is what expressions may speak of.
type vocabulary struct {
	// records are the labels of recorded series by their name.
	records map[string][]string
}

// newVocabulary takes in the recording rules; their series bear the labels of
// the catalogue's syncs.
func newVocabulary(f ruleFile) vocabulary {
	v := vocabulary{records: map[string][]string{}}
	for _, r := range f.records() {
		v.records[r.Record] = []string{"namespace", "catalogsync", "channel"}
	}
	return v
}

// tokens splits an expression, without blanks and comments.
func tokens(expr string) []string {
	var out []string
	for expr != "" {
		t := token.FindString(expr)
		expr = expr[len(t):]
		if strings.TrimSpace(t) != "" && !strings.HasPrefix(t, "#") {
			out = append(out, t)
		}
	}
	return out
}

// check says, a line each, which names of an expression are unknown.
func (v vocabulary) check(expr string) []string {
	var problems []string
	all := tokens(expr)
	at := func(i int) string {
		if i < len(all) {
			return all[i]
		}
		return ""
	}
	for i := 0; i < len(all); i++ {
		t := all[i]
		switch {
		case t == "[":
			for at(i) != "]" && i < len(all) {
				i++
			}
		case !word.MatchString(t) || slices.Contains(words, t):
		case slices.Contains(grouping, t):
			if at(i+1) != "(" {
				problems = append(problems, fmt.Sprintf("%s has no list of labels", t))
				continue
			}
			for i += 2; at(i) != ")" && i < len(all); i++ {
				if l := at(i); l != "," && !v.knownLabel(l) {
					problems = append(problems, fmt.Sprintf("%s (%s): no metric has this label", t, l))
				}
			}
		case at(i+1) == "(" || slices.Contains(grouping[:2], at(i+1)):
			// A function or an aggregation; promtool knows which there are.
		case at(i+1) == "{":
			end := i + 2
			for at(end) != "}" && end < len(all) {
				end++
			}
			problems = append(problems, v.selector(t, all[i+2:min(end, len(all))], at(end+1) == "[")...)
			i = end
		default:
			problems = append(problems, v.selector(t, nil, at(i+1) == "[")...)
		}
	}
	return problems
}

// labelsOf finds the labels of a series by its name; counts says whether it
// only ever counts up, so that its bare value says nothing.
func (v vocabulary) labelsOf(name string) (labels []string, counts, ok bool) {
	if labels, ok := v.records[name]; ok {
		return labels, false, true
	}
	if labels, ok := foreign[name]; ok {
		return labels, false, true
	}
	if d, ok := metrics.Find(name); ok {
		return d.Labels, d.Kind == metrics.Counter, d.Kind != metrics.Histogram
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		base, cut := strings.CutSuffix(name, suffix)
		if d, ok := metrics.Find(base); cut && ok && d.Kind == metrics.Histogram {
			labels := slices.Clone(d.Labels)
			if suffix == "_bucket" {
				labels = append(labels, "le")
			}
			return labels, true, true
		}
	}
	return nil, false, false
}

// selector checks a series' name and its matchers: label, operator, value.
func (v vocabulary) selector(name string, matchers []string, ranged bool) []string {
	labels, counts, ok := v.labelsOf(name)
	if !ok {
		return []string{name + ": no such metric"}
	}
	var problems []string
	if counts && !ranged {
		problems = append(problems, name+" only counts up: take its rate over a range")
	}
	for matcher := range slices.Chunk(slices.DeleteFunc(slices.Clone(matchers), func(t string) bool { return t == "," }), 3) {
		if len(matcher) < 3 {
			problems = append(problems, fmt.Sprintf("%s: cannot read the matcher %q", name, matcher))
			continue
		}
		label, operator, value := matcher[0], matcher[1], strings.Trim(matcher[2], `"`)
		if !slices.Contains(labels, label) && !slices.Contains(scraped, label) {
			problems = append(problems, fmt.Sprintf("%s has no label %s", name, label))
			continue
		}
		described, bounded := metrics.LabelOf(name, label)
		if !bounded || strings.Contains(value, "$") {
			continue
		}
		values := []string{value}
		if strings.HasSuffix(operator, "~") {
			values = strings.Split(value, "|")
		}
		for _, value := range values {
			if !described.Allows(value) && !strings.ContainsAny(value, ".*+") {
				problems = append(problems, fmt.Sprintf("%s: %s is never %q", name, label, value))
			}
		}
	}
	return problems
}

// knownLabel reports whether any series bears the label.
func (v vocabulary) knownLabel(name string) bool {
	if slices.Contains(scraped, name) || name == "le" {
		return true
	}
	for _, labels := range foreign {
		if slices.Contains(labels, name) {
			return true
		}
	}
	return slices.ContainsFunc(metrics.All(), func(d metrics.Definition) bool { return slices.Contains(d.Labels, name) })
}
