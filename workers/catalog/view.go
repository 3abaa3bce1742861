package catalog

import (
	"encoding/json"
	"fmt"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

// maxRecordBytes is the largest record that a fold may write, in bytes: what
// one message of the hub can hold, less room for its headers.
const maxRecordBytes = 1<<20 - 8<<10

// entry is one record as a batch sees it, read or changed.
type entry struct {
	subject hub.Subject
	item    *catalog.Item
	ledger  *catalog.Ledger
	line    *catalog.Line
	// live tells, of an item, whether it was there and not removed before the
	// batch.
	live bool
	// data is the new value; nil with deleted.
	data    []byte
	dirty   bool
	deleted bool
}

// layer is what one batch has read and changed.
type layer map[string]*entry

// view is the state that a batch folds on: its own changes, over those of the
// batch on its way to the hub, over the store. It implements catalog.State.
type view struct {
	store    *store
	building layer
	inFlight layer
	// dirty is the number of changed records in building.
	dirty int
}

var _ catalog.State = (*view)(nil)

// Item implements catalog.State.
func (v *view) Item(source, sku string) (catalog.Item, bool, error) {
	subject, err := hub.ItemSubject(source, sku)
	if err != nil {
		return catalog.Item{}, false, err
	}
	e, err := v.entry(subject)
	if err != nil || e.item == nil {
		return catalog.Item{}, false, err
	}
	return *e.item, true, nil
}

// Ledger implements catalog.State.
func (v *view) Ledger(source, sku string) (catalog.Ledger, bool, error) {
	subject, err := hub.LedgerSubject(source, sku)
	if err != nil {
		return catalog.Ledger{}, false, err
	}
	e, err := v.entry(subject)
	if err != nil || e.ledger == nil {
		return catalog.Ledger{}, false, err
	}
	return *e.ledger, true, nil
}

// Line implements catalog.State.
func (v *view) Line(channel, line string) (catalog.Line, bool, error) {
	subject, err := hub.LineSubject(channel, line)
	if err != nil {
		return catalog.Line{}, false, err
	}
	e, err := v.entry(subject)
	if err != nil || e.line == nil {
		return catalog.Line{}, false, err
	}
	return *e.line, true, nil
}

// entry returns the record's entry in the batch being built, read if it is not
// there yet.
func (v *view) entry(subject hub.Subject) (*entry, error) {
	key := subject.String()
	if e := v.building[key]; e != nil {
		return e, nil
	}
	e := &entry{subject: subject}
	if before := v.inFlight[key]; before != nil {
		e.item, e.ledger, e.line = before.item, before.ledger, before.line
	} else if err := v.store.get([]byte(key), e.decode); err != nil {
		return nil, err
	}
	e.live = e.item != nil && !e.item.Removed
	v.building[key] = e
	return e, nil
}

func (e *entry) decode(data []byte) error {
	var err error
	switch e.subject.Kind() {
	case hub.KindItem:
		e.item = new(catalog.Item)
		err = json.Unmarshal(data, e.item)
	case hub.KindLedger:
		e.ledger = new(catalog.Ledger)
		err = json.Unmarshal(data, e.ledger)
	case hub.KindLine:
		e.line = new(catalog.Line)
		err = json.Unmarshal(data, e.line)
	}
	if err != nil {
		return fmt.Errorf("decode the record %s: %w", e.subject, err)
	}
	return nil
}

// change is one changed record before it is taken into a batch.
type change struct {
	subject hub.Subject
	entry   entry
}

// stage encodes the changes of one fact. It fails, and nothing must be taken
// in, when a record cannot be stored.
func stage(changes *catalog.Changes) ([]change, error) {
	staged := make([]change, 0, len(changes.Items)+len(changes.Ledgers)+len(changes.Lines))
	add := func(subject hub.Subject, err error, deleted bool, value any, e entry) error {
		if err != nil {
			return err
		}
		if deleted {
			e = entry{deleted: true}
		} else if e.data, err = json.Marshal(value); err != nil {
			return fmt.Errorf("encode the record %s: %w", subject, err)
		} else if len(e.data) > maxRecordBytes {
			return fmt.Errorf("the record %s would have %d bytes, at most %d are possible", subject, len(e.data), maxRecordBytes)
		}
		e.dirty = true
		staged = append(staged, change{subject: subject, entry: e})
		return nil
	}
	for _, c := range changes.Items {
		subject, err := hub.ItemSubject(c.Source, c.SKU)
		if err := add(subject, err, c.Item == nil, c.Item, entry{item: c.Item}); err != nil {
			return nil, err
		}
	}
	for _, c := range changes.Ledgers {
		subject, err := hub.LedgerSubject(c.Source, c.SKU)
		if err := add(subject, err, c.Ledger == nil, c.Ledger, entry{ledger: c.Ledger}); err != nil {
			return nil, err
		}
	}
	for _, c := range changes.Lines {
		subject, err := hub.LineSubject(c.Channel, c.ID)
		if err := add(subject, err, c.Line == nil, c.Line, entry{line: c.Line}); err != nil {
			return nil, err
		}
	}
	return staged, nil
}

// take applies staged changes to the batch being built.
func (v *view) take(staged []change) error {
	for i := range staged {
		e, err := v.entry(staged[i].subject)
		if err != nil {
			return err
		}
		if !e.dirty {
			v.dirty++
		}
		subject, live := e.subject, e.live
		*e = staged[i].entry
		e.subject, e.live = subject, live
	}
	return nil
}
