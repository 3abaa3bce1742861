package medusa

import (
	"cmp"
	"slices"
	"time"

	"selaras.dev/selaras/connectors/driver/paging"
)

// feed is the position in a list of things by the time of their last change.
// Each poll is a walk through everything after Settled, in the order of time
// and id, with a page for each call.
type feed struct {
	paging.Watermark
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
	return feed{Watermark: paging.NewWatermark(newest, now, overlap)}
}

// begin starts a walk unless one is under way.
func (f *feed) begin(now time.Time) {
	if f.Begin(now) {
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
	f.End(f.Time, now, overlap)
	f.Time, f.ID, f.Ended = time.Time{}, "", false
}
