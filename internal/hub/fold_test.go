package hub

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// tally is a fold whose result shows every fact that was lost or counted twice:
// per SKU the number of its facts, and the sum over all.
type tally struct {
	space  *Space
	cursor Cursor
	counts map[string]uint64
}

// resume rebuilds a tally the way a new owner does: the records, then the facts
// after the cursor.
func resume(ctx context.Context, s *Space) (*tally, error) {
	a := &tally{space: s, counts: make(map[string]uint64)}
	err := s.ReadRecords(ctx, ReadOptions{Kinds: Everything}, func(b Batch) error {
		for _, r := range b.Records {
			if r.Subject.Kind() == KindCursor {
				cur, err := r.Cursor()
				if err != nil {
					return err
				}
				a.cursor = cur
				continue
			}
			sku, err := r.Subject.SKU()
			if err != nil {
				return err
			}
			a.counts[sku] = binary.BigEndian.Uint64(r.Data)
		}
		if b.Caught {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		return nil, err
	}
	return a, nil
}

// fold lands the facts; when it fails the tally is of no more use.
func (a *tally) fold(ctx context.Context, facts []Fact) error {
	changed := make(map[string]uint64)
	for _, f := range facts {
		if f.Seq <= a.cursor.FactSeq {
			return fmt.Errorf("fact %d was read again after cursor %d", f.Seq, a.cursor.FactSeq)
		}
		sku := string(f.Data)
		if _, ok := changed[sku]; !ok {
			changed[sku] = a.counts[sku]
		}
		changed[sku]++
	}
	var records []Record
	for sku, n := range changed {
		s, err := ItemSubject("north", sku)
		if err != nil {
			return err
		}
		records = append(records, Record{Subject: s, Data: binary.BigEndian.AppendUint64(nil, n)})
	}
	cur, err := a.space.Fold(ctx, a.cursor, Cursor{FactSeq: facts[len(facts)-1].Seq, Epoch: a.cursor.Epoch}, records)
	if err != nil {
		return err
	}
	a.cursor = cur
	for sku, n := range changed {
		a.counts[sku] = n
	}
	return nil
}

// foldUntil folds facts in batches of at most size until the cursor reaches end
// or ctx ends.
func (a *tally) foldUntil(ctx context.Context, end uint64, size int) error {
	err := a.space.ReadFacts(ctx, a.cursor.Facts(), func(facts []Fact) error {
		for len(facts) > 0 {
			n := min(size, len(facts))
			if err := a.fold(ctx, facts[:n]); err != nil {
				return err
			}
			facts = facts[n:]
		}
		if a.cursor.FactSeq >= end {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func tallyFacts(n int, pick func(i int) int) []Fact {
	facts := make([]Fact, n)
	for i := range facts {
		facts[i] = Fact{Channel: "north", Type: "item.observed", Data: []byte("sku-" + strconv.Itoa(pick(i)))}
	}
	return facts
}

// checkTally compares what is stored with a count of the log itself.
func checkTally(ctx context.Context, worker *Space, end uint64) error {
	got, err := resume(ctx, worker)
	if err != nil {
		return err
	}
	want := make(map[string]uint64)
	err = worker.ReadFacts(ctx, Position{}, func(facts []Fact) error {
		for _, f := range facts {
			want[string(f.Data)]++
			if f.Seq >= end {
				return errEnough
			}
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		return err
	}
	if fmt.Sprint(got.counts) != fmt.Sprint(want) {
		return fmt.Errorf("folded %v, the log has %v", got.counts, want)
	}
	return nil
}

// fewer bounds the cases of a property whose every case sets up a namespace.
func fewer(t *testing.T, n int) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	before := f.Value.String()
	if err := f.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) }) // it was valid before
}

// The fold is exactly once: wherever owners die, also with a batch on its way,
// the state in the end is that of the log.
func TestFoldIsExactlyOnceWhereverItCrashes(t *testing.T) {
	e := startHub(t)
	outer := testContext(t)
	fewer(t, 40)
	rapid.Check(t, func(t *rapid.T) {
		ctx := outer
		ns := fresh()
		if err := e.a.EnsureNamespace(ctx, ns, Limits{}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := e.a.DeleteNamespace(ctx, ns); err != nil {
				t.Fatal(err)
			}
		}()
		dial := func(w Workload) *Space {
			creds, err := e.a.Credentials(ns, w)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Dial(ctx, DialOptions{URL: e.urls, Credentials: creds, Logger: testLog()})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		conn := dial(connector("north"))
		defer conn.Close()
		n := rapid.SampledFrom([]int{1, 7, 40, 90, 150}).Draw(t, "facts")
		skus := rapid.SampledFrom([]int{3, 67}).Draw(t, "skus")
		end, err := conn.Append(ctx, tallyFacts(n, func(i int) int { return i * i % skus })...)
		if err != nil {
			t.Fatal(err)
		}
		// Owners that die: after some microseconds the context of everything
		// they do ends, and their connection with it. Some are believed dead
		// while they live, so that two fold at a time.
		var owners sync.WaitGroup
		for range rapid.SampledFrom([]int{0, 1, 2, 3, 5}).Draw(t, "crashes") {
			life := time.Duration(rapid.SampledFrom([]int{0, 300, 2000, 5000, 9000, 15000, 30000, 60000}).Draw(t, "life in µs")) * time.Microsecond
			size := rapid.SampledFrom([]int{1, 3, 20}).Draw(t, "batch")
			w := dial(catalog)
			a, err := resume(ctx, w)
			if err != nil {
				t.Fatal(err)
			}
			owners.Go(func() {
				defer w.Close()
				living, die := context.WithTimeout(ctx, life)
				defer die()
				if err := a.foldUntil(living, end, size); err != nil && living.Err() == nil && !errors.Is(err, ErrFenced) {
					t.Error(err)
				}
			})
			if !rapid.Bool().Draw(t, "believed dead") {
				owners.Wait()
			}
		}
		owners.Wait()
		last := dial(catalog)
		defer last.Close()
		for {
			a, err := resume(ctx, last)
			if err != nil {
				t.Fatal(err)
			}
			if a.cursor.FactSeq >= end {
				break
			}
			if err := a.foldUntil(ctx, end, 10); err == nil {
				break
			} else if !errors.Is(err, ErrFenced) {
				t.Fatal(err)
			}
		}
		if err := checkTally(ctx, last, end); err != nil {
			t.Fatal(err)
		}
	})
}

// The same while leaders of both streams are lost in the middle: one owner that
// lives on folds every fact once, whatever answers it misses.
func TestFoldIsExactlyOnceAcrossLostLeaders(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 0)
		conn, worker := as(t, e.a, ns, connector("north")), as(t, e.a, ns, catalog)
		const rounds, size = 60, 50
		var written, folded atomic.Uint64
		writing := make(chan error, 1)
		go func() {
			for r := range rounds {
				seq, err := conn.Append(ctx, tallyFacts(size, func(i int) int { return (r*7 + i*i) % 40 })...)
				if err != nil {
					writing <- err
					return
				}
				written.Store(seq)
			}
			writing <- nil
		}()
		a, err := resume(ctx, worker)
		if err != nil {
			t.Fatal(err)
		}
		folding := make(chan error, 1)
		allWritten := make(chan uint64, 1)
		go func() {
			var end uint64
			err := worker.ReadFacts(ctx, a.cursor.Facts(), func(facts []Fact) error {
				for len(facts) > 0 {
					n := min(30, len(facts))
					if err := a.fold(ctx, facts[:n]); err != nil {
						return err
					}
					facts = facts[n:]
				}
				folded.Store(a.cursor.FactSeq)
				if end == 0 {
					select {
					case end = <-allWritten:
					default:
					}
				}
				if end != 0 && a.cursor.FactSeq >= end {
					return errEnough
				}
				return nil
			})
			folding <- err
		}()
		for _, stream := range []string{"CAT", "FACTS"} {
			from := folded.Load()
			eventually(t, "the fold goes on", func() bool { return folded.Load() > from+100 || len(folding) > 0 })
			again := e.interrupt(t, ns, stream)
			from = folded.Load()
			eventually(t, "the fold goes on without the leader of "+stream, func() bool {
				return folded.Load() > from || len(writing) > 0 || len(folding) > 0
			})
			again()
		}
		if err := <-writing; err != nil {
			t.Fatal(err)
		}
		// One more fact wakes the fold to notice the end.
		allWritten <- written.Load()
		must2(conn.Append(ctx, tallyFacts(1, func(int) int { return 0 })...))
		if err := <-folding; !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		if err := checkTally(ctx, worker, a.cursor.FactSeq); err != nil {
			t.Fatal(err)
		}
	})
}

// I2: an owner that was paused while its lease was taken cannot land its batch,
// neither the one it had half sent nor a new one, and nothing of it is stored.
func TestFenceStopsAPausedOwner(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 0)
		link := newLink(t, strings.TrimPrefix(strings.Split(e.urls, ",")[0], "nats://"))
		paused := dialAs(t, e.a, link.url(), ns, catalog)
		successor := as(t, e.a, ns, catalog)
		lease := LeaseOptions{Key: "lease.catalog", Holder: "first", Duration: time.Second}
		first, err := paused.Acquire(ctx, lease)
		if err != nil {
			t.Fatal(err)
		}
		cur := must2(paused.ReadCursor(ctx))
		cur, err = paused.Fold(ctx, cur, Cursor{FactSeq: 1, Epoch: cur.Epoch}, []Record{{Subject: item(t, "a"), Data: []byte("first")}})
		if err != nil {
			t.Fatal(err)
		}

		// The owner sends a whole batch which the network holds back.
		link.freeze()
		held := make(chan error, 1)
		go func() {
			_, err := paused.Fold(ctx, cur, Cursor{FactSeq: 2, Epoch: cur.Epoch}, []Record{
				{Subject: item(t, "a"), Data: []byte("stale")}, {Subject: item(t, "b"), Data: []byte("stale")},
			})
			held <- err
		}()

		// Nobody waits for the end of the second tenure: it is long, so that no
		// renewal that comes late on a busy machine ends it before its release.
		lease.Holder, lease.Duration = "second", time.Minute
		second, err := successor.Acquire(ctx, lease)
		if err != nil {
			t.Fatal(err)
		}
		if second.Epoch() <= first.Epoch() {
			t.Errorf("the second tenure has epoch %d, the first %d", second.Epoch(), first.Epoch())
		}
		<-first.Lost()
		if left := first.ExpiresIn(); left != 0 {
			t.Errorf("a lost lease runs for another %s", left)
		}
		scur := must2(successor.ReadCursor(ctx))
		if _, err := successor.Fold(ctx, scur, Cursor{FactSeq: 2, Epoch: cur.Epoch}, []Record{{Subject: item(t, "a"), Data: []byte("second")}}); err != nil {
			t.Fatal(err)
		}
		link.thaw()
		if err := <-held; !errors.Is(err, ErrFenced) {
			t.Fatalf("the batch held back: %v, want ErrFenced", err)
		}
		if _, err := paused.Fold(ctx, cur, Cursor{FactSeq: 3, Epoch: cur.Epoch}, []Record{{Subject: item(t, "b"), Data: []byte("stale")}}); !errors.Is(err, ErrFenced) {
			t.Fatalf("a new batch of the paused owner: %v, want ErrFenced", err)
		}
		if err := first.Release(ctx); !errors.Is(err, ErrLeaseLost) {
			t.Errorf("the first owner's release: %v", err)
		}
		all := readAll(t, ctx, successor, Items)
		if len(all) != 1 || string(all[item(t, "a")].Data) != "second" {
			t.Fatalf("stored is %v, want the second owner's record alone", all)
		}
		if err := second.Release(ctx); err != nil {
			t.Fatal(err)
		}
	})
}

