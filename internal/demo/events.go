package demo

import (
	"fmt"
	"time"
)

// An audience is told the story's events in order. The board is drawn beside
// them, from another goroutine.
type audience func(event any)

// The events.
type (
	// stepBegan: the step with this index of the story is under way.
	stepBegan struct{ index int }
	// progressed: what the step is doing now; replaces the line before.
	progressed struct{ text string }
	// measured: something the step found, to be kept.
	measured struct{ text string }
	// stepEnded: with what result.
	stepEnded struct {
		index    int
		headline string
		took     time.Duration
		err      error
	}
	// boardDrawn: what kubectl shows now.
	boardDrawn struct{ lines []string }
	// stayed: the story is over and everything runs on; the lines say what one
	// can do now.
	stayed struct{ lines []string }
)

func (a audience) progress(format string, args ...any) {
	a(progressed{fmt.Sprintf(format, args...)})
}

func (a audience) measure(format string, args ...any) {
	a(measured{fmt.Sprintf(format, args...)})
}

// seconds writes a duration for people: 85 ms, 1.24 s, 12.3 s.
func seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
