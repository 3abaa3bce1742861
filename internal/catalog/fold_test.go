package catalog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

func TestOnlyTheSourceOwnsContentAndPrice(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), itemSeen("shop", "A", "Red", 1000), itemSeen("market", "A", "Blue", 1), itemSeen("stranger", "A", "Blue", 1))
	want := catalog.Item{SKU: "A", Content: content("Red"), Price: &driver.Money{Minor: 1000, Currency: "EUR"}, ContentAt: start, PriceAt: start}
	if diff := cmp.Diff(map[string]catalog.Item{"shop/A": want}, m.items); diff != "" {
		t.Error(diff)
	}
}

func TestAnItemIsRewrittenOnlyWhenAChannelMayShowTheChange(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), itemSeen("shop", "A", "Red", 1000))
	later := itemSeen("shop", "A", "Red", 1000)
	later.ItemObserved.ChangedAt = at(50)
	m.fold(t, threeShops(), later, later, confirmed("market", "A", 3, driver.BasisOnHand))
	if m.itemWrites != 1 {
		t.Errorf("the item was written %d times, want once", m.itemWrites)
	}
	m.fold(t, threeShops(), itemSeen("shop", "A", "Red", 1001))
	if m.itemWrites != 2 || m.items["shop/A"].Price.Minor != 1001 {
		t.Errorf("a new price made %d writes and %v", m.itemWrites, m.items["shop/A"].Price)
	}
}

func TestAGroupThatIsNotStatedStays(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), itemSeen("shop", "A", "Red", 1000),
		catalog.Fact{Channel: "shop", ItemObserved: &catalog.ItemObserved{SKU: "A", Price: &driver.Money{Minor: 5, Currency: "EUR"}}})
	if item := m.items["shop/A"]; item.Content.Title != "Red" || item.Price.Minor != 5 {
		t.Errorf("got %+v", item)
	}
}

func TestARemovedItemComesBackWhenItIsSeenAgain(t *testing.T) {
	t.Parallel()
	removed := catalog.Fact{Channel: "shop", ItemRemoved: &catalog.ItemRemoved{SKU: "A"}}
	m := newMemory().fold(t, threeShops(), removed)
	if len(m.items) != 0 {
		t.Errorf("removing what never was made %v", m.items)
	}
	m.fold(t, threeShops(), itemSeen("shop", "A", "Red", 1000), removed, removed)
	if !m.items["shop/A"].Removed || m.itemWrites != 2 {
		t.Errorf("got %+v after %d writes", m.items["shop/A"], m.itemWrites)
	}
	m.fold(t, threeShops(), itemSeen("shop", "A", "Red", 1000))
	if m.items["shop/A"].Removed {
		t.Error("the item stayed removed")
	}
}

func TestSKUsAreOneInAnyUnicodeForm(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), itemSeen("shop", "Café ", "Red", 1000), itemSeen("shop", "Cafe\u0301", "Blue", 1000))
	if len(m.items) != 1 || m.items["shop/Café"].Content.Title != "Blue" {
		t.Errorf("got %v", m.items)
	}
}

