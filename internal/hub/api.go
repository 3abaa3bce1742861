package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const apiPrefix = "$JS.API."

// apiError is the part every JetStream answer has in common.
type apiError struct {
	Error *jetstream.APIError `json:"error,omitempty"`
}

// pubAck is the answer to a publish.
type pubAck struct {
	Error    *jetstream.APIError `json:"error,omitempty"`
	Stream   string              `json:"stream"`
	Sequence uint64              `json:"seq"`
}

// request sends one message and waits for its answer, for at most
// attemptTimeout. Running out of that time is errAttemptTimeout, the end of
// ctx is the context's own error, a violation of permissions ErrForbidden.
func (s *Space) request(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	denied, stop := s.denied.watch(m.Subject)
	defer stop()
	down := s.downSignal()
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	type answer struct {
		m   *nats.Msg
		err error
	}
	done := make(chan answer, 1)
	go func() {
		r, err := s.nc.RequestMsgWithContext(attempt, m)
		done <- answer{r, err}
	}()
	select {
	case err := <-denied:
		cancel()
		<-done
		return nil, err
	case <-down:
		// The answer is lost with the connection it would have come on.
		cancel()
		<-done
		return nil, fmt.Errorf("%s: %w", m.Subject, nats.ErrDisconnected)
	case a := <-done:
		switch {
		case a.err == nil:
			return a.m, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(a.err, context.DeadlineExceeded):
			return nil, fmt.Errorf("%s: %w", m.Subject, errAttemptTimeout)
		case errors.Is(a.err, nats.ErrMaxPayload):
			return nil, fmt.Errorf("%w: %s has %d bytes", ErrTooLarge, m.Subject, len(m.Data))
		default:
			return nil, fmt.Errorf("%s: %w", m.Subject, a.err)
		}
	}
}

// publish sends one message to a stream, once, and returns where it was stored.
func (s *Space) publish(ctx context.Context, m *nats.Msg) (uint64, error) {
	r, err := s.request(ctx, m)
	if err != nil {
		return 0, err
	}
	return parseAck(r.Data)
}

func parseAck(data []byte) (uint64, error) {
	var ack pubAck
	if err := json.Unmarshal(data, &ack); err != nil {
		return 0, fmt.Errorf("read the hub's answer to a write: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	return ack.Sequence, nil
}

// call sends one JetStream API request, once.
func (s *Space) call(ctx context.Context, subject string, req, resp any) error {
	var body []byte
	if req != nil {
		var err error
		if body, err = json.Marshal(req); err != nil {
			return fmt.Errorf("encode the request %s: %w", subject, err)
		}
	}
	r, err := s.request(ctx, &nats.Msg{Subject: apiPrefix + subject, Data: body})
	if err != nil {
		return err
	}
	var e apiError
	if err := json.Unmarshal(r.Data, &e); err != nil {
		return fmt.Errorf("read the hub's answer to %s: %w", subject, err)
	}
	if e.Error != nil {
		return e.Error
	}
	if resp == nil {
		return nil
	}
	if err := json.Unmarshal(r.Data, resp); err != nil {
		return fmt.Errorf("read the hub's answer to %s: %w", subject, err)
	}
	return nil
}

// retry calls f until it succeeds, fails for a reason that waiting does not
// mend, or ctx ends. doing completes "cannot …: …".
func (s *Space) retry(ctx context.Context, doing string, f func(context.Context) error) error {
	b := backoff{}
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if s.isClosed() {
			return fmt.Errorf("cannot %s: %w", doing, ErrClosed)
		}
		if !transient(err) || ctx.Err() != nil {
			var api *jetstream.APIError
			if errors.As(err, &api) {
				err = classify(api)
			}
			return fmt.Errorf("cannot %s: %w", doing, err)
		}
		if werr := s.pause(ctx, &b); werr != nil {
			return fmt.Errorf("cannot %s: %w; last: %w", doing, werr, err)
		}
	}
}

// pause waits before another try: for the connection when there is none, and
// in any case a little, growing with every call.
func (s *Space) pause(ctx context.Context, b *backoff) error {
	if !s.Connected() {
		if err := s.WaitConnected(ctx); err != nil {
			return err
		}
	}
	t := time.NewTimer(b.next())
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

func (s *Space) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// backoff grows from minBackoff to maxBackoff with jitter.
type backoff struct{ d time.Duration }

func (b *backoff) next() time.Duration {
	if b.d == 0 {
		b.d = minBackoff
	} else {
		b.d = min(2*b.d, maxBackoff)
	}
	return b.d/2 + rand.N(b.d/2+1)
}

func (b *backoff) reset() { b.d = 0 }
