package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
	worker "selaras.dev/selaras/workers/catalog"
	"selaras.dev/selaras/workers/connector"
	"selaras.dev/selaras/workers/connector/shoptest"
)

const (
	source   = "source" // the Channel whose facts the benchmark itself states
	syncName = "main"
	// hubBytes is what a namespace of a benchmark may store.
	hubBytes = 8 << 30
)

// world is a hub with namespaces, and what runs in them. Everything in it is
// the real thing but for the shops and the source.
type world struct {
	ctx       context.Context
	stop      context.CancelFunc
	dir       string
	server    *hub.Server
	authority *hub.Authority
	closers   []func()
	running   sync.WaitGroup
	mu        sync.Mutex
	failed    error
}

// newWorld starts a hub that syncs every write, as all of ours do.
func newWorld(ctx context.Context, dir string) (*world, error) {
	keys, err := hub.GenerateKeys(filepath.Join(dir, "keys"))
	if err != nil {
		return nil, err
	}
	server, err := hub.StartServer(hub.ServerOptions{Dir: filepath.Join(dir, "hub"), Trust: keys.Trust(), Logger: slog.Default()})
	if err != nil {
		return nil, err
	}
	authority, err := hub.NewAuthority(hub.AuthorityOptions{URL: server.URL(), Keys: keys, Logger: slog.Default()})
	if err != nil {
		server.Shutdown()
		return nil, err
	}
	w := &world{dir: dir, server: server, authority: authority}
	w.ctx, w.stop = context.WithCancel(ctx)
	return w, nil
}

// close ends everything that runs in the world and returns the first error
// that something in it ended with.
func (w *world) close() error {
	w.stop()
	w.running.Wait()
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
	w.authority.Close()
	w.server.Shutdown()
	return w.failed
}

// start runs something until the world ends.
func (w *world) start(what string, fn func(context.Context) error) {
	w.running.Go(func() {
		if err := fn(w.ctx); err != nil && w.ctx.Err() == nil {
			w.mu.Lock()
			w.failed = errors.Join(w.failed, fmt.Errorf("%s: %w", what, err))
			w.mu.Unlock()
			w.stop()
		}
	})
}

// namespace is one namespace of a world.
type namespace struct {
	*world
	name     string
	operator *hub.Space
	source   *hub.Space
}

func (w *world) namespace(name string) (*namespace, error) {
	if err := w.authority.EnsureNamespace(w.ctx, name, hub.Limits{MaxBytes: hubBytes}); err != nil {
		return nil, err
	}
	n := &namespace{world: w, name: name}
	var err error
	if n.operator, err = w.authority.Space(w.ctx, name); err != nil {
		return nil, err
	}
	w.closers = append(w.closers, n.operator.Close)
	n.source, err = n.dial(hub.Workload{Kind: hub.Connector, Name: source})
	return n, err
}

// dial opens the namespace with the rights of a workload.
func (n *namespace) dial(who hub.Workload) (*hub.Space, error) {
	creds, err := n.authority.Credentials(n.name, who)
	if err != nil {
		return nil, err
	}
	s, err := hub.Dial(n.ctx, hub.DialOptions{URL: n.server.URL(), Credentials: creds, Name: who.Name, Logger: slog.Default()})
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, s.Close)
	return s, nil
}

// put sets a key of the configuration.
func (n *namespace) put(key string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = n.operator.Put(n.ctx, key, data)
	return err
}

// sync configures one sync of content and price from the source to channels.
func (n *namespace) sync(channels ...string) error {
	c := workload.SyncConfig{
		Name: syncName, Generation: 1, UID: "sync", Mode: workload.Enforce, Source: source,
		Fields:   map[string]workload.FieldConfig{"content": {Drift: workload.DriftEnforce}, "price": {Drift: workload.DriftEnforce}},
		Channels: make(map[string]workload.SyncChannel), Resync: 24 * time.Hour, MaxLag: time.Minute,
	}
	for _, name := range channels {
		c.Channels[name] = workload.SyncChannel{Groups: []string{"content", "price"}}
	}
	return n.put(workload.ConfigSyncPrefix+syncName, c)
}

