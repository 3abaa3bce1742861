package hub

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// I3: nil from Append means stored, in order, however many facts there were;
// reading gives them back across the loss of the leader.
func TestFactsKeepTheirOrderAcrossALostLeader(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 0)
		conn, worker := as(t, e.a, ns, connector("north")), as(t, e.a, ns, catalog)

		var sent []Fact
		half := make(chan struct{})
		read := make(chan []Fact, 1)
		go func() {
			var got []Fact
			err := worker.ReadFacts(ctx, Position{}, func(f []Fact) error {
				before := len(got)
				got = append(got, f...)
				if before < 300 && len(got) >= 300 {
					close(half)
				}
				if len(got) >= 1234 {
					return errEnough
				}
				return nil
			})
			if !errors.Is(err, errEnough) {
				t.Error(err)
			}
			read <- got
		}()
		var last uint64
		appendAll := func(sizes ...int) {
			for _, n := range sizes {
				facts := make([]Fact, n)
				for i := range facts {
					facts[i] = Fact{Channel: "north", Type: "order.changed", Data: fmt.Appendf(nil, "%d", len(sent)+i)}
				}
				seq, err := conn.Append(ctx, facts...)
				if err != nil {
					t.Fatal(err)
				}
				if seq <= last {
					t.Fatalf("the last fact is at %d, the one before at %d", seq, last)
				}
				last = seq
				sent = append(sent, facts...)
			}
		}
		appendAll(1, 2, 23, 24, 250)
		<-half
		again := e.interrupt(t, ns, "FACTS")
		appendAll(1, 30, 900, 3)
		again()
		got := <-read
		// An append that was tried again may be stored twice, never reordered
		// within itself: what was first seen of every fact is in order.
		next, seq := 0, uint64(0)
		for _, f := range got {
			if f.Channel != "north" || f.Type != "order.changed" || f.Seq <= seq || f.Time.IsZero() {
				t.Fatalf("fact %+v after sequence %d", f, seq)
			}
			seq = f.Seq
			if next < len(sent) && string(f.Data) == string(sent[next].Data) {
				next++
			}
		}
		if next != len(sent) {
			t.Fatalf("%d of %d facts came in order", next, len(sent))
		}
	})
}

// Configuration reaches a watcher, also what was written while the hub's leader
// was away; a conditional write notices the change in between.
func TestConfigurationReachesItsWatcher(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 0)
		op := must2(e.a.Space(ctx, ns))
		conn := as(t, e.a, ns, connector("north"))

		entries := make(chan Entry, 100)
		watching, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() {
			done <- conn.Watch(watching, []string{"config.channel.north", "config.sync.*"}, func(en Entry) error {
				entries <- en
				return nil
			})
		}()
		wait := func(key, value string) {
			t.Helper()
			for {
				select {
				case en := <-entries:
					if en.Key == key && string(en.Data) == value && en.Deleted == (value == "") {
						return
					}
				case <-ctx.Done():
					t.Fatalf("%s = %q was never seen", key, value)
				}
			}
		}
		put := func(key, value string) uint64 {
			t.Helper()
			rev, err := op.Put(ctx, key, []byte(value))
			if err != nil {
				t.Fatal(err)
			}
			return rev
		}
		put("config.channel.north", "one")
		wait("config.channel.north", "one")
		put("config.sync.all", "two")
		wait("config.sync.all", "two")
		again := e.interrupt(t, ns, "KV_CFG")
		rev := put("config.channel.north", "three")
		wait("config.channel.north", "three")
		again()
		if err := op.Delete(ctx, "config.sync.all"); err != nil {
			t.Fatal(err)
		}
		wait("config.sync.all", "")

		if _, err := op.Update(ctx, "config.channel.north", []byte("four"), rev); err != nil {
			t.Fatal(err)
		}
		if _, err := op.Update(ctx, "config.channel.north", []byte("five"), rev); !errors.Is(err, ErrConflict) {
			t.Fatalf("a write at an old revision: %v", err)
		}
		eventually(t, "the store holds the last value", func() bool {
			en, err := conn.Get(ctx, "config.channel.north")
			return err == nil && string(en.Data) == "four"
		})
		if _, err := op.Get(ctx, "config.sync.all"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("a deleted key: %v", err)
		}
		eventually(t, "the list holds the one key there is", func() bool {
			l, err := op.List(ctx, "config.>")
			return err == nil && len(l) == 1 && string(l[0].Data) == "four"
		})
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
}

