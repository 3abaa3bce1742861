package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// coalescing: a shop that answers nothing but errors while very many updates
// of few SKUs arrive gets one write of each SKU when it is back.
func coalescing(ctx context.Context, r *run) (err error) {
	const (
		skus     = 1000
		batch    = 20
		price    = firstPrice
		shop     = "shop"
		patience = 5 * time.Minute
	)
	updates := r.of(1_000_000)
	w, err := newWorld(ctx, r.path("world"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	n, err := w.namespace("bench")
	if err != nil {
		return err
	}
	if err := errors.Join(n.sync(shop), n.fold()); err != nil {
		return err
	}
	if _, err := n.state(skus, func(i int) hub.Fact { return observed(i, price) }); err != nil {
		return err
	}
	s := n.shop(shop, shoptest.Options{
		NoCreate: true, NoRemove: true, NoOrders: true,
		Traits: driver.Traits{
			PageSize: 250, ReadBatch: 100, WriteBatch: batch, RequestsPerSecond: 1000, Burst: 100, Concurrency: 4,
			RequestTimeout: 10 * time.Second, LateWriteHorizon: time.Hour, StockMode: driver.StockSet, StockBasis: driver.BasisOnHand,
		},
	})
	fill(s.Shop, skus)
	l := &landings{last: make(map[string]driver.Version)}
	s.watch.wrote = l.wrote
	if err := s.run(); err != nil {
		return err
	}
	if err := n.inSync(shop, skus, patience); err != nil {
		return err
	}

	var blocked atomic.Bool
	blocked.Store(true)
	s.Fault(func(driver.Operation, int) shoptest.Fault {
		if blocked.Load() {
			return shoptest.Fault{Status: 503}
		}
		return shoptest.Fault{}
	})
	began := time.Now()
	final := func(sku int) int64 { return price + int64(updates) - int64(skus) + int64(sku) }
	seq, err := n.state(updates, func(i int) hub.Fact { return observed(i%skus, price+int64(i)) })
	if err != nil {
		return err
	}
	if err := n.folded(seq, patience); err != nil {
		return err
	}
	// The connector has read what was folded when all it knows is pending.
	if err := n.eventually("every SKU is pending", patience, func() (bool, error) {
		p, err := n.report(shop)
		return p.Progress[syncName].Pending == skus, err
	}); err != nil {
		return err
	}
	filled := time.Since(began)
	l.release(func(sku string) int64 { return final(skuNumber(sku)) })
	during := s.Calls(driver.OpWrite)
	blocked.Store(false)
	released := time.Now()
	if err := n.inSync(shop, skus, patience); err != nil {
		return err
	}
	calls := s.Calls(driver.OpWrite) - during
	for i := range skus {
		if shown, ok := s.Listing(skuName(i)); !ok || shown.Price.Minor != final(i) {
			return fmt.Errorf("the shop shows %v for %s, not %d", shown.Price, skuName(i), final(i))
		}
	}
	stale, older := l.told()
	least := (skus + batch - 1) / batch
	r.say("%d updates of %d SKUs stated and folded in %.1f s while the shop answered 503 to %d writes", updates, skus, filled.Seconds(), during)
	r.say("after the release: in sync in %.2f s by %d calls of %d SKUs, at least %d are needed", time.Since(released).Seconds(), calls, batch, least)
	r.say("intents with a value that was not the newest: %d; intents older than one sent before: %d", stale, older)
	r.atMost("", float64(calls)/float64(least), 1.05)
	r.atMost("stale", float64(stale+older), 0)
	return nil
}

func skuNumber(sku string) int {
	var i int
	if _, err := fmt.Sscanf(sku, "SKU-%08d", &i); err != nil {
		return -1
	}
	return i
}

// landings looks at every intent on its way to the shop.
type landings struct {
	mu    sync.Mutex
	final func(sku string) int64 // nil while the shop is blocked and takes nothing
	last  map[string]driver.Version
	stale int
	older int
}

// release says what the newest value of every SKU is from now on.
func (l *landings) release(final func(sku string) int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.final = final
}

func (l *landings) wrote(intents []driver.Intent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range intents {
		in := &intents[i]
		if l.final != nil && in.Price != nil && in.Price.Minor != l.final(in.SKU) {
			l.stale++
		}
		if in.Version.Compare(l.last[in.SKU]) < 0 {
			l.older++
		}
		l.last[in.SKU] = in.Version
	}
}

func (l *landings) told() (stale, older int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stale, l.older
}
