package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// Run runs the connector of one Channel until ctx ends. It returns nil then,
// and an error only when it cannot go on: unusable options, or a store that
// fails. A hub, a shop or credentials that are missing are waited for.
func Run(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	c := &connector{o: o, metrics: newMetrics(o.Registry, o.Namespace, o.Channel), healthz: &healthz{space: o.Space}}
	c.budget = newBudget(o.now, c.metrics, c.admit)
	c.link = newLink(o.Driver, c.budget, &c.o)
	c.reporter = &reporter{space: o.Space, channel: o.Channel, link: c.link, metrics: c.metrics, log: o.Logger, now: o.now}
	c.webhooks = newWebhooks(c.link, o.Logger, o.now, c.reporter.delivery)
	c.reporter.webhooks.served = o.Webhooks != nil

	g, ctx := errgroup.WithContext(ctx)
	if o.Health != nil {
		g.Go(func() error { return serve(ctx, o.Health, c.healthz.handler(o.Registry)) })
	}
	if o.Webhooks != nil {
		g.Go(func() error { return serve(ctx, o.Webhooks, under(o.WebhookPath, c.webhooks)) })
	}
	g.Go(func() error { return c.tenures(ctx) })
	err := g.Wait()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// connector is what outlives a tenure of the lease.
type connector struct {
	o        Options
	metrics  *metrics
	healthz  *healthz
	budget   *budget
	link     *link
	reporter *reporter
	webhooks *webhooks

	mu     sync.Mutex
	tenure *tenure // nil while another instance holds the lease
}

// tenures acquires the lease, works while it lasts, and begins again.
func (c *connector) tenures(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, err := c.acquire(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			c.o.Logger.Warn("acquire the lease", "error", err)
			if sleep(ctx, time.Second) != nil {
				return nil
			}
			continue
		}
		err = c.work(ctx, lease)
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		if rerr := lease.Release(release); rerr != nil {
			c.o.Logger.Debug("release the lease", "error", rerr)
		}
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// acquire waits for the lease; meanwhile the connector is a standby.
func (c *connector) acquire(ctx context.Context) (*hub.Lease, error) {
	if err := c.o.Space.WaitConnected(ctx); err != nil {
		return nil, err
	}
	waiting := time.AfterFunc(2*time.Second, func() { c.healthz.phase.CompareAndSwap(int32(starting), int32(standby)) })
	defer waiting.Stop()
	// A write that begins under the lease may end after it by its time limit:
	// a successor waits for that too.
	grace := c.o.Driver.Describe().Traits.RequestTimeout
	if grace <= 0 || grace > c.o.LeaseDuration {
		// What lands later than that is what suspects are for.
		grace = c.o.LeaseDuration
	}
	return c.o.Space.Acquire(ctx, hub.LeaseOptions{
		Key: workload.LeaseChannelPrefix + c.o.Channel, Holder: c.o.Holder, Duration: c.o.LeaseDuration, Grace: grace,
	})
}

// tenure is the work under one lease.
type tenure struct {
	c      *connector
	lease  *hub.Lease
	store  *store
	engine *engine
	poller *poller
	group  *errgroup.Group
	// ctx ends the tenure; calls of the channel that were begun run on work.
	ctx, work context.Context

	// end ends the tenure; moved is the account that the endpoint turned out to
	// be of, if that is why.
	end   context.CancelFunc
	moved *driver.Account

	started  bool
	last     workload.ChannelReport  // of the tenure before, empty if none
	config   *workload.ChannelConfig // the one in use
	delister *delister
}

// drain is how long a begun call may go on after the end of a tenure.
const drain = 20 * time.Second

// work is active until the lease is lost or ctx ends.
func (c *connector) work(ctx context.Context, lease *hub.Lease) error {
	disk, err := c.disk()
	if err != nil {
		return err
	}
	store, err := openStore(c.o.DataDir, disk, c.o.Logger)
	if err != nil {
		return err
	}
	store.hook = c.o.hook
	engine, err := newEngine(store, c.o.Logger, c.o.now, c.metrics)
	if err != nil {
		return errors.Join(err, store.close())
	}
	engine.tenure = lease.Epoch()
	engine.holds = func() bool { return lease.ExpiresIn() > 0 }
	if c.o.began != nil {
		c.o.began(engine, c.webhooks)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(drain, stop) })

	t := &tenure{c: c, lease: lease, store: store, engine: engine, group: group, ctx: ctx, work: work, end: cancel}
	t.delister = &delister{tenure: t}
	t.last = t.lastReport(ctx)
	c.swap(t)
	c.reporter.attach(engine, t.last)
	group.Go(func() error {
		select {
		case <-engine.failed:
			return engine.failure
		case <-lease.Lost():
			c.o.Logger.Info("the lease is lost; no more writes")
			cancel()
		case <-ctx.Done():
		}
		return nil
	})
	group.Go(func() error { return c.link.keep(ctx) })
	group.Go(func() error { return c.reporter.run(ctx) })
	group.Go(func() error { return follow(ctx, c.o.Space, c.o.Channel, c.o.Logger, c.o.now, t.apply) })
	err = group.Wait()
	c.link.close()
	c.swap(nil)
	c.webhooks.attach(nil)
	c.reporter.attach(nil, workload.ChannelReport{})
	if t.moved != nil && err == nil {
		err = engine.move(*t.moved)
	}
	return errors.Join(err, store.close())
}

func (c *connector) swap(t *tenure) {
	c.mu.Lock()
	c.tenure = t
	c.mu.Unlock()
}

// apply puts a configuration to work; it returns when to apply it again.
func (t *tenure) apply(ctx context.Context, conf *configuration) (time.Time, error) {
	c := t.c
	d := c.o.Driver.Describe()
	if conf.channel.Type != "" && conf.channel.Type != d.Type {
		c.reporter.refuse(conf, "UnknownType", fmt.Sprintf("the connector drives %s, not %s", d.Type, conf.channel.Type))
		c.healthz.set(active)
		return time.Time{}, nil
	}
	c.link.configure(conf.channel)
	p := makeRoutes(c.o.Channel, conf.channel, conf.syncs, conf.revision(), c.o.now())
	if !t.started {
		// What may be written where is known once a connection was made.
		if !c.connected(ctx, p) {
			c.reporter.apply(conf)
			c.healthz.set(active)
			return c.o.now().Add(time.Second), nil
		}
		if err := t.start(ctx, conf, p); err != nil {
			return time.Time{}, err
		}
	} else if err := t.change(ctx, conf, p); err != nil {
		return time.Time{}, err
	}
	t.config = conf.channel
	c.metrics.keep(p.syncs, t.delister.syncs)
	t.delister.syncs = p.syncs
	c.reporter.apply(conf)
	c.healthz.set(active)
	return p.until, nil
}

// connected waits a moment for the first connection and takes over what it
// can do.
func (c *connector) connected(ctx context.Context, _ *routes) bool {
	deadline := c.o.now().Add(3 * reloadEvery)
	for c.o.now().Before(deadline) {
		if _, ok := c.link.abilities(); ok {
			return true
		}
		h, changed := c.link.status()
		if h.problem != "" || h.credentials == workload.CredentialsMissing || h.credentials == workload.CredentialsKeyMissing {
			return false
		}
		if until(ctx, changed, c.o.now().Add(reloadEvery/4), c.o.now()) != nil {
			return false
		}
	}
	return false
}

// start brings the store up to date and sets everything in motion.
func (t *tenure) start(ctx context.Context, conf *configuration, p *routes) error {
	e, c := t.engine, t.c
	can, _ := c.link.abilities()
	e.view(func() {
		e.can, e.routes = can, p
		e.comparing = e.meta.Compared.IsZero()
	})
	if e.meta.UID != uid(conf) {
		if err := t.adopt(conf); err != nil {
			return err
		}
	}
	if err := e.load(ctx); err != nil {
		return err
	}
	if err := e.setRoutes(ctx, p); err != nil {
		return err
	}
	traits := c.o.Driver.Describe().Traits
	observer := &observer{engine: e, space: c.o.Space, channel: c.o.Channel}
	t.poller = &poller{
		engine: e, link: c.link, observer: observer, space: c.o.Space, channel: c.o.Channel, traits: traits,
		log: c.o.Logger, now: c.o.now, intake: c.reporter.intake, durable: c.o.durable, lately: make(map[string]uint64),
	}
	t.started = true
	t.group.Go(func() error { return t.intake(t.ctx) })
	t.group.Go(func() error { return t.exchange(t.ctx, traits) })
	return nil
}

// adopt makes a store that is new, or of another Channel of the same name,
// this Channel's. Where a connector before it told how far it was with the
// orders of its shop, it goes on from there, if it finds the same shop.
func (t *tenure) adopt(conf *configuration) error {
	last := t.last
	e := t.engine
	if err := e.forget(""); err != nil {
		return err
	}
	return e.update(true, func(x *txn) error {
		x.meta = meta{UID: uid(conf), Generation: e.meta.Generation}
		if last.OrdersCursor != "" && last.Shop != "" {
			x.meta.Orders, x.meta.Baselined, x.meta.Shop = last.OrdersCursor, true, last.Shop
		}
		x.putMeta = true
		return nil
	})
}

// change puts a later configuration to work. A listing may show something else
// through another address, currency or language, so everything is compared.
func (t *tenure) change(ctx context.Context, conf *configuration, p *routes) error {
	was, is := t.config, conf.channel
	if was.Endpoint != is.Endpoint || was.Currency != is.Currency || was.Locale != is.Locale || string(was.Config) != string(is.Config) {
		err := t.engine.update(true, func(x *txn) error {
			x.meta.Again, x.putMeta = x.now, true
			return nil
		})
		if err != nil {
			return err
		}
	}
	return t.engine.setRoutes(ctx, p)
}

// uid is never empty, so that a new store is told from one in use.
func uid(conf *configuration) string { return "uid:" + conf.channel.UID }

// lastReport is what was reported last for this channel, empty if nothing.
func (t *tenure) lastReport(ctx context.Context) workload.ChannelReport {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	var last workload.ChannelReport
	entry, err := t.c.o.Space.Get(ctx, workload.ReportChannelPrefix+t.c.o.Channel)
	if err == nil {
		err = json.Unmarshal(entry.Data, &last)
	}
	if err != nil && !errors.Is(err, hub.ErrNotFound) {
		t.c.o.Logger.Warn("read the last report of this channel", "error", err)
	}
	return last
}

// ordersCursor is how far the orders of this shop were told, as the hub has it.
func (t *tenure) ordersCursor(ctx context.Context) string {
	last := t.lastReport(ctx)
	var shop string
	t.engine.view(func() { shop = t.engine.meta.Shop })
	if last.Shop != shop {
		return ""
	}
	return last.OrdersCursor
}

// intake reads the hub's items into the engine.
func (t *tenure) intake(ctx context.Context) error {
	e := t.engine
	for ctx.Err() == nil {
		var at hub.Position
		e.view(func() { at = e.meta.position() })
		var failed error
		err := t.c.o.Space.ReadRecords(ctx, hub.ReadOptions{After: at, Kinds: hub.Shared}, func(b hub.Batch) error {
			failed = e.records(b)
			return failed
		})
		switch {
		case failed != nil:
			return failed
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, hub.ErrRegressed):
			t.c.o.Logger.Warn("the hub lost something that was read before; everything is compared", "error", err)
			if err := e.forget(t.ordersCursor(ctx)); err != nil {
				return err
			}
		default:
			t.c.o.Logger.Warn("read the hub's items", "error", err)
			if sleep(ctx, time.Second) != nil {
				return nil
			}
		}
	}
	return nil
}

