package dataplane

import (
	"context"
	"errors"
	"fmt"
	"time"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/conditions"
	"selaras.dev/selaras/internal/hub"
)

// health is what is known of the hub as one namespace sees it.
type health struct {
	storage   Storage
	full      string    // name of the stream that takes nothing more, "" for none
	downSince time.Time // of the connection, zero while it is up
	told      string    // what the controllers were told last
}

// Storage is what a namespace uses of the hub, and what it may use.
type Storage struct{ Used, Limit int64 }

const (
	// hubGrace is how long the hub may be away before that is said: a restart
	// of the hub is no news for every resource.
	hubGrace = 10 * time.Second
	// pollEvery is how often the storage of a namespace is asked for.
	pollEvery = 15 * time.Second
	// A stream is full from fullAt of its limit, until it is below emptyAt.
	fullAt, emptyAt = 0.98, 0.95
)

// Durability returns how the hub makes the writes of a namespace durable, as
// it was when the namespace was opened; false while it is not open.
func (p *Plane) Durability(namespace string) (hub.Durability, bool) {
	if n := p.known(namespace); n != nil {
		if space := n.opened(); space != nil {
			return space.Durability(), true
		}
	}
	return hub.DurabilityUnknown, false
}

// Storage returns what a namespace uses of the hub; false while that is not
// known.
func (p *Plane) Storage(namespace string) (Storage, bool) {
	n := p.known(namespace)
	if n == nil {
		return Storage{}, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.health.storage, n.health.storage.Limit > 0
}

// HubAvailable is the condition of that name for the resources of a namespace.
func (p *Plane) HubAvailable(namespace string) conditions.Value {
	n := p.known(namespace)
	if n == nil {
		return conditions.Unknown(selarasv1alpha1.ConditionHubAvailable, selarasv1alpha1.ReasonNotChecked, "The hub has not been needed yet")
	}
	return n.hubAvailable(time.Now())
}

func (n *namespace) hubAvailable(now time.Time) conditions.Value {
	const kind = selarasv1alpha1.ConditionHubAvailable
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case errors.Is(n.err, hub.ErrHubFull):
		return conditions.False(kind, selarasv1alpha1.ReasonFull, "The hub has no room to reserve for this namespace; it goes on as soon as there is")
	case n.err != nil:
		return conditions.False(kind, selarasv1alpha1.ReasonUnreachable, "The hub cannot be reached; it is tried again and again")
	case n.space == nil:
		return conditions.Unknown(kind, selarasv1alpha1.ReasonConnecting, "The hub has not answered yet")
	case !n.health.downSince.IsZero() && now.Sub(n.health.downSince) > hubGrace:
		return conditions.False(kind, selarasv1alpha1.ReasonUnreachable,
			fmt.Sprintf("The hub has not answered since %s", n.health.downSince.UTC().Format(time.RFC3339)))
	case n.health.full != "":
		return conditions.False(kind, selarasv1alpha1.ReasonFull,
			fmt.Sprintf("The namespace has used up its storage on the hub (stream %s): intake and writes wait", n.health.full))
	}
	return conditions.True(kind, selarasv1alpha1.ReasonAvailable, "The hub answers and has room")
}

// tellHub wakes the controllers of every namespace for which the hub went away,
// came back, became full or has room again.
func (p *Plane) tellHub(now time.Time) {
	for _, n := range p.all() {
		n.mu.Lock()
		switch up := n.space == nil || n.space.Connected(); {
		case up:
			n.health.downSince = time.Time{}
		case n.health.downSince.IsZero():
			n.health.downSince = now
		}
		n.mu.Unlock()
		value := n.hubAvailable(now)
		state := string(value.Status) + "/" + value.Reason
		n.mu.Lock()
		changed := n.health.told != state
		n.health.told = state
		n.mu.Unlock()
		if changed {
			p.tellAll(n.name)
		}
	}
}

// poll asks for the namespace's storage until its end.
func (p *Plane) poll(n *namespace) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		ctx, cancel := context.WithTimeout(n.life, pollEvery)
		state, err := n.opened().State(ctx)
		cancel()
		if err == nil {
			n.mu.Lock()
			n.health.storage, n.health.full = measure(state, n.health.full)
			n.mu.Unlock()
		}
		select {
		case <-ticker.C:
		case <-n.life.Done():
			return
		}
	}
}

// measure sums up the streams of a namespace. Each has a limit of its own, so
// that the namespace is as full as the fullest of them, whatever the others
// have left.
func measure(state hub.State, wasFull string) (storage Storage, full string) {
	// Facts get four fifths of the whole.
	storage.Limit = max(0, state.Facts.MaxBytes) / 4 * 5
	for _, stream := range []hub.StreamState{state.Facts, state.Records, state.Config} {
		storage.Used += int64(stream.Bytes) // #nosec G115 -- bytes of a disk
	}
	most := 0.0
	for _, stream := range []hub.StreamState{state.Facts, state.Records, state.Config} {
		if stream.MaxBytes <= 0 {
			continue
		}
		share := float64(stream.Bytes) / float64(stream.MaxBytes)
		most = max(most, share)
		if share >= fullAt || (stream.Name == wasFull && share >= emptyAt) {
			full = stream.Name
		}
	}
	storage.Used = max(storage.Used, int64(most*float64(storage.Limit)))
	return storage, full
}
