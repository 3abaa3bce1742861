package demo

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/config"
)

// The demo says in one line what Node it needs.
func TestNodeVersions(t *testing.T) {
	t.Parallel()
	for version, fits := range map[string]bool{"v20.20.2": true, "v24.1.0": true, "v18.19.0": false, "": false, "v": false, "nonsense": false} {
		err := nodeFits(version)
		if (err == nil) != fits {
			t.Errorf("%q: %v, want fits = %t", version, err, fits)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the message has several lines: %v", version, err)
		}
	}
}

// What the demo expects of the shops is what config/samples asks for.
func TestSamplesSayWhatTheStoryExpects(t *testing.T) {
	t.Parallel()
	samples, err := config.Samples()
	if err != nil {
		t.Fatal(err)
	}
	channels := map[string]bool{}
	var sync selarasv1alpha1.CatalogSync
	for document := range strings.SplitSeq(string(samples), "\n---\n") {
		object := unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		switch object.GetKind() {
		case "Channel":
			channels[object.GetName()] = true
		case "CatalogSync":
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &sync); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := map[string]bool{"webshop": true, "marketplace": true, "outlet": true}; !cmp.Equal(channels, want) {
		t.Errorf("Channels %v, want %v", channels, want)
	}
	if sync.Name != syncName || sync.Spec.Source.Channel != "webshop" || len(sync.Spec.Channels.Overrides) != 1 {
		t.Fatalf("CatalogSync %+v", sync.Spec)
	}
	override := sync.Spec.Channels.Overrides[0]
	if override.Channel != "outlet" || override.Price.Rule != "item.price * 0.8" || *override.Stock.SafetyStock != outletSafety {
		t.Errorf("override %+v", override)
	}
	if got := outletRules(shown{name: "Laptop", price: 1299_99, available: 7}); got != (shown{name: "Laptop", price: 1039_99, available: 2}) {
		t.Errorf("the outlet shows %v", got)
	}
	if got := outletRules(shown{price: 10, available: 3}); got != (shown{price: 8}) {
		t.Errorf("the outlet shows %v", got)
	}
}

// A comparison counts what is right and names something that is not.
func TestDifferences(t *testing.T) {
	t.Parallel()
	source := map[string]shown{"a": {"A", 100, 5}, "b": {"B", 200, 6}}
	for _, c := range []struct {
		target map[string]shown
		right  int
		wrong  string
	}{
		{map[string]shown{"a": {"A", 100, 5}, "b": {"B", 200, 6}}, 2, ""},
		{map[string]shown{"a": {"A", 100, 5}}, 1, "b is missing"},
		{map[string]shown{"a": {"A", 100, 5}, "b": {"B", 199, 6}}, 1, `b shows "B" at $1.99, 6 available, should show "B" at $2.00, 6 available`},
		{map[string]shown{"a": {"A", 100, 5}, "b": {"B", 200, 6}, "c": {}}, 2, "1 listings too many"},
	} {
		if right, wrong := differences(source, c.target, asIs); right != c.right || wrong != c.wrong {
			t.Errorf("%v: %d %q, want %d %q", c.target, right, wrong, c.right, c.wrong)
		}
	}
}

// Quantiles are estimated as PromQL does, of what happened between two readings.
func TestHistogram(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	before := histogram{count: 10, sum: 100, bounds: []float64{1, 2, inf}, below: []float64{0, 0, 10}}
	after := histogram{count: 14, sum: 106, bounds: []float64{1, 2, inf}, below: []float64{2, 4, 14}}
	during := after.since(before)
	if during.count != 4 || during.mean() != 1500*time.Millisecond {
		t.Errorf("%+v, mean %s", during, during.mean())
	}
	for q, want := range map[float64]time.Duration{0.25: 500 * time.Millisecond, 0.5: time.Second, 1: 2 * time.Second} {
		if got := during.quantile(q); got != want {
			t.Errorf("quantile %g = %s, want %s", q, got, want)
		}
	}
	if got := after.quantile(0.99); got != 2*time.Second {
		t.Errorf("a quantile above every bound = %s, want the last bound", got)
	}
	if got := before.since(after); got.count != 10 {
		t.Errorf("a process that began anew counts %g, want all 10", got.count)
	}
	if (histogram{}).mean() != 0 || (histogram{}).quantile(0.5) != 0 {
		t.Error("an empty histogram is not 0")
	}
}

// The board shows the columns that kubectl shows without -o wide.
func TestBoardFormat(t *testing.T) {
	t.Parallel()
	table := &metav1.Table{
		ColumnDefinitions: []metav1.TableColumnDefinition{{Name: "Name"}, {Name: "Ready"}, {Name: "Message", Priority: 1}, {Name: "Age"}},
		Rows: []metav1.TableRow{
			{Cells: []any{"webshop", "True", "all is well", "3s"}},
			{Cells: []any{"a", nil, "", "10m"}},
		},
	}
	want := []string{"NAME      READY   AGE", "webshop   True    3s", "a                 10m"}
	if diff := cmp.Diff(want, format(table)); diff != "" {
		t.Error(diff)
	}
}

// tale is a story with a step that held and one that failed.
var tale = []any{
	stepBegan{0}, progressed{"doing"}, measured{"webshop: 88 listings"}, boardDrawn{[]string{"NAME      READY", "webshop   True"}},
	stepEnded{index: 0, headline: "they answer", took: 1500 * time.Millisecond},
	stepBegan{1}, measured{"etcd runs"}, stepEnded{index: 1, took: time.Second, err: errors.New("it broke\nin two lines")},
}

// Lines keep what was found, not what was being done.
func TestPrinter(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	show := printer(&out)
	for _, event := range tale {
		show(event)
	}
	for _, want := range []string{"1/8 " + steps[0].title, "webshop: 88 listings", "webshop   True", "✓ they answer (1.50 s)", "✗ after 1.00 s: it broke"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "doing") {
		t.Errorf("progress was printed:\n%s", out.String())
	}
}
