package paging

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const overlap = 15 * time.Second

// change is one of a list: its transaction sets the time when it begins, and
// shows it when it commits.
type change struct{ at, shown time.Time }

// Each change comes in a walk, however late its transaction commits within the
// overlap, and whatever the own clock says.
func TestAWatermarkPassesNoChangeThatCommitsLate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		skew := time.Duration(rapid.Int64Range(-1e6, 1e6).Draw(t, "skew")) * time.Second
		own := func() time.Time { return now.Add(skew) }
		w := NewWatermark(now, own(), overlap)
		var changes []change
		// These are under way when all begins.
		for range rapid.IntRange(0, 3).Draw(t, "under way") {
			ago := time.Duration(rapid.IntRange(1, int(overlap/time.Millisecond)-1).Draw(t, "ago")) * time.Millisecond
			changes = append(changes, change{at: now.Add(-ago), shown: now.Add(overlap - ago)})
		}
		met := map[int]bool{}
		walk := func() {
			w.Begin(own())
			var newest time.Time
			for i, c := range changes {
				if c.shown.After(now) || !c.at.After(w.Settled) {
					continue
				}
				met[i] = true
				if c.at.After(newest) {
					newest = c.at
				}
			}
			w.End(newest, own(), overlap)
		}
		for range rapid.IntRange(1, 30).Draw(t, "walks") {
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				now = now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(t, "pause")) * time.Millisecond)
				late := time.Duration(rapid.IntRange(0, int(overlap/time.Millisecond)-1).Draw(t, "late")) * time.Millisecond
				changes = append(changes, change{at: now, shown: now.Add(late)})
			}
			walk()
		}
		now = now.Add(overlap)
		walk()
		for i, c := range changes {
			if !met[i] {
				t.Fatalf("the change of %s, shown at %s, was left out; %+v", c.at, c.shown, w)
			}
		}
	})
}

func TestAWatermarkAtRestSettlesAndStaysAsItIs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	w := NewWatermark(now, now, overlap)
	newest := now.Add(time.Second)
	for range 3 {
		now = now.Add(overlap)
		w.Begin(now)
		w.End(newest, now, overlap)
	}
	if !w.Settled.Equal(newest) {
		t.Errorf("settled at %s, want %s", w.Settled, newest)
	}
	before := w
	w.Begin(now.Add(overlap))
	w.End(time.Time{}, now.Add(overlap), overlap)
	if w != before {
		t.Errorf("at rest %+v became %+v", before, w)
	}
}

func TestAWalkUnderWayIsNotBegunAgain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	w := NewWatermark(now, now, overlap)
	if !w.Begin(now) {
		t.Error("the first walk does not begin")
	}
	if w.Begin(now.Add(time.Minute)) || w.BeganAt != now.UnixMilli() {
		t.Errorf("began again: %+v", w)
	}
	w.End(now, now, overlap)
	if !w.Begin(now) {
		t.Error("the second walk does not begin")
	}
}
