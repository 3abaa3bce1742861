package catalog_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

// shelf is a source whose goods on hand are known for certain, and what its
// connector tells of them: polls that see every order placed before them,
// readings that are told once a later poll is folded, blind writes.
type shelf struct {
	t        *rapid.T
	m        *memory
	topology *catalog.Topology

	actual   int64 // what the shop has on hand
	truth    int64 // what there is, whatever was written to the shop
	edits    int   // made by hand
	noted    int   // of these, when the reading was made
	taken    int   // of these, surely taken in
	second   int
	orders   []catalog.Fact // of the shop, not told yet
	revision uint64
	polled   uint64 // revision at the poll before the last
	last     uint64 // and at the last
	reading  *catalog.Fact
	lowered  int64 // by orders told since the reading
	fresh    bool  // the reading waits for a poll
}

// ship sells units and ships them at once, as at a till.
func (s *shelf) ship(n int64) {
	s.second++
	s.actual, s.truth = s.actual-n, s.truth-n
	s.orders = append(s.orders, order("shop", fmt.Sprintf("o%d", s.second), "A", s.second, n, 0, n, 0))
}

func (s *shelf) poll() {
	for _, fact := range s.orders {
		fact.OrderChanged.After = max(1, s.polled)
		s.m.fold(s.t, s.topology, fact)
		if s.reading != nil {
			s.lowered += fact.OrderChanged.Order.Lines[0].Fulfilled
		}
	}
	s.orders = nil
	s.polled, s.last = s.last, s.revision
	s.fresh = false
}

func (s *shelf) read() {
	if s.reading != nil {
		return
	}
	s.revision++
	fact := observed("shop", "A", s.actual, 0)
	s.reading, s.lowered, s.fresh, s.noted = &fact, 0, true, s.edits
}

// settle tells a reading that a poll has covered.
func (s *shelf) settle() {
	if s.reading == nil || s.fresh {
		return
	}
	s.revision++
	o := s.reading.StockObserved
	o.Revision, o.Lowered, o.ReservedUnknown = s.revision, s.lowered, s.lowered > 0
	s.m.fold(s.t, s.topology, *s.reading, *s.reading) // the append is repeated
	s.reading = nil
	if s.lowered == 0 {
		s.taken = s.noted
	}
}

// edit is a merchant who takes in goods or finds some missing. A shop that takes
// whole quantities only would lose that if it were written now.
func (s *shelf) edit(n int64) {
	s.actual, s.truth, s.edits = s.actual+n, s.truth+n, s.edits+1
}

// write makes the shop show what the ledger says, though orders may have come
// that the ledger does not know.
func (s *shelf) write() {
	if s.taken < s.edits {
		return
	}
	s.revision++
	s.actual = s.m.ledgers["shop/A"].OnHand
	fact := confirmed("shop", "A", s.actual, driver.BasisOnHand)
	fact.StockConfirmed.Revision = s.revision
	s.m.fold(s.t, s.topology, fact)
	s.reading = nil
}

// Whatever comes between a shop's orders, readings, blind writes and changes by
// hand: in the end the ledger has what there is (I4), and what is taken in before
// is never more than somebody changed.
func TestTheLedgerHasWhatThereIsOnTheShelf(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &shelf{t: t, m: newMemory(), topology: threeShops(), actual: 1000, truth: 1000, revision: 1}
		s.m.fold(t, s.topology, observed("shop", "A", 1000, 0))
		wrote := false
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 9).Draw(t, "step"); {
			case step < 3:
				s.ship(rapid.Int64Range(1, 4).Draw(t, "units"))
			case step < 5:
				s.poll()
			case step < 6:
				s.read()
			case step < 8:
				s.settle()
			case step < 9:
				s.write()
				wrote = true
			case !wrote:
				s.edit(rapid.Int64Range(-9, 9).Draw(t, "change"))
			}
		}
		// It grows calm: what settles is told, and then what it left open.
		for range 2 {
			s.poll()
			s.settle()
			s.read()
		}
		s.poll()
		s.settle()
		if l := s.m.ledgers["shop/A"]; l.OnHand != s.truth || l.Shown["shop"].OnHand != s.actual {
			t.Fatalf("the ledger has %d on hand and thinks that %+v is shown; there are %d, and %d are shown", l.OnHand, l.Shown["shop"], s.truth, s.actual)
		}
	})
}
