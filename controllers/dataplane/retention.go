package dataplane

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// Residents are the names of the resources of one namespace.
type Residents struct{ Channels, Syncs map[string]bool }

// Census tells the resources by namespace, of one namespace or, for "", of all.
// A namespace without any is not in it. What is on the hub outside of what the
// operator watches is none of its business: Watched says what is.
type Census struct {
	Take    func(ctx context.Context, namespace string) (map[string]Residents, error)
	Watched func(namespace string) bool
}

// retained is what the sweeper knows of the hub: since when each namespace is
// out of use, zero for one in use. The hub keeps the same, for the next start;
// nobody else changes it.
type retained map[string]time.Time

const (
	maxSweepEvery = time.Minute
	minSweepEvery = 100 * time.Millisecond
	// sweepAfter is how soon after a resource has gone its namespace is looked
	// at: whoever deletes a resource to make it anew has done so by then.
	sweepAfter = 5 * time.Second
	// leaveTimeout bounds what is done to one namespace.
	leaveTimeout = 30 * time.Second
)

// sweepUntil looks for namespaces without resources until ctx ends. It goes by
// what there is, not by what happened, so that nothing is missed while no
// operator runs.
func (p *Plane) sweepUntil(ctx context.Context) {
	every := maxSweepEvery
	if p.o.Retain > 0 {
		every = max(minSweepEvery, min(maxSweepEvery, p.o.Retain/5))
	}
	timer := time.NewTimer(every)
	defer timer.Stop()
	soon := false // one deletion after another puts nothing off
	for {
		select {
		case <-p.gone:
			if !soon {
				soon = true
				timer.Reset(min(every, sweepAfter))
			}
		case <-timer.C:
			soon = false
			timer.Reset(every)
			if err := p.sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
				p.log.Warn("looking for namespaces out of use failed; trying again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// resourceGone lets the sweeper look soon.
func (p *Plane) resourceGone() {
	select {
	case p.gone <- struct{}{}:
	default: // it will
	}
}

// sweep brings every namespace of the hub where its resources say it belongs:
// into use, out of use, or gone. A sweep without news asks the hub nothing.
func (p *Plane) sweep(ctx context.Context, now time.Time) error {
	if err := p.listRetained(ctx); err != nil {
		return err
	}
	for _, n := range p.all() {
		p.retained[n.name] = time.Time{}
	}
	// After the hub was asked: whoever was given something there is in it.
	census, err := p.o.Census.Take(ctx, "")
	if err != nil {
		return fmt.Errorf("counting the resources: %w", err)
	}
	for name, since := range p.retained {
		if !p.o.Census.Watched(name) {
			continue
		}
		residents, used := census[name]
		switch {
		case used:
			p.retained[name] = time.Time{}
			p.settleIn(ctx, name, residents)
		case since.IsZero():
			p.attempt(ctx, "retiring", name, func(ctx context.Context) error { return p.retire(ctx, name, now) })
		case now.Sub(since) >= p.o.Retain:
			p.attempt(ctx, "deleting", name, func(ctx context.Context) error { return p.expire(ctx, name) })
		}
	}
	return nil
}

// listRetained asks the hub, once, what it holds.
func (p *Plane) listRetained(ctx context.Context) error {
	if p.retained != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	stored, err := p.authority.Namespaces(ctx)
	if err != nil {
		return err
	}
	p.retained = retained{}
	for _, s := range stored {
		p.retained[s.Namespace] = s.Retired
	}
	return nil
}

// attempt does something to a namespace; what fails is tried at the next sweep.
func (p *Plane) attempt(ctx context.Context, doing, name string, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if err := do(ctx); err != nil && p.life.Err() == nil {
		p.log.Warn(doing+" a namespace of the hub failed; trying again", "namespace", name, "error", err)
	}
}

// retire takes a namespace out of use: its workloads' credentials are revoked
// and what it does not store is given back.
func (p *Plane) retire(ctx context.Context, name string, at time.Time) error {
	return p.unlessUsed(ctx, name, func() error {
		held, err := p.authority.HasNamespace(ctx, name)
		if err != nil || !held {
			delete(p.retained, name)
			return err
		}
		if err := p.revokeAll(ctx, name); err != nil {
			return err
		}
		if err := p.authority.RetireNamespace(ctx, name, at); err != nil {
			return err
		}
		p.retained[name] = at
		p.log.Info("a namespace without resources is out of use; the hub keeps its data", "namespace", name, "for", p.o.Retain.String())
		return nil
	})
}

// expire deletes what the hub keeps of a namespace.
func (p *Plane) expire(ctx context.Context, name string) error {
	return p.unlessUsed(ctx, name, func() error {
		if err := p.authority.DeleteNamespace(ctx, name); err != nil {
			return err
		}
		delete(p.retained, name)
		p.log.Info("the hub's data of a namespace was deleted", "namespace", name, "kept", p.o.Retain.String())
		return nil
	})
}

// unlessUsed does something to a namespace that has no resources, while nobody
// can open it. What comes into being meanwhile waits for the end.
func (p *Plane) unlessUsed(ctx context.Context, name string, do func() error) error {
	back := p.leave(name)
	census, err := p.o.Census.Take(ctx, name)
	if err == nil && len(census) == 0 {
		err = do()
		p.authority.Release(name)
		p.tellFreed()
	}
	back()
	if len(census) > 0 {
		// Its controllers may have opened it already, and will not again.
		_, err = p.wanted(name)
		p.tellAll(name)
	}
	return err
}

// revokeAll revokes the credentials of all workloads of a namespace.
func (p *Plane) revokeAll(ctx context.Context, name string) error {
	space, err := p.authority.Space(ctx, name)
	if err != nil {
		return err
	}
	entries, err := space.List(ctx, issuedPrefix+">")
	if err != nil || len(entries) == 0 {
		return err
	}
	var users []string
	for _, entry := range entries {
		var out issued
		if err := json.Unmarshal(entry.Data, &out); err != nil {
			return fmt.Errorf("decoding %s: %w", entry.Key, err)
		}
		users = append(users, out.Users...)
	}
	if err := p.authority.Revoke(ctx, name, users...); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := space.Delete(ctx, entry.Key); err != nil {
			return err
		}
	}
	return nil
}

// settleIn takes back, once after a namespace was opened, what resources left
// behind that went while no operator looked, and the catalog worker's
// credentials when there is nothing for it to do.
func (p *Plane) settleIn(ctx context.Context, name string, residents Residents) {
	n := p.known(name)
	if n == nil || n.opened() == nil {
		return
	}
	n.mu.Lock()
	tidy := n.tidy
	_, worker := n.issued[issuedCatalog]
	n.mu.Unlock()
	if tidy && (!worker || len(residents.Syncs) > 0) {
		return
	}
	p.attempt(ctx, "tidying up", name, func(ctx context.Context) error {
		if err := p.tidyUp(ctx, n); err != nil {
			return err
		}
		n.mu.Lock()
		n.tidy = true
		n.mu.Unlock()
		return nil
	})
}

func (p *Plane) tidyUp(ctx context.Context, n *namespace) error {
	var keys []string
	for _, pattern := range []string{"config.>", issuedPrefix + ">"} {
		entries, err := n.opened().List(ctx, pattern)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			keys = append(keys, entry.Key)
		}
	}
	// After the keys were listed: whoever was given one is among them.
	census, err := p.o.Census.Take(ctx, n.name)
	if err != nil {
		return err
	}
	residents := census[n.name]
	keys = slices.DeleteFunc(keys, residents.owns)
	for _, key := range keys {
		if err := p.takeBack(ctx, n, key); err != nil {
			return err
		}
	}
	return nil
}

// owns says whether a key of the hub belongs to a resource that there is.
func (r Residents) owns(key string) bool {
	if name, ok := strings.CutPrefix(key, workload.ConfigChannelPrefix); ok {
		return r.Channels[name]
	}
	if name, ok := strings.CutPrefix(key, workload.ConfigSyncPrefix); ok {
		return r.Syncs[name]
	}
	if name, ok := strings.CutPrefix(key, issuedChannel); ok {
		return r.Channels[name]
	}
	return key != issuedCatalog || len(r.Syncs) > 0
}

func (p *Plane) takeBack(ctx context.Context, n *namespace, key string) error {
	if name, ok := strings.CutPrefix(key, workload.ConfigChannelPrefix); ok {
		return p.DeleteChannel(ctx, n.name, name)
	}
	if name, ok := strings.CutPrefix(key, workload.ConfigSyncPrefix); ok {
		return p.DeleteSync(ctx, n.name, name)
	}
	if name, ok := strings.CutPrefix(key, issuedChannel); ok {
		return p.revoke(ctx, n, issuedKey(hub.Workload{Kind: hub.Connector, Name: name}))
	}
	return p.revoke(ctx, n, key)
}
