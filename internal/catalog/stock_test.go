package catalog_test

import (
	"errors"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

func isError(err, target error) bool { return errors.Is(err, target) }

func expectLedger(t *testing.T, m *memory, onHand, committed, ats int64) {
	t.Helper()
	l := m.ledger(t, "A")
	if l.OnHand != onHand || l.Committed != committed || m.ats(t, "A") != ats {
		t.Errorf("on hand %d, committed %d, to sell %d; want %d, %d, %d", l.OnHand, l.Committed, m.ats(t, "A"), onHand, committed, ats)
	}
}

func TestTheFirstReadingOfTheSourceSeedsTheLedger(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("market", "A", 3, 0))
	if m.ledger(t, "A").Seeded || len(m.items) != 0 {
		t.Errorf("a target seeded the ledger: %s", m.text(t))
	}
	m.fold(t, threeShops(), observed("shop", "A", 10, 0))
	expectLedger(t, m, 10, 0, 10)
}

func TestOrdersOfAnyChannelMoveTheStockOfAll(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0),
		order("market", "m1", "A", 10, 3, 0, 0, 0))
	expectLedger(t, m, 10, 3, 7)
	m.fold(t, threeShops(), order("market", "m1", "A", 11, 3, 0, 1, 0)) // a part is shipped
	expectLedger(t, m, 9, 2, 7)
	m.fold(t, threeShops(), order("market", "m1", "A", 12, 3, 1, 1, 0)) // a part is cancelled
	expectLedger(t, m, 9, 1, 8)
	m.fold(t, threeShops(), order("market", "m1", "A", 13, 3, 1, 2, 0)) // the rest is shipped
	expectLedger(t, m, 8, 0, 8)
	m.fold(t, threeShops(), order("market", "m1", "A", 14, 3, 1, 2, 1)) // one comes back
	expectLedger(t, m, 9, 0, 9)
}

func TestAnItemSaysWhatEachChannelHoldsOfIt(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 2), // two are held for no order
		order("shop", "s1", "A", 10, 1, 0, 0, 0), order("market", "m1", "A", 10, 3, 0, 0, 0))
	expect := func(shop, market int64) {
		t.Helper()
		if open := m.items["shop/A"].Open; open["shop"] != shop || open["market"] != market {
			t.Errorf("the channels hold %v, want %d of the shop and %d of the market", open, shop, market)
		}
	}
	expect(3, 3)
	m.fold(t, threeShops(), order("market", "m1", "A", 11, 3, 0, 2, 0)) // what may be sold stays the same
	expect(3, 1)
	m.fold(t, threeShops(), order("market", "m1", "A", 12, 3, 0, 3, 0))
	expect(3, 0)
	if open := m.items["shop/A"].Open; len(open) != 1 {
		t.Errorf("a channel that holds nothing is named: %v", open)
	}
}

func TestAnOlderStateOfAnOrderChangesNothing(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0),
		order("shop", "o", "A", 12, 3, 0, 2, 0), order("shop", "o", "A", 10, 3, 0, 0, 0), order("shop", "o", "A", 11, 3, 0, 1, 0))
	expectLedger(t, m, 8, 1, 7)
}

func TestACancelledShipmentPutsTheGoodsBackOnTheShelf(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0),
		order("shop", "o", "A", 12, 3, 0, 2, 0), order("shop", "o", "A", 13, 3, 0, 0, 0))
	expectLedger(t, m, 10, 3, 7)
}

func TestNothingOfAClosedOrderStaysPromised(t *testing.T) {
	t.Parallel()
	fact := order("shop", "o", "A", 12, 3, 0, 2, 0)
	fact.OrderChanged.Order.Closed = true
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), order("shop", "o", "A", 11, 3, 0, 0, 0), fact)
	expectLedger(t, m, 8, 0, 8)
}

func TestImpossibleQuantitiesAreMadePossible(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), order("shop", "o", "A", 1, 2, -4, 5, 9))
	expectLedger(t, m, 10, 0, 10) // 2 ordered, 2 fulfilled, 2 returned
	if m.noted(catalog.NoteInvalidFact) != 1 {
		t.Errorf("notes: %v", m.notes)
	}
	m.fold(t, threeShops(), order("shop", "p", "A", 1, -5, 0, 0, 0))
	expectLedger(t, m, 10, 0, 10)
}

func TestALineNamedTwiceInAnOrderCountsOnce(t *testing.T) {
	t.Parallel()
	fact := order("shop", "o", "A", 1, 2, 0, 0, 0)
	fact.OrderChanged.Order.Lines = append(fact.OrderChanged.Order.Lines, fact.OrderChanged.Order.Lines[0])
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), fact)
	expectLedger(t, m, 10, 2, 8)
}

func TestTwoLinesOfOneSKUInOneOrderBothCount(t *testing.T) {
	t.Parallel()
	fact := order("shop", "o", "A", 1, 2, 0, 0, 0)
	second := fact.OrderChanged.Order.Lines[0]
	second.ID, second.Ordered = "o-2", 3
	fact.OrderChanged.Order.Lines = append(fact.OrderChanged.Order.Lines, second)
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), fact)
	expectLedger(t, m, 10, 5, 5)
}

