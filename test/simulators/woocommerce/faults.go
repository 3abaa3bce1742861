package woocommerce

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// errDied is the end of a request in the middle of its work.
var errDied = errors.New("PHP died")

// faults are what goes wrong with a shop. Its lock is not the shop's: a shop that
// is frozen can be thawed.
type faults struct {
	mu      sync.Mutex
	gate    chan struct{} // closed when the shop goes on; nil while it runs
	down    bool
	updates time.Duration
	lagging time.Duration
	late    int
	parked  []func()
	dieIn   int // items of batches until PHP dies; 0 for never
}

// Freeze stops the shop: requests wait. Thaw lets it go on, also with requests
// whose clients have gone.
func (s *Shop) Freeze() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if s.faults.gate == nil {
		s.faults.gate = make(chan struct{})
	}
}

// Thaw ends Freeze.
func (s *Shop) Thaw() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if s.faults.gate != nil {
		close(s.faults.gate)
		s.faults.gate = nil
	}
}

// StopDatabase makes every answer the page that WordPress shows without its
// database, until StartDatabase.
func (s *Shop) StopDatabase() { s.setDown(true) }

// StartDatabase ends StopDatabase.
func (s *Shop) StartDatabase() { s.setDown(false) }

func (s *Shop) setDown(down bool) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.down = down
}

// Maintain makes every answer that of a shop that is being updated, with the
// time to wait; 0 ends it.
func (s *Shop) Maintain(wait time.Duration) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.updates = wait
}

// Lag lets readings see what was so some time ago, as from a replica of the
// database; 0 ends it. Writes see the present.
func (s *Shop) Lag(by time.Duration) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.lagging = by
}

func (f *faults) lag() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lagging
}

// LandLate keeps the next n writes back: they are taken, never answered, and
// carried out when Land is called.
func (s *Shop) LandLate(n int) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.late = n
}

// Land carries out the writes that were kept back, in their order, and returns
// how many.
func (s *Shop) Land() int {
	s.faults.mu.Lock()
	parked := s.faults.parked
	s.faults.parked = nil
	s.faults.mu.Unlock()
	for _, land := range parked {
		land()
	}
	return len(parked)
}

// DieInBatch ends the request in which the n-th item of a batch is met from now
// on: those before it are done.
func (s *Shop) DieInBatch(n int) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.dieIn = n
}

func (f *faults) dies() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dieIn == 0 {
		return false
	}
	f.dieIn--
	return f.dieIn == 0
}

// intercept answers a request in the shop's stead, and says whether it did.
func (f *faults) intercept(w http.ResponseWriter, r *http.Request, do func() (int, any)) bool {
	f.mu.Lock()
	gate := f.gate
	f.mu.Unlock()
	if gate != nil {
		<-gate
	}
	f.mu.Lock()
	down, updates := f.down, f.updates
	late := r.Method != http.MethodGet && f.late > 0
	landed := make(chan struct{})
	if late {
		f.late--
		f.parked = append(f.parked, func() {
			defer close(landed)
			do()
		})
	}
	f.mu.Unlock()
	switch {
	case late:
		select {
		case <-landed:
		case <-r.Context().Done():
		}
	case down:
		write(w, http.StatusInternalServerError, "<!DOCTYPE html><html><h1>Error establishing a database connection</h1></html>")
	case updates > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(updates.Seconds())))
		write(w, http.StatusServiceUnavailable, "<!DOCTYPE html><html>Briefly unavailable for scheduled maintenance. Check back in a minute.</html>")
	default:
		return false
	}
	return true
}
