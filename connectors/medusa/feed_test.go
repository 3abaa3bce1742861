package medusa

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// list is a list of a shop, with the rows of equal times in an order that
// changes from request to request, as a database answers.
type list struct {
	rows map[string]time.Time
	t    *rapid.T
}

func (l list) read(query url.Values) ([]row, error) {
	from, err := time.Parse(time.RFC3339, query.Get("updated_at[$gte]"))
	if err != nil {
		return nil, err
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil {
		return nil, err
	}
	var all []row
	for id, at := range l.rows {
		if !at.Before(from) {
			all = append(all, row{id, at})
		}
	}
	slices.SortFunc(all, compareRows)
	all = rapid.Permutation(all).Draw(l.t, "order")
	slices.SortStableFunc(all, func(a, b row) int { return a.at.Compare(b.at) })
	return all[:min(limit, len(all))], nil
}

var epoch = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Whatever is changed between the pages of walks, each change is handed over in
// its walk or the next.
func TestAFeedLeavesNoChangeOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		shop := list{rows: map[string]time.Time{}, t: t}
		now := epoch
		f := startFeed(now, now)
		seen := map[string]time.Time{}
		change := func() {
			// Imports give many rows one time.
			now = now.Add(time.Duration(rapid.IntRange(0, 1).Draw(t, "ms")) * time.Millisecond)
			for range rapid.IntRange(0, 12).Draw(t, "changes") {
				shop.rows[fmt.Sprint(rapid.IntRange(0, 15).Draw(t, "id"))] = now
			}
		}
		walk := func(changing bool) {
			f.begin(now)
			for pages := 0; !f.Ended; pages++ {
				if pages > 200 {
					t.Fatal("the walk does not end")
				}
				page, err := ascending(&f, 3, shop.read, "updated_at")
				if err != nil {
					t.Fatal(err)
				}
				if len(page) > 3 {
					t.Fatalf("a page of %d rows, want at most 3", len(page))
				}
				for _, r := range page {
					seen[r.id] = r.at
				}
				if changing && pages < 20 {
					change()
				}
			}
			f.end(now)
		}
		for range 3 {
			now = now.Add(time.Millisecond)
			change()
			walk(true)
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
		}
		walk(false)
		for id, at := range shop.rows {
			if !seen[id].Equal(at) {
				t.Fatalf("%s changed at %s and was last handed over as of %s", id, at, seen[id])
			}
		}
	})
}

func TestAFeedAtRestHandsNothingOverAndStaysAsItIs(t *testing.T) {
	t.Parallel()
	now := epoch
	f := startFeed(now, now)
	walk := func(rows ...row) int {
		f.begin(now)
		page := f.take(f.fresh(rows), 100, false)
		f.end(now)
		return len(page)
	}
	changed := row{"a", now.Add(time.Second)}
	if got := walk(changed); got != 1 {
		t.Fatalf("%d rows, want the change", got)
	}
	for range 3 {
		now = now.Add(overlap + time.Second)
		walk(changed)
	}
	before := f
	if got := walk(changed); got != 0 || f != before {
		t.Errorf("%d rows handed over again, feed %+v, was %+v", got, f, before)
	}
}

// A transaction that began before another one may commit after it.
func TestAFeedStaysBehindTransactionsThatCommitLate(t *testing.T) {
	t.Parallel()
	now := epoch
	f := startFeed(now, now)
	f.begin(now)
	f.take(f.fresh([]row{{"b", now.Add(2 * time.Second)}}), 100, false)
	f.end(now)
	now = now.Add(5 * time.Second)
	f.begin(now)
	late := row{"a", epoch.Add(time.Second)}
	if got := f.fresh([]row{late}); len(got) != 1 {
		t.Error("a change that was committed late is not handed over")
	}
}
