package allot

import "time"

// Sales is what a channel sold lately, as the ledger heard of it.
type Sales struct {
	Hour Window `json:"hour,omitzero"`
	Day  Window `json:"day,omitzero"`
}

// Window counts units in the window of time that is running and the one before.
type Window struct {
	// At numbers the running window since 1970.
	At     int64 `json:"at,omitempty"`
	Now    int64 `json:"now,omitempty"`
	Before int64 `json:"before,omitempty"`
}

const (
	hour = int64(time.Hour / time.Second)
	day  = 24 * hour
)

func (s *Sales) add(at time.Time, units int64) {
	s.Hour.add(at.Unix()/hour, units)
	s.Day.add(at.Unix()/day, units)
}

// lastDay is about what was sold within the last day.
func (s *Sales) lastDay(now time.Time) int64 { return s.Day.last(now.Unix(), day) }

// within is about what is sold within a time, at the rate of the last hour or
// that of the last day, whichever is higher; rounded up.
func (s *Sales) within(d time.Duration, now time.Time) int64 {
	seconds := max(0, (d+time.Second-1)/time.Second)
	return max(
		ceil(s.Hour.last(now.Unix(), hour)*int64(seconds), hour),
		ceil(s.Day.last(now.Unix(), day)*int64(seconds), day),
	)
}

func ceil(a, b int64) int64 { return (a + b - 1) / b }

func (w *Window) add(at, units int64) {
	switch {
	case at > w.At+1:
		*w = Window{At: at}
	case at == w.At+1:
		*w = Window{At: at, Before: w.Now}
	}
	switch at {
	case w.At:
		w.Now += units
	case w.At - 1:
		w.Before += units
	}
}

// last is what was sold within one window's length until now, taking the sales
// of the window before as even.
func (w *Window) last(now, length int64) int64 {
	running, before := w.Now, w.Before
	switch at := now / length; {
	case at > w.At+1:
		return 0
	case at == w.At+1:
		running, before = 0, w.Now
	}
	return running + before*(length-now%length)/length
}
