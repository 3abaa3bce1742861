package connector

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

// comparer reads every listing of the channel and lets the engine compare: at
// the first start, after a loss, when asked, and at every resync. It writes
// nothing; what differs becomes pending or drift (DESIGN §5.5).
type comparer struct {
	engine *engine
	link   *link
	poller *poller
	traits driver.Traits
	log    *slog.Logger
	now    func() time.Time
}

const (
	// busyPage is how often a comparison may read a page while writes wait:
	// it goes on, but on a small share of the budget.
	busyPage = 5 * time.Second
	// compareRetry is the wait after a comparison that failed.
	compareRetry = 5 * time.Second
)

// run compares whenever it is due.
func (c *comparer) run(ctx context.Context) error {
	for {
		due, requested := c.due()
		if due.After(c.now()) {
			if err := until(ctx, nil, earlier(c.now().Add(time.Second), due), c.now()); err != nil {
				return nil
			}
			continue
		}
		if err := c.compare(ctx, requested); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			c.log.Warn("the comparison of all listings failed; it begins again", "error", err)
			if err := sleep(ctx, jitter(compareRetry)); err != nil {
				return nil
			}
		}
	}
}

// due tells when the next comparison is, and the requests it will answer.
func (c *comparer) due() (time.Time, map[string]string) {
	e := c.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	requested := maps.Clone(e.routes.requested)
	if !e.caught {
		return c.now().Add(time.Second), nil
	}
	if e.meta.Compared.IsZero() {
		return time.Time{}, requested
	}
	for who, token := range requested {
		if e.meta.Requested[who] != token {
			return time.Time{}, requested
		}
	}
	next := e.meta.Compared.Add(e.routes.resync)
	if !e.meta.Again.IsZero() {
		next = earlier(next, e.meta.Again)
	}
	return next, requested
}

// seen is one listing of a walk, in sixteen bytes.
type seen struct{ sku, ref uint64 }

