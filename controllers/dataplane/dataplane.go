// Package dataplane is the controllers' view of the data plane through the
// hub: configuration goes out to workloads, reports come in. It holds one
// connection per namespace, the newest report of every workload, and tells the
// controllers which resource a changed report belongs to.
package dataplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// Plane is the operator's side of all hubs' namespaces. It is a manager
// Runnable: Start ends its connections.
type Plane struct {
	authority *hub.Authority
	limits    hub.Limits
	log       *slog.Logger

	channels *notifier
	syncs    *notifier

	mu         sync.Mutex
	namespaces map[string]*namespace
	stopped    bool
	life       context.Context
	end        context.CancelFunc
	watchers   sync.WaitGroup
}

// namespace is one namespace's connection and what was read through it.
type namespace struct {
	ready chan struct{} // closed when opening ended
	err   error
	space *hub.Space

	mu       sync.Mutex
	channels map[string]received[workload.ChannelReport]
	catalog  received[workload.CatalogReport]
	configs  map[string]string // key -> JSON that was put last
}

// received is a report and when it last changed, on our own monotonic clock.
type received[T any] struct {
	report   T
	known    bool
	at       time.Time
	shape    string // the report without what changes while idle
	reported bool   // silence was told to the controllers
}

// New makes a Plane. Nothing is connected until a namespace is needed.
func New(authority *hub.Authority, limits hub.Limits, log *slog.Logger) *Plane {
	life, end := context.WithCancel(context.Background())
	return &Plane{
		authority: authority, limits: limits, log: log,
		channels: newNotifier(), syncs: newNotifier(),
		namespaces: map[string]*namespace{}, life: life, end: end,
	}
}

// Start watches for workloads that fall silent and, when ctx ends, closes
// every connection.
func (p *Plane) Start(ctx context.Context) error {
	ticker := time.NewTicker(silenceCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.tellSilent(time.Now())
		case <-ctx.Done():
			p.stop()
			return nil
		}
	}
}

// silenceCheck is how often silence is looked for; it is added to
// workload.NoReportAfter at worst.
const silenceCheck = 2 * time.Second

// openTimeout bounds the making of one namespace's account and streams.
const openTimeout = 20 * time.Second

func (p *Plane) stop() {
	p.mu.Lock()
	p.stopped = true
	spaces := p.namespaces
	p.namespaces = map[string]*namespace{}
	p.mu.Unlock()
	p.end()
	p.watchers.Wait()
	for _, n := range spaces {
		<-n.ready
		if n.space != nil {
			n.space.Close()
		}
	}
}

// ErrStopped is returned once the Plane has been stopped.
var ErrStopped = errors.New("the operator is stopping")

// Ensure makes the namespace's account and streams if they are not there, and
// connects to them. It is cheap once done.
func (p *Plane) Ensure(ctx context.Context, name string) error {
	_, err := p.open(ctx, name)
	return err
}

func (p *Plane) open(ctx context.Context, name string) (*namespace, error) {
	p.mu.Lock()
	if p.stopped {
		p.mu.Unlock()
		return nil, ErrStopped
	}
	n, ok := p.namespaces[name]
	if !ok {
		n = &namespace{
			ready:    make(chan struct{}),
			channels: map[string]received[workload.ChannelReport]{},
			configs:  map[string]string{},
		}
		p.namespaces[name] = n
		p.watchers.Add(1)
		go func() {
			defer p.watchers.Done()
			p.connect(name, n)
		}()
	}
	p.mu.Unlock()
	select {
	case <-n.ready:
		if n.err != nil {
			return nil, n.err
		}
		return n, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("opening namespace %s on the hub: %w", name, ctx.Err())
	}
}

// connect opens the namespace and then feeds its reports until the end.
func (p *Plane) connect(name string, n *namespace) {
	ctx, cancel := context.WithTimeout(p.life, openTimeout)
	n.err = p.authority.EnsureNamespace(ctx, name, p.limits)
	if n.err == nil {
		n.space, n.err = p.authority.Space(ctx, name)
	}
	cancel()
	if n.err != nil {
		n.err = fmt.Errorf("opening namespace %s on the hub: %w", name, n.err)
		p.mu.Lock()
		if p.namespaces[name] == n {
			delete(p.namespaces, name) // the next caller tries again
		}
		p.mu.Unlock()
		close(n.ready)
		return
	}
	close(n.ready)
	for p.life.Err() == nil {
		err := n.space.Watch(p.life, []string{workload.ReportChannelPrefix + ">", workload.ReportCatalog}, func(e hub.Entry) error {
			p.receive(name, n, e)
			return nil
		})
		if p.life.Err() != nil {
			return
		}
		p.log.Warn("reports of a namespace are not readable; trying again", "namespace", name, "error", err)
		select {
		case <-time.After(time.Second):
		case <-p.life.Done():
		}
	}
}

// receive takes one report in and tells the controllers when it matters.
func (p *Plane) receive(name string, n *namespace, e hub.Entry) {
	now := time.Now()
	if e.Key == workload.ReportCatalog {
		n.mu.Lock()
		changed := accept(&n.catalog, e, now, catalogShape)
		n.mu.Unlock()
		if changed {
			p.syncs.notify(name, "")
		}
		return
	}
	channel := strings.TrimPrefix(e.Key, workload.ReportChannelPrefix)
	n.mu.Lock()
	r := n.channels[channel]
	changed := accept(&r, e, now, channelShape)
	if r.known {
		n.channels[channel] = r
	} else {
		delete(n.channels, channel)
	}
	n.mu.Unlock()
	if changed {
		p.channels.notify(name, channel)
		p.syncs.notify(name, "")
	}
}

