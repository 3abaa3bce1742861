package shops

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// keptLines is how much of a child's output an error message shows.
const keptLines = 40

// output takes what a child prints: it keeps the last lines for error messages
// and notices the line that says the child is ready.
type output struct {
	ready chan struct{} // closed when the ready line was printed

	mu        sync.Mutex
	readyLine string
	partial   []byte
	last      []string
	log       io.Writer
}

func newOutput(readyLine string, log io.Writer) *output {
	return &output{ready: make(chan struct{}), readyLine: readyLine, log: log}
}

// Write never fails, so that a child never blocks on a full pipe.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.log != nil {
		_, _ = o.log.Write(p)
	}
	o.partial = append(o.partial, p...)
	for {
		line, rest, found := bytes.Cut(o.partial, []byte{'\n'})
		if !found {
			return len(p), nil
		}
		o.add(string(line))
		o.partial = rest
	}
}

func (o *output) add(line string) {
	o.last = append(o.last, line)
	if len(o.last) > keptLines {
		o.last = o.last[1:]
	}
	if line == o.readyLine && line != "" {
		o.readyLine = "" // once
		close(o.ready)
	}
}

// tail returns the last lines printed.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.last, "\n")
}
