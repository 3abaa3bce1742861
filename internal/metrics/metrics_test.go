package metrics

import (
	"slices"
	"testing"
)

func TestEveryLabelIsDescribedAndBounded(t *testing.T) {
	for _, d := range All() {
		for _, name := range d.Labels {
			if _, ok := LabelOf(d.Name, name); !ok {
				t.Errorf("%s: label %s is not described in labels.go", d.Name, name)
			}
			if slices.Contains([]string{"sku", "id", "order", "customer", "path", "url", "error", "message"}, name) {
				t.Errorf("%s: label %s has no bound (DESIGN §5.2: never SKU)", d.Name, name)
			}
		}
		if len(d.From) == 0 {
			t.Errorf("%s: no process exports it", d.Name)
		}
		if (d.Kind == Histogram) != (len(d.Buckets) > 0) {
			t.Errorf("%s: a %s with %d buckets", d.Name, d.Kind, len(d.Buckets))
		}
		if !slices.IsSorted(d.Buckets) {
			t.Errorf("%s: its buckets are not in order", d.Name)
		}
	}
}

func TestNoLabelIsDescribedForNothing(t *testing.T) {
	for _, l := range labels {
		used := slices.ContainsFunc(All(), func(d Definition) bool {
			return (l.metric == "" || l.metric == d.Name) && slices.Contains(d.Labels, l.Name)
		})
		if !used {
			t.Errorf("no metric has label %s (of %q)", l.Name, l.metric)
		}
	}
}
