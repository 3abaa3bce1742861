package shopify

import (
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/time/rate"
)

// Edge is what stands before the shop: it lets so many requests a second
// through, answers 429 with Retry-After to the rest, and 504 when the shop takes
// longer than the patience. What the shop was sent it goes on with.
func (s *Shop) Edge(perSecond float64, burst int, patience time.Duration) http.Handler {
	limiter := rate.NewLimiter(rate.Limit(perSecond), burst)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !limiter.Allow() {
			w.Header().Set("Retry-After", "1")
			plain(w, http.StatusTooManyRequests, "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service.")
			return
		}
		answered := make(chan *httptest.ResponseRecorder, 1)
		go func() {
			recorder := httptest.NewRecorder()
			s.ServeHTTP(recorder, r)
			answered <- recorder
		}()
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case recorder := <-answered:
			for name, values := range recorder.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(recorder.Code)
			_, _ = recorder.Body.WriteTo(w) // the client may be gone
		case <-timer.C:
			plain(w, http.StatusGatewayTimeout, "Gateway Timeout")
		}
	})
}
