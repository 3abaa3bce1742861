// Package dataplane is the controllers' view of the data plane through the
// hub: configuration goes out to workloads, reports come in. It holds one
// connection per namespace, the newest report of every workload, and tells the
// controllers which resource a changed report belongs to. It makes what a
// namespace needs on the hub, keeps trying while it cannot, and takes it back
// some time after the last resource of the namespace is gone.
package dataplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"selaras.dev/selaras/internal/hub"
)

// Options are what a Plane needs beside the hub.
type Options struct {
	// Limits of every namespace.
	Limits hub.Limits
	// Retain is how long the hub's data of a namespace without resources is
	// kept for a successor.
	Retain time.Duration
	// Census tells which resources there are.
	Census Census
	Log    *slog.Logger
}

// Plane is the operator's side of all hubs' namespaces. It is a manager
// Runnable: Start ends its connections.
type Plane struct {
	authority *hub.Authority
	o         Options
	log       *slog.Logger

	channels *notifier
	syncs    *notifier
	retained retained
	gone     chan struct{} // has one when a resource went

	mu         sync.Mutex
	namespaces map[string]*namespace
	leaving    map[string]chan struct{} // closed when the namespace may be opened again
	freed      chan struct{}            // closed and replaced when the hub got room
	stopped    bool
	life       context.Context
	end        context.CancelFunc
}

// New makes a Plane. Nothing is connected until a namespace is needed.
func New(authority *hub.Authority, o Options) *Plane {
	life, end := context.WithCancel(context.Background())
	return &Plane{
		authority: authority, o: o, log: o.Log,
		channels: newNotifier(), syncs: newNotifier(), gone: make(chan struct{}, 1),
		namespaces: map[string]*namespace{}, leaving: map[string]chan struct{}{}, freed: make(chan struct{}),
		life: life, end: end,
	}
}

// Start watches for workloads and hubs that fall silent and for namespaces
// without resources and, when ctx ends, closes every connection.
func (p *Plane) Start(ctx context.Context) error {
	var sweeper sync.WaitGroup
	sweeper.Go(func() { p.sweepUntil(ctx) })
	ticker := time.NewTicker(silenceCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.tellSilent(time.Now())
			p.tellHub(time.Now())
		case <-ctx.Done():
			sweeper.Wait()
			p.stop()
			return nil
		}
	}
}

// silenceCheck is how often silence is looked for; it is added to
// workload.NoReportAfter at worst.
const silenceCheck = 2 * time.Second

func (p *Plane) stop() {
	p.mu.Lock()
	p.stopped = true
	spaces := p.namespaces
	p.namespaces = map[string]*namespace{}
	p.mu.Unlock()
	p.end()
	for _, n := range spaces {
		<-n.done
	}
	p.authority.Close()
}

// ErrStopped is returned once the Plane has been stopped.
var ErrStopped = errors.New("the operator is stopping")

// Ensure makes the namespace's account and streams if they are not there, and
// connects to them. It is cheap once done. What fails is tried again in the
// background, and the controllers are told when it succeeded.
func (p *Plane) Ensure(ctx context.Context, name string) error {
	_, err := p.open(ctx, name)
	return err
}

func (p *Plane) open(ctx context.Context, name string) (*namespace, error) {
	n, err := p.wanted(name)
	if err != nil {
		return nil, err
	}
	select {
	case <-n.tried:
		if err := n.failure(); err != nil {
			return nil, fmt.Errorf("opening namespace %s on the hub: %w", name, err)
		}
		return n, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("opening namespace %s on the hub: %w", name, ctx.Err())
	}
}

// wanted returns the namespace, which from now on is opened and kept open.
func (p *Plane) wanted(name string) (*namespace, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, ErrStopped
	}
	n, ok := p.namespaces[name]
	if !ok {
		n = newNamespace(p.life, name)
		p.namespaces[name] = n
		go p.keep(n)
	}
	return n, nil
}

func (p *Plane) known(name string) *namespace {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.namespaces[name]
}

// all returns the namespaces that are open or shall be.
func (p *Plane) all() []*namespace {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*namespace, 0, len(p.namespaces))
	for _, n := range p.namespaces {
		all = append(all, n)
	}
	return all
}
