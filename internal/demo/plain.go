package demo

import (
	"fmt"
	"io"
	"sync"
)

// printer tells the story as lines. What a step is doing at the moment is left
// out: only what it found stays true.
func printer(out io.Writer) audience {
	var (
		mu   sync.Mutex
		rows []string
	)
	return func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case stepBegan:
			fmt.Fprintf(out, "\n%d/%d %s\n    (%s)\n", e.index+1, len(steps), steps[e.index].title, steps[e.index].why)
		case measured:
			fmt.Fprintf(out, "    %s\n", e.text)
		case boardDrawn:
			rows = e.lines
		case stepEnded:
			if len(rows) > 0 {
				fmt.Fprintln(out, "    $ kubectl get channels,catalogsyncs")
				for _, row := range rows {
					fmt.Fprintf(out, "    %s\n", row)
				}
				rows = nil
			}
			if e.err != nil {
				fmt.Fprintf(out, "  ✗ after %s: %v\n", seconds(e.took), e.err)
			} else {
				fmt.Fprintf(out, "  ✓ %s (%s)\n", e.headline, seconds(e.took))
			}
		case stayed:
			fmt.Fprintln(out)
			for _, line := range e.lines {
				fmt.Fprintln(out, line)
			}
		}
	}
}
