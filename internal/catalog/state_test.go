package catalog_test

import (
	"encoding/json"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

// memory is a State in maps that applies changes, as the worker does.
type memory struct {
	items   map[string]catalog.Item
	ledgers map[string]catalog.Ledger
	lines   map[string]catalog.Line
	notes   []catalog.Note
	// writes counts records that were written, by kind.
	itemWrites, ledgerWrites, lineWrites int
}

func newMemory() *memory {
	return &memory{items: map[string]catalog.Item{}, ledgers: map[string]catalog.Ledger{}, lines: map[string]catalog.Line{}}
}

func (m *memory) Item(source, sku string) (catalog.Item, bool, error) {
	v, ok := m.items[source+"/"+sku]
	return v, ok, nil
}

func (m *memory) Ledger(source, sku string) (catalog.Ledger, bool, error) {
	v, ok := m.ledgers[source+"/"+sku]
	return v, ok, nil
}

func (m *memory) Line(channel, line string) (catalog.Line, bool, error) {
	v, ok := m.lines[channel+"/"+line]
	return v, ok, nil
}

func (m *memory) apply(c catalog.Changes) {
	for _, i := range c.Items {
		m.items[i.Source+"/"+i.SKU] = *i.Item
		m.itemWrites++
	}
	for _, l := range c.Ledgers {
		m.ledgers[l.Source+"/"+l.SKU] = *l.Ledger
		m.ledgerWrites++
	}
	m.applyLines(c.Lines)
	m.notes = append(m.notes, c.Notes...)
}

func (m *memory) applyLines(lines []catalog.LineChange) {
	for _, l := range lines {
		if l.Line == nil {
			delete(m.lines, l.Channel+"/"+l.ID)
		} else {
			m.lines[l.Channel+"/"+l.ID] = *l.Line
		}
		m.lineWrites++
	}
}

type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// fold folds facts through their encoding, as they travel.
func (m *memory) fold(t tester, topology *catalog.Topology, facts ...catalog.Fact) *memory {
	t.Helper()
	for _, fact := range facts {
		typ, data, err := catalog.EncodeFact(fact)
		if err != nil {
			t.Fatalf("encode %+v: %v", fact, err)
		}
		decoded, err := catalog.DecodeFact(fact.Channel, typ, data, fact.Seq, fact.Time)
		if err != nil {
			t.Fatalf("decode %s: %v", data, err)
		}
		changes, err := catalog.Fold(m, topology, &decoded)
		if err != nil {
			t.Fatalf("fold: %v", err)
		}
		m.apply(changes)
	}
	return m
}

func (m *memory) ledger(t *testing.T, sku string) catalog.Ledger {
	t.Helper()
	l, ok := m.ledgers["shop/"+sku]
	if !ok {
		t.Fatalf("there is no ledger of %s", sku)
	}
	return l
}

func (m *memory) ats(t *testing.T, sku string) int64 {
	t.Helper()
	item, ok := m.items["shop/"+sku]
	if !ok || item.ATS == nil {
		t.Fatalf("the item %s has no stock: %+v", sku, item)
	}
	return *item.ATS
}

func (m *memory) noted(kind catalog.NoteKind) int {
	n := 0
	for _, note := range m.notes {
		if note.Kind == kind {
			n++
		}
	}
	return n
}

// text is the whole state, for comparing two: without the times that only
// measure the lag.
func (m *memory) text(t tester) string {
	t.Helper()
	items := map[string]catalog.Item{}
	for key, item := range m.items {
		item.StockAt = time.Time{}
		items[key] = item
	}
	data, err := json.MarshalIndent([]any{items, m.ledgers, m.lines}, "", " ")
	if err != nil {
		t.Fatalf("encode the state: %v", err)
	}
	return string(data)
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// threeShops: shop owns the catalog, market (counting the shelf) and mobile
// (counting what is available) sell it too.
func threeShops() *catalog.Topology {
	return &catalog.Topology{
		Sources:     map[string]bool{"shop": true},
		StockSource: map[string]string{"shop": "shop", "market": "shop", "mobile": "shop"},
		AdoptsStock: map[string]bool{"shop": true},
	}
}

func observed(channel, sku string, onHand, reserved int64) catalog.Fact {
	return catalog.Fact{Channel: channel, Time: start, StockObserved: &catalog.StockObserved{
		SKU: sku, OnHand: onHand, Reserved: reserved, Basis: driver.BasisOnHand, ChangedAt: start,
	}}
}

func available(channel, sku string, n int64) catalog.Fact {
	return catalog.Fact{Channel: channel, Time: start, StockObserved: &catalog.StockObserved{
		SKU: sku, OnHand: n, Basis: driver.BasisAvailable, ChangedAt: start,
	}}
}

func confirmed(channel, sku string, onHand int64, basis driver.StockBasis) catalog.Fact {
	return catalog.Fact{Channel: channel, Time: start, StockConfirmed: &catalog.StockConfirmed{SKU: sku, OnHand: onHand, Basis: basis}}
}

func counted(channel, sku string, n int64, basis driver.StockBasis, asOf time.Time) catalog.Fact {
	return catalog.Fact{Channel: channel, Time: at(3600), StockCounted: &catalog.StockCounted{SKU: sku, Quantity: n, Basis: basis, AsOf: asOf}}
}

// line is one order of one line.
func order(channel, id, sku string, second int, ordered, cancelled, fulfilled, returned int64) catalog.Fact {
	return catalog.Fact{Channel: channel, Time: at(3600), OrderChanged: &catalog.OrderChanged{Order: driver.Order{
		ID: id, PlacedAt: at(0), ChangedAt: at(second),
		Lines: []driver.OrderLine{{ID: id + "-1", SKU: sku, Ordered: ordered, Cancelled: cancelled, Fulfilled: fulfilled, Returned: returned}},
	}}}
}

func baseline(fact catalog.Fact) catalog.Fact {
	fact.OrderChanged.Baseline = true
	return fact
}

func content(title string) *driver.Content {
	return &driver.Content{Product: driver.Product{Key: "mug", Title: "Mug"}, Title: title, Enabled: true}
}

func itemSeen(channel, sku, title string, minor int64) catalog.Fact {
	return catalog.Fact{Channel: channel, Time: start, ItemObserved: &catalog.ItemObserved{
		SKU: sku, Content: content(title), Price: &driver.Money{Minor: minor, Currency: "EUR"}, ChangedAt: start,
	}}
}
