package catalog

import (
	"fmt"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// position is what one line holds in a ledger.
type position struct{ open, ordered, cancelled, fulfilled, returned int64 }

func (l *Line) position() position {
	return position{
		open:      l.Ordered - l.Cancelled - l.Fulfilled,
		ordered:   l.Ordered,
		cancelled: l.Cancelled,
		fulfilled: l.Fulfilled,
		returned:  l.Returned,
	}
}

// until returns the units that were sold between two positions, and those that
// were given back.
func (p position) until(to position) (sold, freed int64) {
	for _, units := range [3]int64{to.ordered - p.ordered, p.cancelled - to.cancelled, p.returned - to.returned} {
		sold += max(0, units)
		freed += max(0, -units)
	}
	return sold, freed
}

func (f *folding) orderChanged(changed *OrderChanged) error {
	channel, order := f.fact.Channel, &changed.Order
	account := AccountToken(changed.Account)
	f.skew("", order.ChangedAt)
	var horizon time.Time
	horizonRead := false
	for i := range order.Lines {
		id, state, ok := f.line(order, &order.Lines[i])
		if !ok {
			continue
		}
		id, state.Revision = lineID(account, id), changed.Revision
		old, known, err := f.lineState(id)
		if err != nil {
			return err
		}
		baseline := changed.Baseline
		if !known && !baseline && !order.PlacedAt.IsZero() {
			if !horizonRead {
				record, _, err := f.state.Line(channel, Horizon(account))
				if err != nil {
					return err
				}
				horizon, horizonRead = record.ChangedAt, true
			}
			baseline = !order.PlacedAt.After(horizon)
		}
		if err := f.countLine(id, old, known, state, baseline); err != nil {
			return err
		}
	}
	if changed.Baseline && !order.PlacedAt.IsZero() {
		return f.raiseHorizon(Horizon(account), order.PlacedAt)
	}
	return nil
}

// countLine moves the ledger from what the line held to what it holds now.
func (f *folding) countLine(id string, old Line, known bool, state Line, baseline bool) error {
	channel := f.fact.Channel
	if known && !newer(&state, &old) {
		state = old
		state.LeftAt = time.Time{}
	}
	state.Source = f.topology.StockSource[channel]
	if state.Source == "" {
		// A line stays where it was counted while its channel is in no sync.
		state.Source = old.Source
	}
	if known && state == old {
		return nil
	}
	if !old.LeftAt.IsZero() {
		if err := f.attribute(&old, old.position().open); err != nil {
			return err
		}
	}
	at := state.ChangedAt
	if at.IsZero() {
		at = f.fact.Time
	}
	from, to := old.position(), state.position()
	switch {
	case state.Source == "":
	case known && old.Source == state.Source && old.SKU == state.SKU:
		if err := f.difference(state.Source, state.SKU, from, to, at); err != nil {
			return err
		}
	case !known && !baseline:
		if err := f.difference(state.Source, state.SKU, position{}, to, at); err != nil {
			return err
		}
	default:
		if old.Source != "" {
			if err := f.baseline(old.Source, old.SKU, -from.open, at); err != nil {
				return err
			}
		}
		if !known {
			from = to // what it held before it was known is not ours to count
		}
		if err := f.baseline(state.Source, state.SKU, from.open, at); err != nil {
			return err
		}
		if err := f.difference(state.Source, state.SKU, from, to, at); err != nil {
			return err
		}
	}
	f.setLine(id, state)
	return nil
}

// difference takes into the ledger what happened between two states of a line.
func (f *folding) difference(source, sku string, from, to position, at time.Time) error {
	if from == to {
		return nil
	}
	channel := f.fact.Channel
	ledger, err := f.openLedger(source, sku)
	if err != nil {
		return err
	}
	open := to.open - from.open
	shelf := (to.returned - from.returned) - (to.fulfilled - from.fulfilled)
	ledger.Committed += open
	ledger.move(at, shelf)
	sold, freed := from.until(to)
	f.sold(ledger, sold, freed)
	shown := ledger.shown(channel)
	shown.Committed += open
	switch shown.Basis {
	case driver.BasisOnHand:
		shown.move(shelf, f.fact.OrderChanged.After)
		ledger.moved(channel, shelf)
	case driver.BasisAvailable:
		available := freed - sold
		shown.move(available, f.fact.OrderChanged.After)
		ledger.moved(channel, available)
		if open != 0 {
			ledger.record(Movement{At: at, Channel: channel, Open: open})
		}
	}
	ledger.show(channel, shown)
	return f.closeLedger(source, ledger, at)
}

// baseline takes in units that were open already when the stock was read, or
// releases them when their line moves to another ledger.
func (f *folding) baseline(source, sku string, open int64, at time.Time) error {
	if open == 0 {
		return nil
	}
	channel := f.fact.Channel
	ledger, err := f.openLedger(source, sku)
	if err != nil {
		return err
	}
	ledger.Committed += open
	shown := ledger.shown(channel)
	shown.Committed += open
	if channel == source && open > 0 {
		covered := min(ledger.Unattributed, open)
		ledger.Unattributed -= covered
		ledger.Committed -= covered
		if ledger.Seeded && shown.Basis == driver.BasisAvailable {
			// What was read as available did not have them.
			ledger.OnHand += open
		}
	}
	ledger.show(channel, shown)
	return f.closeLedger(source, ledger, at)
}

// line reads one line of an order, made plausible.
func (f *folding) line(order *driver.Order, line *driver.OrderLine) (string, Line, bool) {
	id, ok := NormalizeSKU(line.ID)
	if !ok {
		f.note(NoteInvalidFact, line.SKU, 0, fmt.Sprintf("order %.100q has a line without a usable id", order.ID))
		return "", Line{}, false
	}
	sku, ok := f.sku(line.SKU)
	if !ok {
		return "", Line{}, false
	}
	state := Line{
		SKU:       sku,
		Ordered:   max(0, min(line.Ordered, MaxUnits)),
		ChangedAt: order.ChangedAt.UTC(),
		Closed:    order.Closed,
	}
	if order.ChangedAt.IsZero() {
		state.ChangedAt = time.Time{}
	}
	state.Fulfilled = max(0, min(line.Fulfilled, state.Ordered))
	state.Cancelled = max(0, min(line.Cancelled, state.Ordered-state.Fulfilled))
	state.Returned = max(0, min(line.Returned, state.Fulfilled))
	if state.Ordered != line.Ordered || state.Fulfilled != line.Fulfilled ||
		state.Cancelled != line.Cancelled || state.Returned != line.Returned {
		f.note(NoteInvalidFact, sku, line.Ordered, fmt.Sprintf(
			"order %.100q has impossible quantities (ordered %d, cancelled %d, fulfilled %d, returned %d); counted as %d, %d, %d, %d",
			order.ID, line.Ordered, line.Cancelled, line.Fulfilled, line.Returned,
			state.Ordered, state.Cancelled, state.Fulfilled, state.Returned))
	}
	if state.Closed {
		// Nothing of a closed order will be shipped any more.
		state.Cancelled = state.Ordered - state.Fulfilled
	}
	return id, state, true
}

// newer says whether a replaces b: it was read later or, where one of them does
// not say when it was read, it is later by the channel's clock or, at the same
// time, further on. A channel's clock may be set back, and our numbers of
// readings are not. Either is a total order, so that states may come in any
// order.
func newer(a, b *Line) bool {
	if a.Revision != b.Revision && a.Revision != 0 && b.Revision != 0 {
		return a.Revision > b.Revision
	}
	if c := a.ChangedAt.Compare(b.ChangedAt); c != 0 {
		return c > 0
	}
	if a.Closed != b.Closed {
		return a.Closed
	}
	for _, pair := range [4][2]int64{
		{a.Returned, b.Returned}, {a.Fulfilled, b.Fulfilled}, {a.Cancelled, b.Cancelled}, {a.Ordered, b.Ordered},
	} {
		if pair[0] != pair[1] {
			return pair[0] > pair[1]
		}
	}
	return a.SKU > b.SKU
}

// lineState reads through the changes of this fold: an order may name a line
// twice.
func (f *folding) lineState(id string) (Line, bool, error) {
	for i := range f.changes.Lines {
		if c := &f.changes.Lines[i]; c.ID == id {
			return *c.Line, true, nil
		}
	}
	return f.state.Line(f.fact.Channel, id)
}

func (f *folding) setLine(id string, line Line) {
	f.changes.Lines = append(f.changes.Lines, LineChange{Channel: f.fact.Channel, ID: id, Line: &line})
}

func (f *folding) raiseHorizon(id string, to time.Time) error {
	record, _, err := f.state.Line(f.fact.Channel, id)
	if err != nil || !to.After(record.ChangedAt) {
		return err
	}
	f.setLine(id, Line{ChangedAt: to.UTC()})
	return nil
}

// Expired says whether a line will never be asked for again and may go.
func (l *Line) Expired(now time.Time) bool {
	return l.Closed && now.Sub(l.ChangedAt) > Retention
}

// Expire returns the changes that delete expired lines of one account of a
// channel: the lines, and the account's horizon raised over them. account is
// its token, horizon the record Horizon(account); the given lines must all be
// Expired.
func Expire(channel, account string, horizon Line, lines map[string]Line) []LineChange {
	changes := make([]LineChange, 0, len(lines)+1)
	latest := horizon.ChangedAt
	for id, line := range lines {
		changes = append(changes, LineChange{Channel: channel, ID: id})
		if line.ChangedAt.After(latest) {
			latest = line.ChangedAt
		}
	}
	if latest.After(horizon.ChangedAt) {
		changes = append(changes, LineChange{Channel: channel, ID: Horizon(account), Line: &Line{ChangedAt: latest}})
	}
	return changes
}
