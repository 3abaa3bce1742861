package catalog_test

import (
	"fmt"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/catalog/allot"
)

// escrowed are three shops of which market and mobile share the stock by grants.
func escrowed() *catalog.Topology {
	t := threeShops()
	t.Policies = map[string]*allot.Policy{"shop": {Kind: allot.Escrow, Parts: []allot.Part{{Channel: "market"}, {Channel: "mobile"}}}}
	return t
}

// expectAllotted says what a channel holds, is asked to show, and whether it is
// to tell a settled reading.
func (m *memory) expectAllotted(t *testing.T, channel string, holds, shows int64, settle bool) {
	t.Helper()
	h, _ := m.ledger(t, "A").Book.Holding(channel)
	part, ok := m.items["shop/A"].Allotted.Of(channel)
	if !ok || h.Units != holds || part.Show != shows || part.Settle != settle {
		t.Errorf("%s holds %d and is asked for %d (settle %v), want %d and %d (settle %v)", channel, h.Units, part.Show, part.Settle, holds, shows, settle)
	}
}

// settledAt is a settled reading by a connector that knows the newest plan.
func (m *memory) settledAt(t *testing.T, channel string, basis driver.StockBasis, stored, reserved int64, revision uint64) catalog.Fact {
	t.Helper()
	fact := observed(channel, "A", stored, reserved)
	fact.StockObserved.Basis, fact.StockObserved.Revision, fact.StockObserved.Plan = basis, revision, m.ledger(t, "A").Book.Version
	return fact
}

func TestGrantsAreInTheItemWithTheLedgerThatMadeThem(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, escrowed(), itemSeen("shop", "A", "Red", 100), observed("shop", "A", 10, 0))
	m.expectAllotted(t, "market", 5, 5, false)
	m.expectAllotted(t, "mobile", 5, 5, false)
	item := m.items["shop/A"]
	for channel, want := range map[string]int64{"market": 5, "mobile": 4, "shop": 9} {
		most := int64(4)
		rules := &catalog.Rules{Stock: true, SafetyStock: 1, Channel: catalog.ChannelScope{Name: channel}}
		if channel == "mobile" {
			rules.MaxQuantity = &most
		}
		desired, err := catalog.Project(item, rules)
		if err != nil || *desired.Available != want {
			t.Errorf("%s shows %v (%v), want %d", channel, *desired.Available, err, want)
		}
	}
}

func TestAnOrderTakesWhatItsChannelHoldsInOneFold(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, escrowed(), observed("shop", "A", 10, 0), order("market", "m", "A", 1, 2, 0, 0, 0))
	expectLedger(t, m, 10, 2, 8)
	m.expectAllotted(t, "market", 3, 3, false)
	m.expectAllotted(t, "mobile", 5, 5, false)
	m.fold(t, escrowed(), order("market", "m", "A", 2, 2, 0, 2, 0)) // shipped
	m.expectAllotted(t, "market", 3, 3, false)
	m.fold(t, escrowed(), order("market", "m", "A", 3, 2, 0, 2, 1)) // one comes back
	expectLedger(t, m, 9, 0, 9)
	m.expectAllotted(t, "market", 4, 4, false)
	m.fold(t, escrowed(), order("market", "m", "A", 3, 2, 0, 2, 1)) // again
	m.expectAllotted(t, "market", 4, 4, false)
}

func TestAnOrderTakenAndCancelledBeforeItIsKnownIsBothToABlindChannel(t *testing.T) {
	t.Parallel()
	told := written("mobile", "A", driver.BasisAvailable, 2, 5)
	m := newMemory().fold(t, escrowed(), observed("shop", "A", 10, 0), told)
	// The write put the unit back on sale, and so did the cancellation.
	m.fold(t, escrowed(), order("mobile", "n", "A", 1, 1, 1, 0, 0))
	expectLedger(t, m, 10, 0, 10)
	m.expectAllotted(t, "mobile", 6, 5, true)
}

func TestUnitsAreMovedByAWriteThatSettled(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, escrowed(), observed("shop", "A", 8, 0), order("mobile", "n", "A", 1, 3, 0, 0, 0))
	m.expectAllotted(t, "market", 4, 1, true)
	m.expectAllotted(t, "mobile", 1, 1, false)
	m.fold(t, escrowed(), written("market", "A", driver.BasisOnHand, 2, 3))
	confirm := confirmed("market", "A", 3, driver.BasisOnHand)
	confirm.StockConfirmed.Revision = 3
	m.fold(t, escrowed(), confirm)
	m.expectAllotted(t, "market", 4, 1, true)
	m.fold(t, escrowed(), m.settledAt(t, "market", driver.BasisOnHand, 3, 2, 4)) // two of the three are reserved
	m.expectAllotted(t, "market", 1, 1, false)
	m.expectAllotted(t, "mobile", 4, 4, false)
	if m.noted(catalog.NoteStockDrift) != 0 || m.ledger(t, "A").OnHand != 8 {
		t.Errorf("the reading moved the ledger: %s", m.text(t))
	}
}

