package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/catalog/allot"
	"selaras.dev/selaras/internal/hub"
)

// Bounds of one step through the ledgers, so that facts do not wait for it.
const (
	replanScan = 20_000
	replanMost = 150
	// recordsPerPlan is what a new plan of one SKU changes: its ledger, its item.
	recordsPerPlan = 2
	replanSoon     = 20 * time.Millisecond
	replanLook     = 500 * time.Millisecond
)

var (
	ledgerPrefix = []byte("ledger.")
	ledgerEnd    = []byte("ledger/")
	// bookMark is how a ledger's JSON says that its stock is divided.
	bookMark = []byte(`"book":{`)
)

// replanning brings every ledger in line with the policies after they changed:
// facts bring only those of their own SKUs.
type replanning struct {
	begun    bool
	policies map[string]*allot.Policy
	// wait are the batches that may have been made by older policies and are not
	// in the store yet.
	wait int
	next []byte // where to go on; nil when done
}

// replan takes some ledgers further, and returns after what time to go on.
func (f *folder) replan() (time.Duration, error) {
	topology, _ := f.w.config.current()
	r := &f.replanning
	if !r.begun || !reflect.DeepEqual(topology.Policies, r.policies) {
		*r = replanning{begun: true, policies: topology.Policies, wait: f.underWay(), next: ledgerPrefix}
	}
	switch {
	case r.next == nil:
		return replanLook, nil
	case r.wait > 0, f.view.dirty+recordsPerPlan*replanMost > maxRecords:
		return replanSoon, nil // facts first
	}
	next, err := f.replanFrom(r.next, topology)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errStop, err)
	}
	if r.next = next; next == nil {
		return replanLook, nil
	}
	return replanSoon, nil
}

// underWay is how many batches are being made or stored.
func (f *folder) underWay() int {
	n := 0
	if f.sending != nil {
		n++
	}
	if f.built.facts > 0 || f.view.dirty > 0 {
		n++
	}
	return n
}

// replanFrom plans some ledgers from a key on, and returns that of the next.
func (f *folder) replanFrom(from []byte, topology *catalog.Topology) (next []byte, err error) {
	scanned, planned := 0, 0
	err = f.w.store.scan(from, ledgerEnd, func(key, value []byte) (bool, error) {
		if scanned++; scanned > replanScan || planned >= replanMost {
			next = bytes.Clone(key)
			return false, nil
		}
		subject, err := hub.ParseSubject(string(key))
		if err != nil {
			return false, err
		}
		source := subject.Source()
		if topology.Policies[source] == nil && !bytes.Contains(value, bookMark) {
			return true, nil
		}
		var ledger catalog.Ledger
		if err := json.Unmarshal(value, &ledger); err != nil {
			return false, fmt.Errorf("decode the ledger %s: %w", subject, err)
		}
		if ledger.Planned(topology, source, f.w.now()) {
			return true, nil
		}
		planned++
		return true, f.replanOne(topology, source, ledger.SKU)
	})
	return next, err
}

func (f *folder) replanOne(topology *catalog.Topology, source, sku string) error {
	changes, err := catalog.Replan(&f.view, topology, source, sku, f.w.now())
	if err != nil {
		return err
	}
	return f.change(&changes)
}
