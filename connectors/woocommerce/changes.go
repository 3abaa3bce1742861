package woocommerce

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/driver/paging"
)

// overlap is longer than any request of the shop that sets a time, and than its
// database replicas lag.
const overlap = 30 * time.Second

// walk is the position in what changed after a time, which is walked through in
// the order of ids: what changes meanwhile keeps its place.
type walk struct {
	paging.Watermark
	At paging.OffsetPosition `json:"o,omitzero"`
	// Newest is the newest time read in this walk.
	Newest time.Time `json:"w,omitzero"`
}

// begin begins a walk unless one is under way.
func (w *walk) begin(now time.Time) {
	if w.Begin(now) {
		w.At, w.Newest = paging.OffsetPosition{}, time.Time{}
	}
}

func (w *walk) note(at time.Time) {
	if at.After(w.Newest) {
		w.Newest = at
	}
}

// advance moves the position behind a page, and says whether there is more.
func (w *walk) advance(next *paging.OffsetPosition, now time.Time) bool {
	if next != nil {
		w.At = *next
		return true
	}
	w.End(w.Newest, now, overlap)
	w.At, w.Newest = paging.OffsetPosition{}, time.Time{}
	return false
}

// since are the parameters for what changed after the walk's time. WordPress
// reads a time without a zone as it is, and would turn any other into the zone
// of the site.
func (w *walk) since() url.Values {
	return url.Values{
		"modified_after": {w.Settled.UTC().Format(gmtLayout)},
		"dates_are_gmt":  {"true"},
	}
}

// ReadChanges implements driver.ChangeReader. It sees products whose content,
// price or stock changed, or that of any of their variations, and returns them
// with all variations. A deleted listing is in no list. The limit bounds the
// products of a page.
func (c *connection) ReadChanges(ctx context.Context, after driver.Cursor, limit int) (driver.ChangePage, error) {
	const what = "read changes"
	ctx = driver.WithOperation(ctx, driver.OpChanges)
	limit = paging.Limit(limit, pageSize)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return driver.ChangePage{}, err
	}
	var at walk
	if after == "" {
		if at.Watermark, err = c.fromNow(ctx, what); err != nil {
			return driver.ChangePage{}, err
		}
		return driver.ChangePage{Next: driver.EncodeCursor(at)}, nil
	}
	if err := driver.DecodeCursor(what, after, &at); err != nil {
		return driver.ChangePage{}, err
	}
	at.begin(time.Now())
	found, err := c.productWalk(what, at.since()).Page(ctx, at.At, limit)
	if err != nil {
		return driver.ChangePage{}, err
	}
	for _, p := range found.Items {
		at.note(p.ModifiedGMT.Time)
	}
	items, err := c.expand(ctx, what, found.Items)
	if err != nil {
		return driver.ChangePage{}, err
	}
	more := at.advance(found.Next, time.Now())
	return driver.ChangePage{Listings: listings(items, s), Next: driver.EncodeCursor(at), More: more}, nil
}

// fromNow is the watermark of now, by the shop's clock.
func (c *connection) fromNow(ctx context.Context, what string) (paging.Watermark, error) {
	_, r, err := list[struct{}](ctx, c.api, what, "/products", url.Values{
		"per_page": {strconv.Itoa(1)}, "_fields": {"id"},
	})
	now := time.Now()
	if r.now.IsZero() {
		r.now = now
	}
	return paging.NewWatermark(r.now.UTC(), now, overlap), err
}
