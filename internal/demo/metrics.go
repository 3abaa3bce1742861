package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	scrapeTimeout = 5 * time.Second
	maxScrape     = 16 << 20
)

// families are the metrics of one pod by name.
type families map[string]*dto.MetricFamily

// scrape reads what a pod exports, as Prometheus does.
func scrape(ctx context.Context, host string) (families, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", host, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", host, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape %s: it answered %s", host, response.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	out, err := parser.TextToMetricFamilies(io.LimitReader(response.Body, maxScrape))
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", host, err)
	}
	return out, nil
}

// scrapeConnector reads the metrics of a shop's connector.
func (w *world) scrapeConnector(ctx context.Context, s *shop) (families, error) {
	pod, err := w.connectorPod(ctx, s)
	if err != nil {
		return nil, err
	}
	return w.scrapeHost(ctx, address(pod, portMetrics), s.name+"'s connector")
}

// scrapeCatalog reads the metrics of the namespace's catalog worker.
func (w *world) scrapeCatalog(ctx context.Context) (families, error) {
	pod, err := w.pod(ctx, client.MatchingLabels{labelComponent: "catalog"})
	if err != nil {
		return nil, err
	}
	return w.scrapeHost(ctx, address(pod, portMetrics), "the catalog worker")
}

func (w *world) scrapeHost(ctx context.Context, host, whose string) (families, error) {
	if host == "" {
		return nil, fmt.Errorf("%s has no pod with an address", whose)
	}
	return scrape(ctx, host)
}

// series calls each for every series of a metric whose labels have the values.
func (f families) series(name string, labels map[string]string, each func(*dto.Metric)) {
	for _, metric := range f[name].GetMetric() {
		matching := 0
		for _, label := range metric.GetLabel() {
			if want, asked := labels[label.GetName()]; asked && want == label.GetValue() {
				matching++
			}
		}
		if matching == len(labels) {
			each(metric)
		}
	}
}

// gauge is the sum of the series; ok is false when there is none.
func (f families) gauge(name string, labels map[string]string) (sum float64, ok bool) {
	f.series(name, labels, func(metric *dto.Metric) { sum, ok = sum+metric.GetGauge().GetValue(), true })
	return sum, ok
}

// histogram is a histogram's content; distributions can be subtracted to see
// what happened in between.
type histogram struct {
	count  float64
	sum    float64
	bounds []float64
	below  []float64 // cumulative counts by bound
}

func (f families) histogram(name string, labels map[string]string) histogram {
	var h histogram
	f.series(name, labels, func(metric *dto.Metric) {
		source := metric.GetHistogram()
		h.count += float64(source.GetSampleCount())
		h.sum += source.GetSampleSum()
		for i, bucket := range source.GetBucket() {
			if i == len(h.bounds) {
				h.bounds = append(h.bounds, bucket.GetUpperBound())
				h.below = append(h.below, 0)
			}
			h.below[i] += float64(bucket.GetCumulativeCount())
		}
	})
	return h
}

// since is what was observed after an earlier reading of the same process; of a
// process that was restarted in between it is everything.
func (h histogram) since(before histogram) histogram {
	if before.count > h.count || len(before.below) != len(h.below) {
		return h
	}
	out := histogram{count: h.count - before.count, sum: h.sum - before.sum, bounds: h.bounds}
	for i := range h.below {
		out.below = append(out.below, h.below[i]-before.below[i])
	}
	return out
}

// mean of the observations, in seconds.
func (h histogram) mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return time.Duration(h.sum / h.count * float64(time.Second))
}

// quantile is estimated as PromQL's histogram_quantile does, in seconds.
func (h histogram) quantile(q float64) time.Duration {
	rank := q * h.count
	lowest, counted := 0.0, 0.0
	for i, below := range h.below {
		if below >= rank && below > counted {
			if math.IsInf(h.bounds[i], 1) {
				break
			}
			share := (rank - counted) / (below - counted)
			return time.Duration((lowest + (h.bounds[i]-lowest)*share) * float64(time.Second))
		}
		lowest, counted = h.bounds[i], below
	}
	return time.Duration(lowest * float64(time.Second))
}

func decodeTable(text []byte, table *metav1.Table) error { return json.Unmarshal(text, table) }
