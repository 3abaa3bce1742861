package catalog

import (
	"maps"
	"slices"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// maxMovements bounds a ledger. A SKU that moves more often within Retention
// has its oldest movements merged: a count from before them is then taken as
// if it came before all the merged ones.
const maxMovements = 128

// openLedger returns a ledger that may be changed freely.
func (f *folding) openLedger(source, sku string) (*Ledger, error) {
	for i := range f.changes.Ledgers {
		if c := &f.changes.Ledgers[i]; c.SKU == sku && c.Source == source {
			return c.Ledger, nil
		}
	}
	ledger, _, err := f.state.Ledger(source, sku)
	if err != nil {
		return nil, err
	}
	ledger.SKU = sku
	ledger.Shown = maps.Clone(ledger.Shown)
	ledger.Writing = maps.Clone(ledger.Writing)
	ledger.Movements = slices.Clone(ledger.Movements)
	ledger.Book = ledger.Book.Clone()
	return &ledger, nil
}

// closeLedger keeps a changed ledger and rewrites the item if what may be sold,
// or what a channel holds, changed. at is the channel's time of the change.
func (f *folding) closeLedger(source string, ledger *Ledger, at time.Time) error {
	ledger.prune(f.fact.Time)
	kept := false
	for i := range f.changes.Ledgers {
		kept = kept || f.changes.Ledgers[i].Ledger == ledger
	}
	if !kept {
		f.changes.Ledgers = append(f.changes.Ledgers, LedgerChange{Source: source, SKU: ledger.SKU, Ledger: ledger})
	}
	if !ledger.Seeded {
		return nil
	}
	ats := ledger.OnHand - ledger.Committed
	ledger.plan(f.topology, source, ats, f.fact.Time)
	item, known, err := f.item(source, ledger.SKU)
	if err != nil {
		return err
	}
	open, allotted := ledger.open(source), allottedOf(ledger.Book)
	moved := !known || item.ATS == nil || *item.ATS != ats
	if !moved && maps.Equal(item.Open, open) && item.Allotted.same(allotted) {
		return nil
	}
	f.oversold(source, ledger.SKU, item.ATS, ats)
	item.SKU, item.ATS, item.Open = ledger.SKU, &ats, open
	if !item.Allotted.same(allotted) {
		item.Allotted = allotted
	}
	if moved {
		item.StockAt = at
	}
	f.setItem(source, item)
	return nil
}

// open are the units that channels hold reserved as far as the ledger knows.
func (l *Ledger) open(source string) map[string]int64 {
	var open map[string]int64
	for channel, shown := range l.Shown {
		units := shown.Committed
		if channel == source {
			units += l.Unattributed
		}
		if units <= 0 || shown.Basis == driver.BasisAvailable {
			continue
		}
		if open == nil {
			open = make(map[string]int64, 1)
		}
		open[channel] = units
	}
	return open
}

// move changes the goods on the shelf by a movement at a time. A movement
// before the cut-off of the newest count is part of that count already; then
// move returns false.
func (l *Ledger) move(at time.Time, units int64) bool {
	if units == 0 {
		return false
	}
	l.record(Movement{At: at, Units: units})
	if !l.Seeded || !at.After(l.CountedAt) {
		return false
	}
	l.OnHand += units
	return true
}

// record keeps a movement, in the order of time.
func (l *Ledger) record(m Movement) {
	m.At = m.At.UTC()
	i, found := slices.BinarySearchFunc(l.Movements, m, func(a, b Movement) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		switch {
		case a.Channel < b.Channel:
			return -1
		case a.Channel > b.Channel:
			return 1
		}
		return 0
	})
	if found {
		l.Movements[i].Units += m.Units
		l.Movements[i].Open += m.Open
		if l.Movements[i].Units == 0 && l.Movements[i].Open == 0 {
			l.Movements = slices.Delete(l.Movements, i, i+1)
		}
		return
	}
	l.Movements = slices.Insert(l.Movements, i, m)
}

// prune forgets movements that no count can ask for any more.
func (l *Ledger) prune(now time.Time) {
	l.Movements = slices.DeleteFunc(l.Movements, func(m Movement) bool {
		return now.Sub(m.At) > Retention
	})
	for i := 0; len(l.Movements) > maxMovements && i < len(l.Movements); {
		oldest := l.Movements[i]
		next := slices.IndexFunc(l.Movements[i+1:], func(m Movement) bool { return m.Channel == oldest.Channel })
		if next < 0 {
			i++
			continue
		}
		l.Movements[i+1+next].Units += oldest.Units
		l.Movements[i+1+next].Open += oldest.Open
		l.Movements = slices.Delete(l.Movements, i, i+1)
	}
	if len(l.Movements) == 0 {
		l.Movements = nil
	}
}

// move changes what a channel shows by an order that came after the readings up
// to a revision.
func (s *Shown) move(units int64, after uint64) {
	s.OnHand += units
	if after != 0 && s.Wrote > after {
		s.Lowered += max(0, -units)
		s.Raised += max(0, units)
	}
}

func (l *Ledger) shown(channel string) Shown { return l.Shown[channel] }

func (l *Ledger) show(channel string, shown Shown) {
	if shown == (Shown{}) {
		delete(l.Shown, channel)
		return
	}
	if l.Shown == nil {
		l.Shown = make(map[string]Shown, 1)
	}
	l.Shown[channel] = shown
}

// units checks a quantity that a channel stated.
func units(n int64) bool { return n >= -MaxUnits && n <= MaxUnits }

func validBasis(basis driver.StockBasis) bool {
	return basis == driver.BasisOnHand || basis == driver.BasisAvailable
}
