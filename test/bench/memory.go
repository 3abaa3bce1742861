package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
	"selaras.dev/selaras/workers/connector/shoptest"
)

const (
	memoryShop = "shop"
	// settle is how long a process is left alone before it is measured.
	settle = 10 * time.Second
	// starts is how often each start is timed.
	starts = 3
)

// memory: what a large catalog in sync costs in memory, and a start with
// nothing to do in time and calls.
func memory(ctx context.Context, r *run) (err error) {
	skus := r.of(1_000_000)
	w, err := newWorld(ctx, r.path("world"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	var worker, conn [2]used // with nothing, and with every SKU
	var start *started
	for i, n := range []int{0, skus} {
		if start, err = w.measure(r, fmt.Sprintf("bench-%d", i), n, &worker[i], &conn[i]); err != nil {
			return fmt.Errorf("with %d SKUs: %w", n, err)
		}
	}
	perSKU := func(u [2]used) float64 { return float64(u[1].settled-u[0].settled) / float64(skus) }
	r.atMost("connector", perSKU(conn), 300)
	r.atMost("worker", perSKU(worker), 300)
	r.say("start with %d SKUs in sync: %d write calls; to /readyz %.0f ms, opening and iterating the same Pebble %.0f ms (medians of %d)",
		skus, start.writes, start.ready, start.iterate, starts)
	r.atMost("start_writes", float64(start.writes), 0)
	r.atMost("start_time", start.ready/start.iterate, 1.5)
	return nil
}

// used is the memory of a process, RssAnon in bytes.
type used struct{ settled, given int64 }

// started is what was seen of starts with nothing to do, times in milliseconds.
type started struct {
	writes         int
	ready, iterate float64
}

// measure brings n SKUs in sync between a worker and a connector that are
// processes of their own, and measures both.
func (w *world) measure(r *run, name string, n int, worker, conn *used) (*started, error) {
	ns, err := w.namespace(name)
	if err != nil {
		return nil, err
	}
	if err := ns.sync(memoryShop); err != nil {
		return nil, err
	}
	catalog, err := ns.child(childSpec{Role: "catalog", Data: r.path(name + "-catalog")}, hub.Workload{Kind: hub.Catalog})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if n > 0 {
		seq, err := ns.state(n, func(i int) hub.Fact { return observed(i, 1000) })
		if err == nil {
			err = ns.folded(seq, 10*time.Minute)
		}
		if err != nil {
			return nil, errors.Join(err, catalog.stop())
		}
	}
	if _, err := catalog.ready(w.ctx, time.Minute); err != nil {
		return nil, errors.Join(err, catalog.stop())
	}
	r.say("%d SKUs: stated and folded in %.1f s", n, time.Since(began).Seconds())
	if err := catalog.settle(w.ctx, worker); err != nil {
		return nil, errors.Join(err, catalog.stop())
	}
	r.say("worker: RssAnon %s, after giving back what is free %s", mib(worker.settled), mib(worker.given))
	if err := catalog.stop(); err != nil {
		return nil, err
	}
	return ns.measureConnector(r, n, conn)
}

func (n *namespace) measureConnector(r *run, skus int, conn *used) (*started, error) {
	shop := n.shop(memoryShop, shoptest.Options{
		NoCreate: true, NoRemove: true, NoOrders: true,
		Traits: driver.Traits{
			PageSize: 1000, ReadBatch: 100, WriteBatch: 100, RequestsPerSecond: 10_000, Burst: 1000, Concurrency: 2,
			RequestTimeout: 30 * time.Second, LateWriteHorizon: time.Hour, StockMode: driver.StockSet, StockBasis: driver.BasisOnHand,
		},
	})
	fill(shop.Shop, skus)
	if err := n.put(workload.ConfigChannelPrefix+memoryShop, shop.config); err != nil {
		return nil, err
	}
	spec := childSpec{Role: "connector", Channel: memoryShop, Data: r.path(n.name + "-connector"), Shop: shop.options}
	who := hub.Workload{Kind: hub.Connector, Name: memoryShop}
	c, err := n.child(spec, who)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := n.inSync(memoryShop, skus, 15*time.Minute); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	r.say("connector: %d SKUs read and in sync in %.1f s", skus, time.Since(began).Seconds())
	if err := c.settle(n.ctx, conn); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	r.say("connector: RssAnon %s, after giving back what is free %s", mib(conn.settled), mib(conn.given))
	if err := c.stop(); err != nil {
		return nil, err
	}
	if skus == 0 {
		return nil, nil
	}

	s := &started{}
	var ready, read []float64
	for range starts {
		writes := shop.Calls(driver.OpWrite)
		c, err := n.child(spec, who)
		if err != nil {
			return nil, err
		}
		took, err := c.ready(n.ctx, 5*time.Minute)
		if err == nil {
			// Not only until it is ready: until it has found nothing to do.
			err = n.eventually("the connector reports anew", time.Minute, func() (bool, error) {
				said, err := n.report(memoryShop)
				return said.At.After(c.began.Add(took)) && said.Progress[syncName].InSync == skus, err
			})
		}
		if err := errors.Join(err, c.stop()); err != nil {
			return nil, err
		}
		s.writes += shop.Calls(driver.OpWrite) - writes
		ready = append(ready, float64(took.Milliseconds()))
		if took, err = iterateChild(n.ctx, spec.Data); err != nil {
			return nil, err
		}
		read = append(read, float64(took.Milliseconds()))
	}
	s.ready, s.iterate = median(ready), median(read)
	return s, nil
}

// child starts a workload of the namespace as a process.
func (n *namespace) child(s childSpec, who hub.Workload) (*process, error) {
	creds, err := n.authority.Credentials(n.name, who)
	if err != nil {
		return nil, err
	}
	s.Hub, s.Namespace, s.Credentials = n.server.URL(), n.name, filepath.Join(n.dir, n.name+"-"+s.Role+".creds")
	if err := os.WriteFile(s.Credentials, creds, 0o600); err != nil {
		return nil, err
	}
	if s.Mounted, err = mounted(n.dir); err != nil {
		return nil, err
	}
	return spawn(s)
}

// settle leaves the process alone for a while and then measures it.
func (p *process) settle(ctx context.Context, u *used) (err error) {
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	u.settled, u.given, err = p.anonymous()
	return err
}

// iterateChild times the program that a start is compared with, the start of
// the process included.
func iterateChild(ctx context.Context, dir string) (time.Duration, error) {
	arg, err := json.Marshal(childSpec{Role: "iterate", Data: dir})
	if err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	out, err := exec.CommandContext(ctx, self, childArg, string(arg)).CombinedOutput() // #nosec G204 -- this program itself
	if err != nil {
		return 0, fmt.Errorf("iterating %s: %w: %s", dir, err, out)
	}
	return time.Since(began), nil
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
