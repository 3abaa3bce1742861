package medusa

import (
	"sync"
	"time"
)

// levelWalk is what a walk through the changed levels has read: rows by the id
// of the inventory item, and the variants of each item.
type levelWalk struct {
	rows     []row
	variants map[string][]string
}

// levelMemory keeps the walk under way from page to page: a walk over ten
// thousand levels would read them all for each page. It may be lost at any
// time. What changes during a walk is newer than all of it, so the next walk
// finds it.
type levelMemory struct {
	mu      sync.Mutex
	began   int64
	settled time.Time
	walk    levelWalk
}

// recall returns the walk that the feed is in.
func (m *levelMemory) recall(f *feed) (levelWalk, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.walk, m.walk.rows != nil && m.began == f.BeganAt && m.settled.Equal(f.Settled)
}

// keep remembers the walk that the feed is in, until its end.
func (m *levelMemory) keep(f *feed, walk levelWalk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.began, m.settled, m.walk = f.BeganAt, f.Settled, walk
	if f.Ended {
		m.walk = levelWalk{}
	}
}
