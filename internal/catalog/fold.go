package catalog

import (
	"fmt"
	"slices"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// Limits of what a fold believes.
const (
	// MaxUnits is the largest quantity that is not absurd: 2^31-1, which most
	// shops can store at most, and which merchants enter for "as many as you
	// like".
	MaxUnits = 1<<31 - 1
	// MaxClockSkew is how far a channel's time may be ahead of the hub's
	// before it is noted.
	MaxClockSkew = 5 * time.Second
)

// Fold returns what one fact does to the state. It changes nothing itself and
// fails only when the state cannot be read; a fact that makes no sense changes
// nothing and leaves a note.
//
// Facts of one channel must be folded in the order in which the channel
// appended them; a repetition of any run of facts that ends with the newest
// one changes nothing in the end. Facts of different channels, of different
// SKUs and of different order lines may come in any order. Order lines carry
// cumulative quantities, so that their states may come in any order, too.
func Fold(state State, topology *Topology, fact *Fact) (Changes, error) {
	f := folding{state: state, topology: topology, fact: fact}
	err := f.run()
	return f.changes, err
}

// folding is one fold: the state seen through the changes made so far.
type folding struct {
	state    State
	topology *Topology
	fact     *Fact
	changes  Changes
	// beyond are the units that a channel sold beyond what it held.
	beyond int64
}

func (f *folding) run() error {
	switch fact := f.fact; {
	case fact.ItemObserved != nil:
		return f.itemObserved(fact.ItemObserved)
	case fact.ItemRemoved != nil:
		return f.itemRemoved(fact.ItemRemoved)
	case fact.OrderChanged != nil:
		return f.orderChanged(fact.OrderChanged)
	case fact.StockObserved != nil:
		return f.stockObserved(fact.StockObserved)
	case fact.StockWritten != nil:
		return f.stockWritten(fact.StockWritten)
	case fact.StockConfirmed != nil:
		return f.stockConfirmed(fact.StockConfirmed)
	case fact.StockCounted != nil:
		return f.stockCounted(fact.StockCounted)
	}
	f.note(NoteInvalidFact, "", 0, "the fact has no payload")
	return nil
}

func (f *folding) itemObserved(observed *ItemObserved) error {
	source := f.fact.Channel
	if !f.topology.Sources[source] {
		return nil
	}
	sku, ok := f.sku(observed.SKU)
	if !ok {
		return nil
	}
	f.skew(sku, observed.ChangedAt)
	item, known, err := f.state.Item(source, sku)
	if err != nil {
		return err
	}
	before := item
	if !known {
		item.SKU = sku
	}
	item.Removed = false
	if observed.Content != nil && !sameContent(item.Content, observed.Content) {
		item.Content, item.ContentAt = observed.Content, observed.ChangedAt
	}
	if observed.Price != nil && (item.Price == nil || *item.Price != *observed.Price) {
		if _, known := driver.Digits(observed.Price.Currency); !known {
			f.note(NoteInvalidFact, sku, 0, fmt.Sprintf("%.20q is not an ISO 4217 currency; the price is left as it was", observed.Price.Currency))
		} else if observed.Price.Minor < 0 {
			f.note(NoteInvalidFact, sku, 0, fmt.Sprintf("the price %s is negative and is left out", observed.Price))
		} else {
			item.Price, item.PriceAt = observed.Price, observed.ChangedAt
		}
	}
	if !known {
		// The stock may have been read before the content.
		ledger, ok, err := f.state.Ledger(source, sku)
		if err != nil {
			return err
		}
		if ok && ledger.Seeded {
			ats := ledger.OnHand - ledger.Committed
			item.ATS, item.Open, item.Allotted = &ats, ledger.open(source), allottedOf(ledger.Book)
		}
	}
	if known && item.Content == before.Content && item.Price == before.Price && item.Removed == before.Removed {
		return nil
	}
	f.setItem(source, item)
	return nil
}

func (f *folding) itemRemoved(removed *ItemRemoved) error {
	source := f.fact.Channel
	if !f.topology.Sources[source] {
		return nil
	}
	sku, ok := f.sku(removed.SKU)
	if !ok {
		return nil
	}
	item, known, err := f.state.Item(source, sku)
	if err != nil || !known || item.Removed {
		return err
	}
	item.Removed = true
	f.setItem(source, item)
	return nil
}

func sameContent(a, b *driver.Content) bool {
	return a != nil && a.Product == b.Product && a.Title == b.Title && a.Enabled == b.Enabled && slices.Equal(a.Options, b.Options)
}

func (f *folding) sku(sku string) (string, bool) {
	normal, ok := NormalizeSKU(sku)
	if !ok {
		f.note(NoteInvalidFact, "", 0, fmt.Sprintf("%.200q cannot be a SKU: it needs 1 to %d bytes of text", sku, MaxSKUBytes))
	}
	return normal, ok
}

// skew notes a time of the channel that is ahead of the hub's.
func (f *folding) skew(sku string, at time.Time) {
	if ahead := at.Sub(f.fact.Time); !at.IsZero() && !f.fact.Time.IsZero() && ahead > MaxClockSkew {
		f.note(NoteClockSkew, sku, 0, fmt.Sprintf("the channel's clock is %s ahead of the hub's", ahead.Round(time.Second)))
	}
}

func (f *folding) note(kind NoteKind, sku string, units int64, message string) {
	f.changes.Notes = append(f.changes.Notes, Note{Kind: kind, Channel: f.fact.Channel, SKU: sku, Units: units, Message: message})
}

// item, ledger and line read through the changes of this fold.
func (f *folding) item(source, sku string) (Item, bool, error) {
	for i := range f.changes.Items {
		if c := &f.changes.Items[i]; c.SKU == sku && c.Source == source {
			return *c.Item, true, nil
		}
	}
	return f.state.Item(source, sku)
}

func (f *folding) setItem(source string, item Item) {
	for i := range f.changes.Items {
		if c := &f.changes.Items[i]; c.SKU == item.SKU && c.Source == source {
			c.Item = &item
			return
		}
	}
	f.changes.Items = append(f.changes.Items, ItemChange{Source: source, SKU: item.SKU, Item: &item})
}
