package catalog

import (
	"fmt"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog/allot"
)

func (f *folding) stockObserved(observed *StockObserved) error {
	channel := f.fact.Channel
	source := f.topology.StockSource[channel]
	if source == "" {
		return nil
	}
	sku, ok := f.stockFact(observed.SKU, observed.Location, observed.Basis, observed.OnHand)
	if !ok {
		return nil
	}
	f.skew(sku, observed.ChangedAt)
	ledger, err := f.openLedger(source, sku)
	if err != nil {
		return err
	}
	at := observed.ChangedAt
	if at.IsZero() {
		at = f.fact.Time
	}
	before := *ledger
	shown := ledger.shown(channel)
	if repeated(observed.Revision, shown) {
		return nil
	}
	wrote := ledger.writes(channel)
	ledger.may(channel, observed.Revision, observed.Written)
	known := shown.Basis == observed.Basis
	difference, written := observed.unexplained(shown, ledger.Writing[channel])
	read := Shown{OnHand: observed.OnHand, Basis: observed.Basis, Committed: shown.Committed, Revision: max(observed.Revision, shown.Revision)}
	if known && !observed.whole() {
		// It says nothing of what the orders since did to it.
		read.OnHand = shown.OnHand + written + difference
		read.Wrote, read.Lowered, read.Raised = shown.Wrote, shown.Lowered, shown.Raised
	}
	if known && observed.OnHand == shown.OnHand && shown.Lowered == 0 && shown.Raised == 0 {
		read.Wrote = shown.Wrote // an echo changes nothing
	}
	owns := channel == source || f.topology.AdoptsStock[channel]
	switch {
	case !ledger.Seeded && channel == source:
		ledger.Seeded = true
		ledger.OnHand = observed.OnHand
		if observed.Basis == driver.BasisAvailable {
			ledger.OnHand += shown.Committed
		}
	case !ledger.Seeded || !known || difference == 0:
		// Nothing to compare with, an echo, or a write that was not confirmed.
	case owns:
		if !ledger.move(at, difference) {
			break // the newest count saw it already
		}
		f.note(NoteStockAdjusted, sku, difference, fmt.Sprintf("%+d units that no order explains were taken into the ledger", difference))
	default:
		f.note(NoteStockDrift, sku, difference, fmt.Sprintf("the channel shows %+d units that no order explains", difference))
	}
	if ledger.Seeded && channel == source && observed.Basis == driver.BasisOnHand && !observed.ReservedUnknown {
		held := max(0, min(observed.Reserved, MaxUnits)-shown.Committed)
		ledger.Committed += held - ledger.Unattributed
		ledger.Unattributed = held
	}
	f.settled(ledger, observed)
	same := ledger.Seeded == before.Seeded && ledger.OnHand == before.OnHand && ledger.Unattributed == before.Unattributed
	if same && read == shown && !wrote && ledger.Book == nil {
		return nil
	}
	ledger.show(channel, read)
	if observed.whole() {
		ledger.read(channel, f.fact.Time)
	}
	return f.closeLedger(source, ledger, at)
}

func (f *folding) stockWritten(written *StockWritten) error {
	channel := f.fact.Channel
	source := f.topology.StockSource[channel]
	if source == "" || len(written.Written) == 0 {
		return nil
	}
	for _, quantity := range written.Written {
		if _, ok := f.stockFact(written.SKU, written.Location, written.Basis, quantity); !ok {
			return nil
		}
	}
	sku, _ := NormalizeSKU(written.SKU)
	ledger, err := f.openLedger(source, sku)
	if err != nil {
		return err
	}
	shown := ledger.shown(channel)
	_, holds := ledger.Book.Holding(channel)
	if repeated(written.Revision, shown) || shown.Basis != written.Basis && !holds {
		return nil
	}
	ledger.wrote(channel, written, f.fact.Time)
	ledger.Book.Told(channel, allot.Write{Revision: written.Revision, Mode: written.Mode, Basis: written.Basis})
	return f.closeLedger(source, ledger, f.fact.Time)
}

