package allot_test

import (
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog/allot"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// shelf is a book with what it is planned by.
type shelf struct {
	t      *testing.T
	book   allot.Book
	policy *allot.Policy
	ats    int64
	seen   map[string]allot.Seen
	now    time.Time
}

func escrow(channels ...string) *allot.Policy {
	p := &allot.Policy{Kind: allot.Escrow}
	for _, channel := range channels {
		p.Parts = append(p.Parts, allot.Part{Channel: channel})
	}
	return p
}

func planned(t *testing.T, ats int64, p *allot.Policy) *shelf {
	t.Helper()
	s := &shelf{t: t, policy: p, ats: ats, seen: map[string]allot.Seen{}, now: now}
	s.plan()
	return s
}

func (s *shelf) plan() {
	s.book.Plan(s.policy, allot.Market{Now: s.now, ATS: s.ats, Seen: func(channel string) allot.Seen { return s.seen[channel] }})
}

// sells lets a channel sell units, by an order of which is known what proof says.
func (s *shelf) sells(channel string, units int64, proof allot.Proof) {
	s.ats -= units
	s.book.Moved(channel, units, 0, proof, s.now)
	s.plan()
}

func (s *shelf) settled(channel string, r allot.Reading) {
	s.book.Settled(channel, r)
	s.plan()
}

// expect says what every channel holds and is asked to show, in pairs.
func (s *shelf) expect(pairs ...int64) {
	s.t.Helper()
	for i := range s.book.Holdings {
		if h := &s.book.Holdings[i]; h.Units != pairs[2*i] || h.Asks() != pairs[2*i+1] {
			s.t.Errorf("%s holds %d and is asked for %d, want %d and %d", h.Channel, h.Units, h.Asks(), pairs[2*i], pairs[2*i+1])
		}
	}
}

func write(revision uint64, mode driver.StockMode, basis driver.StockBasis) allot.Write {
	return allot.Write{Revision: revision, Mode: mode, Basis: basis}
}

func TestWhatMayBeSoldIsGrantedOnce(t *testing.T) {
	t.Parallel()
	s := planned(t, 7, escrow("a", "b", "c"))
	s.expect(3, 3, 2, 2, 2, 2)
	version := s.book.Version
	s.plan()
	if s.expect(3, 3, 2, 2, 2, 2); s.book.Version != version {
		t.Errorf("planning again asks anew: version %d after %d", s.book.Version, version)
	}
}

func TestTheBudgetIsGrantedBeyondAndTheReserveIsNot(t *testing.T) {
	t.Parallel()
	p := escrow("a", "b")
	p.Budget, p.Reserve = 3, 1
	planned(t, 4, p).expect(3, 3, 3, 3)
}

func TestAnOrderTakesFromTheStockAndFromItsChannel(t *testing.T) {
	t.Parallel()
	s := planned(t, 6, escrow("a", "b"))
	s.sells("a", 1, allot.Proof{})
	s.expect(2, 2, 3, 3)
	// What comes back is there to be sold again where it came back.
	s.ats++
	s.book.Moved("a", 0, 1, allot.Proof{}, s.now)
	s.plan()
	s.expect(3, 3, 3, 3)
}

func TestUnitsMoveToTheChannelThatSells(t *testing.T) {
	t.Parallel()
	s := planned(t, 8, escrow("a", "b"))
	s.sells("b", 3, allot.Proof{})
	s.expect(4, 1, 1, 1) // of 5 left, 4 are planned for b: 3 are called back
	s.book.Told("a", write(2, driver.StockCompareAndSet, driver.BasisAvailable))
	s.book.Confirmed("a", allot.Reading{Revision: 3, Available: 1, Version: s.book.Version})
	s.plan()
	s.expect(4, 1, 1, 1) // it was written, and may have sold units that are not known
	s.settled("a", allot.Reading{Revision: 4, Available: 1, Version: s.book.Version})
	s.expect(1, 1, 4, 4)
}

func TestAReadingFromBeforeAWriteGivesNothingBack(t *testing.T) {
	t.Parallel()
	s := planned(t, 8, escrow("a", "b"))
	s.sells("b", 3, allot.Proof{})
	s.book.Told("a", write(9, driver.StockSet, driver.BasisAvailable))
	s.settled("a", allot.Reading{Revision: 8, Available: 0, Version: s.book.Version})
	s.expect(4, 1, 1, 1)
}

func TestAReadingOfAConnectorThatWasReplacedGivesNothingBack(t *testing.T) {
	t.Parallel()
	s := planned(t, 8, escrow("a", "b"))
	s.sells("b", 3, allot.Proof{})
	s.ats++
	s.book.Moved("a", 0, 1, allot.Proof{Tenure: 2}, s.now) // told by its successor
	s.plan()
	s.settled("a", allot.Reading{Tenure: 1, Revision: 9, Available: 0, Version: s.book.Version})
	if h, _ := s.book.Holding("a"); h.Units != 5 {
		t.Errorf("a holds %d, want 5", h.Units)
	}
	s.settled("a", allot.Reading{Tenure: 2, Revision: 10, Available: 1, Version: s.book.Version})
	if h, _ := s.book.Holding("a"); h.Units > 2 {
		t.Errorf("after a reading of its successor a holds %d", h.Units)
	}
}

func TestAConnectorThatMayActOnAnOlderPlanKeepsItsUnits(t *testing.T) {
	t.Parallel()
	s := planned(t, 8, escrow("a", "b"))
	old := s.book.Version
	s.sells("b", 3, allot.Proof{})
	s.settled("a", allot.Reading{Revision: 2, Available: 1, Version: old})
	s.expect(4, 1, 1, 1)
	s.settled("a", allot.Reading{Revision: 3, Available: 1, Version: s.book.Version})
	s.expect(1, 1, 4, 4)
}

func TestAWriteOfUnknownFateKeepsItsUnits(t *testing.T) {
	t.Parallel()
	for mode, want := range map[driver.StockMode][4]int64{
		driver.StockSet:           {3, 1, 1, 1}, // it may leave 3
		driver.StockCompareAndSet: {4, 1, 0, 0}, // it may add what it was to add
	} {
		s := planned(t, 8, escrow("a", "b"))
		s.sells("b", 4, allot.Proof{})
		s.book.Told("a", write(2, mode, driver.BasisAvailable))
		s.seen["a"] = allot.Seen{Landing: 3, Pending: true}
		s.settled("a", allot.Reading{Revision: 3, Available: 1, Landing: 3, Pending: true, Version: s.book.Version})
		s.expect(want[:]...)
		s.seen["a"] = allot.Seen{}
		s.settled("a", allot.Reading{Revision: 4, Available: 1, Version: s.book.Version})
		s.expect(1, 1, 3, 3)
	}
}

func TestAfterABlindWriteOnlyLaterOrdersTakeFromTheChannel(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	blind := func() *shelf {
		s := planned(t, 6, escrow("a", "b"))
		s.book.Told("a", write(2, driver.StockSet, driver.BasisAvailable))
		s.book.Confirmed("a", allot.Reading{Revision: 3, Available: 3, At: at(10), Version: s.book.Version})
		return s
	}
	for name, proof := range map[string]allot.Proof{
		"told after it":           {After: 3},
		"placed after it":         {After: 1, At: at(11)},
		"both":                    {After: 4, At: at(20)},
		"the reading was settled": {},
	} {
		s := blind()
		if name == "the reading was settled" {
			s.settled("a", allot.Reading{Revision: 4, Available: 3, Version: s.book.Version})
		}
		s.sells("a", 1, proof)
		if t.Log(name); true {
			s.expect(2, 2, 3, 3)
		}
	}
	for name, proof := range map[string]allot.Proof{
		"nobody knows":                     {},
		"told of before":                   {After: 2},
		"placed before it":                 {After: 2, At: at(9)},
		"placed in the moment of the read": {After: 2, At: at(10)},
		"another write may land":           {After: 4, At: at(20), Pending: true},
	} {
		s := blind()
		s.sells("a", 1, proof)
		t.Log(name)
		// It may show all 3 still, so that it holds them. It is not to show them.
		s.expect(3, 2, 3, 3)
		if bound := s.book.Bound(s.policy, s.ats); bound.Exposure != 1 || bound.AtRisk != 3 {
			t.Errorf("%s: the bound is %+v, want an exposure of 1 and 3 at risk", name, bound)
		}
		s.settled("a", allot.Reading{Revision: 5, Available: 2, Version: s.book.Version})
		s.expect(2, 2, 3, 3)
		if bound := s.book.Bound(s.policy, s.ats); bound != (allot.Bound{}) {
			t.Errorf("%s: after a settled reading the bound is %+v", name, bound)
		}
	}
}

func TestWritesThatHeedWhatIsSoldAreNotBlind(t *testing.T) {
	t.Parallel()
	for _, w := range []allot.Write{
		write(2, driver.StockCompareAndSet, driver.BasisAvailable),
		write(2, driver.StockAdjust, driver.BasisAvailable),
		write(2, driver.StockSet, driver.BasisOnHand),
	} {
		s := planned(t, 6, escrow("a", "b"))
		s.book.Told("a", w)
		s.sells("a", 1, allot.Proof{})
		s.expect(2, 2, 3, 3)
	}
	if w := write(2, "", driver.BasisAvailable); !w.Blind() {
		t.Error("a mode that is not known is not taken for a blind one")
	}
}

func TestAFallFromElsewhereIsExposureAndRevokedFirst(t *testing.T) {
	t.Parallel()
	s := planned(t, 10, escrow("a", "b"))
	s.ats = 6
	s.plan()
	if s.expect(5, 3, 5, 3); s.book.Bound(s.policy, s.ats).Exposure != 4 {
		t.Errorf("the bound is %+v, want an exposure of 4", s.book.Bound(s.policy, s.ats))
	}
	s.settled("a", allot.Reading{Revision: 2, Available: 3, Version: s.book.Version})
	s.expect(3, 3, 5, 3)
	s.settled("b", allot.Reading{Revision: 2, Available: 3, Version: s.book.Version})
	s.expect(3, 3, 3, 3)
}

func TestNobodyIsAskedForMoreWhileUnitsAreHeldBeyond(t *testing.T) {
	t.Parallel()
	s := planned(t, 10, escrow("a", "b"))
	s.ats = 6
	s.plan()
	s.expect(5, 3, 5, 3)
	s.sells("b", 3, allot.Proof{}) // it holds 2 and may be showing them; 2 too many are held
	s.expect(5, 3, 2, 0)
}

func TestUnitsThatSomebodyElsePutThereAreHeld(t *testing.T) {
	t.Parallel()
	s := planned(t, 6, escrow("a", "b"))
	s.settled("a", allot.Reading{Revision: 2, Available: 9, Version: s.book.Version})
	s.expect(9, 3, 3, 3)
	// Orders that were told since the reading are no reason to think so.
	s = planned(t, 6, escrow("a", "b"))
	s.sells("a", 1, allot.Proof{})
	s.settled("a", allot.Reading{Revision: 2, Available: 3, Sold: 1, Version: s.book.Version})
	s.expect(2, 2, 3, 3)
}

func TestAnOrderOfUnitsThatCameBackUnnoticedMakesNoRoom(t *testing.T) {
	t.Parallel()
	s := planned(t, 4, escrow("a", "b"))
	if beyond := s.book.Moved("a", 3, 0, allot.Proof{}, s.now); beyond != 1 {
		t.Errorf("%d units were sold beyond what was held, want 1", beyond)
	}
	s.ats -= 3
	s.plan()
	s.expect(-1, 0, 2, 0) // one may be gone for good, and the last is where it sells
	if h, _ := s.book.Holding("a"); !h.Unsure {
		t.Error("the channel is not asked what it holds")
	}
	s.ats += 2
	s.book.Moved("a", 0, 2, allot.Proof{}, s.now)
	s.plan()
	s.expect(1, 1, 2, 2)
}

func TestADifferenceThatMayBeAddedTwiceIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := planned(t, 4, escrow("a", "b"))
	s.book.Told("a", write(2, driver.StockAdjust, driver.BasisAvailable))
	s.seen["a"] = allot.Seen{Landing: 2, Pending: true}
	s.ats = 8
	s.plan()
	s.expect(2, 2, 4, 4)
	if h, _ := s.book.Holding("a"); !h.Unsure {
		t.Error("the channel is not asked what it holds")
	}
	s.seen["a"] = allot.Seen{}
	s.plan()
	s.expect(4, 4, 4, 4)
}

