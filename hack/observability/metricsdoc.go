package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"selaras.dev/selaras/internal/metrics"
)

// fillMetricsDoc replaces what stands between the marks of docs/metrics.md,
//
//	<!-- generated: NAME -->
//	<!-- end -->
//
// and leaves the rest, which people write.
func fillMetricsDoc(document []byte) ([]byte, error) {
	sections := map[string]string{
		"sync":    metricTable("selaras_sync_"),
		"channel": metricTable("selaras_channel_"),
		"hub":     metricTable("selaras_facts_", "selaras_hub_"),
		"labels":  labelTable(),
	}
	const open, end = "<!-- generated: ", "<!-- end -->\n"
	var out bytes.Buffer
	rest := string(document)
	for {
		before, after, found := strings.Cut(rest, open)
		out.WriteString(before)
		if !found {
			break
		}
		name, after, ok := strings.Cut(after, " -->\n")
		if !ok {
			return nil, fmt.Errorf("%s: a mark %q does not end", metricsDoc, open)
		}
		text, known := sections[name]
		if !known {
			return nil, fmt.Errorf("%s: mark %q is unknown or stands twice", metricsDoc, name)
		}
		delete(sections, name)
		_, after, ok = strings.Cut(after, end)
		if !ok {
			return nil, fmt.Errorf("%s: mark %q has no %q", metricsDoc, name, strings.TrimSpace(end))
		}
		out.WriteString(open + name + " -->\n" + text + end)
		rest = after
	}
	for name := range sections {
		return nil, fmt.Errorf("%s: the mark %q is missing", metricsDoc, open+name+" -->")
	}
	return out.Bytes(), nil
}

func metricTable(prefixes ...string) string {
	var out strings.Builder
	out.WriteString("| metric | type | labels | exported by | meaning |\n|---|---|---|---|---|\n")
	for _, d := range metrics.All() {
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(d.Name, p) }) {
			continue
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s |\n",
			d.Name, d.Kind, strings.Join(d.Labels, ", "), strings.Join(d.From, ", "), d.Help)
	}
	return out.String()
}

func labelTable() string {
	var out strings.Builder
	out.WriteString("| label | of | holds |\n|---|---|---|\n")
	seen := map[string]bool{}
	for _, d := range metrics.All() {
		for _, name := range d.Labels {
			label, _ := metrics.LabelOf(d.Name, name)
			if key := name + label.Help; !seen[key] {
				seen[key] = true
				holds := label.Help
				if len(label.Values) > 0 {
					holds += " One of: `" + strings.Join(label.Values, "`, `") + "`."
				}
				fmt.Fprintf(&out, "| `%s` | %s | %s |\n", name, bearers(name, label), holds)
			}
		}
	}
	return out.String()
}

// bearers names the metrics that bear a label in one meaning.
func bearers(name string, label metrics.Label) string {
	var names []string
	for _, d := range metrics.All() {
		if l, ok := metrics.LabelOf(d.Name, name); ok && l.Help == label.Help && slices.Contains(d.Labels, name) {
			names = append(names, "`"+d.Name+"`")
		}
	}
	if len(names) > 3 {
		return fmt.Sprintf("%d metrics", len(names))
	}
	return strings.Join(names, ", ")
}