// trade sets reading and writing in motion.
func (t *tenure) trade(ctx context.Context, traits driver.Traits) error {
	c, e := t.c, t.engine
	// Readings are told from what is known of the items: first the backlog.
	for {
		var caught bool
		var changed <-chan struct{}
		e.view(func() { caught, changed = e.caught, e.changed })
		if caught {
			break
		}
		if until(ctx, changed, time.Time{}, c.o.now()) != nil {
			return nil
		}
	}
	c.webhooks.attach(t.poller)
	limits := limitsOf(traits)
	writers := traits.Concurrency
	if writers <= 0 {
		writers = defaultConcurrency
	}
	for range writers {
		w := &writer{engine: e, link: c.link, budget: c.budget, space: c.o.Space, channel: c.o.Channel, limits: limits, now: c.o.now}
		t.group.Go(func() error { return w.run(t.ctx, t.work) })
	}
	compare := &comparer{engine: e, link: c.link, poller: t.poller, traits: traits, log: c.o.Logger, now: c.o.now}
	t.group.Go(func() error { return t.poller.orders(t.ctx) })
	t.group.Go(func() error { return t.poller.changes(t.ctx) })
	t.group.Go(func() error { return t.poller.attend(t.ctx) })
	t.group.Go(func() error { return t.poller.settles(t.ctx) })
	t.group.Go(func() error { return compare.run(t.ctx) })
	t.group.Go(func() error { return t.delister.run(t.ctx) })
	return nil
}
