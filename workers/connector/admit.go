package connector

import (
	"context"
	"errors"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// writing marks a context with the field groups that a call writes.
type writing struct{}

func withGroups(ctx context.Context, g groups) context.Context {
	return context.WithValue(ctx, writing{}, g)
}

// admit refuses a write at the moment it would leave: without a lease, which
// holds off a successor for the time of a write more, and while what it writes
// is paused or held.
func (c *connector) admit(ctx context.Context, timeout time.Duration) error {
	op := driver.OperationOf(ctx)
	if !writes(op) {
		return nil
	}
	c.mu.Lock()
	t := c.tenure
	c.mu.Unlock()
	if t == nil || t.lease.ExpiresIn() <= min(timeout, c.o.LeaseDuration/4) {
		return errors.New("the lease does not outlast a write")
	}
	g, intended := ctx.Value(writing{}).(groups)
	var may bool
	t.engine.view(func() {
		may = t.engine.routes.delist
		if intended {
			may = t.engine.routes.admits(op, g)
		}
	})
	if !may {
		return errors.New("the channel is paused, or what the call writes is held")
	}
	return nil
}

// admits reports whether a call that writes some groups may leave.
func (r *routes) admits(op driver.Operation, g groups) bool {
	if op == driver.OpCreate {
		// A new listing has values of groups, too, that are only observed.
		return r.writable() != 0 && g&r.held == 0
	}
	return g&^r.writable() == 0
}

// creates reports whether new listings may be made: not without a price and
// content, so not while either is held.
func (r *routes) creates() bool { return r.held&(content|price) == 0 }
