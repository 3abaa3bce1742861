package connector

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// oneTarget makes a world with one target shop, fed by items that the test writes
// as the catalog worker would.
func oneTarget(t *testing.T, o shoptest.Options) (*feeder, *shop) {
	t.Helper()
	w := newWorld(t)
	s := w.shop("target", o)
	w.sync(workload.SyncConfig{
		Name: "main", Source: "erp", Fields: allFields,
		Channels: map[string]workload.SyncChannel{"target": {Groups: every}},
	})
	f := &feeder{w: w, space: w.as(hub.Workload{Kind: hub.Catalog})}
	return f, s
}

// feeder folds items into the hub.
type feeder struct {
	w      *world
	space  *hub.Space
	cursor hub.Cursor
}

func (f *feeder) items(items ...catalog.Item) {
	f.w.t.Helper()
	if f.cursor.Seq == 0 {
		c, err := f.space.ReadCursor(f.w.ctx)
		if err != nil {
			f.w.t.Fatal(err)
		}
		f.cursor = c
	}
	for len(items) > 0 {
		n := min(len(items), 500)
		records := make([]hub.Record, n)
		for i := range records {
			s, err := hub.ItemSubject("erp", items[i].SKU)
			if err != nil {
				f.w.t.Fatal(err)
			}
			records[i] = hub.Record{Subject: s, Data: encode(f.w.t, items[i])}
		}
		next, err := f.space.Fold(f.w.ctx, f.cursor, hub.Cursor{FactSeq: f.cursor.FactSeq, Epoch: f.cursor.Epoch}, records)
		if err != nil {
			f.w.t.Fatal(err)
		}
		f.cursor = next
		items = items[n:]
	}
}

func item(sku string, price, ats int64) catalog.Item {
	p := eur(price)
	return catalog.Item{SKU: sku, Price: &p, ATS: &ats, Content: &driver.Content{
		Product: driver.Product{Key: sku, Title: sku}, Title: sku, Enabled: true,
	}}
}

// ascending checks I2 as the shop saw it.
func (s *shop) ascending(skus ...string) {
	s.w.t.Helper()
	for _, sku := range skus {
		sent := s.Sent(sku)
		for i := 1; i < len(sent); i++ {
			if sent[i].Compare(sent[i-1]) < 0 {
				s.w.t.Errorf("%s: version %v of %s was sent after %v", s.name, sent[i], sku, sent[i-1])
			}
		}
	}
}

// Coalescing: what changes forty times while the channel is stuck is written
// once, with its last value, and never an older one after a newer (I2).
func TestManyChangesOfOneSKUAreOneWrite(t *testing.T) {
	t.Parallel()
	const skus, rounds, batch = 60, 40, 20
	for _, writers := range []int{1, 2} {
		t.Run(fmt.Sprintf("writers=%d", writers), func(t *testing.T) {
			t.Parallel()
			o := habits()
			o.Traits.Concurrency, o.Traits.WriteBatch = writers, batch
			// Neither a stuck call nor the lease may end while the shop is stuck,
			// or there would be more to write than what changed.
			o.Traits.RequestTimeout = 4 * patience
			f, s := oneTarget(t, o)
			s.tune = func(o *Options) { o.LeaseDuration = 4 * patience }
			name := func(i int) string { return fmt.Sprintf("S%02d", i) }
			all := func(price int64) []catalog.Item {
				items := make([]catalog.Item, skus)
				for i := range items {
					items[i] = item(name(i), price, 10)
				}
				return items
			}
			f.items(all(100)...)
			s.start()
			s.inSync("main", skus)

			open := s.Block()
			before := s.Calls(driver.OpWrite)
			// Each writer gets stuck with a SKU of its own, so that how the hub
			// delivers the others does not decide what is in which call.
			for i := range writers {
				f.items(item(name(i), 150, 10))
				eventually(t, fmt.Sprintf("%d writers stuck", i+1), func() bool { return s.Calls(driver.OpWrite)-before == i+1 })
			}
			for r := range rounds {
				f.items(all(int64(200 + r))...)
			}
			eventually(t, "all changes delivered", func() bool {
				var at uint64
				s.engine.Load().view(func() { at = s.engine.Load().meta.Seq })
				return at >= f.cursor.Seq
			})
			open()
			s.inSync("main", skus)
			for i := range skus {
				s.shows(name(i), 200+rounds-1, 10)
				s.ascending(name(i))
			}
			// The stuck calls, then every SKU once in full batches. A SKU that
			// was stuck may come back after the others were taken: all but the
			// first of them may be a call of its own.
			least := writers + skus/batch
			if got := s.Calls(driver.OpWrite) - before; got < least || got > least+writers-1 {
				t.Errorf("%d write calls, want %d to %d", got, least, least+writers-1)
			}
		})
	}
}

