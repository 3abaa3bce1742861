package vendure

import (
	"time"

	"selaras.dev/selaras/connectors/driver/paging"
)

// feed is the position in a list ordered by a time of the shop, such as
// updatedAt. Each poll is a walk through everything after Settled.
//
// Within a walk the position is the time of the last item read; the next page
// begins with the items of that very time, so a boundary may come twice but
// nothing is left out when items change meanwhile and move to the end. Only
// where a whole page bears one time (an import) does the position count items,
// and then the next page begins with the last item of this one, to see that
// none has moved away.
type feed struct {
	paging.Watermark
	// Time is the newest time read in this walk. ID and Skip are set where a
	// page was of one time only: Skip items are read, the last of them is ID.
	Time time.Time `json:"t,omitzero"`
	ID   string    `json:"i,omitempty"`
	Skip int       `json:"k,omitempty"`
}

// overlap is longer than any transaction of the shop that sets a time.
const overlap = 15 * time.Second

// resolution is what the API rounds times down to; databases keep more.
const resolution = time.Millisecond

// endOfTime closes the range of a filter that is open in truth.
const endOfTime = "9999-12-31T00:00:00.000Z"

// startFeed is a feed that begins at the newest time the shop has now.
func startFeed(newest, now time.Time) feed {
	return feed{Watermark: paging.NewWatermark(newest, now, overlap)}
}

// feedItem is what the feed needs to know of an item.
type feedItem struct {
	id string
	at time.Time
}

// begin starts a walk unless one is under way.
func (f *feed) begin(now time.Time) {
	if f.Begin(now) {
		f.Time, f.ID, f.Skip = time.Time{}, "", 0
	}
}

// options are the list options of the next page, for items with the time in
// the field.
func (f *feed) options(field string, limit int, filter map[string]any) map[string]any {
	from := f.Settled.Add(resolution)
	if !f.Time.IsZero() {
		from = f.Time.Add(-resolution)
	}
	all := map[string]any{field: map[string]any{"between": map[string]any{
		"start": from.UTC().Format("2006-01-02T15:04:05.000Z"), "end": endOfTime,
	}}}
	for key, value := range filter {
		all[key] = value
	}
	again := min(f.Skip, 1)
	return map[string]any{
		"skip": f.Skip - again, "take": limit + again,
		"filter": all, "sort": map[string]any{field: "ASC", "id": "ASC"},
	}
}

// advance takes the page that options asked for and the length of the whole
// filtered list. It returns where the page's new items begin, and whether the
// walk goes on. Where items moved away, the page holds nothing new and the next
// one goes back.
func (f *feed) advance(page []feedItem, total int) (from int, more bool) {
	if f.Skip > 0 {
		if len(page) == 0 || page[0].id != f.ID {
			f.ID, f.Skip = "", 0
			return len(page), true
		}
		from = 1
	}
	if len(page) == 0 {
		return 0, false
	}
	read := f.Skip - from + len(page)
	last := page[len(page)-1]
	if last.at.After(f.Time) {
		f.Time, f.ID, f.Skip = last.at, "", 0
	} else {
		f.ID, f.Skip = last.id, read
	}
	return from, read < total
}

// end ends the walk.
func (f *feed) end(now time.Time) {
	f.End(f.Time, now, overlap)
	f.Time, f.ID, f.Skip = time.Time{}, "", 0
}