func TestOrdersOpenAtTheStartAreCommittedAndNotTakenFromTheShelfAgain(t *testing.T) {
	t.Parallel()
	// 5 ordered, 2 of them shipped before we came: 8 are left, 3 reserved.
	open := baseline(order("shop", "o", "A", 1, 5, 0, 2, 0))
	first := newMemory().fold(t, threeShops(), open, observed("shop", "A", 8, 3))
	expectLedger(t, first, 8, 3, 5)
	late := newMemory().fold(t, threeShops(), observed("shop", "A", 8, 3))
	expectLedger(t, late, 8, 3, 5) // what is reserved is not for sale, even before the order is known
	late.fold(t, threeShops(), open)
	expectLedger(t, late, 8, 3, 5)
	for _, m := range []*memory{first, late} {
		m.fold(t, threeShops(), order("shop", "o", "A", 2, 5, 0, 5, 0))
		expectLedger(t, m, 5, 0, 5)
	}
}

func TestUnitsReservedByHandAreHeldUntilTheyAreReleased(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), baseline(order("shop", "o", "A", 1, 1, 0, 0, 0)), observed("shop", "A", 10, 3))
	expectLedger(t, m, 10, 3, 7)
	m.fold(t, threeShops(), observed("shop", "A", 10, 1))
	expectLedger(t, m, 10, 1, 9)
}

func TestAChannelsOwnSalesAreAnEcho(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), confirmed("market", "A", 10, driver.BasisOnHand), confirmed("mobile", "A", 10, driver.BasisAvailable),
		order("market", "m", "A", 1, 2, 0, 1, 0), order("mobile", "n", "A", 1, 3, 0, 1, 0))
	expectLedger(t, m, 8, 3, 5)
	writes := m.ledgerWrites
	// market ships one from its shelf; mobile shows three less.
	m.fold(t, threeShops(), observed("market", "A", 9, 1), available("mobile", "A", 7))
	if m.ledgerWrites != writes || len(m.notes) != 0 {
		t.Errorf("echoes wrote %d ledgers, notes %v", m.ledgerWrites-writes, m.notes)
	}
}

func TestADifferenceIsAdjustedOnceIfTheChannelOwnsItAndDriftOtherwise(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), confirmed("market", "A", 10, driver.BasisOnHand),
		observed("shop", "A", 14, 0), observed("shop", "A", 14, 0))
	expectLedger(t, m, 14, 0, 14)
	if m.noted(catalog.NoteStockAdjusted) != 1 {
		t.Errorf("notes: %v", m.notes)
	}
	m.fold(t, threeShops(), observed("market", "A", 3, 0), observed("market", "A", 3, 0))
	expectLedger(t, m, 14, 0, 14)
	if m.noted(catalog.NoteStockDrift) != 1 {
		t.Errorf("notes: %v", m.notes)
	}
	adopting := threeShops()
	adopting.AdoptsStock["market"] = true
	m.fold(t, adopting, observed("market", "A", 2, 0), observed("market", "A", 2, 0))
	expectLedger(t, m, 13, 0, 13)
}

func TestAnAvailableBasisCountsItsOwnOpenUnitsOnTheShelf(t *testing.T) {
	t.Parallel()
	topology := &catalog.Topology{StockSource: map[string]string{"shop": "shop"}, AdoptsStock: map[string]bool{"shop": true}}
	open := baseline(order("shop", "o", "A", 1, 2, 0, 0, 0))
	for _, facts := range [][]catalog.Fact{{open, available("shop", "A", 8)}, {available("shop", "A", 8), open}} {
		m := newMemory().fold(t, topology, facts...)
		expectLedger(t, m, 10, 2, 8)
		m.fold(t, topology, order("shop", "p", "A", 5, 3, 0, 0, 0), available("shop", "A", 5))
		expectLedger(t, m, 10, 5, 5)
		m.fold(t, topology, available("shop", "A", 6))
		expectLedger(t, m, 11, 5, 6)
	}
}

func TestACountIsMovedByWhatHappenedAfterIt(t *testing.T) {
	t.Parallel()
	before, after := order("market", "b", "A", 100, 1, 0, 1, 0), order("market", "a", "A", 300, 4, 0, 2, 0)
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), before, after, counted("shop", "A", 20, driver.BasisOnHand, at(200)))
	expectLedger(t, m, 18, 2, 16)
	// The same when the news of the movements comes after the count.
	late := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), counted("shop", "A", 20, driver.BasisOnHand, at(200)), after, before)
	if late.text(t) != m.text(t) {
		t.Errorf("late movements gave\n%s, not\n%s", late.text(t), m.text(t))
	}
}

func TestACountOfWhatIsAvailableAddsWhatWasPromisedThen(t *testing.T) {
	t.Parallel()
	topology := threeShops()
	m := newMemory().fold(t, topology, observed("shop", "A", 10, 0), available("mobile", "A", 10),
		order("mobile", "a", "A", 100, 3, 0, 0, 0), // open when counted
		order("mobile", "b", "A", 300, 2, 0, 1, 0), // ordered later, one of them shipped
		counted("mobile", "A", 7, driver.BasisAvailable, at(200)))
	expectLedger(t, m, 9, 4, 5)
}

