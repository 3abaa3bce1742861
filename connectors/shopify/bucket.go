package shopify

import (
	"sync"
	"time"
)

// queryCost is what an answer says of its cost.
type queryCost struct {
	Requested float64 `json:"requestedQueryCost"`
	Throttle  struct {
		Maximum   float64 `json:"maximumAvailable"`
		Available float64 `json:"currentlyAvailable"`
		Restore   float64 `json:"restoreRate"`
	} `json:"throttleStatus"`
}

// wait is how long the bucket takes to hold enough points for the cost.
func (c *queryCost) wait() time.Duration {
	return restoring(min(c.Requested, c.Throttle.Maximum)-c.Throttle.Available, c.Throttle.Restore)
}

// maxRestoring bounds a wait: the deepest bucket takes less to fill.
const maxRestoring = time.Minute

// restoring is how long the points take to come back.
func restoring(points, rate float64) time.Duration {
	if points <= 0 || rate <= 0 {
		return 0
	}
	return min(time.Duration(points/rate*float64(time.Second))+time.Millisecond, maxRestoring)
}

// bucket follows the shop's own bucket of points by what its answers say, so
// that a request which would be refused is not sent.
type bucket struct {
	mu sync.Mutex
	// maximum is 0 as long as nothing is known.
	maximum, available, restore float64
	at                          time.Time
	// out are the points of requests under way, costs what requests of a kind
	// asked for last.
	out   float64
	costs map[string]float64
}

func newBucket() *bucket { return &bucket{costs: map[string]float64{}} }

// reserve takes the points that a request of the kind will ask for, or says how
// long they are missing.
func (b *bucket) reserve(kind string, now time.Time) (points float64, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	points = b.costs[kind]
	if b.maximum > 0 {
		b.available = min(b.maximum, b.available+b.restore*max(0, now.Sub(b.at).Seconds()))
		b.at = now
		if wait = restoring(min(points, b.maximum)-b.available+b.out, b.restore); wait > 0 {
			return 0, wait
		}
	}
	b.out += points
	return points, 0
}

// settle gives back what was reserved and takes in what the answer says; nil
// when it says nothing.
func (b *bucket) settle(kind string, points float64, cost *queryCost, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out = max(0, b.out-points)
	if cost == nil || cost.Throttle.Maximum <= 0 {
		return
	}
	b.costs[kind] = cost.Requested
	b.maximum, b.available, b.restore, b.at = cost.Throttle.Maximum, cost.Throttle.Available, cost.Throttle.Restore, now
}
