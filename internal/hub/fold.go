package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MaxRecords is how many records one fold may hold: the server's batch of 1000
// less the cursor.
const MaxRecords = 999

// GoneFor is how long the hub says that an order line is gone. After that
// nothing is left of it, so a reader of lines that has not read for longer must
// read everything anew.
const GoneFor = 7 * 24 * time.Hour

// Cursor says how far the facts are folded into the records. It is stored with
// the records, in the same atomic batch.
type Cursor struct {
	// FactSeq is the last fact folded.
	FactSeq uint64 `json:"factSeq"`
	// Epoch of the fact log in which FactSeq counts.
	Epoch uint64 `json:"epoch"`
	// StateEpoch is the life of the record stream; Fold fills it.
	StateEpoch uint64 `json:"stateEpoch"`
	// Seq is where the cursor itself is stored, after every record of its
	// batch. It is what the next fold is compared with.
	Seq uint64 `json:"-"`
}

// Facts returns the position in the log after which to read on.
func (c Cursor) Facts() Position { return Position{Seq: c.FactSeq, Epoch: c.Epoch} }

// Records returns the position of the cursor in the record stream.
func (c Cursor) Records() Position { return Position{Seq: c.Seq, Epoch: c.StateEpoch} }

// Record is one key of the folded state with its value.
type Record struct {
	Subject Subject
	// Data is the value; whoever reads it must not change it.
	Data []byte
	// Deleted marks a record that is gone; it has no Data.
	Deleted bool
	// Seq is the place in the record stream; filled on reading.
	Seq uint64
	// Time is when the hub stored the record; filled on reading.
	Time time.Time
}

// Cursor decodes a record of KindCursor.
func (r Record) Cursor() (Cursor, error) {
	if r.Subject.Kind() != KindCursor {
		return Cursor{}, fmt.Errorf("%w: %q is not the cursor", ErrInvalidToken, r.Subject)
	}
	return decodeCursor(r.Data, r.Seq)
}

func decodeCursor(data []byte, seq uint64) (Cursor, error) {
	var c Cursor
	if err := json.Unmarshal(data, &c); err != nil {
		return Cursor{}, fmt.Errorf("read the fold cursor at %d: %w", seq, err)
	}
	c.Seq = seq
	return c, nil
}

// Fold lands records and the cursor that covers them in one atomic batch, on
// the condition that the cursor still is the expected one (of which only Seq is
// compared). Of next, FactSeq and Epoch are used. It returns the stored cursor,
// to be expected by the next fold.
//
// Fold tries again through lost connections and new leaders as long as ctx
// allows, and recognises its own batch when only the answer was lost: nil means
// stored exactly once. When ctx ends the batch may or may not be stored; read
// the cursor. ErrFenced means that another owner folded and nothing of this
// batch was stored. Other errors: ErrBatchTooLarge, ErrHubFull, ErrTooLarge,
// ErrForbidden; nothing was stored.
func (s *Space) Fold(ctx context.Context, expected, next Cursor, records []Record) (Cursor, error) {
	if len(records) > MaxRecords {
		return Cursor{}, fmt.Errorf("%w: %d records, at most %d", ErrBatchTooLarge, len(records), MaxRecords)
	}
	for i := range records {
		r := &records[i]
		if k := r.Subject.Kind(); k == 0 || k == KindCursor || (len(r.Data) == 0) != r.Deleted {
			return Cursor{}, fmt.Errorf("%w: record %q of a fold must name an item, ledger or line and have data unless deleted", ErrInvalidToken, r.Subject)
		}
	}
	f := &folding{s: s, expected: expected, next: next, records: records, goneFor: s.goneFor}
	err := s.retry(ctx, "fold up to fact "+strconv.FormatUint(next.FactSeq, 10), f.try)
	if err != nil {
		if errors.Is(err, ErrFenced) {
			s.forgetEpoch()
		}
		return Cursor{}, err
	}
	return f.next, nil
}

type folding struct {
	s        *Space
	expected Cursor
	next     Cursor
	records  []Record
	ids      []string // of the batches sent, all with this content
	goneFor  time.Duration
}

