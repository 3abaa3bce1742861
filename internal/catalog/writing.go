package catalog

import (
	"iter"
	"slices"
	"time"
)

// TenureBits is the part of a revision that counts within one tenure of a
// connector's lease; the bits above it are the epoch of the lease.
const TenureBits = 32

// Writing is what Selaras sent to one channel and may be found there: what a
// connector that has lost its memory cannot know any more.
type Writing struct {
	// Writes are those whose fate is not known, oldest first.
	Writes []Write `json:"writes"`
	// Moved is by how much the channel's own orders moved what it shows since
	// it was last read, oldest first.
	Moved []int64 `json:"moved,omitempty"`
}

// Write is one quantity that was sent.
type Write struct {
	OnHand   int64  `json:"onHand"`
	Revision uint64 `json:"revision,omitempty"`
	// Until is how long it may land, Read that a reading was told after that. What
	// was read before then may still have been overtaken by it.
	Until time.Time `json:"until"`
	Read  bool      `json:"read,omitempty"`
}

// maxWrites and maxMoved bound a Writing. Of movements beyond, the oldest are
// taken as one.
const (
	maxWrites = 16
	maxMoved  = 64
)

// found are the quantities that a reading finds if one of the writes landed: as
// it was sent, or moved by some of the channel's own orders since. Nobody knows
// which of them came first.
func (w Writing) found() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for i := range w.Writes {
			found := w.Writes[i].OnHand
			if !yield(found) {
				return
			}
			for _, moved := range slices.Backward(w.Moved) {
				if found += moved; !yield(found) {
					return
				}
			}
		}
	}
}

// wrote takes in that quantities are about to leave, in place of those of the
// same tenure.
func (l *Ledger) wrote(channel string, written *StockWritten, now time.Time) {
	w := l.Writing[channel]
	writes := slices.DeleteFunc(slices.Clone(w.Writes), func(x Write) bool {
		return tenure(x.Revision) == tenure(written.Revision) && !slices.Contains(written.Written, x.OnHand)
	})
	until := now.Add(max(0, min(written.Lands, Retention)))
	for _, quantity := range written.Written {
		writes = slices.DeleteFunc(writes, func(x Write) bool {
			return tenure(x.Revision) == tenure(written.Revision) && x.OnHand == quantity
		})
		writes = append(writes, Write{OnHand: quantity, Revision: written.Revision, Until: until})
	}
	for len(writes) > maxWrites {
		writes[1] = writes[0].or(writes[1])
		writes = writes[1:]
	}
	w.Writes = writes
	l.setWriting(channel, w)
}

// or is what is remembered of two writes when there are too many: the channel
// may be left with the larger quantity for as long as either of them may land.
func (x Write) or(later Write) Write {
	x.OnHand, x.Read = max(x.OnHand, later.OnHand), x.Read && later.Read
	if later.Until.After(x.Until) {
		x.Until = later.Until
	}
	return x
}

// may keeps the writes that may land after what a connector tells: of its own
// tenure it knows them all, others end with the second reading that is told after
// their time.
func (l *Ledger) may(channel string, revision uint64, still []int64) {
	w, ok := l.Writing[channel]
	if !ok {
		return
	}
	w.Writes = slices.DeleteFunc(slices.Clone(w.Writes), func(x Write) bool {
		if tenure(x.Revision) == tenure(revision) {
			return !slices.Contains(still, x.OnHand)
		}
		return x.Read
	})
	l.setWriting(channel, w)
}

// read takes in that a reading of the channel was told.
func (l *Ledger) read(channel string, now time.Time) {
	w, ok := l.Writing[channel]
	if !ok {
		return
	}
	w.Writes, w.Moved = slices.Clone(w.Writes), nil
	for i := range w.Writes {
		w.Writes[i].Read = w.Writes[i].Read || now.After(w.Writes[i].Until)
	}
	l.setWriting(channel, w)
}

// moved takes in that the channel's own orders moved what it shows.
func (l *Ledger) moved(channel string, units int64) {
	w, ok := l.Writing[channel]
	if !ok || units == 0 {
		return
	}
	w.Moved = append(slices.Clone(w.Moved), units)
	if n := len(w.Moved) - maxMoved; n > 0 {
		w.Moved[n] += w.Moved[n-1]
		w.Moved = w.Moved[n:]
	}
	l.setWriting(channel, w)
}

func (l *Ledger) setWriting(channel string, w Writing) {
	if len(w.Writes) == 0 {
		delete(l.Writing, channel)
		return
	}
	if l.Writing == nil {
		l.Writing = make(map[string]Writing, 1)
	}
	l.Writing[channel] = w
}

func tenure(revision uint64) uint64 { return revision >> TenureBits }

func (l *Ledger) writes(channel string) bool {
	_, ok := l.Writing[channel]
	return ok
}