// An item that the channel refuses is found by halving, kept with the
// channel's words, and not tried again until it changes; the rest of its batch
// is written.
func TestAPoisonousItemIsIsolatedAndNotHotRetried(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{true, false} {
		t.Run(fmt.Sprintf("allOrNothing=%v", whole), func(t *testing.T) {
			t.Parallel()
			o := habits()
			o.AllOrNothing = whole
			f, s := oneTarget(t, o)
			s.Poison("S07", true)
			var items []catalog.Item
			for i := range 20 {
				items = append(items, item(fmt.Sprintf("S%02d", i), 100, 5))
			}
			f.items(items...)
			s.start()
			eventually(t, "one failed, the others in sync", func() bool {
				p := s.report().Progress["main"]
				return p.InSync == 19 && p.Failed == 1 && p.Pending == 0
			})
			p := s.report().Progress["main"]
			if len(p.Failures) != 1 || p.Failures[0].SKU != "S07" || p.Failures[0].Reason == "" || p.OldestFailed.IsZero() {
				t.Errorf("failures %+v since %v", p.Failures, p.OldestFailed)
			}
			before := s.Calls(driver.OpWrite) + s.Calls(driver.OpCreate)
			polls := s.Calls(driver.OpChanges)
			eventually(t, "some time", func() bool { return s.Calls(driver.OpChanges) > polls+20 })
			if again := s.Calls(driver.OpWrite) + s.Calls(driver.OpCreate) - before; again != 0 {
				t.Errorf("the refused item was sent %d times more", again)
			}
			// A new version is a new chance.
			s.Poison("S07", false)
			f.items(item("S07", 101, 5))
			s.inSync("main", 20)
			s.shows("S07", 101, 5)
		})
	}
}

// A write whose caller gave up may land after a newer one: it is found and
// repaired (I2, seen on a real shop).
func TestALateWriteIsRepaired(t *testing.T) {
	t.Parallel()
	o := habits()
	o.Traits.RequestTimeout = 200 * time.Millisecond
	f, s := oneTarget(t, o)
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	s.Fault(lateOnce(driver.OpWrite))
	f.items(item("A", 200, 4))
	eventually(t, "the second try", func() bool { l, _ := s.Listing("A"); return l.Price.Minor == 200 })
	s.inSync("main", 1)
	f.items(item("A", 300, 3))
	s.shows("A", 300, 3)
	s.inSync("main", 1)
	if n := s.Land(); n != 1 {
		t.Fatalf("%d writes were late, want 1", n)
	}
	if l, _ := s.Listing("A"); l.Price.Minor != 200 {
		t.Fatalf("the late write did not land: %v", l.Price)
	}
	s.shows("A", 300, 3)
	s.inSync("main", 1)
	s.ascending("A")
}

// lateOnce makes the first call of an operation land late.
func lateOnce(what driver.Operation) func(driver.Operation, int) shoptest.Fault {
	done := false
	return func(op driver.Operation, _ int) shoptest.Fault {
		if op == what && !done {
			done = true
			return shoptest.Fault{Late: true}
		}
		return shoptest.Fault{}
	}
}

// A write that is carried out and never answered is found done by reading
// back, not by writing again.
func TestAWriteWithoutAnAnswerIsReadBack(t *testing.T) {
	t.Parallel()
	o := habits()
	o.Traits.RequestTimeout = 200 * time.Millisecond
	f, s := oneTarget(t, o)
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	lost := false
	s.Fault(func(op driver.Operation, _ int) shoptest.Fault {
		if op == driver.OpWrite && !lost {
			lost = true
			return shoptest.Fault{Lose: true}
		}
		return shoptest.Fault{}
	})
	before := s.Calls(driver.OpWrite)
	f.items(item("A", 200, 4))
	s.shows("A", 200, 4)
	s.inSync("main", 1)
	if got := s.Calls(driver.OpWrite) - before; got != 1 {
		t.Errorf("%d write calls, want 1", got)
	}
}

