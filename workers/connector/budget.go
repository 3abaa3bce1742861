package connector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"selaras.dev/selaras/connectors/driver"
)

// budget sends every request of a driver: within the account's rate, with a
// time limit, a bounded answer, and counted. It is an http.RoundTripper.
type budget struct {
	// admit may refuse a request at the moment it would leave; its context tells
	// what it is for.
	admit func(ctx context.Context, timeout time.Duration) error
	meter callMeter
	now   func() time.Time

	mu      sync.Mutex
	base    http.RoundTripper
	limiter *rate.Limiter
	timeout time.Duration
	paused  time.Time // until when the channel asked for silence
}

// callMeter counts requests.
type callMeter interface {
	called(op driver.Operation, outcome string, took time.Duration)
	waited(d time.Duration)
}

const (
	defaultRate    = 10
	defaultTimeout = 30 * time.Second
	maxAnswer      = 64 << 20
	maxPause       = time.Hour
)

// errAnswerTooLarge is what a driver reads at the end of an answer that does
// not fit.
var errAnswerTooLarge = errors.New("the channel's answer is larger than 64 MiB")

func newBudget(now func() time.Time, m callMeter, admit func(context.Context, time.Duration) error) *budget {
	return &budget{admit: admit, meter: m, now: now, limiter: rate.NewLimiter(defaultRate, defaultRate), timeout: defaultTimeout}
}

// set changes rate, depth and time limit; zero is the default.
func (b *budget) set(perSecond float64, depth int, timeout time.Duration, base http.RoundTripper) {
	if perSecond <= 0 {
		perSecond = defaultRate
	}
	if depth <= 0 {
		depth = max(1, int(perSecond))
	}
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.limiter.Limit() != rate.Limit(perSecond) || b.limiter.Burst() != depth {
		b.limiter = rate.NewLimiter(rate.Limit(perSecond), depth)
	}
	b.timeout, b.base = timeout, base
}

// pause stops all requests for a time the channel asked for.
func (b *budget) pause(d time.Duration) {
	until := b.now().Add(min(d, maxPause))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paused = later(b.paused, until)
}

// until is when the next request may leave.
func (b *budget) until() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.paused
	if tokens := b.limiter.TokensAt(b.now()); tokens < 1 {
		at = later(at, b.now().Add(time.Duration((1-tokens)/float64(b.limiter.Limit())*float64(time.Second))))
	}
	return at
}

// ready waits until a request could leave at once, and takes nothing: what is
// to be sent is decided as late as possible.
func (b *budget) ready(ctx context.Context) error {
	for {
		wait := b.until().Sub(b.now())
		if wait <= 0 {
			return nil
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// RoundTrip implements http.RoundTripper.
func (b *budget) RoundTrip(req *http.Request) (*http.Response, error) {
	op := driver.OperationOf(req.Context())
	began := b.now()
	if err := b.wait(req.Context(), writes(op)); err != nil {
		closeBody(req)
		return nil, notSent(err)
	}
	sent := b.now()
	b.meter.waited(sent.Sub(began))
	b.mu.Lock()
	base, timeout := b.base, b.timeout
	b.mu.Unlock()
	if err := b.admit(req.Context(), timeout); err != nil {
		closeBody(req)
		return nil, notSent(err)
	}
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	resp, err := base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		b.meter.called(op, outcomeOf(err), b.now().Sub(sent))
		return nil, err
	}
	b.meter.called(op, statusClass(resp.StatusCode), b.now().Sub(sent))
	if wait, throttled := throttledFor(resp, b.now()); throttled {
		b.pause(wait)
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxAnswer, cancel: cancel}
	return resp, nil
}

// errSilence keeps a write from waiting for the end of a pause.
var errSilence = errors.New("the channel asked for silence")

// wait takes one token, after any pause the channel asked for. A write does not
// wait for the end of a pause: what it carries would be old by then.
func (b *budget) wait(ctx context.Context, write bool) error {
	for {
		b.mu.Lock()
		limiter, paused := b.limiter, b.paused
		b.mu.Unlock()
		if d := paused.Sub(b.now()); d > 0 {
			if write {
				return errSilence
			}
			if err := sleep(ctx, d); err != nil {
				return err
			}
			continue
		}
		if err := limiter.Wait(ctx); err != nil {
			return fmt.Errorf("wait for the rate budget: %w", err)
		}
		b.mu.Lock()
		paused = b.paused
		b.mu.Unlock()
		if !paused.After(b.now()) {
			return nil
		}
	}
}

// writes reports whether an operation changes the channel.
func writes(op driver.Operation) bool {
	return op == driver.OpWrite || op == driver.OpCreate || op == driver.OpRemove
}

// reasonNotSent marks errors by which certainly nothing left.
const reasonNotSent = "NotSent"

func notSent(err error) error {
	return &driver.Error{Class: driver.ClassTransient, Op: "send a request", Reason: reasonNotSent, Err: err}
}

// neverSent reports whether an error says so.
func neverSent(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Reason == reasonNotSent
}

// throttledFor reads how long an answer asks for silence.
func throttledFor(resp *http.Response, now time.Time) (time.Duration, bool) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	value := resp.Header.Get("Retry-After")
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 {
		return time.Duration(seconds * float64(time.Second)), true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

func statusClass(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "throttled"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "unauthorized"
	case status >= 500:
		return "failed"
	case status >= 400:
		return "rejected"
	}
	return "ok"
}

// outcomeOf is the outcome of a request without an answer: it may have been
// carried out, unless no connection was made.
func outcomeOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return "failed"
	}
	return "unknown"
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // required of a RoundTripper; nothing was read
	}
}

// boundedBody is an answer that ends with an error when it is too large.
type boundedBody struct {
	io.ReadCloser
	left   int64
	cancel context.CancelFunc
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errAnswerTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

func (b *boundedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
