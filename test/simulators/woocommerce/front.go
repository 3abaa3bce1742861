package woocommerce

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"
)

// Front is what a host puts in front of a shop: it lets a few requests a second
// through and answers 429 to the rest, and 504 when the shop takes too long.
type Front struct {
	// Shop is what stands behind it.
	Shop http.Handler
	// Rate are the requests a second, Burst how many at once.
	Rate  float64
	Burst int
	// Timeout is how long the shop may take.
	Timeout time.Duration

	mu     sync.Mutex
	tokens float64
	filled time.Time
}

// ServeHTTP implements http.Handler.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.spend() {
		w.Header().Set("Retry-After", strconv.Itoa(1))
		write(w, http.StatusTooManyRequests, "<html><h1>429 Too Many Requests</h1></html>")
		return
	}
	// PHP goes on when the front has given up, so its context is another.
	behind := r.Clone(context.WithoutCancel(r.Context()))
	answer := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Shop.ServeHTTP(answer, behind)
	}()
	timer := time.NewTimer(f.Timeout)
	defer timer.Stop()
	select {
	case <-timer.C:
		write(w, http.StatusGatewayTimeout, "<html><h1>504 Gateway Time-out</h1></html>")
		return
	case <-done:
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the client may be gone
}

func (f *Front) spend() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.filled.IsZero() {
		f.tokens = float64(f.Burst)
	} else {
		f.tokens = min(float64(f.Burst), f.tokens+now.Sub(f.filled).Seconds()*f.Rate)
	}
	f.filled = now
	if f.tokens < 1 {
		return false
	}
	f.tokens--
	return true
}