func TestAChannelThatJoinsHoldsWhatItShows(t *testing.T) {
	t.Parallel()
	s := planned(t, 6, escrow("a"))
	s.policy = escrow("a", "b")
	s.seen["b"] = allot.Seen{Shown: 5}
	s.plan()
	s.expect(6, 6, 5, 0) // which nobody granted
	s.policy = escrow("b")
	s.plan()
	s.expect(6, 6)
}

func TestAdaptiveGrantsAtOrBelowTheMark(t *testing.T) {
	t.Parallel()
	p := escrow("a", "b")
	p.Kind, p.ScarceBelow = allot.Adaptive, 5
	s := planned(t, 9, p)
	s.expect(9, 9, 9, 9)
	if bound := s.book.Bound(p, s.ats); bound.Exposure != 9 {
		t.Errorf("two channels show 9 of 9, and the exposure is %d", bound.Exposure)
	}
	s.sells("b", 3, allot.Proof{})
	s.expect(9, 6, 6, 6)
	s.sells("b", 1, allot.Proof{})
	// From here on every unit is granted: what they may show by what they were
	// asked so far is called back.
	s.expect(9, 1, 9, 4)
	s.settled("a", allot.Reading{Revision: 2, Available: 1, Version: s.book.Version})
	s.settled("b", allot.Reading{Revision: 2, Available: 4, Version: s.book.Version})
	s.expect(1, 1, 4, 4)
	s.ats = 6
	s.plan()
	s.expect(6, 6, 6, 6)
}