// fold runs the namespace's catalog worker.
func (n *namespace) fold() error {
	space, err := n.dial(hub.Workload{Kind: hub.Catalog})
	if err != nil {
		return err
	}
	n.start("the catalog worker", func(ctx context.Context) error {
		return worker.Run(ctx, worker.Options{Space: space, Namespace: n.name, DataDir: filepath.Join(n.dir, n.name+"-catalog"), Logger: slog.Default()})
	})
	return nil
}

// append states facts of the source.
func (n *namespace) append(facts []hub.Fact) (uint64, error) {
	return n.source.Append(n.ctx, facts...)
}

// folded waits until the facts up to a place are folded.
func (n *namespace) folded(seq uint64, patience time.Duration) error {
	return n.eventually(fmt.Sprintf("the facts up to %d are folded", seq), patience, func() (bool, error) {
		c, err := n.operator.ReadCursor(n.ctx)
		return c.FactSeq >= seq, err
	})
}

// eventually looks every few milliseconds whether something is so.
func (w *world) eventually(what string, patience time.Duration, ok func() (bool, error)) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(patience)
	for {
		yes, err := ok()
		if err != nil && w.ctx.Err() == nil {
			return fmt.Errorf("until %s: %w", what, err)
		}
		if yes {
			return nil
		}
		select {
		case <-ticker.C:
		case <-late:
			return fmt.Errorf("not within %s: %s", patience, what)
		case <-w.ctx.Done():
			w.mu.Lock()
			defer w.mu.Unlock()
			return errors.Join(w.failed, w.ctx.Err())
		}
	}
}

// channel is a simulated shop with the connector that drives it.
type channel struct {
	*shoptest.Shop
	n        *namespace
	name     string
	url      string
	config   workload.ChannelConfig
	registry *prometheus.Registry
	options  shoptest.Options
	watch    watch
}

// shop opens a shop; its connector is started by run.
func (n *namespace) shop(name string, o shoptest.Options) *channel {
	c := &channel{Shop: shoptest.New(o), n: n, name: name, options: o, registry: prometheus.NewRegistry()}
	server := httptest.NewUnstartedServer(c.Shop)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	n.closers = append(n.closers, func() { server.CloseClientConnections(); server.Close() })
	c.url = server.URL
	c.config = workload.ChannelConfig{
		Generation: 1, UID: "uid-" + name, Type: "simulated", Endpoint: server.URL, Currency: "EUR",
		State: workload.Running, PollInterval: 5 * time.Second,
	}
	return c
}

// run starts the channel's connector.
func (c *channel) run() error {
	if err := c.n.put(workload.ConfigChannelPrefix+c.name, c.config); err != nil {
		return err
	}
	space, err := c.n.dial(hub.Workload{Kind: hub.Connector, Name: c.name})
	if err != nil {
		return err
	}
	credentials, err := mounted(c.n.dir)
	if err != nil {
		return err
	}
	c.n.start("connector "+c.name, func(ctx context.Context) error {
		return connector.Run(ctx, connector.Options{
			Space: space, Channel: c.name, Namespace: c.n.name, Driver: watched{shoptest.Driver(c.options), &c.watch},
			DataDir: filepath.Join(c.n.dir, c.n.name+"-"+c.name), Scratch: true, CredentialsDir: credentials, Registry: c.registry, Logger: slog.Default(),
		})
	})
	return nil
}

// mounted is a directory as a connector finds it mounted. The shops take any
// token.
func mounted(dir string) (string, error) {
	dir = filepath.Join(dir, "credentials")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "token"), []byte("any\n"), 0o600)
}

// report is what the channel's connector said last; the zero report if
// nothing yet.
func (n *namespace) report(channel string) (workload.ChannelReport, error) {
	var r workload.ChannelReport
	e, err := n.operator.Get(n.ctx, workload.ReportChannelPrefix+channel)
	if errors.Is(err, hub.ErrNotFound) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(e.Data, &r)
	}
	return r, err
}

// inSync waits until a channel's report says that so many items are in sync
// and nothing else.
func (n *namespace) inSync(channel string, items int, patience time.Duration) error {
	var p workload.Progress
	var said workload.ChannelReport
	err := n.eventually(fmt.Sprintf("channel %s has %d items in sync", channel, items), patience, func() (bool, error) {
		r, err := n.report(channel)
		p, said = r.Progress[syncName], r
		return r.ReadOnce && p.InSync == items && p.Pending == 0 && p.Failed == 0, err
	})
	if err != nil {
		return fmt.Errorf("%w (%d in sync, %d pending, %d failed; read %t, credentials %s, connected %t %s %s %s)",
			err, p.InSync, p.Pending, p.Failed, said.ReadOnce, said.Credentials, said.Connected, said.Message, said.ProblemMessage, p.Failures)
	}
	return nil
}

