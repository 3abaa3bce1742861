package connector

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/workload"
)

// What is told from the ranks is what a look at every entry tells, whatever
// came, changed and went.
func TestProgressIsThatOfAllEntries(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	e := &engine{queue: newQueue(), meta: meta{Seq: 1 << 20}}
	q, now := e.queue, time.Now()
	for step := range 4000 {
		x := q.get(fmt.Sprintf("SKU-%03d", random.IntN(150)))
		if random.IntN(4) == 0 {
			q.drop(x)
			continue
		}
		x.since, x.seq, x.cause = 1+random.Int64N(1e6), 1+random.Uint64N(1e6), cause(random.IntN(3))
		x.groups, x.pending = groups(random.IntN(8)), random.IntN(5) > 0
		x.mask, x.failedSince, x.reason = 0, 0, ""
		if random.IntN(3) == 0 {
			x.mask, x.failedSince, x.reason = groups(1+random.IntN(7)), 1+random.Int64N(1e6), fmt.Sprint(step)
		}
		q.change(x, work{groups: x.groups})
		q.rank(x)
		q.place(x, now)
		g := groups(1 + random.IntN(7))
		if got, want := e.progress(&target{groups: g}), scanned(e, g); !reflect.DeepEqual(got, want) {
			t.Fatalf("step %d, groups %d:\n%+v, want\n%+v", step, g, got, want)
		}
	}
}

// scanned is progress by a look at every entry.
func scanned(e *engine, g groups) workload.Progress {
	var p workload.Progress
	first := uint64(0)
	for _, x := range e.queue.entries {
		if x.pending && x.groups&g != 0 {
			if first == 0 || x.seq < first {
				first = x.seq
			}
			if p.OldestPending == nil {
				p.OldestPending = make(map[workload.Cause]time.Time)
			}
			at := time.Unix(0, x.since).UTC()
			if was, ok := p.OldestPending[x.cause.String()]; !ok || at.Before(was) {
				p.OldestPending[x.cause.String()] = at
			}
		}
		if x.mask&g != 0 && x.failedSince != 0 {
			if at := time.Unix(0, x.failedSince).UTC(); p.OldestFailed.IsZero() || at.Before(p.OldestFailed) {
				p.OldestFailed = at
			}
			p.Failures = sample(p.Failures, x)
		}
	}
	p.Watermark = catalog.Watermark(first, e.meta.Seq)
	return p
}

// A fill of very many SKUs leaves no room behind that nobody needs any more.
func TestAnEmptiedQueueGivesUpItsRoom(t *testing.T) {
	t.Parallel()
	q, now := newQueue(), time.Now()
	var all []*entry
	for i := range roomy {
		x := q.get(fmt.Sprintf("SKU-%d", i))
		x.pending, x.groups, x.seq, x.since = true, price, uint64(i), int64(i)
		q.change(x, work{groups: x.groups})
		q.rank(x)
		q.place(x, now)
		all = append(all, x)
	}
	for _, x := range all {
		if q.spare {
			t.Fatal("a queue with entries gave up its room")
		}
		q.drop(x)
	}
	if !q.spare || cap(q.ranks.bySeq[price].entries) != 0 {
		t.Errorf("an empty queue keeps room for %d", cap(q.ranks.bySeq[price].entries))
	}
	q.place(q.get("A"), now)
	if len(q.entries) != 1 {
		t.Errorf("%d entries after one was added", len(q.entries))
	}
}
