package runner_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// programVariable makes the test binary act as the program in a test's pods.
const programVariable = "SELARAS_TEST_PROGRAM"

// program is a small HTTP server that tells what it was given and does what it
// is asked to.
func program() int {
	listen := flag.String("listen", "", "address to listen on; empty exits at once")
	file := flag.String("file", "", "file that /file shows")
	code := flag.Int("exit", 0, "exit code without -listen")
	stubborn := flag.Bool("stubborn", false, "do not heed SIGTERM")
	flag.Parse()
	fmt.Println("hello from", os.Getenv("HOSTNAME"))
	if *listen == "" {
		return *code
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if *stubborn {
		ctx = context.WithoutCancel(ctx)
	}
	var broken, unready atomic.Bool
	answer := func(healthy bool) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			if unready.Load() && !healthy || broken.Load() && healthy {
				http.Error(w, "asked to fail", http.StatusInternalServerError)
			}
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", answer(true))
	mux.HandleFunc("GET /readyz", answer(false))
	mux.HandleFunc("POST /break", func(http.ResponseWriter, *http.Request) { broken.Store(true) })
	mux.HandleFunc("POST /unready", func(http.ResponseWriter, *http.Request) { unready.Store(true) })
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, _ *http.Request) {
		data, err := os.ReadFile(*file)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		_, _ = w.Write(data)
	})
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, os.Getenv(r.URL.Query().Get("name")))
	})
	mux.HandleFunc("GET /pid", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("PUT /data", func(w http.ResponseWriter, r *http.Request) {
		if err := os.WriteFile(*file, []byte(r.URL.Query().Get("value")), 0o600); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /exit", func(_ http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Query().Get("code"))
		os.Exit(status)
	})
	server := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); err != nil && ctx.Err() == nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("goodbye")
	return 0
}