// confirmed is how many changes the channel's connector has confirmed.
func (c *channel) confirmed() (uint64, error) {
	families, err := c.registry.Gather()
	if err != nil {
		return 0, err
	}
	var n uint64
	for _, f := range families {
		if f.GetName() == "selaras_sync_propagation_seconds" {
			for _, m := range f.GetMetric() {
				n += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return n, nil
}

// watch is told what passes between a connector and its shop.
type watch struct {
	read  func([]driver.Listing)
	wrote func([]driver.Intent)
}

// watched is a driver whose calls are watched.
type watched struct {
	driver.Driver
	watch *watch
}

// Open implements driver.Driver.
func (d watched) Open(ctx context.Context, s driver.Settings) (driver.Connection, error) {
	c, err := d.Driver.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	inner, ok := c.(shopConnection)
	if !ok {
		return nil, errors.New("the simulated shop lacks a capability")
	}
	if t, ok := s.HTTP.Transport.(*http.Transport); ok {
		t.MaxIdleConnsPerHost = 8
	}
	return watchedConnection{inner, d.watch}, nil
}

// shopConnection is what the shops of the benchmarks can do: no orders, no
// making and removing of listings.
type shopConnection interface {
	driver.Connection
	driver.ListingReader
	driver.ListingGetter
	driver.ChangeReader
	driver.IntentWriter
}

type watchedConnection struct {
	shopConnection
	watch *watch
}

// ReadListings implements driver.ListingGetter.
func (c watchedConnection) ReadListings(ctx context.Context, keys []driver.Key) ([]driver.Listing, error) {
	found, err := c.shopConnection.ReadListings(ctx, keys)
	if err == nil && c.watch.read != nil {
		c.watch.read(found)
	}
	return found, err
}

// WriteIntents implements driver.IntentWriter.
func (c watchedConnection) WriteIntents(ctx context.Context, intents []driver.Intent) ([]driver.Outcome, error) {
	if c.watch.wrote != nil {
		c.watch.wrote(intents)
	}
	return c.shopConnection.WriteIntents(ctx, intents)
}

// euros is a price.
func euros(minor int64) driver.Money { return driver.Money{Minor: minor, Currency: "EUR"} }

// skuName is the i-th SKU.
func skuName(i int) string { return fmt.Sprintf("SKU-%08d", i) }

// observed is the fact that the source shows a SKU at a price.
func observed(i int, minor int64) hub.Fact {
	p := euros(minor)
	sku := skuName(i)
	f := catalog.Fact{ItemObserved: &catalog.ItemObserved{
		SKU: sku, Price: &p,
		Content: &driver.Content{Product: driver.Product{Key: sku, Title: title(i)}, Title: title(i), Enabled: true},
	}}
	typ, data, err := catalog.EncodeFact(f)
	if err != nil {
		panic(err) // plain values: a mistake of this program
	}
	return hub.Fact{Channel: source, Type: typ, Data: data}
}

func title(i int) string { return fmt.Sprintf("Article no. %d of the assortment", i) }

// firstPrice is the price of everything before a benchmark changes it, in
// minor units.
const firstPrice = 1000

// fill fills a shop with what the source shows, SKUs 0 to n-1 at firstPrice.
func fill(s *shoptest.Shop, n int) {
	for i := range n {
		s.Add(skuName(i), title(i), euros(firstPrice), 0)
	}
}

// state states facts fn(0) to fn(n-1) of the source, some hundreds at a time,
// and returns the place of the last.
func (n *namespace) state(count int, fn func(i int) hub.Fact) (uint64, error) {
	var last uint64
	facts := make([]hub.Fact, 0, hub.MaxBatch)
	for i := range count {
		if facts = append(facts, fn(i)); len(facts) < hub.MaxBatch && i+1 < count {
			continue
		}
		var err error
		if last, err = n.append(facts); err != nil {
			return 0, err
		}
		facts = facts[:0]
	}
	return last, nil
}