// A cursor record comes after every record of its fold, and Caught is told once,
// also by an empty namespace. A reader that went on from its position sees only
// what is new, the last per subject.
func TestRecordsComeInOrderBeforeTheirCursor(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 0)
		worker, conn := as(t, e.a, ns, catalog), as(t, e.a, ns, connector("north"))
		if r := readAll(t, ctx, conn, Items); len(r) != 0 {
			t.Fatalf("an empty namespace has %v", r)
		}
		cur := must2(worker.ReadCursor(ctx))
		fold := func(n uint64, records ...Record) {
			t.Helper()
			var err error
			if cur, err = worker.Fold(ctx, cur, Cursor{FactSeq: n, Epoch: cur.Epoch}, records); err != nil {
				t.Fatal(err)
			}
		}
		ledger := must2(LedgerSubject("north", "a"))
		fold(1, Record{Subject: item(t, "a"), Data: []byte("a1")}, Record{Subject: item(t, "b"), Data: []byte("b1")})
		fold(2, Record{Subject: item(t, "a"), Data: []byte("a2")}, Record{Subject: ledger, Data: []byte("l")})
		fold(3, Record{Subject: item(t, "b"), Deleted: true})

		var got []string
		var pos Position
		again := func() {}
		caught := 0
		err := conn.ReadRecords(ctx, ReadOptions{Kinds: Shared}, func(b Batch) error {
			for _, r := range b.Records {
				pos = Position{Seq: r.Seq, Epoch: b.Epoch}
				if r.Subject.Kind() == KindCursor {
					c := must2(r.Cursor())
					got = append(got, fmt.Sprint("cursor ", c.FactSeq))
					if c.FactSeq == 4 {
						return errEnough
					}
					continue
				}
				sku := must2(r.Subject.SKU())
				got = append(got, fmt.Sprint(sku, " ", string(r.Data), " ", r.Deleted))
			}
			if b.Caught {
				caught++
				again = e.interrupt(t, ns, "CAT")
				fold(4, Record{Subject: item(t, "c"), Data: []byte("c1")})
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		again()
		want := "[a a2 false b  true cursor 3 c c1 false cursor 4]"
		if fmt.Sprint(got) != want || caught != 1 {
			t.Fatalf("read %v, caught up %d times; want %s once", got, caught, want)
		}
		fold(5, Record{Subject: item(t, "d"), Data: []byte("d1")})
		n := 0
		err = conn.ReadRecords(ctx, ReadOptions{After: pos, Kinds: Shared}, func(b Batch) error {
			for _, r := range b.Records {
				if n++; r.Seq <= pos.Seq {
					t.Errorf("%s at %d is not after %d", r.Subject, r.Seq, pos.Seq)
				}
				if r.Subject.Kind() == KindCursor {
					return errEnough
				}
			}
			return nil
		})
		if !errors.Is(err, errEnough) || n != 2 {
			t.Fatalf("after its position a reader got %d records, %v; want the item and the cursor", n, err)
		}
		if all := readAll(t, ctx, worker, Everything); len(all) != 6 {
			t.Fatalf("the worker reads %d records, want 4 items, the ledger and the cursor", len(all))
		}
		if all := readAll(t, ctx, worker, Ledgers|Cursors); len(all) != 2 {
			t.Fatalf("the worker reads %d records, want the ledger and the cursor", len(all))
		}
	})
}

// A Space outlives the hub: calls wait for it, and Connected tells.
func TestCallsWaitForTheHub(t *testing.T) {
	ctx := testContext(t)
	e := startHub(t)
	ns := e.namespace(t, ctx, fresh(), 0)
	conn := as(t, e.a, ns, connector("north"))
	if err := conn.WaitConnected(ctx); err != nil {
		t.Fatal(err)
	}
	e.servers[0].Shutdown()
	eventually(t, "the loss is noticed", func() bool { return !conn.Connected() })
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := conn.Append(short, someFacts("north", 1)...); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("without a hub Append gave %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := conn.Append(ctx, someFacts("north", 30)...)
		done <- err
	}()
	e.servers[0] = e.start(t, 0)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	worker := as(t, e.a, ns, catalog)
	if got := readFacts(t, ctx, worker, Position{}, 30); len(got) != 30 {
		t.Fatalf("%d facts are stored, want the 30 that were acknowledged and none of the one given up", len(got))
	}
	conn.Close()
	if _, err := conn.Append(ctx, someFacts("north", 1)...); !errors.Is(err, ErrClosed) {
		t.Fatalf("on a closed Space: %v", err)
	}
}
