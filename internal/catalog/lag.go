package catalog

import (
	"slices"
	"time"
)

// Watermark returns the last sequence up to which every item is confirmed or
// rejected: the one before the first unconfirmed sequence, or position, the
// last sequence that was read, when firstPending is 0.
func Watermark(firstPending, position uint64) uint64 {
	if firstPending == 0 || firstPending > position {
		return position
	}
	return firstPending - 1
}

// maxIndexSeconds bounds an Index, in seconds with item changes. A longer
// history loses resolution in its older half, never the oldest second.
const maxIndexSeconds = 8192

// Index knows in which second the item changes of one source were stored, so
// that the lag of a channel can be told from its watermark alone, even while
// its connector is dead. The zero Index is empty and ready. It is not safe
// for use by several goroutines at once.
type Index struct {
	// marks are in the order of time and sequence.
	marks []Mark
}

// Mark is one second with item changes.
type Mark struct {
	// Second is a Unix time.
	Second int64
	// Last is the last sequence of an item that was stored up to the end of it.
	Last uint64
}

// Add notes that an item change was stored at a time. Sequences must not fall;
// a time that falls back counts as the latest one.
func (x *Index) Add(seq uint64, at time.Time) {
	second := at.Unix()
	if n := len(x.marks); n > 0 {
		last := &x.marks[n-1]
		if seq <= last.Last {
			return
		}
		if second <= last.Second {
			last.Last = seq
			return
		}
	}
	x.marks = append(x.marks, Mark{Second: second, Last: seq})
	if len(x.marks) > maxIndexSeconds {
		x.thin()
	}
}

// Put adds a mark as Marks returned it, in order.
func (x *Index) Put(mark Mark) {
	x.marks = append(x.marks, mark)
	if len(x.marks) > maxIndexSeconds {
		x.thin()
	}
}

// Newest returns the newest mark; the zero Mark when the index is empty.
func (x *Index) Newest() Mark {
	if len(x.marks) == 0 {
		return Mark{}
	}
	return x.marks[len(x.marks)-1]
}

// thin halves the resolution of the older half: two seconds become one that
// starts with the first, so that a lag is never told too short.
func (x *Index) thin() {
	half := len(x.marks) / 2
	kept := x.marks[:0]
	for i := 0; i+1 < half; i += 2 {
		kept = append(kept, Mark{Second: x.marks[i].Second, Last: x.marks[i+1].Last})
	}
	x.marks = append(kept, x.marks[half/2*2:]...)
}

// OldestPending returns the second in which the first item change after the
// watermark was stored, and false when there is none.
func (x *Index) OldestPending(watermark uint64) (time.Time, bool) {
	n, _ := slices.BinarySearchFunc(x.marks, watermark, func(m Mark, w uint64) int {
		if m.Last <= w {
			return -1
		}
		return 1
	})
	if n == len(x.marks) {
		return time.Time{}, false
	}
	return time.Unix(x.marks[n].Second, 0), true
}

// Marks returns the seconds that the index holds, oldest first.
func (x *Index) Marks() []Mark { return slices.Clone(x.marks) }

// Lag returns the age of the oldest pending change, never negative.
func Lag(oldest, now time.Time) time.Duration { return max(0, now.Sub(oldest)) }
