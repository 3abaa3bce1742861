package catalog

import (
	"fmt"
	"slices"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog/allot"
)

// Allotted is what the channels may show of an item, where the policy gives
// each a part of its own.
type Allotted struct {
	// Version counts the changes of what is asked.
	Version uint64 `json:"version"`
	// Parts are those of the channels, in the order of their names.
	Parts []Allotment `json:"parts"`
}

// Allotment is what one channel may show.
type Allotment struct {
	Channel string `json:"channel"`
	Show    int64  `json:"show"`
	// Settle asks the connector for a settled reading as soon as the channel shows
	// no more than that: units are called back, or what writes may have left must
	// be known before there are more.
	Settle bool `json:"settle,omitempty"`
}

// Of returns the part of a channel.
func (a *Allotted) Of(channel string) (Allotment, bool) {
	if a == nil {
		return Allotment{}, false
	}
	for i := range a.Parts {
		if a.Parts[i].Channel == channel {
			return a.Parts[i], true
		}
	}
	return Allotment{}, false
}

// Exposed are the units of an item that the channels are to show together beyond
// what may be sold. shared are their parts where the stock is not divided.
func (i *Item) Exposed(shared *allot.Policy) int64 {
	switch {
	case i.Removed || i.ATS == nil:
		return 0
	case i.Allotted == nil && shared == nil:
		return 0
	case i.Allotted == nil:
		return shared.Exposed(*i.ATS)
	}
	var shown int64
	for j := range i.Allotted.Parts {
		shown += i.Allotted.Parts[j].Show
	}
	return max(0, shown-max(0, *i.ATS))
}

func (a *Allotted) same(o *Allotted) bool {
	if a == nil || o == nil {
		return a == o
	}
	return a.Version == o.Version && slices.Equal(a.Parts, o.Parts)
}

// allottedOf is what a book asks of the channels.
func allottedOf(b *allot.Book) *Allotted {
	if b == nil {
		return nil
	}
	a := &Allotted{Version: b.Version, Parts: make([]Allotment, len(b.Holdings))}
	for i := range b.Holdings {
		h := &b.Holdings[i]
		a.Parts[i] = Allotment{Channel: h.Channel, Show: h.Asks(), Settle: b.Strict && (h.Asks() < h.Units || h.Unsure)}
	}
	return a
}

// plan works out what the channels may show now.
func (l *Ledger) plan(topology *Topology, source string, ats int64, now time.Time) {
	if topology == nil {
		return
	}
	policy := topology.Policies[source]
	if policy == nil {
		l.Book = nil
		return
	}
	if l.Book == nil {
		l.Book = new(allot.Book)
	}
	l.Book.Plan(policy, allot.Market{Now: now, ATS: ats, Seen: l.seen})
}

// Planned says whether the stock is divided as the policies of now would.
func (l *Ledger) Planned(topology *Topology, source string, now time.Time) bool {
	if !l.Seeded {
		return true
	}
	planned := *l
	planned.Book = l.Book.Clone()
	planned.plan(topology, source, l.OnHand-l.Committed, now)
	return planned.Book.Same(l.Book)
}

// seen is what the ledger knows of what a channel shows to buyers.
func (l *Ledger) seen(channel string) allot.Seen {
	shown := l.shown(channel)
	var s allot.Seen
	if shown.Basis != "" {
		s.Shown = shown.available(shown.OnHand + shown.Lowered)
	}
	for _, w := range l.Writing[channel].Writes {
		s.Landing, s.Pending = max(s.Landing, shown.available(w.OnHand)), true
	}
	return s
}

// available is what buyers can buy when the channel stores a quantity.
func (s *Shown) available(stored int64) int64 {
	if s.Basis == driver.BasisOnHand {
		stored -= s.Committed
	}
	return max(0, stored)
}

// sold takes in that the channel's own orders sold units and gave some back.
func (f *folding) sold(ledger *Ledger, sold, freed int64) {
	changed := f.fact.OrderChanged
	if ledger.Book == nil || changed == nil {
		return
	}
	f.beyond += ledger.Book.Moved(f.fact.Channel, sold, freed, allot.Proof{
		Tenure: tenure(changed.Revision), After: changed.After, At: changed.Order.PlacedAt, Pending: ledger.writes(f.fact.Channel),
	}, f.fact.Time)
}

// settled takes in a settled reading.
func (f *folding) settled(ledger *Ledger, observed *StockObserved) {
	if ledger.Book == nil {
		return
	}
	available := observed.OnHand
	if observed.Basis == driver.BasisOnHand {
		available -= observed.Reserved
	}
	seen := ledger.seen(f.fact.Channel)
	ledger.Book.Settled(f.fact.Channel, allot.Reading{
		Tenure: tenure(observed.Revision), Revision: observed.Revision, Available: max(0, available), Landing: seen.Landing, Pending: seen.Pending,
		Sold: max(0, observed.Sold), Freed: max(0, observed.Freed), Version: observed.Plan, At: observed.ChangedAt,
	})
}

// confirmed takes in that a write was read back.
func (f *folding) confirmed(ledger *Ledger, confirmed *StockConfirmed) {
	if ledger.Book == nil {
		return
	}
	shown := ledger.shown(f.fact.Channel)
	ledger.Book.Confirmed(f.fact.Channel, allot.Reading{
		Tenure: tenure(confirmed.Revision), Revision: confirmed.Revision, Available: shown.available(confirmed.OnHand),
		Version: confirmed.Plan, At: confirmed.ChangedAt,
	})
}

// oversold notes that more is promised than there is.
func (f *folding) oversold(source, sku string, before *int64, ats int64) {
	var short int64
	if before != nil {
		short = max(0, -*before)
	}
	more := max(0, -ats) - short
	if more <= 0 {
		return
	}
	f.note(NoteOversold, sku, -ats, fmt.Sprintf("%d units more are promised than are on hand", -ats))
	add := func(cause OversoldCause, units int64) {
		if units > 0 {
			f.changes.Oversold = append(f.changes.Oversold, Oversold{Source: source, SKU: sku, Channel: f.fact.Channel, Cause: cause, Units: units})
		}
	}
	if f.fact.OrderChanged == nil {
		add(OversoldLost, more)
		return
	}
	shop := min(more, f.beyond)
	add(OversoldShop, shop)
	add(OversoldGranted, more-shop)
}

// Replan divides the stock of a SKU anew: what channels sold fades, and policies
// change, while no fact of the SKU comes.
func Replan(state State, topology *Topology, source, sku string, now time.Time) (Changes, error) {
	f := folding{state: state, topology: topology, fact: &Fact{Time: now}}
	if _, known, err := state.Ledger(source, sku); err != nil || !known {
		return Changes{}, err
	}
	ledger, err := f.openLedger(source, sku)
	if err != nil {
		return Changes{}, err
	}
	item, _, err := state.Item(source, sku)
	if err != nil {
		return Changes{}, err
	}
	before := ledger.Book.Clone()
	if err := f.closeLedger(source, ledger, item.StockAt); err != nil {
		return Changes{}, err
	}
	if len(f.changes.Items) == 0 && ledger.Book.Same(before) {
		return Changes{}, nil
	}
	return f.changes, nil
}
