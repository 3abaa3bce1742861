package medusa

import (
	"cmp"
	"slices"
	"time"
)

// feed is the position in a list of things by the time of their last change.
// Each poll is a walk through everything after Settled, in the order of time
// and id, with a page for each call.
//
// Between walks, Settled follows the newest time seen, but late: a transaction
// may commit after another one with a newer time. What was the newest time at
// the end of a walk is settled when a walk that began at least `overlap` later
// has ended. Only durations of the own clock are used, never the difference of
// two clocks.
type feed struct {
	Settled time.Time `json:"s"`
	// Seen is the newest time noted, at SeenAt (own clock, Unix milliseconds).
	Seen   time.Time `json:"n,omitzero"`
	SeenAt int64     `json:"a,omitempty"`
	// BeganAt is when the walk under way began (own clock); 0 = none.
	BeganAt int64 `json:"b,omitempty"`
	// Time and ID are those of the last item handed over in this walk.
	Time time.Time `json:"t,omitzero"`
	ID   string    `json:"i,omitempty"`
	// Ended: the walk has come to the end of this list.
	Ended bool `json:"e,omitempty"`
}

// overlap is longer than any transaction of the shop that sets a time.
const overlap = 15 * time.Second

// row is what the feed needs to know of a thing.
type row struct {
	id string
	at time.Time
}

func compareRows(a, b row) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id))
}

// startFeed is a feed that begins at the newest time the shop has now.
func startFeed(newest, now time.Time) feed {
	return feed{Settled: newest.Add(-overlap), Seen: newest, SeenAt: now.UnixMilli()}
}

// begin starts a walk unless one is under way.
func (f *feed) begin(now time.Time) {
	if f.BeganAt == 0 {
		f.BeganAt = now.UnixMilli()
		f.Time, f.ID, f.Ended = time.Time{}, "", false
	}
}

// from is the time from which rows are needed.
func (f *feed) from() time.Time {
	if f.Time.After(f.Settled) {
		return f.Time
	}
	return f.Settled
}

// fresh are the rows that come after the position, in order.
func (f *feed) fresh(rows []row) []row {
	var all []row
	for _, r := range rows {
		if r.at.After(f.Settled) && (f.Time.IsZero() || compareRows(r, row{f.ID, f.Time}) > 0) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, compareRows)
	return all
}

// take moves the position behind the first rows of what is fresh, at most
// limit, and returns them. More says that the shop has more than these rows.
func (f *feed) take(fresh []row, limit int, more bool) []row {
	page := fresh[:min(limit, len(fresh))]
	if len(page) > 0 {
		last := page[len(page)-1]
		f.Time, f.ID = last.at, last.id
	}
	f.Ended = !more && len(page) == len(fresh)
	return page
}

// end ends the walk.
func (f *feed) end(now time.Time) {
	newest := f.Time
	if time.Duration(f.BeganAt-f.SeenAt)*time.Millisecond >= overlap {
		if f.Seen.After(f.Settled) {
			f.Settled = f.Seen
		}
		// In a shop at rest the feed, and so the cursor, stays as it is.
		if newest.After(f.Seen) {
			f.Seen, f.SeenAt = newest, now.UnixMilli()
		}
	}
	f.BeganAt, f.Ended = 0, false
	f.Time, f.ID = time.Time{}, ""
}
