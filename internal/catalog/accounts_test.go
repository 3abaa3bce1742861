package catalog_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"selaras.dev/selaras/internal/catalog"
)

// of makes an order one of an account.
func of(account string, fact catalog.Fact) catalog.Fact {
	fact.OrderChanged.Account = account
	return fact
}

// read numbers the reading that an order comes from.
func read(revision uint64, fact catalog.Fact) catalog.Fact {
	fact.OrderChanged.Revision = revision
	return fact
}

func TestOrdersOfTwoAccountsOfOneChannelAreTwoOrders(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 100, 0),
		of("old shop", order("market", "17", "A", 50, 30, 0, 30, 0)),
		// The new shop counts its orders from one, too; and its clock is behind.
		of("new shop", order("market", "17", "A", 10, 2, 0, 0, 0)))
	expectLedger(t, m, 70, 2, 68)
	m.fold(t, threeShops(),
		of("new shop", order("market", "17", "A", 11, 2, 0, 2, 0)),
		of("old shop", order("market", "17", "A", 51, 30, 0, 30, 10)))
	expectLedger(t, m, 78, 0, 78)
}

func TestTheHorizonOfOneAccountIsNotThatOfAnother(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 100, 0))
	old := of("old shop", baseline(order("market", "1", "A", 50, 1, 0, 0, 0)))
	old.OrderChanged.Order.PlacedAt = at(3000)
	// Placed before the other shop was first read, and shipped since.
	m.fold(t, threeShops(), old, of("new shop", order("market", "2", "A", 60, 5, 0, 5, 0)))
	expectLedger(t, m, 95, 1, 94)
}

func TestALineWithALongIDHasAnAccountToo(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("x", catalog.MaxSKUBytes-2)
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 100, 0),
		of("old shop", order("market", id, "A", 50, 3, 0, 0, 0)), of("new shop", order("market", id, "A", 50, 4, 0, 0, 0)))
	expectLedger(t, m, 100, 7, 93)
	for key := range m.lines {
		if name := strings.TrimPrefix(key, "market/"); len(name) > catalog.MaxSKUBytes {
			t.Errorf("the line %q has %d bytes", name, len(name))
		}
	}
}

// leave lets the worker look at the lines of a channel that is of an account
// now.
func (m *memory) leave(t *testing.T, channel, account string, now time.Time) {
	t.Helper()
	for key := range m.lines {
		id := strings.TrimPrefix(key, channel+"/")
		if catalog.LineAccount(id) == catalog.AccountToken(account) {
			continue
		}
		changes, err := catalog.Left(m, channel, id, now)
		if err != nil {
			t.Fatalf("leave %q: %v", id, err)
		}
		m.apply(changes)
	}
}

func TestOrdersOfAnAccountThatWasLeftKeepTheirGoodsForAWhile(t *testing.T) {
	t.Parallel()
	first := of("old shop", baseline(order("market", "16", "A", 5, 1, 0, 1, 0)))
	first.OrderChanged.Order.PlacedAt = at(-10)
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 100, 0), first,
		of("old shop", order("market", "17", "A", 10, 5, 0, 2, 0)))
	expectLedger(t, m, 98, 3, 95)
	m.leave(t, "market", "new shop", at(100))
	expectLedger(t, m, 98, 3, 95)
	if shown := m.ledger(t, "A").Shown["market"].Committed; shown != 0 {
		t.Errorf("%d units count as reserved on the new shop, which has no order", shown)
	}
	m.leave(t, "market", "new shop", at(100).Add(catalog.Retention))
	expectLedger(t, m, 98, 3, 95)
	m.leave(t, "market", "new shop", at(101).Add(catalog.Retention))
	expectLedger(t, m, 98, 0, 98)
	if m.noted(catalog.NoteAccountLeft) != 1 {
		t.Errorf("given back without a word: %+v", m.notes)
	}
	if _, ok := m.lines["market/"+catalog.AccountToken("old shop")+"\x0017-1"]; ok {
		t.Error("the line is still there")
	}
}

func TestAnAccountThatIsBackInTimeGoesOn(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 100, 0), of("old shop", order("market", "17", "A", 10, 5, 0, 2, 0)))
	m.leave(t, "market", "new shop", at(100))
	m.leave(t, "market", "old shop", at(200))
	// The same state again: what was open when the connector began anew.
	m.fold(t, threeShops(), of("old shop", baseline(order("market", "17", "A", 10, 5, 0, 2, 0))))
	expectLedger(t, m, 98, 3, 95)
	if shown := m.ledger(t, "A").Shown["market"].Committed; shown != 3 {
		t.Errorf("%d units count as reserved on the shop, want 3", shown)
	}
	m.leave(t, "market", "old shop", at(300).Add(catalog.Retention))
	m.fold(t, threeShops(), of("old shop", order("market", "17", "A", 400, 5, 0, 5, 0)))
	expectLedger(t, m, 95, 0, 95)
}

func TestALaterReadingCountsWhateverTheShopsClockSays(t *testing.T) {
	t.Parallel()
	m := newMemory().fold(t, threeShops(), observed("shop", "A", 100, 0),
		read(1, order("market", "17", "A", 500, 5, 0, 0, 0)),
		// The shop's clock was set back.
		read(2, order("market", "17", "A", 20, 5, 0, 3, 0)))
	expectLedger(t, m, 97, 2, 95)
	// A pod that was paused tells what it read long ago.
	m.fold(t, threeShops(), read(1, order("market", "17", "A", 500, 5, 0, 0, 0)))
	expectLedger(t, m, 97, 2, 95)
	// A shipment is taken back within the resolution of the shop's clock.
	m.fold(t, threeShops(), read(3, order("market", "17", "A", 20, 5, 0, 0, 0)))
	expectLedger(t, m, 100, 5, 95)
}

func TestTheLastReadingOfALineWinsInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var facts []catalog.Fact
		n := rapid.IntRange(1, 8).Draw(t, "readings")
		var open, gone int64
		for i := range n {
			ordered := rapid.Int64Range(0, 6).Draw(t, "ordered")
			cancelled := rapid.Int64Range(0, ordered).Draw(t, "cancelled")
			fulfilled := rapid.Int64Range(0, ordered-cancelled).Draw(t, "fulfilled")
			open, gone = ordered-cancelled-fulfilled, fulfilled
			facts = append(facts, read(uint64(i)+1, order("market", "o", "A", rapid.IntRange(1, 4).Draw(t, "second"), ordered, cancelled, fulfilled, 0)))
		}
		// Any order, and any of them again.
		told := rapid.Permutation(append(facts, rapid.SliceOf(rapid.SampledFrom(facts)).Draw(t, "again")...)).Draw(t, "order")
		m := newMemory().fold(t, threeShops(), observed("shop", "A", 30, 0)).fold(t, threeShops(), told...)
		if l := m.ledgers["shop/A"]; l.OnHand != 30-gone || l.Committed != open {
			t.Fatalf("%d on hand and %d committed, want %d and %d", l.OnHand, l.Committed, 30-gone, open)
		}
	})
}
