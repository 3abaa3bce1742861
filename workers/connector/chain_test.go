package connector

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
	worker "selaras.dev/selaras/workers/catalog"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// chainTime bounds how long new histories are begun.
const chainTime = 10 * time.Second

// I1 and conservation over the whole chain: shops, their connectors, the hub
// and the catalog worker. Whatever is sold, shipped and counted in whatever
// order, with answers lost, calls refused, connectors killed at any commit of
// their stores, stores lost and the worker replaced: in the end every shop
// shows, of every SKU, what there was and came in, less what was sold, and no
// shop was sent an older version after a newer one (I2).
func TestStockIsConservedOverTheWholeChain(t *testing.T) {
	t.Parallel()
	began := time.Now()
	rapid.Check(t, func(r *rapid.T) {
		if time.Since(began) > chainTime {
			return
		}
		c := newChain(t)
		defer c.close()
		what := map[string]func(*rapid.T){
			"sell": c.sell, "ship": c.ship, "count": c.count, "reprice": c.reprice, "kill": c.kill,
			"restart": c.restart, "trouble": c.trouble, "worker": c.replaceWorker, "wait": c.wait,
		}
		for range rapid.IntRange(8, 24).Draw(r, "steps") {
			what[rapid.SampledFrom(chainSteps).Draw(r, "step")](r)
		}
		c.conserved(r)
	})
}

var chainSteps = []string{
	"sell", "sell", "sell", "sell", "ship", "ship", "wait", "wait", "kill", "kill", "restart", "trouble", "reprice", "worker", "count",
}

var chainSKUs = []string{"A", "B", "C"}

// chain is a namespace with three shops and what it should hold.
type chain struct {
	t     *testing.T
	w     *world
	shops []*chainShop
	// left is what there is of a SKU and not sold, open what was sold and not
	// shipped, by shop and order.
	left  map[string]int64
	price map[string]int64
	open  []shipment

	stopWorker func()
}

type shipment struct {
	shop *chainShop
	id   string
}

// chainShop is a shop whose connector can be killed.
type chainShop struct {
	*shop
	fuse    atomic.Int64
	disk    atomic.Pointer[vfs.MemFS]
	crashed atomic.Bool
}

func newChain(t *testing.T) *chain {
	w := newWorld(t)
	c := &chain{t: t, w: w, left: map[string]int64{}, price: map[string]int64{}}
	o := habits()
	o.Traits.RequestTimeout = 400 * time.Millisecond
	channels := map[string]workload.SyncChannel{"source": {Groups: []string{"stock"}}}
	for i, name := range []string{"source", "one", "two"} {
		s := &chainShop{shop: w.shop(name, o)}
		s.disk.Store(vfs.NewCrashableMem())
		s.dir = "/store"
		rng := rand.New(rand.NewPCG(1, uint64(i))) // #nosec G404 -- a test
		s.tune = func(o *Options) {
			o.fs = s.disk.Load()
			o.hook = func(int) error {
				if s.fuse.Add(-1) != 0 {
					return nil
				}
				s.disk.Store(s.disk.Load().CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng}))
				s.crashed.Store(true)
				return errKilled
			}
		}
		s.fuse.Store(1 << 40)
		if i > 0 {
			channels[name] = workload.SyncChannel{Groups: every}
		}
		c.shops = append(c.shops, s)
	}
	for i, sku := range chainSKUs {
		c.left[sku], c.price[sku] = int64(20+i), 100
		c.shops[0].Add(sku, "Item "+sku, eur(100), 20+int64(i))
	}
	w.put(workload.ConfigSyncPrefix+"main", workload.SyncConfig{
		Generation: 1, Name: "main", UID: "main", Source: "source", Mode: workload.Enforce, Fields: allFields, Channels: channels,
	})
	c.startWorker()
	for _, s := range c.shops {
		s.start()
	}
	for _, s := range c.shops {
		for _, sku := range chainSKUs {
			s.shows(sku, 100, c.left[sku])
		}
	}
	return c
}

// startWorker starts a catalog worker with an empty store.
func (c *chain) startWorker() {
	ctx, cancel := context.WithCancel(c.w.ctx)
	done := make(chan error, 1)
	space := c.w.as(hub.Workload{Kind: hub.Catalog})
	dir := c.t.TempDir()
	go func() {
		done <- worker.Run(ctx, worker.Options{Space: space, Namespace: c.w.namespace, DataDir: dir, Logger: quiet(), LeaseDuration: 2 * time.Second})
	}()
	c.stopWorker = func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Errorf("the catalog worker: %v", err)
		}
		space.Close()
	}
}

func (c *chain) close() {
	for _, s := range c.shops {
		s.Fault(nil)
		c.reap(s)
		s.halt()
	}
	c.stopWorker()
}

// reap takes note of a connector that was killed; it reports whether it was.
func (c *chain) reap(s *chainShop) bool {
	if !s.crashed.Swap(false) {
		return false
	}
	if err := <-s.done; !errors.Is(err, errKilled) {
		c.t.Errorf("connector %s ended with %v, want the injected crash", s.name, err)
	}
	s.stop()
	s.stop = nil
	return true
}

