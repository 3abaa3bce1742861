package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// handler answers for the process: /healthz while it runs, /readyz while the
// worker can fold or take over, /metrics with what is in the registry.
func (w *Worker) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(to http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintln(to, "ok") // the caller has gone if it fails
	})
	mux.HandleFunc("GET /readyz", func(to http.ResponseWriter, _ *http.Request) {
		if err := w.Ready(); err != nil {
			http.Error(to, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(to, "ok")
	})
	if w.o.Registry != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(w.o.Registry, promhttp.HandlerOpts{Registry: prometheus.NewRegistry()}))
	}
	return mux
}

// serve answers on the listener of the options until ctx ends.
func (w *Worker) serve(ctx context.Context) {
	server := &http.Server{
		Handler: w.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	stop := context.AfterFunc(ctx, func() {
		// Scrapes are short; whoever is cut off asks again.
		_ = server.Close()
	})
	defer stop()
	if err := server.Serve(w.o.Health); !errors.Is(err, http.ErrServerClosed) {
		w.log.Error("health and metrics are not served any more", "error", err)
	}
}
