package connector

import (
	"context"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// delister takes every listing that Selaras keeps, or wrote, out of sale, when a Channel
// with deletionPolicy Delist is deleted.
type delister struct {
	*tenure
	syncs []target
}

// run waits until delisting is asked for, and does it.
func (d *delister) run(ctx context.Context) error {
	e := d.engine
	for {
		var asked bool
		e.view(func() { asked = e.routes.delist })
		if asked {
			done, err := d.all(ctx)
			if err != nil && ctx.Err() == nil {
				d.c.o.Logger.Warn("take the listings out of sale", "error", err)
			}
			d.c.reporter.setDelisted(done)
		}
		if err := sleep(ctx, time.Second); err != nil {
			return nil
		}
	}
}

// all goes through what Selaras keeps; true when nothing is for sale any more.
func (d *delister) all(ctx context.Context) (bool, error) {
	e := d.engine
	limits := limitsOf(d.c.o.Driver.Describe().Traits)
	clean, after := true, ""
	for more := true; more; {
		var keys []driver.Key
		var err error
		after, more, err = e.store.eachRecord(after, limits.remove, func(name string, r *record) error {
			if r.writtenHere() && r.known && !r.absent && !r.duplicate && d.forSale(r) {
				keys = append(keys, driver.Key{SKU: name, Ref: r.ref})
			}
			return nil
		})
		if err != nil {
			return false, err
		}
		if len(keys) == 0 {
			continue
		}
		clean = false // confirmed by the next pass
		if err := d.remove(ctx, keys); err != nil {
			return false, err
		}
		if err := d.poller.look(ctx, keys); err != nil {
			return false, err
		}
	}
	return clean, nil
}

// writtenHere reports whether Selaras keeps the listing, or wrote it before the sync
// that kept it went.
func (r *record) writtenHere() bool { return r.managed != 0 || r.sent != driver.Version{} }

// forSale reports whether buyers can still buy the listing.
func (d *delister) forSale(r *record) bool {
	if d.engine.can.removes {
		return r.shown.enabled
	}
	return r.shown.hasStock && r.shown.available > 0
}

func (d *delister) remove(ctx context.Context, keys []driver.Key) error {
	can := d.engine.can
	op := driver.OpRemove
	if !can.removes {
		op = driver.OpWrite
	}
	return d.c.link.call(ctx, op, func(ctx context.Context, c driver.Connection) error {
		if x, ok := c.(driver.ListingRemover); ok {
			_, err := x.RemoveListings(ctx, keys)
			return err
		}
		x, ok := c.(driver.IntentWriter)
		if !ok {
			return &driver.Error{Class: driver.ClassInvalid, Op: "delist", Reason: "NotSupported", Message: "the driver can neither remove listings nor write stock"}
		}
		intents := make([]driver.Intent, len(keys))
		for i := range keys {
			intents[i] = driver.Intent{Key: keys[i], Stock: &driver.StockWrite{}}
		}
		_, err := x.WriteIntents(ctx, intents)
		return err
	})
}

func (r *reporter) setDelisted(done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delisted = done
}
