package shopify

import (
	"math"
	"sync"
	"time"
)

// bucket holds the points of an app in the shop: what a request asks for must be
// there before it is carried out, what it did not spend is given back.
type bucket struct {
	size, restore float64

	mu        sync.Mutex
	available float64
	at        time.Time
}

func newBucket(size, restore float64) *bucket {
	return &bucket{size: size, restore: restore, available: size, at: time.Now()}
}

func (b *bucket) fill() {
	t := time.Now()
	b.available = min(b.size, b.available+b.restore*t.Sub(b.at).Seconds())
	b.at = t
}

// take takes the points, if they are there.
func (b *bucket) take(points float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill()
	if b.available < points {
		return false
	}
	b.available -= points
	return true
}

func (b *bucket) giveBack(points float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.available = min(b.size, b.available+points)
}

// drain leaves that many points.
func (b *bucket) drain(points float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill()
	b.available = points
}

// status is what an answer says of the bucket.
func (b *bucket) status() map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill()
	return map[string]any{"maximumAvailable": b.size, "currentlyAvailable": math.Floor(b.available), "restoreRate": b.restore}
}
