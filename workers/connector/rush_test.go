package connector

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// rush is a shop that sells one unit of a SKU after the other, faster than its
// stock can settle.
type rush struct {
	sold atomic.Int64
	stop func()
}

// rushEvery is the time between two sales of a rush; a reading settles after
// rushSettles and a poll.
const (
	rushEvery   = 50 * time.Millisecond
	rushSettles = 250 * time.Millisecond
)

// rushHabits are of a shop whose orders may stay unseen for several sales.
func rushHabits() shoptest.Options {
	o := slow()
	o.Traits.OrderVisibility = rushSettles
	return o
}

// startRush sells until it is stopped; ships says whether every unit leaves the
// shelf at once, as at a till.
func startRush(t *testing.T, s *shop, sku string, ships bool) *rush {
	t.Helper()
	ctx, cancel := context.WithCancel(s.w.ctx)
	r := &rush{}
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			id := s.Sell(sku, 1)
			if ships {
				s.Fulfil(id)
			}
			r.sold.Add(1)
			_ = sleep(ctx, rushEvery)
		}
	})
	r.stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(r.stop)
	return r
}

// withinPolls waits for a condition for as many polls of a shop's orders, and
// fails if it holds not by then.
func (s *shop) withinPolls(polls int, what string, busy *shop, ok func() bool) {
	s.w.t.Helper()
	deadline, first := time.Now().Add(patience), s.Calls(driver.OpOrders)
	for !ok() {
		if s.Calls(driver.OpOrders)-first > polls || time.Now().After(deadline) {
			s.w.t.Fatalf("%s: not within %d polls of the orders of %s\n%s", what, polls, s.name, busy.explain("A"))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *shop) available(sku string) int64 {
	l, _ := s.Listing(sku)
	return l.Stock.Available
}

// rushPolls is how many polls of the orders something may take in a rush.
const rushPolls = 5

// A channel that sells without a pause is told what the others sell, and they
// what it sells, while it does (I1, I4); in the end every unit is counted once.
func TestARushDoesNotStopStock(t *testing.T) {
	t.Parallel()
	for name, ships := range map[string]bool{"reserved": false, "shipped at once": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, one, r := rushed(t, ships)
			one.Sell("A", 400)
			source.withinPolls(2*rushPolls, "a sale elsewhere shown in the rush", source, func() bool { return source.available("A") <= 600 })
			r.stop()
			left := 1000 - 400 - r.sold.Load()
			source.shows("A", 100, left)
			one.shows("A", 100, left)
		})
	}
}

// Goods that come in while a channel sells without a pause are sold elsewhere,
// too, though its stock never stands still (I1).
func TestGoodsReceivedInARushAreTakenIn(t *testing.T) {
	t.Parallel()
	for name, ships := range map[string]bool{"reserved": false, "shipped at once": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, one, r := rushed(t, ships)
			source.Receive("A", 500)
			one.withinPolls(2*rushPolls, "goods received shown elsewhere", source, func() bool { return one.available("A") > 1000 })
			r.stop()
			left := 1000 + 500 - r.sold.Load()
			source.shows("A", 100, left)
			one.shows("A", 100, left)
		})
	}
}

// A fold that is behind all the time holds back neither what the channel's own
// orders do not touch, nor, for long, what they do (I1, I4).
func TestAFoldThatIsAlwaysBehindDoesNotStopStock(t *testing.T) {
	t.Parallel()
	w, source, one := pair(t, rushHabits())
	for _, sku := range []string{"A", "B"} {
		source.Add(sku, "Item", eur(100), 1000)
	}
	source.start()
	one.start()
	for _, sku := range []string{"A", "B"} {
		one.shows(sku, 100, 1000)
	}
	source.inSync("main", 2)
	one.inSync("main", 2)
	w.lag.Store(int64(2500 * time.Millisecond))
	r := startRush(t, one, "A", false)
	one.withinPolls(2*rushPolls, "sales of the rush shown elsewhere", source, func() bool { return source.available("A") < 990 })
	source.Sell("B", 300)
	one.withinPolls(3*rushPolls, "another SKU shown in the rush", one, func() bool { return one.available("B") == 700 })
	source.Sell("A", 400)
	one.withinPolls(3*rushPolls, "a sale elsewhere shown in the rush", one, func() bool { return one.available("A") <= 600 })
	r.stop()
	w.lag.Store(0)
	left := 1000 - 400 - r.sold.Load()
	source.shows("A", 100, left)
	one.shows("A", 100, left)
}

// rushed is a source in a rush, whose sales are shown by another shop.
func rushed(t *testing.T, ships bool) (source, one *shop, r *rush) {
	t.Helper()
	_, source, one = pair(t, rushHabits())
	source.Add("A", "Item", eur(100), 1000)
	source.start()
	one.start()
	one.shows("A", 100, 1000)
	source.inSync("main", 1)
	r = startRush(t, source, "A", ships)
	one.withinPolls(rushPolls, "sales of the rush shown elsewhere", source, func() bool { return one.available("A") < 990 })
	return source, one, r
}
