package hub

import (
	"context"
	"fmt"
)

// ReadFacts calls fn with the facts after a position, in the order of the log,
// until ctx ends or fn fails; fn's error is returned as it is. A batch holds
// what is there, at most MaxBatch facts, and is valid during the call only;
// the facts' Data stays valid. Reading survives reconnects and restarts of the
// hub. ErrRegressed says that the log does not reach the position, was created
// anew, or lost facts after the position: compare everything.
func (s *Space) ReadFacts(ctx context.Context, after Position, fn func([]Fact) error) error {
	facts := make([]Fact, 0, MaxBatch)
	spec := consumeSpec{
		stream: s.l.facts, purpose: "facts", after: after.Seq,
		check: func(ctx context.Context, seq uint64) error {
			now, err := s.streamState(ctx, s.l.facts)
			if err != nil {
				return err
			}
			if err := regressed(Position{Seq: seq, Epoch: after.Epoch}, now); err != nil {
				return err
			}
			// From here on the life of the stream is known and must stay.
			after.Epoch = now.Epoch
			return nil
		},
	}
	return s.consume(ctx, spec, func(batch []message, _ bool) error {
		facts = facts[:0]
		for i := range batch {
			m := &batch[i]
			if m.header[hdrStream] != nil || len(m.data) == 0 {
				// A stored message that the server itself sent out again, to a
				// reply subject chosen by whoever asked for it. Permissions do not
				// cover reply subjects; a fact of ours never looks like this.
				s.log.Error("dropped a forged fact", "subject", m.subject, "seq", m.seq)
				continue
			}
			channel, typ, ok := s.l.factOf(m.subject)
			if !ok {
				continue
			}
			facts = append(facts, Fact{Channel: channel, Type: typ, Data: m.data, Seq: m.seq, Time: m.time})
		}
		if len(facts) == 0 {
			return nil
		}
		return fn(facts)
	})
}

// TrimFacts deletes the facts with a sequence below the given one and returns
// how many. Facts that are not folded yet are never deleted: a sequence above
// the cursor's FactSeq+1 is ErrNotFolded, and nothing is deleted. How old facts
// must be is the caller's decision.
func (s *Space) TrimFacts(ctx context.Context, below uint64) (uint64, error) {
	var purged struct {
		Purged uint64 `json:"purged"`
	}
	err := s.retry(ctx, "trim "+s.l.facts, func(ctx context.Context) error {
		cur, _, err := s.leaderCursor(ctx)
		if err != nil {
			return err
		}
		now, err := s.streamState(ctx, s.l.facts)
		if err != nil {
			return err
		}
		if below > cur.FactSeq+1 || cur.Epoch != now.Epoch {
			return fmt.Errorf("%w: asked to trim below %d, folded up to %d", ErrNotFolded, below, cur.FactSeq)
		}
		if below <= now.FirstSeq {
			return nil
		}
		req := map[string]uint64{"seq": below}
		return s.call(ctx, "STREAM.PURGE."+s.l.facts, req, &purged)
	})
	return purged.Purged, err
}
