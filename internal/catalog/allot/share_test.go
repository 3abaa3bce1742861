package allot_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog/allot"
)

func units(n int64) *int64 { return &n }

func TestSharedStockIsShownEverywhereLessTheSafetyStock(t *testing.T) {
	t.Parallel()
	p := &allot.Policy{Kind: allot.Shared, Parts: []allot.Part{{Channel: "a"}, {Channel: "b", Safety: 4}, {Channel: "c", Most: units(5)}}}
	s := planned(t, 10, p)
	s.expect(10, 10, 6, 6, 5, 5)
	s.ats = 3
	s.plan()
	for i, want := range []int64{3, 0, 3} {
		if got := s.book.Holdings[i].Asks(); got != want {
			t.Errorf("%s is asked for %d of 3, want %d", s.book.Holdings[i].Channel, got, want)
		}
	}
}

func TestAnAdaptiveSafetyStockIsWhatTheOthersSellUntilTheChannelHearsOfIt(t *testing.T) {
	t.Parallel()
	p := &allot.Policy{Kind: allot.Shared, Parts: []allot.Part{
		{Channel: "a", Adaptive: true, Safety: 1, Lag: 10 * time.Minute}, {Channel: "b", Adaptive: true, Lag: 10 * time.Minute},
	}}
	s := planned(t, 100, p)
	s.expect(99, 99, 100, 100)
	s.sells("b", 12, allot.Proof{}) // 12 an hour are 2 in 10 minutes
	if got := s.book.Holdings[0].Asks(); got != 86 {
		t.Errorf("a is asked for %d of 88, want 86", got)
	}
	if got := s.book.Holdings[1].Asks(); got != 88 {
		t.Errorf("b, whose own sales it knows, is asked for %d of 88", got)
	}
	s.now = s.now.Add(3 * time.Hour)
	s.plan()
	if got := s.book.Holdings[0].Asks(); got != 87 {
		t.Errorf("hours later a is asked for %d of 88, want 87", got)
	}
}

func TestSharesAreRoundedDown(t *testing.T) {
	t.Parallel()
	p := &allot.Policy{Kind: allot.Percent, Parts: []allot.Part{{Channel: "a", Share: 50}, {Channel: "b", Share: 33}, {Channel: "c", Share: 17, Most: units(1)}}}
	planned(t, 13, p).expect(6, 6, 4, 4, 1, 1)
	planned(t, -2, p).expect(0, 0, 0, 0, 0, 0)
}

func TestAPoolIsKeptForItsChannelAlone(t *testing.T) {
	t.Parallel()
	p := &allot.Policy{Kind: allot.Dedicated, Parts: []allot.Part{{Channel: "a", Pool: units(4)}, {Channel: "b"}, {Channel: "c", Safety: 1}, {Channel: "d", Pool: units(2)}}}
	planned(t, 10, p).expect(4, 4, 4, 4, 3, 3, 2, 2)
	// Pools that are not full are filled alike.
	planned(t, 3, p).expect(2, 2, 0, 0, 0, 0, 1, 1)
}

func TestWhatChannelsHoldNeverExceedsWhatThereIsByAGrant(t *testing.T) {
	t.Parallel()
	channels := []string{"a", "b", "c"}
	modes := []driver.StockMode{driver.StockCompareAndSet, driver.StockSet, driver.StockAdjust}
	rapid.Check(t, func(r *rapid.T) {
		p := escrow(channels...)
		p.Budget = rapid.Int64Range(0, 3).Draw(r, "budget")
		if rapid.Bool().Draw(r, "bounded") {
			p.Parts[0].Most = units(rapid.Int64Range(0, 5).Draw(r, "most"))
		}
		s := planned(t, rapid.Int64Range(-5, 30).Draw(r, "stock"), p)
		revision := uint64(1)
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			before, room := s.book.Units(), s.ats+p.Budget
			channel := rapid.SampledFrom(channels).Draw(r, "channel")
			revision++
			found := false
			switch rapid.IntRange(0, 5).Draw(r, "what") {
			case 0:
				units := rapid.Int64Range(1, 4).Draw(r, "sold")
				s.sells(channel, units, allot.Proof{After: rapid.Uint64Range(0, revision).Draw(r, "after"), Pending: rapid.Bool().Draw(r, "pending")})
			case 1:
				units := rapid.Int64Range(1, 3).Draw(r, "freed")
				s.ats += units
				s.book.Moved(channel, 0, units, allot.Proof{}, s.now)
				s.plan()
			case 2:
				s.ats += rapid.Int64Range(-6, 6).Draw(r, "counted")
				s.plan()
			case 3:
				s.book.Told(channel, write(revision, rapid.SampledFrom(modes).Draw(r, "mode"), driver.BasisAvailable))
			case 4:
				s.settled(channel, allot.Reading{
					Revision: revision, Available: rapid.Int64Range(0, 12).Draw(r, "available"),
					Version: rapid.Uint64Range(0, s.book.Version).Draw(r, "version"),
				})
				found = true
			default:
				s.now = s.now.Add(time.Duration(rapid.IntRange(1, 48).Draw(r, "hours")) * time.Hour)
				s.plan()
			}
			after, left := s.book.Units(), s.ats+p.Budget
			if after > max(0, left) && after-left > max(0, before-room)+max(0, room-left) && !found {
				r.Fatalf("%d of %d are held, %d of %d before", after, left, before, room)
			}
			for i := range s.book.Holdings {
				if h := &s.book.Holdings[i]; h.Asks() > max(0, h.Units) {
					r.Fatalf("%s holds %d and is asked for %d", h.Channel, h.Units, h.Asks())
				}
			}
		}
		// Once every channel was read, all that there is is shown and nothing else. A
		// round calls units back, the next grants them, which may call back others.
		for range 20 {
			for _, channel := range channels {
				revision++
				h, _ := s.book.Holding(channel)
				s.settled(channel, allot.Reading{Revision: revision, Available: h.Asks(), Version: s.book.Version})
			}
		}
		var shown int64
		for i := range s.book.Holdings {
			h := &s.book.Holdings[i]
			if h.Asks() != h.Units {
				r.Fatalf("%s holds %d and is asked for %d when all is known", h.Channel, h.Units, h.Asks())
			}
			shown += h.Units
		}
		if want := max(0, s.ats+p.Budget); shown != want {
			r.Fatalf("%d are shown, want %d", shown, want)
		}
	})
}