// What cannot be folded is refused before anything is sent.
func TestFoldRefusesWhatItCannotStore(t *testing.T) {
	ctx := testContext(t)
	e := startHub(t)
	ns := e.namespace(t, ctx, fresh(), 0)
	w := as(t, e.a, ns, catalog)
	cur := must2(w.ReadCursor(ctx))
	full := make([]Record, MaxRecords+1)
	for i := range full {
		full[i] = Record{Subject: item(t, strconv.Itoa(i)), Data: []byte("x")}
	}
	for _, c := range []struct {
		records []Record
		want    error
	}{
		{full, ErrBatchTooLarge},
		{[]Record{{Data: []byte("x")}}, ErrInvalidToken},
		{[]Record{{Subject: item(t, "a")}}, ErrInvalidToken},
		{[]Record{{Subject: item(t, "a"), Data: []byte("x"), Deleted: true}}, ErrInvalidToken},
		{[]Record{{Subject: Subject{cursorSubject}, Data: []byte("x")}}, ErrInvalidToken},
		{[]Record{{Subject: item(t, "a"), Data: make([]byte, 2<<20)}}, ErrTooLarge},
	} {
		if _, err := w.Fold(ctx, cur, Cursor{FactSeq: 1}, c.records); !errors.Is(err, c.want) {
			t.Errorf("%d records: %v, want %v", len(c.records), err, c.want)
		}
	}
	next, err := w.Fold(ctx, cur, Cursor{FactSeq: 7, Epoch: cur.Epoch}, full[:MaxRecords])
	if err != nil {
		t.Fatal(err)
	}
	if next, err = w.Fold(ctx, next, Cursor{FactSeq: 8, Epoch: cur.Epoch}, nil); err != nil {
		t.Fatal(err)
	}
	if got := must2(w.ReadCursor(ctx)); got != next || got.FactSeq != 8 {
		t.Fatalf("the cursor is %+v, want %+v", got, next)
	}
}