func TestStaleCountsAreIgnored(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), counted("shop", "A", 12, driver.BasisOnHand, at(200)))
	old := counted("shop", "A", 3, driver.BasisOnHand, at(0))
	ancient := counted("shop", "A", 3, driver.BasisOnHand, at(3600).Add(-catalog.Retention-time.Second))
	m.fold(t, threeShops(), old, ancient, counted("shop", "A", 12, driver.BasisOnHand, at(200)))
	expectLedger(t, m, 12, 0, 12)
	if m.noted(catalog.NoteStaleCount) != 2 {
		t.Errorf("notes: %v", m.notes)
	}
}

func TestOversellingIsNoted(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 1, 0), order("market", "m", "A", 1, 3, 0, 0, 0))
	expectLedger(t, m, 1, 3, -2)
	if m.noted(catalog.NoteOversold) != 1 || m.notes[0].Units != 2 {
		t.Errorf("notes: %v", m.notes)
	}
}

func TestALineOfAChannelWithoutSyncIsCommittedOnceTheChannelJoins(t *testing.T) {
	t.Parallel()
	without := threeShops()
	delete(without.StockSource, "market")
	line := order("market", "m", "A", 1, 5, 0, 2, 0)
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0)).fold(t, without, line)
	expectLedger(t, m, 10, 0, 10)
	m.fold(t, threeShops(), line)
	expectLedger(t, m, 10, 3, 7)
	m.fold(t, threeShops(), line, order("market", "m", "A", 2, 5, 0, 5, 0))
	expectLedger(t, m, 7, 0, 7)
}

func TestALineFollowsItsChannelToAnotherSource(t *testing.T) {
	t.Parallel()
	moved := threeShops()
	moved.Sources["outlet"], moved.StockSource["outlet"], moved.StockSource["market"] = true, "outlet", "outlet"
	line := order("market", "m", "A", 1, 3, 0, 0, 0)
	m := newMemory().fold(t, moved, observed("outlet", "A", 20, 0)).fold(t, threeShops(), observed("shop", "A", 10, 0), line)
	expectLedger(t, m, 10, 3, 7)
	m.fold(t, moved, line, line)
	expectLedger(t, m, 10, 0, 10)
	if l := m.ledgers["outlet/A"]; l.Committed != 3 || *m.items["outlet/A"].ATS != 17 {
		t.Errorf("the new ledger is %+v", l)
	}
	// While its channel is in no sync, it stays where it is.
	delete(moved.StockSource, "market")
	m.fold(t, moved, order("market", "m", "A", 2, 3, 0, 1, 0))
	if l := m.ledgers["outlet/A"]; l.Committed != 2 || l.OnHand != 19 {
		t.Errorf("the ledger is %+v", l)
	}
}

func TestAnExpiredLineIsNotCountedAgainWhenItsOrderChanges(t *testing.T) {
	t.Parallel()
	done := order("market", "m", "A", 10, 3, 0, 3, 0)
	done.OrderChanged.Order.Closed = true
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 10, 0), done)
	expectLedger(t, m, 7, 0, 7)
	line := m.lines["market/m-1"]
	if line.Expired(at(10).Add(catalog.Retention)) || !line.Expired(at(11).Add(catalog.Retention)) {
		t.Error("a closed line expires at another time than Retention after its change")
	}
	m.applyLines(catalog.Expire("market", "", m.lines["market/"+catalog.Horizon("")], map[string]catalog.Line{"m-1": line}))
	if _, ok := m.lines["market/m-1"]; ok {
		t.Error("the line is still there")
	}
	// A note on the old order brings it again.
	again := order("market", "m", "A", 400_000, 3, 0, 3, 0)
	again.OrderChanged.Order.Closed, again.Time = true, at(400_000)
	m.fold(t, threeShops(), again)
	expectLedger(t, m, 7, 0, 7)
	// A return after that is counted, an order placed after the horizon in full.
	again = order("market", "m", "A", 400_001, 3, 0, 3, 1)
	again.OrderChanged.Order.Closed, again.Time = true, at(400_001)
	fresh := order("market", "f", "A", 400_002, 2, 0, 2, 0)
	fresh.OrderChanged.Order.PlacedAt, fresh.Time = at(20), at(400_002)
	m.fold(t, threeShops(), again, fresh)
	expectLedger(t, m, 6, 0, 6)
}

func TestALedgerRemembersABoundedNumberOfMovements(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 1000, 0), available("mobile", "A", 1000))
	for i := range 300 {
		m.fold(t, threeShops(), order("mobile", "o", "A", i+1, 300, 0, int64(i+1), 0))
	}
	l := m.ledger(t, "A")
	if len(l.Movements) > 140 {
		t.Errorf("%d movements are kept", len(l.Movements))
	}
	sum := int64(0)
	for _, movement := range l.Movements {
		sum += movement.Units
	}
	if sum != -300 || l.OnHand != 700 {
		t.Errorf("the movements sum up to %d, on hand %d", sum, l.OnHand)
	}
}