func (c *chain) any(r *rapid.T) *chainShop {
	return c.shops[rapid.IntRange(0, len(c.shops)-1).Draw(r, "shop")]
}

// sell sells what the shop shows, as long as there is any.
func (c *chain) sell(r *rapid.T) {
	s, sku := c.any(r), rapid.SampledFrom(chainSKUs).Draw(r, "sku")
	n := rapid.Int64Range(1, 2).Draw(r, "units")
	l, ok := s.Listing(sku)
	if !ok || l.Stock.Available < n || c.left[sku] < n {
		return
	}
	c.left[sku] -= n
	c.open = append(c.open, shipment{s, s.Sell(sku, n)})
}

func (c *chain) ship(r *rapid.T) {
	if len(c.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(c.open)-1).Draw(r, "order")
	c.open[i].shop.Fulfil(c.open[i].id)
	c.open = append(c.open[:i], c.open[i+1:]...)
}

// count is a merchant who counts the goods of the source while all is quiet: a
// channel that only takes whole quantities may write over a change it has not
// seen yet.
func (c *chain) count(r *rapid.T) {
	sku, d := rapid.SampledFrom(chainSKUs).Draw(r, "sku"), rapid.Int64Range(-2, 5).Draw(r, "found")
	c.converged(r)
	source := c.shops[0]
	l, ok := source.Listing(sku)
	if !ok || d == 0 || c.left[sku]+d < 0 {
		return
	}
	c.left[sku] += d
	source.SetStock(sku, l.Stock.OnHand+d)
	c.converged(r)
}

func (c *chain) reprice(r *rapid.T) {
	sku := rapid.SampledFrom(chainSKUs).Draw(r, "sku")
	c.price[sku]++
	c.shops[0].SetPrice(sku, eur(c.price[sku]))
}

func (c *chain) kill(r *rapid.T) {
	c.any(r).fuse.Store(rapid.Int64Range(1, 12).Draw(r, "commits"))
}

// restart starts connectors that were killed; they may have lost their stores.
func (c *chain) restart(r *rapid.T) {
	for _, s := range c.shops {
		if c.reap(s) {
			s.fuse.Store(1 << 40)
			if rapid.Bool().Draw(r, "store lost") {
				s.disk.Store(vfs.NewCrashableMem())
			}
			s.start()
		}
	}
}

// trouble makes a shop lose answers and refuse calls.
func (c *chain) trouble(r *rapid.T) {
	s, every := c.any(r), rapid.IntRange(2, 6).Draw(r, "one in")
	lose := rapid.Bool().Draw(r, "lose")
	s.Fault(func(op driver.Operation, n int) shoptest.Fault {
		switch {
		case n%every != 0:
		case lose && op == driver.OpWrite:
			return shoptest.Fault{Lose: true}
		default:
			return shoptest.Fault{Status: http.StatusBadGateway}
		}
		return shoptest.Fault{}
	})
}

func (c *chain) replaceWorker(*rapid.T) {
	c.stopWorker()
	c.startWorker()
}

func (c *chain) wait(r *rapid.T) {
	_ = sleepFor(c.w.ctx, rapid.IntRange(1, 300).Draw(r, "ms"))
}

// calm ends all trouble, and brings every connector back.
func (c *chain) calm() {
	for _, s := range c.shops {
		s.Fault(nil)
		s.fuse.Store(1 << 40)
		if c.reap(s) {
			s.start()
		}
	}
}

// converged waits until every shop shows what it should, and its connector
// knows it.
func (c *chain) converged(r *rapid.T) {
	deadline := time.Now().Add(patience)
	for {
		c.calm() // one may have been killed by its last commit before
		var wrong string
		for _, s := range c.shops {
			for _, sku := range chainSKUs {
				if wrong == "" {
					wrong = s.differs(sku, c.price[sku], c.left[sku])
				}
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			r.Fatalf("not conserved: %s", wrong)
		}
		_ = sleepFor(c.w.ctx, 10)
	}
}

// differs says what is not as it should be of a SKU, "" if nothing.
func (s *chainShop) differs(sku string, price, available int64) (wrong string) {
	defer func() {
		// Pebble panics when the store was closed: with the lease, or by a kill.
		if lost := recover(); lost != nil {
			wrong = fmt.Sprintf("%s is between two tenures: %v", s.name, lost)
		}
	}()
	l, ok := s.Listing(sku)
	if !ok || l.Price == nil || l.Price.Minor != price || l.Stock.Available != available {
		return fmt.Sprintf("want %d for %d\n%s", available, price, s.explain(sku))
	}
	var rec record
	var found bool
	var err error
	e := s.engine.Load()
	e.view(func() { found, err = e.store.readRecord(sku, &rec) })
	busy := !found || err != nil || rec.sending || rec.settling || rec.unread || rec.pending != 0 || !rec.known
	if busy || rec.shown.onHand != l.Stock.OnHand || rec.shown.reserved != l.Stock.Reserved {
		return "the connector is not done\n" + s.explain(sku)
	}
	return ""
}

func (c *chain) conserved(r *rapid.T) {
	c.converged(r)
	for _, o := range c.open {
		o.shop.Fulfil(o.id)
	}
	c.open = nil
	c.converged(r)
	for _, s := range c.shops {
		s.ascending(chainSKUs...)
	}
}
