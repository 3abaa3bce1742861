package hub

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Fact is something that happened, as one workload saw it. Facts are never
// changed; their order is the order in which the hub stored them.
type Fact struct {
	// Channel that reports the fact, or "_ingest" or "_operator".
	Channel string
	// Type of the fact, such as "order.changed": letters and dots.
	Type string
	// Data is the payload. Whoever reads it must not change it.
	Data []byte
	// Seq is the place in the log, from 1; filled on reading.
	Seq uint64
	// Time is when the hub stored the fact; filled on reading.
	Time time.Time
}

const (
	// Below this number facts go out one by one, all at once: an atomic batch
	// costs the hub about as much as this many single writes.
	batchFrom = 24
	// MaxBatch bounds the messages of one atomic batch this package makes of
	// facts, and the facts and records of one call back.
	MaxBatch = 500
	// maxBatchBytes keeps an atomic batch well inside the server's ten seconds.
	maxBatchBytes = 8 << 20
)

// Append stores facts in the given order and returns the place of the last.
// nil means that every fact is durable. On an error some of them may be; facts
// are folded by what they say, not by how often, so append them again.
// It waits while the hub cannot take them, as long as ctx allows. Errors:
// ErrHubFull, ErrTooLarge, ErrForbidden, ErrInvalidToken.
func (s *Space) Append(ctx context.Context, facts ...Fact) (uint64, error) {
	for i := range facts {
		if err := validFact(&facts[i]); err != nil {
			return 0, err
		}
	}
	var last uint64
	for len(facts) > 0 {
		n, size := 0, 0
		for n < len(facts) && n < MaxBatch && (n == 0 || size+len(facts[n].Data) <= maxBatchBytes) {
			size += len(facts[n].Data)
			n++
		}
		chunk := facts[:n]
		err := s.retry(ctx, fmt.Sprintf("append %d facts of %s", n, chunk[0].Channel), func(ctx context.Context) (err error) {
			switch {
			case n == 1:
				last, err = s.publish(ctx, s.factMsg(&chunk[0]))
			case n < batchFrom:
				last, err = s.appendEach(ctx, chunk)
			default:
				last, err = s.appendBatch(ctx, chunk)
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		facts = facts[n:]
	}
	return last, nil
}

func (s *Space) factMsg(f *Fact) *nats.Msg {
	return &nats.Msg{Subject: s.l.fact(f.Channel, f.Type), Data: f.Data}
}

// appendEach sends the facts without waiting between them and then collects
// all answers.
func (s *Space) appendEach(ctx context.Context, facts []Fact) (uint64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, attemptTimeout, errAttemptTimeout)
	defer cancel()
	denied, stop := s.denied.watch(s.l.fact(facts[0].Channel, facts[0].Type))
	defer stop()
	down := s.downSignal()
	answers := make(chan *nats.Msg, len(facts))
	inbox := s.nc.NewInbox()
	sub, err := s.nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is gone
	for i := range facts {
		m := s.factMsg(&facts[i])
		m.Reply = inbox
		if err := s.nc.PublishMsg(m); err != nil {
			return 0, publishError(m, err)
		}
	}
	var last uint64
	for range facts {
		select {
		case m := <-answers:
			if m.Header.Get("Status") == "503" {
				return 0, nats.ErrNoResponders
			}
			seq, err := parseAck(m.Data)
			if err != nil {
				return 0, err
			}
			last = max(last, seq)
		case err := <-denied:
			return 0, err
		case <-down:
			return 0, nats.ErrDisconnected
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	return last, nil
}

func (s *Space) appendBatch(ctx context.Context, facts []Fact) (uint64, error) {
	return s.publishBatch(ctx, newBatchID(), len(facts), func(i int, m *nats.Msg) {
		m.Subject = s.l.fact(facts[i].Channel, facts[i].Type)
		m.Data = facts[i].Data
	})
}

func validFact(f *Fact) error {
	if !strings.HasPrefix(f.Channel, "_") {
		if err := validName(f.Channel); err != nil {
			return fmt.Errorf("channel of a fact: %w", err)
		}
	} else if err := validName(f.Channel[1:]); err != nil {
		return fmt.Errorf("channel of a fact: %w", err)
	}
	for token := range strings.SplitSeq(f.Type, ".") {
		if err := validName(token); err != nil {
			return fmt.Errorf("type of a fact: %w", err)
		}
	}
	if len(f.Data) == 0 {
		return fmt.Errorf("%w: a fact of type %s has no data", ErrInvalidToken, f.Type)
	}
	return nil
}
