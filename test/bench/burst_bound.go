package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// The budget of the shop in burstBound.
const (
	burstRate  = 50 // calls a second
	burstDepth = 50
	burstBatch = 100 // SKUs of a write, and of a reading
)

// burstBound: how near a connector comes to the least time that a shop's rate
// limit allows for a mass change (DESIGN §5.2).
func burstBound(ctx context.Context, r *run) error {
	n := r.of(100_000)
	for _, c := range []struct {
		part   string
		stored bool // the shop answers a write with what it stores
		faults bool
		target float64
	}{
		{"read_back", false, false, 1.10},
		{"returns_stored", true, false, 1.10},
		{"faults", false, true, 1.25},
	} {
		tMin := leastTime(n, c.stored)
		took, calls, err := burst(ctx, r, c.part, n, c.stored, c.faults, 6*tMin+time.Minute)
		if err != nil {
			return fmt.Errorf("%s: %w", c.part, err)
		}
		r.say("%s: %d changed SKUs in %.2f s, at least %.2f s are possible; %s", c.part, n, took.Seconds(), tMin.Seconds(), calls)
		r.atMost(c.part, took.Seconds()/tMin.Seconds(), c.target)
	}
	return nil
}

// leastTime is T_min of DESIGN §5.2, every call at a cost of one.
func leastTime(n int, stored bool) time.Duration {
	calls := math.Ceil(float64(n) / burstBatch)
	if !stored {
		calls *= 2
	}
	return time.Duration(max(0, calls-burstDepth) / burstRate * float64(time.Second))
}

// burst changes every SKU at once and returns the time from the first fact
// stated to the last SKU confirmed.
func burst(ctx context.Context, r *run, part string, skus int, stored, faults bool, patience time.Duration) (took time.Duration, calls string, err error) {
	w, err := newWorld(ctx, r.path(part))
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	n, err := w.namespace("bench")
	if err != nil {
		return 0, "", err
	}
	const shop, before, after = "shop", firstPrice, 2 * firstPrice
	if err := errors.Join(n.sync(shop), n.fold()); err != nil {
		return 0, "", err
	}
	if _, err := n.state(skus, func(i int) hub.Fact { return observed(i, before) }); err != nil {
		return 0, "", err
	}
	traits := driver.Traits{
		PageSize: burstBatch, ReadBatch: burstBatch, WriteBatch: burstBatch, WriteReturnsStored: stored,
		RequestsPerSecond: burstRate, Burst: burstDepth, Concurrency: 4,
		RequestTimeout: 10 * time.Second, LateWriteHorizon: time.Hour, StockMode: driver.StockSet, StockBasis: driver.BasisOnHand,
	}
	s := n.shop(shop, shoptest.Options{
		Traits: traits, Latency: 5 * time.Millisecond, NoCreate: true, NoRemove: true, NoOrders: true,
		Limit: burstRate, LimitDepth: burstDepth,
	})
	fill(s.Shop, skus)
	if err := s.run(); err != nil {
		return 0, "", err
	}
	if err := n.inSync(shop, skus, patience); err != nil {
		return 0, "", err
	}
	if faults {
		// Every twentieth call is refused, by turns as too many and as a
		// failure of the shop.
		s.Fault(func(_ driver.Operation, call int) shoptest.Fault {
			switch call % 40 {
			case 0:
				return shoptest.Fault{Status: 429}
			case 20:
				return shoptest.Fault{Status: 503}
			}
			return shoptest.Fault{}
		})
	}
	// The bucket is full again when the change comes.
	idle := time.NewTimer(burstDepth * time.Second / burstRate)
	defer idle.Stop()
	select {
	case <-idle.C:
	case <-w.ctx.Done():
		return 0, "", w.ctx.Err()
	}
	done, err := s.confirmed()
	if err != nil {
		return 0, "", err
	}
	count := s.counter()
	began := time.Now()
	seq, err := n.state(skus, func(i int) hub.Fact { return observed(i, after) })
	if err != nil {
		return 0, "", err
	}
	stated := time.Since(began)
	folded := make(chan time.Duration, 1)
	w.start("waiting for the fold", func(context.Context) error {
		err := n.folded(seq, patience)
		folded <- time.Since(began)
		return err
	})
	err = n.eventually("every change is confirmed", patience, func() (bool, error) {
		now, err := s.confirmed()
		return now >= done+uint64(skus), err // #nosec G115 -- positive
	})
	if err != nil {
		return 0, "", err
	}
	took = time.Since(began)
	calls = fmt.Sprintf("facts stated in %.2f s, folded in %.2f s; calls: %s", stated.Seconds(), (<-folded).Seconds(), count())
	// What was counted is what the shop shows and the report says.
	if err := n.inSync(shop, skus, patience); err != nil {
		return 0, "", err
	}
	for i := range skus {
		if l, ok := s.Listing(skuName(i)); !ok || l.Price.Minor != after {
			return 0, "", fmt.Errorf("the shop shows %v for %s", l.Price, skuName(i))
		}
	}
	return took, calls, nil
}

// counter tells the calls of the shop since it was made.
func (c *channel) counter() func() string {
	ops := []driver.Operation{driver.OpWrite, driver.OpRead, driver.OpChanges, driver.OpAccount}
	count := func() []int {
		n := make([]int, len(ops))
		for i, op := range ops {
			n[i] = c.Calls(op)
		}
		return n
	}
	before := count()
	return func() string {
		text := ""
		for i, n := range count() {
			text += fmt.Sprintf("%d %s, ", n-before[i], ops[i])
		}
		return text[:len(text)-2]
	}
}
