package shopify

import (
	"time"

	"selaras.dev/selaras/connectors/driver/paging"
)

// feed is the position in a search for what changed since a time. Each poll is
// a walk through everything after Settled, with a page for each call.
type feed struct {
	paging.Watermark
	// After is Shopify's cursor in the walk, Newest the newest time met in it.
	After  string    `json:"c,omitempty"`
	Newest time.Time `json:"t,omitzero"`
	// Ended: the walk has come to the end of this list.
	Ended bool `json:"e,omitempty"`
}

// overlap is longer than the index of the searches is behind the data.
const overlap = 30 * time.Second

// startFeed is a feed that begins at a time of the shop.
func startFeed(at, now time.Time) feed {
	return feed{Watermark: paging.NewWatermark(at, now, overlap)}
}

// begin starts a walk unless one is under way.
func (f *feed) begin(now time.Time) {
	if f.Begin(now) {
		f.After, f.Newest, f.Ended = "", time.Time{}, false
	}
}

// query is the search for what changed since.
func (f *feed) query() string {
	// Times of the shop are of whole seconds.
	return "updated_at:>" + quote(f.Settled.UTC().Truncate(time.Second).Format(time.RFC3339))
}

// take moves the position behind a page.
func (f *feed) take(page pageInfo) {
	f.After, f.Ended = page.End, !page.More
}

// isNew says that a change is after what was settled, and notes its time.
func (f *feed) isNew(at time.Time) bool {
	if at.After(f.Newest) {
		f.Newest = at
	}
	return at.After(f.Settled)
}

// end ends the walk.
func (f *feed) end(now time.Time) {
	f.End(f.Newest, now, overlap)
	f.After, f.Newest, f.Ended = "", time.Time{}, false
}
