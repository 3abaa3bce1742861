package metricstest

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/internal/metrics"
)

// register makes every metric of a process with one series in a new registry.
func register(t *testing.T, process string) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	for _, d := range metrics.All() {
		values := make([]string, len(d.Labels))
		for i, name := range d.Labels {
			values[i] = "x"
			if l, ok := metrics.LabelOf(d.Name, name); ok && len(l.Values) > 0 {
				values[i] = l.Values[0]
			}
		}
		for _, from := range d.From {
			if from != process {
				continue
			}
			switch d.Kind {
			case metrics.Gauge:
				v := d.GaugeVec()
				v.WithLabelValues(values...).Set(1)
				registry.MustRegister(v)
			case metrics.Counter:
				v := d.CounterVec()
				v.WithLabelValues(values...).Inc()
				registry.MustRegister(v)
			case metrics.Histogram:
				v := d.HistogramVec()
				v.WithLabelValues(values...).Observe(1)
				registry.MustRegister(v)
			}
		}
	}
	return registry
}

func TestTheCatalogueItselfIsClean(t *testing.T) {
	for _, process := range []string{"operator", "connector", "catalog"} {
		Check(t, register(t, process), process)
	}
}

func TestCheckFindsWhatIsNotInTheCatalogue(t *testing.T) {
	gauge := func(name, help string, labels prometheus.Labels) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 { return 1 })
	}
	for _, c := range []struct {
		what      string
		collector prometheus.Collector
		want      string
	}{
		{"an unknown name", gauge("selaras_other", "Something.", nil), "not in the catalogue"},
		{"a name without the prefix", gauge("other", "Something.", nil), "is called selaras_…"},
		{"another type", prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: metrics.ChannelUp.Name, Help: metrics.ChannelUp.Help,
			ConstLabels: prometheus.Labels{"namespace": "a", "channel": "b"},
		}, func() float64 { return 1 }), "in the catalogue a gauge"},
		{"another help", gauge(metrics.ChannelUp.Name, "Up.", prometheus.Labels{"namespace": "a", "channel": "b"}), "its help is"},
		{"a label too many", gauge(metrics.ChannelUp.Name, metrics.ChannelUp.Help, prometheus.Labels{"namespace": "a", "channel": "b", "sku": "c"}), "has the labels channel, namespace, sku"},
		{"another process", gauge(metrics.FactsBacklog.Name, metrics.FactsBacklog.Help, prometheus.Labels{"namespace": "a"}), "exported by connector, in the catalogue by catalog"},
		{"a value out of bounds", gauge(metrics.ChannelIntake.Name, metrics.ChannelIntake.Help, prometheus.Labels{"namespace": "a", "channel": "b", "kind": "sku-4711"}), `label kind is "sku-4711"`},
	} {
		t.Run(c.what, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			registry.MustRegister(c.collector)
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(problems(families, "connector"), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("found %q, want something with %q", got, c.want)
			}
		})
	}
}
