package hub

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What says that an order line is gone goes itself: however many orders are
// closed, the stream holds what is alive.
func TestNothingIsLeftOfLinesThatAreGone(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 0)
		w := as(t, e.a, ns, catalog)
		w.goneFor = time.Second
		cur := must2(w.ReadCursor(ctx))
		alive := []Record{{Subject: item(t, "a"), Data: []byte("{}")}, {Subject: line(t, "open"), Data: []byte("{}")}}
		for round := range 4 {
			records := alive
			for i := range 200 {
				records = append(records, Record{Subject: line(t, fmt.Sprintf("%d-%d", round, i)), Data: []byte("{}")})
			}
			var err error
			if cur, err = w.Fold(ctx, cur, Cursor{FactSeq: cur.FactSeq + 1, Epoch: cur.Epoch}, records); err != nil {
				t.Fatal(err)
			}
			for i := range records[len(alive):] {
				r := &records[len(alive)+i]
				r.Data, r.Deleted = nil, true
			}
			if cur, err = w.Fold(ctx, cur, Cursor{FactSeq: cur.FactSeq + 1, Epoch: cur.Epoch}, records[len(alive):]); err != nil {
				t.Fatal(err)
			}
		}
		want := uint64(len(alive) + 1) // and the cursor
		for {
			st := must2(w.State(ctx))
			if st.Records.Messages == want {
				break
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				t.Fatalf("%d messages are left, want %d", st.Records.Messages, want)
			}
		}
		if got := must2(w.ReadCursor(ctx)); got != cur {
			t.Errorf("the cursor is %+v, want %+v", got, cur)
		}
	})
}

// A hub that an earlier version set up takes folds as before, until the
// operator has changed it.
func TestAStreamThatForgetsNothingTakesDeletedLines(t *testing.T) {
	ctx := testContext(t)
	e := startHub(t)
	ns := e.namespace(t, ctx, fresh(), 0)
	w := as(t, e.a, ns, catalog)
	op := must2(e.a.Space(ctx, ns))
	t.Cleanup(op.Close)
	var info jetstream.StreamInfo
	if err := op.call(ctx, "STREAM.INFO."+op.l.cat, nil, &info); err != nil {
		t.Fatal(err)
	}
	info.Config.AllowMsgTTL = false
	for _, change := range []func() error{
		func() error { return op.call(ctx, "STREAM.DELETE."+op.l.cat, nil, nil) },
		func() error { return op.call(ctx, "STREAM.CREATE."+op.l.cat, info.Config, nil) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	cur := Cursor{}
	for fact := range uint64(2) {
		records := []Record{{Subject: line(t, "a"), Deleted: true}, {Subject: line(t, "b"), Deleted: true}}
		if fact == 0 {
			records = []Record{{Subject: line(t, "a"), Data: []byte("{}")}}
		}
		var err error
		if cur, err = w.Fold(ctx, cur, Cursor{FactSeq: fact + 1}, records); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.a.EnsureNamespace(ctx, ns, Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := op.call(ctx, "STREAM.INFO."+op.l.cat, nil, &info); err != nil || !info.Config.AllowMsgTTL {
		t.Errorf("the operator left the stream as it was: %v", err)
	}
}

func line(t testing.TB, id string) Subject {
	t.Helper()
	s, err := LineSubject("north", id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