func TestAWriteThatMayLandIsHeldUntilItCannotAnyMore(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, escrowed(), observed("shop", "A", 8, 0))
	raise := written("market", "A", driver.BasisOnHand, 2, 4)
	raise.StockWritten.Lands = time.Minute
	m.fold(t, escrowed(), raise, order("mobile", "n", "A", 1, 4, 0, 0, 0))
	m.expectAllotted(t, "market", 4, 1, true)
	late := m.settledAt(t, "market", driver.BasisOnHand, 1, 0, 3)
	late.StockObserved.Written = []int64{4}
	m.fold(t, escrowed(), late)
	m.expectAllotted(t, "market", 4, 1, true)
	m.fold(t, escrowed(), m.settledAt(t, "market", driver.BasisOnHand, 1, 0, 4))
	m.expectAllotted(t, "market", 1, 1, false)
}

func TestTheWritesOfALostTenureAreHeldUntilTheirTimeAndTheLargestOfManyIs(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, escrowed(), observed("shop", "A", 30, 0))
	for tenure := range uint64(20) {
		fact := written("market", "A", driver.BasisOnHand, tenure<<catalog.TenureBits|1, 15-int64(tenure)/2)
		fact.StockWritten.Lands = time.Hour
		m.fold(t, escrowed(), fact)
	}
	writes := m.ledger(t, "A").Writing["market"].Writes
	most := int64(0)
	for _, w := range writes {
		most = max(most, w.OnHand)
	}
	if len(writes) > 16 || most != 15 {
		t.Errorf("%d writes are remembered, the largest of %d; want at most 16, the largest of 15", len(writes), most)
	}
}

func TestAPolicyThatEndsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, escrowed(), itemSeen("shop", "A", "Red", 100), observed("shop", "A", 8, 0))
	replan := func(topology *catalog.Topology, at time.Time) int {
		t.Helper()
		changes, err := catalog.Replan(m, topology, "shop", "A", at)
		if err != nil {
			t.Fatal(err)
		}
		m.apply(changes)
		return len(changes.Items) + len(changes.Ledgers)
	}
	if n := replan(escrowed(), start); n != 0 {
		t.Errorf("planning again changes %d records", n)
	}
	if replan(threeShops(), start); m.items["shop/A"].Allotted != nil || m.ledger(t, "A").Book != nil {
		t.Errorf("left behind: %s", m.text(t))
	}
	if replan(escrowed(), start); m.items["shop/A"].Allotted == nil {
		t.Error("a policy that begins asks for nothing")
	}
	m.expectAllotted(t, "market", 4, 4, false)
	if changes, err := catalog.Replan(m, escrowed(), "shop", "B", start); err != nil || len(changes.Ledgers) != 0 {
		t.Errorf("a SKU that is not known makes %v (%v)", changes, err)
	}
}

func TestAnItemThatIsReadAfterItsStockKnowsWhatIsAllotted(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, escrowed(), observed("shop", "A", 8, 0))
	delete(m.items, "shop/A")
	m.fold(t, escrowed(), itemSeen("shop", "A", "Red", 100))
	m.expectAllotted(t, "market", 4, 4, false)
}

func TestWhoSoldWhatIsNotThereIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		facts []catalog.Fact
		want  map[catalog.OversoldCause]int64
	}{
		"a shop beyond what it holds": {
			[]catalog.Fact{observed("shop", "A", 4, 0), order("market", "m", "A", 1, 5, 0, 0, 0)},
			map[catalog.OversoldCause]int64{catalog.OversoldShop: 1},
		},
		"goods that are gone": {
			[]catalog.Fact{observed("shop", "A", 4, 0), order("market", "m", "A", 1, 2, 0, 0, 0), counted("shop", "A", 1, driver.BasisOnHand, at(2))},
			map[catalog.OversoldCause]int64{catalog.OversoldLost: 1},
		},
		"units that were granted": {
			[]catalog.Fact{observed("shop", "A", 4, 0), counted("shop", "A", 3, driver.BasisOnHand, at(1)), order("market", "m", "A", 2, 2, 0, 0, 0), order("mobile", "n", "A", 3, 2, 0, 0, 0)},
			map[catalog.OversoldCause]int64{catalog.OversoldGranted: 1},
		},
		"nobody": {
			[]catalog.Fact{observed("shop", "A", 4, 0), order("market", "m", "A", 2, 2, 0, 0, 0), order("mobile", "n", "A", 3, 2, 0, 0, 0)},
			nil,
		},
	} {
		got := map[catalog.OversoldCause]int64{}
		m := newMemory()
		for i := range c.facts {
			changes, err := catalog.Fold(m, escrowed(), &c.facts[i])
			if err != nil {
				t.Fatal(err)
			}
			m.apply(changes)
			for _, o := range changes.Oversold {
				got[o.Cause] += o.Units
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