func TestWhatMakesNoSenseChangesNothingAndIsNoted(t *testing.T) {
	t.Parallel()
	negative := itemSeen("shop", "A", "Red", -1)
	negative.ItemObserved.Content = nil
	unknown := itemSeen("shop", "A", "Red", 1)
	unknown.ItemObserved.Content, unknown.ItemObserved.Price = nil, &driver.Money{Minor: 1, Currency: "QQQ"}
	located := observed("shop", "A", 1, 0)
	located.StockObserved.Location = "cellar"
	basis := observed("shop", "A", 1, 0)
	basis.StockObserved.Basis = "Weighed"
	for name, fact := range map[string]catalog.Fact{
		"no SKU":            itemSeen("shop", " \t", "Red", 1),
		"a SKU too long":    itemSeen("shop", strings.Repeat("x", 129), "Red", 1),
		"a control SKU":     itemSeen("shop", "a\x00b", "Red", 1),
		"absurd stock":      observed("shop", "A", catalog.MaxUnits+1, 0),
		"a location":        located,
		"a basis":           basis,
		"a negative count":  counted("shop", "A", -1, driver.BasisOnHand, start),
		"a timeless count":  counted("shop", "A", 1, driver.BasisOnHand, time.Time{}),
		"a line without id": order("shop", " ", "A", 1, 1, 0, 0, 0),
	} {
		if name == "a line without id" {
			fact.OrderChanged.Order.Lines[0].ID = ""
		}
		m := newMemory().fold(t, threeShops(), fact)
		if len(m.items)+len(m.ledgers)+len(m.lines) != 0 || m.noted(catalog.NoteInvalidFact) != 1 {
			t.Errorf("%s: %s, notes %v", name, m.text(t), m.notes)
		}
	}
	for name, fact := range map[string]catalog.Fact{"a negative price": negative, "an unknown currency": unknown} {
		m := newMemory().fold(t, threeShops(), fact)
		if m.items["shop/A"].Price != nil || m.noted(catalog.NoteInvalidFact) != 1 {
			t.Errorf("%s: %s, notes %v", name, m.text(t), m.notes)
		}
	}
}

func TestAClockAheadOfTheHubIsNoted(t *testing.T) {
	t.Parallel()
	fact := itemSeen("shop", "A", "Red", 1)
	fact.ItemObserved.ChangedAt = start.Add(5 * time.Second)
	if m := newMemory().fold(t, threeShops(), fact); m.noted(catalog.NoteClockSkew) != 0 {
		t.Errorf("5 s were noted: %v", m.notes)
	}
	fact.ItemObserved.ChangedAt = start.Add(6 * time.Second)
	if m := newMemory().fold(t, threeShops(), fact); m.noted(catalog.NoteClockSkew) != 1 {
		t.Errorf("6 s were not noted: %v", m.notes)
	}
}

func TestAFactTravelsAndComesBackTheSame(t *testing.T) {
	t.Parallel()
	for _, fact := range []catalog.Fact{
		itemSeen("shop", "A", "Red", 1),
		{Channel: "shop", ItemRemoved: &catalog.ItemRemoved{SKU: "A"}},
		baseline(order("shop", "o", "A", 1, 4, 1, 2, 1)),
		observed("shop", "A", 4, 2), confirmed("shop", "A", 4, driver.BasisAvailable),
		counted("shop", "A", 4, driver.BasisOnHand, start),
	} {
		fact.Seq, fact.Time = 7, start
		typ, data, err := catalog.EncodeFact(fact)
		if err != nil {
			t.Fatal(err)
		}
		back, err := catalog.DecodeFact("shop", typ, append([]byte(`{"fromTheFuture":1,`), data[1:]...), 7, start)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fact, back); diff != "" {
			t.Errorf("%s: %s", typ, diff)
		}
	}
}

func TestPayloadsAreBounded(t *testing.T) {
	t.Parallel()
	if _, err := catalog.DecodeFact("shop", "item.praised", nil, 1, start); !isError(err, catalog.ErrUnknownFact) {
		t.Errorf("an unknown type gave %v", err)
	}
	for name, data := range map[string][]byte{
		"no JSON":     []byte("{"),
		"wrong types": []byte(`{"sku":1}`),
		"too large":   []byte(`{"sku":"` + strings.Repeat("x", catalog.MaxFactBytes) + `"}`),
	} {
		if _, err := catalog.DecodeFact("shop", catalog.TypeItemRemoved, data, 1, start); !isError(err, catalog.ErrInvalidFact) {
			t.Errorf("%s gave %v", name, err)
		}
	}
	huge := order("shop", "o", "A", 1, 1, 0, 0, 0)
	huge.OrderChanged.Order.Lines = make([]driver.OrderLine, catalog.MaxOrderLines+1)
	if _, _, err := catalog.EncodeFact(huge); !isError(err, catalog.ErrInvalidFact) {
		t.Errorf("too many lines gave %v", err)
	}
	if _, _, err := catalog.EncodeFact(catalog.Fact{Channel: "shop"}); !isError(err, catalog.ErrInvalidFact) {
		t.Errorf("no payload gave %v", err)
	}
}