func (f *folding) stockConfirmed(confirmed *StockConfirmed) error {
	channel := f.fact.Channel
	source := f.topology.StockSource[channel]
	if source == "" {
		return nil
	}
	sku, ok := f.stockFact(confirmed.SKU, confirmed.Location, confirmed.Basis, confirmed.OnHand)
	if !ok {
		return nil
	}
	ledger, err := f.openLedger(source, sku)
	if err != nil {
		return err
	}
	shown := ledger.shown(channel)
	if repeated(confirmed.Revision, shown) {
		return nil
	}
	read := Shown{
		OnHand: confirmed.OnHand, Basis: confirmed.Basis, Committed: shown.Committed,
		Revision: max(confirmed.Revision, shown.Revision), Wrote: confirmed.Revision,
	}
	if read == shown && !ledger.writes(channel) && ledger.Book == nil {
		return nil
	}
	ledger.show(channel, read)
	ledger.may(channel, confirmed.Revision, confirmed.Written)
	ledger.read(channel, f.fact.Time)
	f.confirmed(ledger, confirmed)
	return f.closeLedger(source, ledger, f.fact.Time)
}

func (f *folding) stockCounted(counted *StockCounted) error {
	channel := f.fact.Channel
	source := f.topology.StockSource[channel]
	if source == "" {
		return nil
	}
	sku, ok := f.stockFact(counted.SKU, counted.Location, counted.Basis, counted.Quantity)
	if !ok {
		return nil
	}
	switch {
	case counted.Quantity < 0:
		f.note(NoteInvalidFact, sku, counted.Quantity, "a count cannot be negative")
		return nil
	case counted.AsOf.IsZero():
		f.note(NoteInvalidFact, sku, counted.Quantity, "the count does not say when it was made (asOf)")
		return nil
	}
	f.skew(sku, counted.AsOf)
	asOf := counted.AsOf.UTC()
	if age := f.fact.Time.Sub(asOf); age > Retention {
		f.note(NoteStaleCount, sku, counted.Quantity, fmt.Sprintf("the count is %s old, older than %s", age.Round(time.Minute), Retention))
		return nil
	}
	ledger, err := f.openLedger(source, sku)
	if err != nil {
		return err
	}
	if !asOf.After(ledger.CountedAt) {
		if asOf.Before(ledger.CountedAt) {
			f.note(NoteStaleCount, sku, counted.Quantity, "a newer count was taken in before")
		}
		return nil
	}
	onHand := counted.Quantity
	if counted.Basis == driver.BasisAvailable {
		onHand += ledger.shown(channel).Committed
	}
	for _, m := range ledger.Movements {
		if !m.At.After(asOf) {
			continue
		}
		onHand += m.Units
		if counted.Basis == driver.BasisAvailable && m.Channel == channel {
			// Units ordered after the count were available when counted.
			onHand -= m.Open
		}
	}
	ledger.OnHand, ledger.Seeded, ledger.CountedAt = onHand, true, asOf
	return f.closeLedger(source, ledger, asOf)
}

// repeated says whether a reading was folded before, or a newer one was.
func repeated(revision uint64, shown Shown) bool {
	return revision != 0 && revision <= shown.Revision
}

// stockFact checks what all facts of stock have in common.
func (f *folding) stockFact(sku, location string, basis driver.StockBasis, quantity int64) (string, bool) {
	sku, ok := f.sku(sku)
	switch {
	case !ok:
		return "", false
	case location != "":
		f.note(NoteInvalidFact, sku, quantity, fmt.Sprintf("stock is kept over all locations, the fact is of location %.100q alone", location))
	case !validBasis(basis):
		f.note(NoteInvalidFact, sku, quantity, fmt.Sprintf("%.100q is no basis of stock: OnHand or Available", basis))
	case !units(quantity):
		f.note(NoteInvalidFact, sku, quantity, fmt.Sprintf("%d units are absurd, at most %d are believed", quantity, int64(MaxUnits)))
	default:
		return sku, true
	}
	return "", false
}
