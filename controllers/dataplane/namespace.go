package dataplane

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// namespace is one namespace's connection and what was read through it.
type namespace struct {
	name  string
	life  context.Context
	end   context.CancelFunc
	tried chan struct{} // closed when the first attempt to open it ended
	done  chan struct{} // closed when nothing of it runs any more

	issuing sync.Mutex // around handing out and revoking credentials

	mu       sync.Mutex
	space    *hub.Space // nil until it is open
	err      error      // of the last attempt, while it is not open
	channels map[string]received[workload.ChannelReport]
	catalog  received[workload.CatalogReport]
	configs  map[string]string // key -> JSON that was put last
	issued   map[string]issued // by the key of the record
	tidy     bool              // leftovers of resources that are gone were looked for
	health   health
}

func newNamespace(life context.Context, name string) *namespace {
	n := &namespace{
		name: name, tried: make(chan struct{}), done: make(chan struct{}),
		channels: map[string]received[workload.ChannelReport]{},
		configs:  map[string]string{}, issued: map[string]issued{},
	}
	n.life, n.end = context.WithCancel(life)
	return n
}

// failure is why the namespace is not open; nil when it is.
func (n *namespace) failure() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// opened returns the connection, nil until there is one.
func (n *namespace) opened() *hub.Space {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.space
}

const (
	// openTimeout bounds the making of one namespace's account and streams.
	openTimeout = 20 * time.Second
	// Waits between two attempts to open a namespace. Room that became free
	// ends them at once.
	minReopen = time.Second
	maxReopen = 30 * time.Second
)

// keep opens the namespace, as often as it takes, and then feeds its reports
// until its end.
func (p *Plane) keep(n *namespace) {
	defer close(n.done)
	for wait := minReopen; ; wait = min(2*wait, maxReopen) {
		freed := p.roomFreed()
		err := p.connect(n)
		first := n.settle(err)
		if err == nil {
			if !first {
				p.tellAll(n.name)
			}
			break
		}
		if !first {
			p.log.Info("a namespace of the hub cannot be opened; trying again", "namespace", n.name, "error", err)
		}
		if !sleep(n.life, wait, freed, errors.Is(err, hub.ErrHubFull)) {
			return
		}
	}
	var reader sync.WaitGroup
	reader.Go(func() { p.poll(n) })
	p.readReports(n)
	reader.Wait()
}

// connect makes one attempt to open the namespace.
func (p *Plane) connect(n *namespace) error {
	if err := p.stay(n.life, n.name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(n.life, openTimeout)
	defer cancel()
	if err := p.authority.EnsureNamespace(ctx, n.name, p.o.Limits); err != nil {
		return err
	}
	space, err := p.authority.Space(ctx, n.name)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.space = space
	n.mu.Unlock()
	return nil
}

// stay waits until the namespace's retirement, if one is under way, has ended.
func (p *Plane) stay(ctx context.Context, name string) error {
	p.mu.Lock()
	gone := p.leaving[name]
	p.mu.Unlock()
	if gone == nil {
		return nil
	}
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle stores how an attempt ended and says whether it was the first.
func (n *namespace) settle(err error) (first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
	select {
	case <-n.tried:
		return false
	default:
		close(n.tried)
		return true
	}
}

// sleep waits, for less where room that became free is what was missing. False
// means that life ended.
func sleep(life context.Context, wait time.Duration, freed <-chan struct{}, full bool) bool {
	timer := time.NewTimer(wait/2 + rand.N(wait/2+1))
	defer timer.Stop()
	if !full {
		freed = nil
	}
	select {
	case <-timer.C:
		return true
	case <-freed:
		return true
	case <-life.Done():
		return false
	}
}

// roomFreed returns a channel that is closed when the hub gets room next.
func (p *Plane) roomFreed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.freed
}

// tellFreed lets every namespace that waits for room try again.
func (p *Plane) tellFreed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.freed)
	p.freed = make(chan struct{})
}

// tellAll wakes the controllers for all resources of a namespace.
func (p *Plane) tellAll(name string) {
	p.channels.notify(name, "")
	p.syncs.notify(name, "")
}

// readReports takes in what workloads report until the namespace's end.
func (p *Plane) readReports(n *namespace) {
	for n.life.Err() == nil {
		err := n.opened().Watch(n.life, []string{workload.ReportChannelPrefix + ">", workload.ReportCatalog}, func(e hub.Entry) error {
			p.receive(n, e)
			return nil
		})
		if n.life.Err() != nil {
			return
		}
		p.log.Warn("reports of a namespace are not readable; trying again", "namespace", n.name, "error", err)
		select {
		case <-time.After(time.Second):
		case <-n.life.Done():
		}
	}
}

// leave closes a namespace and keeps it from being opened until back is called.
func (p *Plane) leave(name string) (back func()) {
	gone := make(chan struct{})
	p.mu.Lock()
	n := p.namespaces[name]
	delete(p.namespaces, name)
	p.leaving[name] = gone
	p.mu.Unlock()
	if n != nil {
		n.end()
		<-n.done
	}
	return func() {
		p.mu.Lock()
		delete(p.leaving, name)
		p.mu.Unlock()
		close(gone)
	}
}
