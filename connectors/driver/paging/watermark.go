package paging

import "time"

// Watermark is how far changes have been read for good, in a list that a
// channel orders by a time of its own, such as updatedAt. Each poll is a walk
// through everything after Settled; the position within the walk is the
// driver's.
//
// Between walks, Settled follows the newest time seen, but late: a transaction
// may commit after another one with a newer time. What was the newest time at
// the end of a walk is settled when a walk that began at least an overlap later
// has ended; the overlap is longer than any transaction of the channel that
// sets a time. Only durations of the own clock are used, never the difference
// of two clocks.
//
// A Watermark is part of a driver's cursor.
type Watermark struct {
	Settled time.Time `json:"s"`
	// Seen is the newest time noted, at SeenAt (own clock, Unix milliseconds).
	Seen   time.Time `json:"n,omitzero"`
	SeenAt int64     `json:"a,omitempty"`
	// BeganAt is when the walk under way began (own clock); 0 = none.
	BeganAt int64 `json:"b,omitempty"`
}

// NewWatermark is one that begins at the newest time the channel has now.
func NewWatermark(newest, now time.Time, overlap time.Duration) Watermark {
	return Watermark{Settled: newest.Add(-overlap), Seen: newest, SeenAt: now.UnixMilli()}
}

// Begin begins a walk, and says so, unless one is under way.
func (w *Watermark) Begin(now time.Time) bool {
	if w.BeganAt != 0 {
		return false
	}
	w.BeganAt = now.UnixMilli()
	return true
}

// End ends the walk, in which newest was the newest time read; zero for none.
// In a channel at rest the Watermark, and so the cursor, stays as it is.
func (w *Watermark) End(newest, now time.Time, overlap time.Duration) {
	if time.Duration(w.BeganAt-w.SeenAt)*time.Millisecond >= overlap {
		if w.Seen.After(w.Settled) {
			w.Settled = w.Seen
		}
		if newest.After(w.Seen) {
			w.Seen, w.SeenAt = newest, now.UnixMilli()
		}
	}
	w.BeganAt = 0
}
