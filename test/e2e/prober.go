package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// prober changes a source shop without end, each change with the next number,
// and looks at all shops all the while, until finish. Prices, stocks and
// orders each have SKUs of their own, so that every number that a shop shows
// tells which change it comes from.
type prober struct {
	source  *shop
	targets []*shop
	skus    probedSKUs
	cancel  context.CancelFunc
	ended   sync.WaitGroup

	mu      sync.Mutex
	history history
	changes int
	looks   int
}

// probedSKUs are the SKUs that a prober changes. All shops sell them before it
// starts.
type probedSKUs struct{ prices, stocks, orders []string }

const (
	// changeEvery and lookEach are the pace of a prober: fast enough to have
	// several changes in every phase of a failure, slow enough for three shops
	// on two cores.
	changeEvery = 150 * time.Millisecond
	lookEach    = 500 * time.Millisecond
	// enough units that no prober sells out.
	probedOnHand = 5000
	// convergence bounds the time from the last change until all shops show it.
	convergence = 2 * time.Minute
)

// probed are products for a prober with the prefix, to be sold by the source
// before a sync fills the targets.
func probed(prefix string) ([]product, probedSKUs) {
	var all []product
	var skus probedSKUs
	for name, list := range map[string]*[]string{"price": &skus.prices, "stock": &skus.stocks, "order": &skus.orders} {
		for _, p := range products(prefix+"-"+name, 3, probedOnHand) {
			p.price = 10000
			all = append(all, p)
			*list = append(*list, p.sku)
		}
	}
	return all, skus
}

// probe starts a prober. All shops must show the same already. Orders are
// placed in the source and in every target in turn.
func probe(t *testing.T, skus probedSKUs, source *shop, targets ...*shop) *prober {
	t.Helper()
	p := &prober{source: source, targets: targets, skus: skus, history: history{
		prices: map[string][]effect{}, stocks: map[string][]effect{}, sales: map[string][]effect{}, onHand: map[string]int{},
	}}
	begun := time.Now()
	seen := source.look(t)
	for _, sku := range skus.prices {
		p.history.prices[sku] = []effect{{seen[sku].price, begun, begun}}
	}
	for _, sku := range skus.stocks {
		p.history.stocks[sku] = []effect{{int64(seen[sku].available), begun, begun}}
	}
	for _, sku := range skus.orders {
		p.history.sales[sku], p.history.onHand[sku] = []effect{}, seen[sku].available
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	t.Cleanup(func() { p.end() })
	p.ended.Go(func() { p.change(ctx) })
	for _, s := range p.shops() {
		p.ended.Go(func() { p.look(ctx, s) })
	}
	return p
}

func (p *prober) shops() []*shop { return append([]*shop{p.source}, p.targets...) }

// end stops changing and looking.
func (p *prober) end() {
	p.cancel()
	p.ended.Wait()
}

// done is how many changes were made so far: what a test waits for to know
// that its failure happened amid changes.
func (p *prober) done() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changes
}

// awaitChanges waits for n more changes.
func (p *prober) awaitChanges(t *testing.T, n int) {
	t.Helper()
	goal := p.done() + n
	within(t, soon, fmt.Sprintf("%d more changes in %s", n, p.source.name), func(context.Context) error {
		if done := p.done(); done < goal {
			return fmt.Errorf("%d of %d are made", done, goal)
		}
		return nil
	})
}

// finish stops the changes, waits until all shops show the last of them, and
// fails on every effect that was lost, reordered, doubled or invented.
func (p *prober) finish(t *testing.T) {
	t.Helper()
	p.end()
	begun := time.Now()
	converged := await(t.Context(), convergence, same(p.source, p.targets...))
	for _, s := range p.shops() {
		if err := p.lookOnce(t.Context(), s); err != nil {
			t.Errorf("the last look at %s: %v", s.name, err)
		}
	}
	faults := p.history.check()
	t.Logf("prober: %d changes, %d looks, converged %s after the last: %v", p.changes, p.looks, time.Since(begun).Round(100*time.Millisecond), converged)
	for i, fault := range faults {
		if i == 20 {
			t.Errorf("and %d more", len(faults)-i)
			break
		}
		t.Error(fault)
	}
	if converged != nil {
		t.Errorf("the shops do not show the same: %v", converged)
	}
	if p.changes == 0 || p.looks == 0 {
		t.Errorf("a prober of %d changes and %d looks proves nothing", p.changes, p.looks)
	}
}

// change makes changes in turn until the context ends.
func (p *prober) change(ctx context.Context) {
	tick := time.NewTicker(changeEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		// A change that has begun is not cut off by the end: its answer matters.
		p.changeOnce(context.WithoutCancel(ctx), n)
	}
}

func (p *prober) changeOnce(ctx context.Context, n int) {
	number := int64(n)
	switch turn := n / 3; n % 3 {
	case 0:
		sku := p.skus.prices[turn%len(p.skus.prices)]
		p.make(p.history.prices, sku, 10000+number, func() error { return p.source.setPrice(ctx, sku, 10000+number) })
	case 1:
		sku := p.skus.stocks[turn%len(p.skus.stocks)]
		p.make(p.history.stocks, sku, probedOnHand+number, func() error { return p.source.setStock(ctx, sku, probedOnHand+n) })
	case 2:
		sku, in := p.skus.orders[turn%len(p.skus.orders)], p.shops()[turn%(1+len(p.targets))]
		p.make(p.history.sales, sku, 1, func() error {
			_, err := in.order(ctx, sku, 1)
			return err
		})
	}
}

// make makes one change and writes down when it was asked for and answered.
func (p *prober) make(list map[string][]effect, sku string, number int64, change func() error) {
	p.mu.Lock()
	at := len(list[sku])
	list[sku] = append(list[sku], effect{number: number, begun: time.Now()})
	p.mu.Unlock()
	err := change()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		list[sku][at].ended = time.Now()
		p.changes++
	}
}

// look looks at a shop again and again; while it does not answer there is
// nothing to see.
func (p *prober) look(ctx context.Context, s *shop) {
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for {
		_ = p.lookOnce(ctx, s)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *prober) lookOnce(ctx context.Context, s *shop) error {
	begun := time.Now()
	shown, err := s.shown(ctx)
	ended := time.Now()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks++
	for sku, v := range shown {
		p.history.seen = append(p.history.seen, sighting{s.name, sku, v, begun, ended})
	}
	return nil
}
