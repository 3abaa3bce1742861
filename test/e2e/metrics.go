package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scraped is what pods export, by name.
type scraped map[string][]*dto.Metric

// scrape reads the metrics of all ready pods with the labels, through the API
// server.
func (w *world) scrape(ctx context.Context, namespace string, labels map[string]string) (scraped, error) {
	var pods corev1.PodList
	if err := w.kube.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(labels)); err != nil {
		return nil, err
	}
	all := scraped{}
	for _, pod := range pods.Items {
		if podTrouble(&pod) != "" {
			continue
		}
		text, err := w.metricsText(ctx, namespace, pod.Name)
		if err != nil {
			return nil, err
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("metrics of %s/%s: %w", namespace, pod.Name, err)
		}
		for name, family := range families {
			all[name] = append(all[name], family.Metric...)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("none of %d pods of %s with %v exports metrics", len(pods.Items), namespace, labels)
	}
	return all, nil
}

func (w *world) metricsText(ctx context.Context, namespace, pod string) ([]byte, error) {
	text, err := w.clientset.CoreV1().RESTClient().Get().
		Namespace(namespace).Resource("pods").Name(pod + ":8080").SubResource("proxy").Suffix("metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("metrics of %s/%s: %w", namespace, pod, err)
	}
	return text, nil
}

// operatorMetrics are those of the operators.
func (w *world) operatorMetrics(ctx context.Context) (scraped, error) {
	return w.scrape(ctx, systemNamespace, component("operator"))
}

// workerMetrics are those of the catalog worker of the namespace.
func (p *place) workerMetrics(ctx context.Context) (scraped, error) {
	return p.scrape(ctx, p.namespace, component("catalog"))
}

// connectorMetrics are those of the connector of a Channel.
func (p *place) connectorMetrics(ctx context.Context, channel string) (scraped, error) {
	return p.scrape(ctx, p.namespace, instance(channel+"-connector"))
}

// series are the values of a metric whose labels include the given ones.
func (s scraped) series(name string, labels map[string]string) []float64 {
	var values []float64
	for _, m := range s[name] {
		if !bears(m, labels) {
			continue
		}
		switch {
		case m.Gauge != nil:
			values = append(values, m.Gauge.GetValue())
		case m.Counter != nil:
			values = append(values, m.Counter.GetValue())
		case m.Histogram != nil:
			values = append(values, float64(m.Histogram.GetSampleCount()))
		case m.Untyped != nil:
			values = append(values, m.Untyped.GetValue())
		}
	}
	return values
}

func bears(m *dto.Metric, labels map[string]string) bool {
	for name, value := range labels {
		if !slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == name && l.GetValue() == value }) {
			return false
		}
	}
	return true
}

// one is the value of the only series of a metric with the labels.
func (s scraped) one(name string, labels map[string]string) (float64, error) {
	values := s.series(name, labels)
	if len(values) != 1 {
		return 0, fmt.Errorf("%s%v has %d series, want 1; there are: %s", name, labels, len(values), strings.Join(s.names(), " "))
	}
	return values[0], nil
}

// names are the metrics of Selaras that were scraped.
func (s scraped) names() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s)), func(name string) bool { return !strings.HasPrefix(name, "selaras_") })
}

func component(name string) map[string]string {
	return map[string]string{"app.kubernetes.io/name": "selaras", "app.kubernetes.io/component": name}
}

func instance(name string) map[string]string {
	return map[string]string{"app.kubernetes.io/name": "selaras", "app.kubernetes.io/instance": name}
}