// The channel's own words govern: after a 429 with Retry-After nothing is sent
// before its time, and everything arrives in the end.
func TestThrottlingPausesTheAccount(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	var at time.Time
	early, calls := 0, 0
	s.Fault(func(op driver.Operation, _ int) shoptest.Fault {
		switch {
		case at.IsZero() && op == driver.OpWrite:
			at = time.Now()
			return shoptest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "1"}
		case !at.IsZero():
			calls++
			// A call that had left before the answer came is no one's fault.
			if d := time.Since(at); d > 100*time.Millisecond && d < 900*time.Millisecond {
				early++
			}
		}
		return shoptest.Fault{}
	})
	f.items(item("A", 200, 4))
	s.shows("A", 200, 4)
	s.inSync("main", 1)
	s.Fault(nil)
	if early > 0 || calls == 0 {
		t.Errorf("%d of %d calls came before the time the channel asked for", early, calls)
	}
}

// Failing calls are tried again until they succeed (I1).
func TestTransientFailuresAreOvercome(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	s.Fault(func(_ driver.Operation, n int) shoptest.Fault {
		if uint32(n)*2654435761>>16%10 < 3 { // three in ten, without a rhythm
			return shoptest.Fault{Status: http.StatusBadGateway}
		}
		return shoptest.Fault{}
	})
	var items []catalog.Item
	for i := range 50 {
		items = append(items, item(fmt.Sprintf("S%02d", i), 100, int64(i)))
	}
	f.items(items...)
	s.start()
	s.inSync("main", 50)
}

// A rejected value of one group does not keep the others back.
func TestOneRefusedGroupDoesNotHoldTheOthers(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	s.Poison("A", true)
	f.items(item("A", 200, 4))
	eventually(t, "failed", func() bool { return s.report().Progress["main"].Failed == 1 })
	if got := len(s.Sent("A")); got < 3 {
		t.Errorf("%d writes, want the one of both groups and one of each", got)
	}
}

// Items removed at the source are taken out of sale; missing listings that
// cannot be created fail as NotListed.
func TestRemovedItemsLeaveAndMissingOnesFail(t *testing.T) {
	t.Parallel()
	t.Run("remove", func(t *testing.T) {
		t.Parallel()
		f, s := oneTarget(t, habits())
		f.items(item("A", 100, 5))
		s.start()
		s.inSync("main", 1)
		gone := item("A", 100, 5)
		gone.Removed = true
		f.items(gone)
		eventually(t, "out of sale", func() bool { l, _ := s.Listing("A"); return !l.Content.Enabled })
		s.inSync("main", 0)
		f.items(item("A", 100, 5))
		s.inSync("main", 1)
		if l, _ := s.Listing("A"); !l.Content.Enabled {
			t.Error("what the source has again is not for sale")
		}
	})
	t.Run("stock to zero", func(t *testing.T) {
		t.Parallel()
		o := habits()
		o.NoRemove = true
		f, s := oneTarget(t, o)
		f.items(item("A", 100, 5))
		s.start()
		s.inSync("main", 1)
		gone := item("A", 100, 5)
		gone.Removed = true
		f.items(gone)
		s.shows("A", 100, 0)
		s.inSync("main", 0)
	})
	t.Run("not listed", func(t *testing.T) {
		t.Parallel()
		o := habits()
		o.NoCreate = true
		f, s := oneTarget(t, o)
		f.items(item("A", 100, 5))
		s.start()
		eventually(t, "NotListed", func() bool {
			p := s.report().Progress["main"]
			return p.Failed == 1 && len(p.Failures) == 1 && p.Failures[0].Reason == "NotListed"
		})
		// Somebody lists it by hand.
		s.Add("A", "by hand", eur(1), 1)
		s.inSync("main", 1)
		s.shows("A", 100, 5)
	})
}

// A channel that answers a write with what it stores is not read back.
func TestAVerifiedWriteNeedsNoReadBack(t *testing.T) {
	t.Parallel()
	o := habits()
	o.Traits.WriteReturnsStored = true
	f, s := oneTarget(t, o)
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	before := s.Calls(driver.OpRead)
	f.items(item("A", 200, 5))
	s.shows("A", 200, 5)
	s.inSync("main", 1)
	if got := s.Calls(driver.OpRead) - before; got != 0 {
		t.Errorf("%d readings, want none", got)
	}
}
