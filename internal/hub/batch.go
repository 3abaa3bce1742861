package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// Headers of JetStream's atomic batch publishing (nats-server 2.12 and later).
const (
	hdrBatchID        = "Nats-Batch-Id"
	hdrBatchSequence  = "Nats-Batch-Sequence"
	hdrBatchCommit    = "Nats-Batch-Commit"
	hdrExpectedSeq    = "Nats-Expected-Last-Subject-Sequence"
	hdrStream         = "Nats-Stream"
	hdrSequence       = "Nats-Sequence"
	hdrTimestamp      = "Nats-Time-Stamp"
	hdrKVOperation    = "KV-Operation"
	hdrTTL            = "Nats-TTL"
	hdrStatus         = "Status"
	hdrDescription    = "Description"
	hdrPendingMessage = "Nats-Pending-Messages"
)

func newBatchID() string { return nuid.Next() }

// publishBatch stores n messages together or not at all and returns the place
// of the last. fill sets subject, data and further headers of the i-th message
// on a message that is used again for the next.
//
// The server answers the commit only. When it says that the batch is
// incomplete, the reason was given to a message that did not ask; so the batch
// is sent once more, asking for every message.
func (s *Space) publishBatch(ctx context.Context, id string, n int, fill func(int, *nats.Msg)) (uint64, error) {
	seq, err := s.sendBatch(ctx, id, n, fill, false)
	if isCode(err, codeIncompleteBatch) {
		seq, err = s.sendBatch(ctx, id, n, fill, true)
	}
	return seq, err
}

func (s *Space) sendBatch(ctx context.Context, id string, n int, fill func(int, *nats.Msg), ask bool) (uint64, error) {
	ids, sequence, commit := []string{id}, []string{""}, []string{"1"}
	m := &nats.Msg{Header: make(nats.Header, 4)}
	var subject string
	for i := range n {
		clear(m.Header)
		sequence[0] = strconv.Itoa(i + 1)
		m.Header[hdrBatchID] = ids
		m.Header[hdrBatchSequence] = sequence
		if i == n-1 {
			m.Header[hdrBatchCommit] = commit
		}
		fill(i, m)
		if i == n-1 {
			break
		}
		if !ask {
			if err := s.nc.PublishMsg(m); err != nil {
				return 0, publishError(m, err)
			}
			if i == 0 {
				subject = m.Subject
			}
			continue
		}
		r, err := s.request(ctx, m)
		if err != nil {
			return 0, err
		}
		if len(r.Data) > 0 {
			var ack pubAck
			if err := json.Unmarshal(r.Data, &ack); err != nil {
				return 0, fmt.Errorf("read the hub's answer to a batch: %w", err)
			}
			if ack.Error != nil {
				return 0, ack.Error
			}
		}
	}
	if subject != "" && subject != m.Subject {
		// A violation of the first message's subject would otherwise show as an
		// incomplete batch.
		denied, stop := s.denied.watch(subject)
		defer stop()
		seq, err := s.publish(ctx, m)
		if err != nil {
			select {
			case derr := <-denied:
				return 0, derr
			default:
			}
		}
		return seq, err
	}
	return s.publish(ctx, m)
}

func publishError(m *nats.Msg, err error) error {
	if errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("%w: %s has %d bytes", ErrTooLarge, m.Subject, len(m.Data))
	}
	return fmt.Errorf("%s: %w", m.Subject, err)
}
