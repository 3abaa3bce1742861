package vendure

import (
	"sync"
	"time"
)

// maxOwnProducts bounds the memory; what is forgotten is read once more.
const maxOwnProducts = 10_000

// ownProducts remembers the products that this connection made, as of when it
// did. In the feed of changes they tell nothing: their variants are in it too.
// Reading the variants of each would cost a first fill more than making them.
type ownProducts struct {
	mu   sync.Mutex
	asOf map[string]time.Time
}

func (o *ownProducts) note(id string, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asOf == nil || len(o.asOf) >= maxOwnProducts {
		o.asOf = map[string]time.Time{}
	}
	o.asOf[id] = at
}

// isAsMade says that the product was made here and not changed since.
func (o *ownProducts) isAsMade(id string, at time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	made, own := o.asOf[id]
	return own && made.Equal(at)
}
