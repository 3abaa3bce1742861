package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// LeaseOptions says which lease to take, as whom and for how long.
type LeaseOptions struct {
	// Key of the lease: "lease.channel.<name>" or "lease.catalog".
	Key string
	// Holder tells instances apart, such as a pod's name. It is shown only;
	// a restarted holder waits like everybody else.
	Holder string
	// Duration after which an unrenewed lease ends, 10 s when 0. It is renewed
	// three times in that time.
	Duration time.Duration
	// Grace is what a successor waits on top of Duration: the longest time a
	// write that was started under the lease may take.
	Grace time.Duration
}

// leaseRecord is the value of a lease key.
type leaseRecord struct {
	Holder string `json:"holder"`
	// Epoch is the revision at which this tenure began, 0 in the write that
	// begins it.
	Epoch uint64 `json:"epoch,omitempty"`
	// WaitMillis is what a successor has to wait after the last renewal.
	WaitMillis int64 `json:"waitMillis"`
	Released   bool  `json:"released,omitempty"`
}

// Lease is the right to be the only one, for a bounded time. Time is taken from
// this process's monotonic clock only; clocks of two machines are never
// compared.
type Lease struct {
	s     *Space
	o     LeaseOptions
	epoch uint64
	stop  context.CancelFunc
	lost  chan struct{}
	ended chan struct{} // the renewal has stopped

	mu       sync.Mutex
	revision uint64
	expires  time.Time // carries the monotonic clock
}

// observeEvery is how often a candidate looks at the lease of another.
const observeEvery = 500 * time.Millisecond

// Acquire waits until the lease is free and takes it. A lease that is not
// renewed is free once this process has observed no renewal for the holder's
// Duration and Grace. It returns when the lease is held or ctx ends. The lease
// renews itself until Release, or until it is lost.
func (s *Space) Acquire(ctx context.Context, o LeaseOptions) (*Lease, error) {
	if o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	if o.Holder == "" || o.Duration < 0 || o.Grace < 0 {
		return nil, errors.New("acquire a lease: a holder and positive times are needed")
	}
	var (
		seen  uint64 // revision last observed
		since time.Time
		b     backoff
	)
	for {
		e, err := s.observe(ctx, o.Key)
		if err != nil {
			return nil, err
		}
		wait := time.Duration(0)
		if e.Revision != 0 && !e.Deleted {
			var rec leaseRecord
			if err := json.Unmarshal(e.Data, &rec); err != nil {
				// Whoever wrote this holds no lease we understand; give it the
				// time of ours.
				rec = leaseRecord{WaitMillis: (o.Duration + o.Grace).Milliseconds()}
			}
			if !rec.Released {
				wait = time.Duration(rec.WaitMillis) * time.Millisecond
			}
		}
		now := time.Now()
		if e.Revision != seen {
			seen, since = e.Revision, now
			b.reset()
		}
		if left := wait - now.Sub(since); left > 0 {
			if err := s.waitAtMost(ctx, min(left, observeEvery)); err != nil {
				return nil, fmt.Errorf("wait for the lease %s: %w", o.Key, err)
			}
			continue
		}
		l, err := s.take(ctx, o, e.Revision)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, ErrConflict) && !transient(err) {
			return nil, err
		}
		if err := s.pause(ctx, &b); err != nil {
			return nil, fmt.Errorf("wait for the lease %s: %w", o.Key, err)
		}
	}
}

// observe reads the lease; the zero Entry when it was never taken.
func (s *Space) observe(ctx context.Context, key string) (Entry, error) {
	if err := validKey(key, false); err != nil {
		return Entry{}, err
	}
	var e Entry
	err := s.retry(ctx, "read the lease "+key, func(ctx context.Context) (err error) {
		e, err = s.get(ctx, key)
		if errors.Is(err, ErrNotFound) {
			e, err = Entry{}, nil
		}
		return err
	})
	return e, err
}

