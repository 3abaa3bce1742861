package hub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// I2: of many candidates one holds the lease at a time, each tenure has a
// higher epoch, and a release lets the next in without the wait.
func TestLeaseHasOneHolder(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 0)
		var holders, tenures atomic.Int64
		var epoch atomic.Uint64
		var wg sync.WaitGroup
		for i := range 4 {
			s := as(t, e.a, ns, catalog)
			wg.Go(func() {
				for range 3 {
					// A minute: without releases the test would not end in time.
					l, err := s.Acquire(ctx, LeaseOptions{Key: "lease.catalog", Holder: fmt.Sprint(i), Duration: time.Minute})
					if err != nil {
						t.Error(err)
						return
					}
					if n := holders.Add(1); n != 1 {
						t.Errorf("%d hold the lease", n)
					}
					if before := epoch.Swap(l.Epoch()); before >= l.Epoch() {
						t.Errorf("epoch %d follows %d", l.Epoch(), before)
					}
					if left := l.ExpiresIn(); left <= 0 || left > time.Minute {
						t.Errorf("a fresh lease runs for %s", left)
					}
					tenures.Add(1)
					holders.Add(-1)
					if err := l.Release(ctx); err != nil {
						t.Error(err)
					}
					select {
					case <-l.Lost():
					default:
						t.Error("a released lease is not lost")
					}
				}
			})
		}
		wg.Wait()
		if n := tenures.Load(); n != 12 {
			t.Errorf("%d tenures, want 12", n)
		}
	})
}

// A lease outlives the loss of the leader while it is renewed, and a successor
// waits for the time that the holder stated, grace included.
func TestLeaseIsRenewedAndItsSuccessorWaits(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 0)
		first, second := as(t, e.a, ns, connector("north")), as(t, e.a, ns, connector("north"))
		o := LeaseOptions{Key: "lease.channel.north", Holder: "first", Duration: 10 * time.Second, Grace: time.Second}
		l, err := first.Acquire(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		rev := must2(first.Get(ctx, o.Key)).Revision
		again := e.interrupt(t, ns, "KV_CFG")
		eventually(t, "the lease is renewed without the leader", func() bool {
			en, err := first.Get(ctx, o.Key)
			return err == nil && en.Revision > rev
		})
		again()
		if l.ExpiresIn() == 0 {
			t.Fatal("the lease was lost with the leader")
		}
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		if _, err := second.Acquire(short, LeaseOptions{Key: o.Key, Holder: "second"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a lease that is held was given: %v", err)
		}
		if err := l.Release(ctx); err != nil {
			t.Fatal(err)
		}

		// A holder that vanishes: its successor's wait begins when it first looks.
		o.Duration, o.Grace = 300*time.Millisecond, 400*time.Millisecond
		if _, err = first.Acquire(ctx, o); err != nil {
			t.Fatal(err)
		}
		first.Close()
		began := time.Now()
		l, err = second.Acquire(ctx, LeaseOptions{Key: o.Key, Holder: "second"})
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < 700*time.Millisecond {
			t.Errorf("the successor waited %s, less than the holder's 700ms", waited)
		}
		if err := l.Release(ctx); err != nil {
			t.Fatal(err)
		}
	})
}
