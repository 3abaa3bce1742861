package hub

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ReadOptions says which records to read.
type ReadOptions struct {
	// After is the position to read on from; the zero Position reads all.
	After Position
	// Kinds to read: Shared for connectors, anything for the catalog worker;
	// 0 is Everything.
	Kinds Kind
}

// Batch is some records in the order of the record stream.
type Batch struct {
	// Records, at most MaxBatch; the slice is valid during the call only,
	// the records' Data stays valid. May be empty when Caught is set.
	Records []Record
	// Epoch of the record stream; with the last record's Seq it is the
	// position to go on from. 0 when no cursor was ever stored.
	Epoch uint64
	// Caught is set once: everything that was stored when reading began has
	// been delivered with this batch or before. On a cluster a connector's
	// "when" may be a moment earlier.
	Caught bool
}

// regressionDoubt is how long a position ahead of the stream is asked about
// again before it is believed: a replica may be a moment behind.
const regressionDoubt = 3 * time.Second

// ReadRecords calls fn with the records after a position, in order, until ctx
// ends or fn fails; fn's error is returned as it is. Of several versions of a
// record the last is delivered, and perhaps some before it. A
// cursor record follows every record of its batch, so a cursor with FactSeq >= n
// says that all the facts up to n have their effect delivered. Reading survives
// reconnects and restarts of the hub. ErrRegressed says that the stream does not
// reach the position or was created anew: read all and compare everything.
// ErrTorn, which connectors do not see, says that the last fold was stored in
// part.
func (s *Space) ReadRecords(ctx context.Context, o ReadOptions, fn func(Batch) error) error {
	var records []Record
	epoch := o.After.Epoch
	var reached, target uint64 // target is where the stream ended when reading began
	started, caught := false, false
	kinds := o.Kinds
	if kinds == 0 {
		kinds = Everything
	}
	// The cursor is always read: it marks the end of the backlog. What was not
	// asked for is dropped here.
	filters := s.l.filters(kinds | KindCursor)
	if s.fixed {
		filters = s.l.filters(Shared) // the one filter that permissions allow
	}
	spec := consumeSpec{
		stream: s.l.cat, filters: filters, purpose: "records", after: o.After.Seq,
		check: func(ctx context.Context, seq uint64) error {
			cur, err := s.confirmRecords(ctx, Position{Seq: seq, Epoch: epoch})
			if err != nil {
				return err
			}
			reached = max(reached, seq)
			if cur.StateEpoch != 0 {
				epoch = cur.StateEpoch
			}
			if started {
				return nil
			}
			started, target = true, cur.Seq
			return s.checkTorn(ctx, cur)
		},
	}
	return s.consume(ctx, spec, func(batch []message, _ bool) error {
		records = records[:0]
		for i := range batch {
			m := &batch[i]
			sub := Subject{m.subject[min(len(s.l.prefix), len(m.subject)):]}
			k := sub.Kind()
			if k == KindCursor {
				cur, err := decodeCursor(m.data, m.seq)
				if err != nil {
					return err
				}
				epoch = cur.StateEpoch
			}
			if k&kinds != 0 {
				records = append(records, Record{Subject: sub, Data: m.data, Deleted: len(m.data) == 0, Seq: m.seq, Time: m.time})
			}
		}
		if len(batch) > 0 {
			reached = batch[len(batch)-1].seq
		}
		// That the consumer has nothing more is not enough: its replica may not
		// have stored yet what the leader has.
		now := !caught && reached >= target
		if len(records) == 0 && !now {
			return nil
		}
		caught = caught || now
		return fn(Batch{Records: records, Epoch: epoch, Caught: now})
	})
}

// checkTorn finds records that no cursor follows, for whoever may look. A fold
// that is being stored looks the same for a moment.
func (s *Space) checkTorn(ctx context.Context, cur Cursor) error {
	if s.fixed {
		return nil
	}
	deadline := time.Now().Add(regressionDoubt)
	var b backoff
	for {
		now, err := s.streamState(ctx, s.l.cat)
		if err != nil {
			return err
		}
		if now.LastSeq <= cur.Seq || cur.Seq == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: the cursor is at %d, %s ends at %d", ErrTorn, cur.Seq, s.l.cat, now.LastSeq)
		}
		if err := s.pause(ctx, &b); err != nil {
			return err
		}
		if cur, _, err = s.leaderCursor(ctx); err != nil {
			return err
		}
	}
}

// confirmRecords compares a position with the stored cursor, which is the last
// message of every batch and so the end of the stream.
func (s *Space) confirmRecords(ctx context.Context, p Position) (Cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	deadline := time.Now().Add(regressionDoubt)
	var b backoff
	for {
		cur, err := s.cursorOnce(ctx)
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return Cursor{}, errAttemptTimeout
			}
			return Cursor{}, err
		}
		err = regressed(p, StreamState{Name: s.l.cat, Epoch: cur.StateEpoch, LastSeq: cur.Seq})
		if err == nil || time.Now().After(deadline) {
			return cur, err
		}
		if err := s.pause(ctx, &b); err != nil {
			return Cursor{}, errAttemptTimeout
		}
	}
}
