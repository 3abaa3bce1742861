package connector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/connectors/driver"
	defined "selaras.dev/selaras/internal/metrics"
)

// metrics are what a connector exports.
type metrics struct {
	requests              *prometheus.CounterVec
	duration              prometheus.ObserverVec
	wait                  prometheus.Observer
	up                    prometheus.Gauge
	propagation, endToEnd *prometheus.HistogramVec
	intake                *prometheus.GaugeVec
	of                    prometheus.Labels
}

func newMetrics(reg prometheus.Registerer, namespace, channel string) *metrics {
	of := prometheus.Labels{"namespace": namespace, "channel": channel}
	var (
		requests    = defined.APIRequests.CounterVec()
		duration    = defined.APIRequestDuration.HistogramVec()
		wait        = defined.RateLimitWait.HistogramVec()
		up          = defined.ChannelUp.GaugeVec()
		propagation = defined.SyncPropagation.HistogramVec()
		endToEnd    = defined.SyncEndToEnd.HistogramVec()
		intake      = defined.ChannelIntake.GaugeVec()
	)
	reg.MustRegister(requests, duration, wait, up, propagation, endToEnd, intake)
	return &metrics{
		requests: requests.MustCurryWith(of), duration: duration.MustCurryWith(of), wait: wait.With(of), up: up.With(of),
		propagation: propagation, endToEnd: endToEnd, intake: intake.MustCurryWith(of), of: of,
	}
}

func (m *metrics) called(op driver.Operation, outcome string, took time.Duration) {
	m.requests.WithLabelValues(string(op), outcome).Inc()
	m.duration.WithLabelValues(string(op)).Observe(took.Seconds())
}

func (m *metrics) waited(d time.Duration) { m.wait.Observe(d.Seconds()) }

func (m *metrics) sync(name string) prometheus.Labels {
	return prometheus.Labels{"namespace": m.of["namespace"], "channel": m.of["channel"], "catalogsync": name}
}

func (m *metrics) confirmed(syncs []target, g groups, propagation, endToEnd time.Duration) {
	for i := range syncs {
		if syncs[i].groups&g == 0 {
			continue
		}
		of := m.sync(syncs[i].name)
		m.propagation.With(of).Observe(propagation.Seconds())
		if endToEnd > 0 {
			m.endToEnd.With(of).Observe(endToEnd.Seconds())
		}
	}
}

// keep drops the series of syncs that the channel is in no more.
func (m *metrics) keep(syncs, before []target) {
	for _, old := range before {
		gone := true
		for _, s := range syncs {
			gone = gone && s.name != old.name
		}
		if gone {
			m.propagation.Delete(m.sync(old.name))
			m.endToEnd.Delete(m.sync(old.name))
		}
	}
}

func (m *metrics) taken(kind string, at time.Time) {
	m.intake.WithLabelValues(kind).Set(float64(at.UnixNano()) / 1e9)
}

func (m *metrics) alive(up bool) {
	if up {
		m.up.Set(1)
		return
	}
	m.up.Set(0)
}
