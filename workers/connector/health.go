package connector

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"selaras.dev/selaras/internal/hub"
)

// phase is how far a connector is.
type phase int32

const (
	starting phase = iota
	standby        // another instance holds the lease
	active         // configured, and its store is loaded as far as it can be
)

// healthz serves the health of a connector.
type healthz struct {
	space *hub.Space
	phase atomic.Int32
}

func (h *healthz) set(p phase) { h.phase.Store(int32(p)) }

// handler serves /healthz, /readyz and /metrics. Alive is a process that
// answers. Ready is one that can do its part at once: it has the hub, and
// either applied its configuration or waits as a standby. A shop that is down
// or refuses its credentials makes no pod unready.
func (h *healthz) handler(reg *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case !h.space.Connected():
			http.Error(w, "the hub is not connected", http.StatusServiceUnavailable)
		case phase(h.phase.Load()) == starting:
			http.Error(w, "no configuration applied yet", http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusOK)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	return mux
}
