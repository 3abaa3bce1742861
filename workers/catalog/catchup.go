package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/cockroachdb/pebble/v2"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

// errCaught ends the reading of records at the end of what is there.
var errCaught = errors.New("all records are read")

// catchUp brings the store to the state of the hub's records and, with follow,
// keeps it there until ctx ends. Without, it ends with the newest cursor.
func (w *Worker) catchUp(ctx context.Context, follow bool) error {
	for {
		m, err := w.store.meta()
		if err == nil && m.outdated(w.now()) {
			m = meta{Items: map[string]int{}}
			err = w.store.wipe()
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errStop, err)
		}
		indices, err := w.store.marks()
		if err == nil {
			err = w.store.rewriteMarks(indices)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errStop, err)
		}
		w.publish(m, indices)
		c := &catcher{w: w, meta: m, indices: indices, follow: follow}
		err = w.o.Space.ReadRecords(ctx, hub.ReadOptions{After: m.position(), Kinds: hub.Everything}, c.take)
		if errors.Is(err, errCaught) {
			return nil
		}
		if !errors.Is(err, hub.ErrRegressed) {
			return err
		}
		w.log.Error("the hub's records are older than the worker's copy of them; reading them anew", "reason", err)
		w.mu.Lock()
		w.caught = false
		w.mu.Unlock()
		if err := w.store.wipe(); err != nil {
			return fmt.Errorf("%w: %w", errStop, err)
		}
	}
}

// publish makes what was read visible to reports and metrics.
func (w *Worker) publish(m meta, indices map[string]*catalog.Index) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.meta = m
	w.meta.Items = maps.Clone(m.Items)
	w.indices = indices
}

// catcher takes records into the store.
type catcher struct {
	w       *Worker
	meta    meta
	indices map[string]*catalog.Index
	follow  bool
	caught  bool
}

func (c *catcher) take(b hub.Batch) error {
	if len(b.Records) > 0 {
		if err := c.store(b); err != nil {
			return fmt.Errorf("%w: %w", errStop, err)
		}
	}
	if !b.Caught {
		return nil
	}
	if err := c.count(); err != nil {
		return fmt.Errorf("%w: %w", errStop, err)
	}
	c.w.mu.Lock()
	c.w.caught = true
	c.w.mu.Unlock()
	if c.follow {
		c.caught = true
		return nil
	}
	return errCaught
}

func (c *catcher) store(b hub.Batch) error {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	batch := c.w.store.db.NewBatch()
	marked := map[string]bool{}
	for i := range b.Records {
		r := &b.Records[i]
		c.meta.Seq = r.Seq
		switch r.Subject.Kind() {
		case hub.KindCursor:
			cursor, err := r.Cursor()
			if err != nil {
				return errors.Join(err, batch.Close())
			}
			c.meta.Cursor = cursor
			continue
		case hub.KindItem:
			source := r.Subject.Source()
			index := c.indices[source]
			if index == nil {
				index = new(catalog.Index)
				c.indices[source] = index
			}
			before := index.Newest()
			index.Add(r.Seq, r.Time)
			if marked[source] && index.Newest().Second != before.Second {
				if err := putMark(batch, source, before); err != nil {
					return errors.Join(err, batch.Close())
				}
			}
			marked[source] = true
			// Counting needs the record that this one replaces; a scan at the
			// end is cheaper than a look-up for each.
			c.meta.Counting = true
		}
		if err := putRecord(batch, r); err != nil {
			return errors.Join(err, batch.Close())
		}
	}
	c.meta.Epoch, c.meta.At = b.Epoch, c.w.now()
	if err := c.finish(batch, marked); err != nil {
		return errors.Join(err, batch.Close())
	}
	c.w.meta = c.meta
	c.w.meta.Items = maps.Clone(c.meta.Items)
	return c.w.store.commit(batch)
}

func (c *catcher) finish(batch *pebble.Batch, marked map[string]bool) error {
	for source := range marked {
		if err := putMark(batch, source, c.indices[source].Newest()); err != nil {
			return err
		}
	}
	return putMeta(batch, &c.meta)
}

// count notes that the copy is what the hub holds, and counts the items if
// records went by uncounted.
func (c *catcher) count() error {
	items := c.meta.Items
	if c.meta.Counting {
		var err error
		if items, err = c.w.store.countItems(); err != nil {
			return err
		}
	}
	c.meta.Items, c.meta.Counting, c.meta.At = items, false, c.w.now()
	batch := c.w.store.db.NewBatch()
	if err := putMeta(batch, &c.meta); err != nil {
		return errors.Join(err, batch.Close())
	}
	c.w.mu.Lock()
	c.w.meta = c.meta
	c.w.meta.Items = maps.Clone(items)
	c.w.mu.Unlock()
	return c.w.store.commit(batch)
}
