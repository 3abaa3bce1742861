package vendure

import (
	"cmp"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// table is a list of items with a time, as a database keeps it: times are
// finer than what the API shows.
type table struct {
	times map[int]time.Time
	now   time.Time
}

func (tb *table) page(f *feed, limit int) (items []feedItem, total int) {
	options := f.options("updatedAt", limit, nil)
	between := options["filter"].(map[string]any)["updatedAt"].(map[string]any)["between"].(map[string]any)
	from, err := time.Parse(time.RFC3339, between["start"].(string))
	if err != nil {
		panic(err)
	}
	var ids []int
	for id, at := range tb.times {
		if !at.Before(from) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b int) int {
		return cmp.Or(tb.times[a].Compare(tb.times[b]), cmp.Compare(a, b))
	})
	skip, take := options["skip"].(int), options["take"].(int)
	for _, id := range ids[min(skip, len(ids)):min(skip+take, len(ids))] {
		items = append(items, feedItem{id: strconv.Itoa(id), at: tb.times[id].Truncate(resolution)})
	}
	return items, len(ids)
}

// While items change, are added and are removed, every walk meets each item
// that changed since the last settled walk, at its newest time or later (I3).
func TestAFeedLeavesNoChangeOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tb := &table{times: map[int]time.Time{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		own := time.Date(2031, 5, 5, 0, 0, 0, 0, time.UTC) // another clock altogether
		f := startFeed(tb.now, own)
		// owed are the items whose newest change has not been met yet.
		owed := map[int]bool{}
		steps := []time.Duration{0, 0, 0, 100 * time.Nanosecond, time.Microsecond, time.Millisecond, time.Second, 20 * time.Second}
		pass := func() {
			step := rapid.SampledFrom(steps).Draw(t, "step")
			tb.now, own = tb.now.Add(step), own.Add(step)
		}
		change := func() {
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				pass()
				id := rapid.IntRange(1, 15).Draw(t, "id")
				if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
					delete(tb.times, id)
					delete(owed, id)
					continue
				}
				tb.times[id] = tb.now.Add(time.Millisecond)
				owed[id] = true
			}
		}
		walk := func(changing bool) {
			f.begin(own)
			for more := true; more; {
				if changing {
					change()
				}
				items, total := tb.page(&f, rapid.IntRange(1, 5).Draw(t, "limit"))
				met := map[int]time.Time{}
				from, again := f.advance(items, total)
				more = again
				for _, item := range items[from:] {
					id, _ := strconv.Atoi(item.id)
					met[id] = item.at
				}
				for id, at := range met {
					if tb.times[id].Truncate(resolution).Equal(at) {
						delete(owed, id)
					}
				}
			}
			f.end(own)
		}
		for range rapid.IntRange(1, 6).Draw(t, "walks") {
			change()
			walk(true)
		}
		walk(false)
		if len(owed) > 0 {
			t.Fatalf("left out: %v of %v; feed %+v", owed, tb.times, f)
		}
	})
}

// A quiet list is not read again and again.
func TestAFeedSettles(t *testing.T) {
	t.Parallel()
	tb := &table{times: map[int]time.Time{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	own := tb.now
	f := startFeed(tb.now, own)
	for id := range 50 {
		tb.times[id] = tb.now.Add(time.Second)
	}
	returned := 0
	var before feed
	for range 10 {
		own = own.Add(overlap)
		before = f
		f.begin(own)
		returned = 0
		for more := true; more; {
			items, total := tb.page(&f, 7)
			from, again := f.advance(items, total)
			more = again
			returned += len(items) - from
		}
		f.end(own)
	}
	if returned != 0 {
		t.Errorf("a quiet list still returns %d items", returned)
	}
	if f != before {
		t.Errorf("the cursor of a quiet list moves: %+v, %+v", before, f)
	}
}

func TestAFeedStaysBehindTransactionsThatCommitLate(t *testing.T) {
	t.Parallel()
	own := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := startFeed(own, own)
	walk := func(newest time.Time) {
		f.begin(own)
		f.advance([]feedItem{{"1", newest}}, 1)
		f.end(own)
	}
	shop := own.Add(time.Hour)
	walk(shop)
	own = own.Add(overlap / 2)
	walk(shop.Add(time.Second))
	if !f.Settled.Before(shop.Add(-overlap / 2)) {
		t.Errorf("settled at %s half an overlap after %s was seen", f.Settled, shop)
	}
}
