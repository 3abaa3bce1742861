package connector

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selaras.dev/selaras/connectors/driver"
)

const benchSKUs = 100_000

// Twice a second it is told how far the channel is, however much waits.
func BenchmarkProgressOfALargeBacklog(b *testing.B) {
	e := &engine{queue: newQueue()}
	now := time.Now()
	for i := range benchSKUs {
		backlogged(e.queue, i, now)
	}
	sync := &target{name: "main", groups: allGroups}
	for b.Loop() {
		if p := e.progress(sync); p.OldestFailed.IsZero() || len(p.Failures) != maxSamples {
			b.Fatalf("progress %+v", p)
		}
	}
}

// backlogged makes the i-th of some entries, every hundredth of them failed.
func backlogged(q *queue, i int, now time.Time) {
	x := q.get(fmt.Sprintf("SKU-%06d", i))
	x.since, x.seq, x.cause, x.pending, x.groups = now.UnixNano()+int64(i), uint64(i+1), cause(i%3), true, groups(i%7+1)
	if i%100 == 0 {
		x.mask, x.failedSince = allGroups&^x.groups|stock, now.UnixNano()-int64(i)-1
	}
	q.change(x, work{op: opWrite, lane: lanePrice, groups: x.groups})
	q.rank(x)
	q.place(x, now)
}

// What is asked for before every round must not depend on how much is held.
func BenchmarkNextWorkWhileTheBacklogIsHeld(b *testing.B) {
	q := newQueue()
	now := time.Now()
	for i := range benchSKUs {
		x := q.get(fmt.Sprintf("SKU-%06d", i))
		x.pending = true
		q.change(x, work{op: opWrite, lane: laneStockDown, groups: stock})
		q.place(x, now)
	}
	may := allowed{groups: content | price, stock: true, creates: true}
	for b.Loop() {
		if _, ok := q.first(may); ok {
			b.Fatal("held work was found")
		}
	}
}

// Ten times a second it is asked what settled: only what did may cost.
func BenchmarkSettledWhileNothingIsDue(b *testing.B) {
	s, err := openStore("", vfs.NewMem(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			b.Fatal(err)
		}
	}()
	e, err := newEngine(s, slog.New(slog.DiscardHandler), time.Now, nil)
	if err != nil {
		b.Fatal(err)
	}
	e.loaded, e.caught = true, true
	e.routes = &routes{stock: true, owns: true}
	e.can = abilities{orders: true, orderVisibility: time.Hour}
	e.polls = []polled{{began: time.Now().Add(time.Hour)}}
	for from := 0; from < benchSKUs; from += chunk {
		err := e.update(false, func(t *txn) error {
			for i := from; i < from+chunk; i++ {
				s, err := t.sku(fmt.Sprintf("SKU-%06d", i))
				if err != nil {
					return err
				}
				s.record.known, s.record.settling, s.record.settleSince = true, true, t.now.UnixNano()
				s.sample = &settlement{stock: driver.Stock{OnHand: 1}}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if tell, drift := e.settled(50); len(tell)+len(drift) != 0 {
			b.Fatal("something settled")
		}
	}
}
