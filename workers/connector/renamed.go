package connector

import (
	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

// A merchant who gives a listing another SKU takes the old one out of the
// source, and no reading of the new one says so: the old one would stay for
// sale elsewhere until everything is compared. So the store knows under which
// SKU a listing was published last, and one that shows another makes the old
// SKU be looked for.

// listed is the listing that a record was published from, empty if it was not.
func (r *record) listed() driver.Ref {
	if r.published == 0 {
		return ""
	}
	return r.ref
}

// renamed are the SKUs to be looked for because a listing of a reading was
// published under them and shows another one. Where the channel cannot be asked
// for a SKU, they are taken to be absent, as in a comparison.
func (e *engine) renamed(found []driver.Listing, seen *listings) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.routes.publishes {
		return nil, nil
	}
	var names []string
	for i := range found {
		old, err := e.store.publishedAs(found[i].Ref)
		if err != nil {
			return nil, err
		}
		now, _ := catalog.NormalizeSKU(found[i].SKU)
		if _, met := seen.of[old]; old == "" || old == now || met {
			continue
		}
		if e.can.gets {
			names = append(names, old)
			continue
		}
		var r record
		if _, err := e.store.readRecord(old, &r); err != nil {
			return nil, err
		}
		if !r.duplicate {
			seen.add(old)
		}
	}
	return names, nil
}

// lookFor asks for a reading of SKUs whose listing shows another one: another
// listing may bear them by now.
func (t *txn) lookFor(names []string) error {
	for _, name := range names {
		s, err := t.sku(name)
		if err != nil {
			return err
		}
		if s.stored {
			s.record.recheck(t.now)
		}
	}
	return nil
}

// putRefs stores under which SKUs the listings of a batch are published. A
// listing that went from one SKU to another is the other's.
func (t *txn) putRefs() error {
	taken := make(map[driver.Ref]bool)
	for name, s := range t.skus {
		ref := s.record.listed()
		if ref == "" || ref == s.listed {
			continue
		}
		taken[ref] = true
		if err := t.c.put(refKey(ref), []byte(name)); err != nil {
			return err
		}
	}
	for name, s := range t.skus {
		if s.listed == "" || s.listed == s.record.listed() || taken[s.listed] {
			continue
		}
		if of, err := t.e.store.publishedAs(s.listed); err != nil || of != name {
			if err != nil {
				return err
			}
			continue
		}
		if err := t.c.dropRef(s.listed); err != nil {
			return err
		}
	}
	return nil
}