// accept stores a report and says whether anything but its time changed.
func accept[T any](r *received[T], e hub.Entry, now time.Time, shape func(T) string) bool {
	if e.Deleted {
		was := r.known
		*r = received[T]{}
		return was
	}
	var report T
	if err := json.Unmarshal(e.Data, &report); err != nil {
		return false // a report of a version we cannot read is no report
	}
	next := received[T]{report: report, known: true, at: now, shape: shape(report)}
	changed := !r.known || r.reported || r.shape != next.shape
	*r = next
	return changed
}

// tellSilent notifies once for every workload that has just fallen silent.
func (p *Plane) tellSilent(now time.Time) {
	p.mu.Lock()
	open := make(map[string]*namespace, len(p.namespaces))
	for name, n := range p.namespaces {
		open[name] = n
	}
	p.mu.Unlock()
	for name, n := range open {
		var silent []string
		catalog := false
		n.mu.Lock()
		for channel, r := range n.channels {
			if !r.reported && now.Sub(r.at) > workload.NoReportAfter {
				r.reported = true
				n.channels[channel] = r
				silent = append(silent, channel)
			}
		}
		if r := &n.catalog; r.known && !r.reported && now.Sub(r.at) > workload.NoReportAfter {
			r.reported, catalog = true, true
		}
		n.mu.Unlock()
		for _, channel := range silent {
			p.channels.notify(name, channel)
		}
		if catalog || len(silent) > 0 {
			p.syncs.notify(name, "")
		}
	}
}

// ChannelReport returns the newest report of a connector; false when there is
// none, or none for workload.NoReportAfter.
func (p *Plane) ChannelReport(namespace, channel string) (workload.ChannelReport, bool) {
	n := p.known(namespace)
	if n == nil {
		return workload.ChannelReport{}, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.channels[channel]
	return r.report, r.known && time.Since(r.at) <= workload.NoReportAfter
}

// CatalogReport returns the newest report of a namespace's catalog worker, as
// ChannelReport does.
func (p *Plane) CatalogReport(namespace string) (workload.CatalogReport, bool) {
	n := p.known(namespace)
	if n == nil {
		return workload.CatalogReport{}, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.catalog.report, n.catalog.known && time.Since(n.catalog.at) <= workload.NoReportAfter
}

// Durability returns how the hub makes the writes of a namespace durable, as
// it was when the namespace was opened; false while it is not open.
func (p *Plane) Durability(namespace string) (hub.Durability, bool) {
	n := p.known(namespace)
	if n == nil {
		return hub.DurabilityUnknown, false
	}
	select {
	case <-n.ready:
	default:
		return hub.DurabilityUnknown, false
	}
	if n.space == nil {
		return hub.DurabilityUnknown, false
	}
	return n.space.Durability(), true
}

func (p *Plane) known(name string) *namespace {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.namespaces[name]
}

// Credentials makes the hub credentials of one workload.
func (p *Plane) Credentials(namespace string, w hub.Workload) ([]byte, error) {
	return p.authority.Credentials(namespace, w)
}

// PutChannelConfig hands a connector its configuration; nothing is sent when
// it is what was sent last.
func (p *Plane) PutChannelConfig(ctx context.Context, namespace, channel string, config workload.ChannelConfig) error {
	return p.put(ctx, namespace, workload.ConfigChannelPrefix+channel, config)
}

// PutSyncConfig hands the workloads of a namespace one sync.
func (p *Plane) PutSyncConfig(ctx context.Context, namespace string, config workload.SyncConfig) error {
	return p.put(ctx, namespace, workload.ConfigSyncPrefix+config.Name, config)
}

func (p *Plane) put(ctx context.Context, name, key string, value any) error {
	n, err := p.open(ctx, name)
	if err != nil {
		return err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	n.mu.Lock()
	before, ok := n.configs[key]
	n.mu.Unlock()
	if ok && before == string(data) {
		return nil
	}
	if !ok {
		// After a restart of the operator: do not send again what is there.
		if entry, err := n.space.Get(ctx, key); err == nil && !entry.Deleted && string(entry.Data) == string(data) {
			n.remember(key, string(data))
			return nil
		}
	}
	if _, err := n.space.Put(ctx, key, data); err != nil {
		return fmt.Errorf("sending %s to namespace %s: %w", key, name, err)
	}
	n.remember(key, string(data))
	return nil
}

func (n *namespace) remember(key, data string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.configs[key] = data
}

// DeleteChannel takes back a Channel's configuration and report. A namespace
// that is not open has nothing to take back.
func (p *Plane) DeleteChannel(ctx context.Context, namespace, channel string) error {
	return p.remove(ctx, namespace, workload.ConfigChannelPrefix+channel, workload.ReportChannelPrefix+channel)
}

// DeleteSync takes back a CatalogSync's configuration.
func (p *Plane) DeleteSync(ctx context.Context, namespace, sync string) error {
	return p.remove(ctx, namespace, workload.ConfigSyncPrefix+sync)
}

func (p *Plane) remove(ctx context.Context, name string, keys ...string) error {
	if p.known(name) == nil {
		return nil
	}
	n, err := p.open(ctx, name)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := n.space.Delete(ctx, key); err != nil {
			return fmt.Errorf("taking back %s from namespace %s: %w", key, name, err)
		}
		n.mu.Lock()
		delete(n.configs, key)
		n.mu.Unlock()
	}
	return nil
}