func (f *folding) try(ctx context.Context) error {
	s := f.s
	epoch, err := s.recordsEpoch(ctx)
	if err != nil {
		return err
	}
	f.next.StateEpoch = epoch
	cursor, err := json.Marshal(f.next)
	if err != nil {
		return fmt.Errorf("encode the cursor: %w", err)
	}
	id := newBatchID()
	f.ids = append(f.ids, id)
	expected := []string{strconv.FormatUint(f.expected.Seq, 10)}
	last := len(f.records)
	seq, err := s.publishBatch(ctx, id, last+1, func(i int, m *nats.Msg) {
		if i < last {
			m.Subject = s.l.record(f.records[i].Subject)
			m.Data = f.records[i].Data
			if f.goneFor > 0 && f.records[i].Deleted && f.records[i].Subject.Kind() == KindLine {
				m.Header.Set(hdrTTL, f.goneFor.String())
			}
			return
		}
		m.Subject = s.l.prefix + cursorSubject
		m.Data = cursor
		m.Header[hdrExpectedSeq] = expected
	})
	switch {
	case err == nil:
		f.next.Seq = seq
		return nil
	case isCode(err, codeWrongLastSequence), isCode(err, codeWrongLastConstant):
		return f.whose(ctx)
	case isCode(err, codeTTLDisabled) && f.goneFor > 0:
		// The stream is of an earlier version, until the operator changes it.
		f.goneFor = 0
		return f.try(ctx)
	}
	return err
}

// whose finds out whether the cursor that stands in the way is our own, stored
// by a batch whose answer was lost.
func (f *folding) whose(ctx context.Context) error {
	cur, batch, err := f.s.leaderCursor(ctx)
	if err != nil {
		return err
	}
	for _, id := range f.ids {
		if batch == id {
			f.next.Seq = cur.Seq
			return nil
		}
	}
	if cur.Seq == f.expected.Seq {
		// An earlier batch of ours is on its way through the cluster.
		return errAttemptTimeout
	}
	return fmt.Errorf("%w: expected it at %d, it is at %d", ErrFenced, f.expected.Seq, cur.Seq)
}

// ReadCursor returns the stored cursor; the zero Cursor when nothing was folded
// and the namespace was never set up. The worker that folds reads it from the
// stream's leader; a connector may get a cursor that is a moment old.
func (s *Space) ReadCursor(ctx context.Context) (Cursor, error) {
	var cur Cursor
	err := s.retry(ctx, "read the cursor", func(ctx context.Context) (err error) {
		cur, err = s.cursorOnce(ctx)
		return err
	})
	return cur, err
}

// cursorOnce reads the cursor as freshly as the credentials allow.
func (s *Space) cursorOnce(ctx context.Context) (Cursor, error) {
	if s.fixed {
		return s.anyCursor(ctx)
	}
	cur, _, err := s.leaderCursor(ctx)
	return cur, err
}

// leaderCursor asks the leader of the stream, whose answer is never stale, and
// returns the id of the batch that stored the cursor as well.
func (s *Space) leaderCursor(ctx context.Context) (Cursor, string, error) {
	var resp struct {
		Message struct {
			Header []byte `json:"hdrs"`
			Data   []byte `json:"data"`
			Seq    uint64 `json:"seq"`
		} `json:"message"`
	}
	req := map[string]string{"last_by_subj": s.l.prefix + cursorSubject}
	err := s.call(ctx, "STREAM.MSG.GET."+s.l.cat, req, &resp)
	if isCode(err, codeNoMessage) {
		return Cursor{}, "", nil
	}
	if err != nil {
		return Cursor{}, "", err
	}
	var batch string
	if len(resp.Message.Header) > 0 {
		h, err := nats.DecodeHeadersMsg(resp.Message.Header)
		if err != nil {
			return Cursor{}, "", fmt.Errorf("read the headers of the cursor: %w", err)
		}
		batch = h.Get(hdrBatchID)
	}
	cur, err := decodeCursor(resp.Message.Data, resp.Message.Seq)
	return cur, batch, err
}

// anyCursor asks whichever server is nearest.
func (s *Space) anyCursor(ctx context.Context) (Cursor, error) {
	m, err := s.directGet(ctx, s.l.cat, s.l.prefix+cursorSubject)
	if errors.Is(err, ErrNotFound) {
		return Cursor{}, nil
	}
	if err != nil {
		return Cursor{}, err
	}
	return decodeCursor(m.data, m.seq)
}

// recordsEpoch returns the life of the record stream, asked once a connection.
func (s *Space) recordsEpoch(ctx context.Context) (uint64, error) {
	s.mu.Lock()
	epoch := s.catEpoch
	s.mu.Unlock()
	if epoch != 0 {
		return epoch, nil
	}
	var info jetstream.StreamInfo
	if err := s.call(ctx, "STREAM.INFO."+s.l.cat, nil, &info); err != nil {
		return 0, err
	}
	epoch = epochOf(info.Created)
	s.mu.Lock()
	s.catEpoch = epoch
	s.mu.Unlock()
	return epoch, nil
}

func (s *Space) forgetEpoch() {
	s.mu.Lock()
	s.catEpoch = 0
	s.mu.Unlock()
}