func (s *Space) waitAtMost(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-s.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Space) take(ctx context.Context, o LeaseOptions, revision uint64) (*Lease, error) {
	data, err := json.Marshal(leaseRecord{Holder: o.Holder, WaitMillis: (o.Duration + o.Grace).Milliseconds()})
	if err != nil {
		return nil, fmt.Errorf("encode the lease %s: %w", o.Key, err)
	}
	// The lease runs from before the write was sent: no observer can have seen
	// it earlier.
	began := time.Now()
	attempt, cancel := context.WithTimeout(ctx, min(o.Duration, attemptTimeout))
	defer cancel()
	rev, err := s.writeOnce(attempt, o.Key, data, revision)
	if err != nil {
		if ctx.Err() == nil && attempt.Err() != nil {
			err = errAttemptTimeout
		}
		return nil, err
	}
	renewing, stop := context.WithCancel(context.Background())
	l := &Lease{
		s: s, o: o, epoch: rev, revision: rev, expires: began.Add(o.Duration),
		stop: stop, lost: make(chan struct{}), ended: make(chan struct{}),
	}
	go l.renew(renewing)
	return l, nil
}

// Epoch grows with every tenure of the lease, whoever holds it.
func (l *Lease) Epoch() uint64 { return l.epoch }

// ExpiresIn returns how long the lease is certain to be held without a further
// renewal, 0 when it is not. Start what takes d only when ExpiresIn() > d.
func (l *Lease) ExpiresIn() time.Duration {
	select {
	case <-l.lost:
		return 0
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, time.Until(l.expires))
}

// Lost is closed when the lease was taken by another, has expired, or was
// released.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Release gives the lease up, so that a successor need not wait. Call it after
// the last write under the lease was answered. ErrLeaseLost says that it was
// lost before.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.ended
	l.mu.Lock()
	revision, expired := l.revision, time.Now().After(l.expires)
	l.mu.Unlock()
	if revision == 0 || expired {
		return fmt.Errorf("release %s: %w", l.o.Key, ErrLeaseLost)
	}
	data, err := json.Marshal(leaseRecord{Holder: l.o.Holder, Epoch: l.epoch, Released: true})
	if err != nil {
		return fmt.Errorf("encode the lease %s: %w", l.o.Key, err)
	}
	if _, err := l.s.Update(ctx, l.o.Key, data, revision); err != nil {
		if errors.Is(err, ErrConflict) {
			return fmt.Errorf("release %s: %w", l.o.Key, ErrLeaseLost)
		}
		return err
	}
	return nil
}

// renew owns the lease's time: it renews until stopped, and closes lost when
// the lease has ended for whatever reason.
func (l *Lease) renew(ctx context.Context) {
	defer close(l.ended)
	defer close(l.lost)
	defer l.stop()
	data, err := json.Marshal(leaseRecord{Holder: l.o.Holder, Epoch: l.epoch, WaitMillis: (l.o.Duration + l.o.Grace).Milliseconds()})
	if err != nil {
		return
	}
	next := l.o.Duration / 3
	for {
		if err := l.s.waitAtMost(ctx, next); err != nil {
			return
		}
		left := l.ExpiresIn()
		if left == 0 {
			l.end()
			return
		}
		began := time.Now()
		attempt, cancel := context.WithTimeout(ctx, min(left, l.o.Duration/3))
		rev, err := l.s.writeOnce(attempt, l.o.Key, data, l.revision)
		cancel()
		switch {
		case err == nil:
			l.mu.Lock()
			l.revision, l.expires = rev, began.Add(l.o.Duration)
			l.mu.Unlock()
			next = l.o.Duration / 3
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrConflict):
			if !l.mine(ctx) {
				l.end()
				return
			}
			next = 0
		default:
			// Not answered: try again soon, for as long as the lease runs.
			next = min(l.o.Duration/10, left)
		}
	}
}

// mine adopts the revision of a renewal of ours whose answer was lost.
func (l *Lease) mine(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, l.o.Duration/3)
	defer cancel()
	e, err := l.s.get(ctx, l.o.Key)
	if err != nil {
		// Not answered or not allowed: nothing is known, the expiry decides.
		return !errors.Is(err, ErrNotFound)
	}
	var rec leaseRecord
	if e.Deleted || json.Unmarshal(e.Data, &rec) != nil || rec.Epoch != l.epoch || rec.Holder != l.o.Holder || rec.Released {
		return e.Revision < l.revision // an old answer of a replica says nothing
	}
	l.mu.Lock()
	l.revision = max(l.revision, e.Revision)
	l.mu.Unlock()
	return true
}

func (l *Lease) end() {
	l.mu.Lock()
	l.revision, l.expires = 0, time.Time{}
	l.mu.Unlock()
}
