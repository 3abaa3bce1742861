package main

import (
	"fmt"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog/allot"
)

const (
	onHand    = driver.BasisOnHand
	available = driver.BasisAvailable
)

// shopKind is how a shop takes stock.
type shopKind struct {
	mode  driver.StockMode
	basis driver.StockBasis
}

func (k shopKind) String() string { return string(k.mode) + "/" + string(k.basis) }

// exact says that nothing can be put back on sale by a write.
func (k shopKind) exact() bool { return k.mode != driver.StockSet }

var kinds = []shopKind{
	{driver.StockCompareAndSet, available},
	{driver.StockSet, onHand},
	{driver.StockSet, available},
	{driver.StockAdjust, available},
}

// plan is what a schedule is about.
type plan struct {
	length time.Duration
	units  int64
	shops  []shopKind
	policy *allot.Policy
	// What goes wrong.
	losses, crashes, partitions, counts, returns bool
	// dead is a shop that answers nothing, or lies, from some time on; -1 for none.
	dead int
	lies bool
}

func (p *plan) String() string {
	return fmt.Sprintf("%s, %d units, budget %d, shops %v, losses %v, crashes %v, partitions %v, counts %v, returns %v, dead %d (lies %v), %s",
		p.policy.Kind, p.units, p.policy.Budget, p.shops, p.losses, p.crashes, p.partitions, p.counts, p.returns, p.dead, p.lies, p.length)
}

func (w *world) choosePlan() plan {
	p := plan{length: w.between(20*time.Second, 60*time.Second), units: int64(1 + w.below(20)), dead: -1}
	for range 2 + w.below(3) {
		p.shops = append(p.shops, kinds[w.below(len(kinds))])
	}
	p.losses, p.crashes, p.partitions = w.oneIn(2), w.oneIn(2), w.oneIn(2)
	p.counts = w.oneIn(4)
	p.returns = !p.counts && w.oneIn(2)
	if w.oneIn(4) {
		p.dead, p.lies = w.below(len(p.shops)), w.oneIn(2)
	}
	p.policy = w.choosePolicy(p.units, len(p.shops))
	return p
}

func (w *world) choosePolicy(units int64, shops int) *allot.Policy {
	p := &allot.Policy{Kind: allot.Escrow}
	if w.oneIn(4) {
		p.Budget = int64(w.below(3))
	}
	if w.oneIn(4) {
		p.Kind, p.ScarceBelow = allot.Adaptive, int64(w.below(int(units)+1))
	}
	for i := range shops {
		p.Parts = append(p.Parts, allot.Part{Channel: shopName(i)})
	}
	return p
}

// The habits of shops, connectors and the hub.
const (
	visibility = time.Second            // how long a change of an order may not be listed
	horizon    = 8 * time.Second        // how long a write may land after it was sent
	timeout    = 400 * time.Millisecond // of a request
	lease      = 2 * time.Second
	renewEvery = 500 * time.Millisecond
	pollEvery  = 800 * time.Millisecond
	stepEvery  = 150 * time.Millisecond
	lookEvery  = 6 * time.Second // how old a reading may be
	freshFor   = time.Second     // how old one may be that is written upon
)