func TestWhatIsAskedIsRememberedInBounds(t *testing.T) {
	t.Parallel()
	s := planned(t, 100, escrow("a"))
	for range 90 {
		s.sells("a", 1, allot.Proof{})
	}
	h, _ := s.book.Holding("a")
	if len(h.Asked) > 8 || h.Asked[0].Show != 100 {
		t.Errorf("%d asks are remembered, the oldest of %d units; want at most 8, the oldest of 100", len(h.Asked), h.Asked[0].Show)
	}
	s.settled("a", allot.Reading{Revision: 2, Available: 10, Version: s.book.Version})
	if h, _ = s.book.Holding("a"); len(h.Asked) != 1 {
		t.Errorf("a connector that knows the newest is remembered to be asked for %v", h.Asked)
	}
}

func TestTheRiskOfEveryWayToWriteIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode  driver.StockMode
		basis driver.StockBasis
		want  allot.Risk
	}{
		{driver.StockCompareAndSet, driver.BasisAvailable, allot.Exact},
		{driver.StockAdjust, driver.BasisAvailable, allot.Repetition},
		{driver.StockSet, driver.BasisAvailable, allot.UnseenSales},
		{driver.StockSet, driver.BasisOnHand, allot.UnseenFulfilments},
	} {
		if got := allot.RiskOf(c.mode, c.basis); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.mode, c.basis, got, c.want)
		}
	}
}