// compare walks over all listings once.
func (c *comparer) compare(ctx context.Context, requested map[string]string) error {
	e := c.engine
	var first bool
	e.view(func() { first = e.meta.Compared.IsZero() })
	// Changes made during the walk come by the feed, from before it.
	if err := persist(ctx, func() error { return c.poller.pollChanges(ctx) }); err != nil {
		return err
	}
	var walk []seen
	var unusable int
	var cursor driver.Cursor
	for more := true; more; {
		if err := c.pace(ctx, first); err != nil {
			return err
		}
		err := persist(ctx, func() error {
			page, supported, err := c.readPage(ctx, cursor, &walk)
			if err == nil {
				unusable += withoutSKU(page.Listings)
				cursor, more = page.Next, supported && page.Next != ""
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := c.rest(ctx, walk); err != nil {
		return err
	}
	c.poller.intake(intakeItems, c.now())
	return c.done(ctx, requested, len(walk), unusable, first)
}

// withoutSKU counts listings whose SKU cannot be one.
func withoutSKU(found []driver.Listing) int {
	n := 0
	for i := range found {
		if _, ok := catalog.NormalizeSKU(found[i].SKU); !ok {
			n++
		}
	}
	return n
}

// readPage reads one page and takes it in.
func (c *comparer) readPage(ctx context.Context, after driver.Cursor, walk *[]seen) (driver.ListingPage, bool, error) {
	token := c.engine.begin()
	defer c.engine.end(token)
	page, supported, err := c.page(ctx, after)
	if err != nil || !supported {
		return page, supported, err
	}
	if err := c.poller.observer.take(ctx, reading{listings: page.Listings, token: token, why: causeBackfill}); err != nil {
		return page, true, err
	}
	for i := range page.Listings {
		l := &page.Listings[i]
		if name, ok := catalog.NormalizeSKU(l.SKU); ok {
			*walk = append(*walk, seen{hashString(name), hashString(string(l.Ref))})
		}
	}
	return page, true, nil
}

// persist tries a call a few times: a long walk need not begin again because
// of one answer that did not come.
func persist(ctx context.Context, fn func() error) error {
	for try := 1; ; try++ {
		err := fn()
		if err == nil || try == walkTries || ctx.Err() != nil {
			return err
		}
		if sleep(ctx, jitter(100*time.Millisecond<<min(try, 6))) != nil {
			return err
		}
	}
}

const walkTries = 8

// pace keeps the comparison out of the way of writes. The first one is what
// writes wait for.
func (c *comparer) pace(ctx context.Context, first bool) error {
	if first {
		return nil
	}
	began := c.now()
	for c.now().Sub(began) < busyPage {
		changed := c.engine.change()
		if !c.engine.busy(c.poller.batch()) {
			return nil
		}
		if err := until(ctx, changed, began.Add(busyPage), c.now()); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparer) page(ctx context.Context, after driver.Cursor) (driver.ListingPage, bool, error) {
	var page driver.ListingPage
	supported := true
	err := c.link.call(ctx, driver.OpRead, func(ctx context.Context, conn driver.Connection) (err error) {
		r, ok := conn.(driver.ListingReader)
		if !ok {
			supported = false
			return nil
		}
		page, err = r.ReadPage(ctx, after, pageOf(c.traits))
		return err
	})
	return page, supported, err
}

// rest looks at what the walk did not tell: SKUs it did not meet, SKUs it met
// twice, and items without a listing.
func (c *comparer) rest(ctx context.Context, walk []seen) error {
	slices.SortFunc(walk, func(a, b seen) int {
		return cmp.Or(cmp.Compare(a.sku, b.sku), cmp.Compare(a.ref, b.ref))
	})
	met := func(name string) (found, twice bool) {
		h := hashString(name)
		i, found := slices.BinarySearchFunc(walk, h, func(s seen, h uint64) int { return cmp.Compare(s.sku, h) })
		for ; found && i+1 < len(walk) && walk[i+1].sku == h; i++ {
			twice = twice || walk[i+1].ref != walk[i].ref
		}
		return found, twice
	}
	e := c.engine
	after := ""
	for more := true; more; {
		var ask []driver.Key
		var err error
		after, more, err = e.store.eachRecord(after, chunk, func(name string, r *record) error {
			found, twice := met(name)
			if twice || r.duplicate || !found && (!r.known || !r.absent) {
				ask = append(ask, driver.Key{SKU: name, Ref: r.ref})
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := c.ask(ctx, ask); err != nil {
			return err
		}
	}
	return nil
}

// ask reads SKUs by name; where the channel cannot, those that the walk did
// not meet are taken to be absent.
func (c *comparer) ask(ctx context.Context, keys []driver.Key) error {
	can, _ := c.link.abilities()
	for len(keys) > 0 {
		n := min(c.poller.batch(), len(keys))
		if can.gets {
			if err := persist(ctx, func() error { return c.poller.look(ctx, keys[:n]) }); err != nil {
				return err
			}
		} else {
			token := c.engine.begin()
			err := c.poller.observer.take(ctx, reading{asked: skusOf(keys[:n]), token: token, why: causeBackfill})
			c.engine.end(token)
			if err != nil {
				return err
			}
		}
		keys = keys[n:]
	}
	return nil
}

// done notes a finished comparison. After the first one another follows when
// writes from before a loss can land no more.
func (c *comparer) done(ctx context.Context, requested map[string]string, listings, unusable int, first bool) error {
	e := c.engine
	err := e.update(true, func(t *txn) error {
		t.meta.Compared, t.meta.Listings, t.meta.Unusable, t.putMeta = t.now, listings, unusable, true
		t.meta.Requested = requested
		t.meta.Again = time.Time{}
		if first {
			t.meta.Again = t.now.Add(e.can.horizon)
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.view(func() { e.queue.spare = e.queue.spare || listings >= roomy })
	if !first {
		return nil
	}
	// SKUs that waited to be read by the walk go on.
	var names []string
	e.view(func() {
		e.comparing = false
		for name, x := range e.queue.entries {
			if x.notBefore.Equal(farAway) && x.pending {
				names = append(names, name)
			}
		}
	})
	return inChunks(ctx, names, func(names []string) error {
		return e.update(false, func(t *txn) error {
			for _, name := range names {
				if _, err := t.sku(name); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
