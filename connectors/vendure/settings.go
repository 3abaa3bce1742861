package vendure

import (
	"context"
	"sync"
	"time"
)

// stockSettings are read along with variants: they decide what their numbers
// mean and may change at any time.
const stockSettings = `globalSettings { trackInventory outOfStockThreshold }`

type globalStock struct {
	TrackInventory      bool  `json:"trackInventory"`
	OutOfStockThreshold int64 `json:"outOfStockThreshold"`
}

// settingsAge is how old settings may be that a write's answer is judged by: a
// mutation cannot read them in the same request.
const settingsAge = time.Minute

// settingsCache keeps the settings of the last reading.
type settingsCache struct {
	mu    sync.Mutex
	known globalStock
	at    time.Time
}

func (k *settingsCache) note(g globalStock) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known, k.at = g, time.Now()
}

// stockSettings returns settings no older than settingsAge.
func (c *connection) stockSettings(ctx context.Context) (globalStock, error) {
	c.settings.mu.Lock()
	known, at := c.settings.known, c.settings.at
	c.settings.mu.Unlock()
	if !at.IsZero() && time.Since(at) < settingsAge {
		return known, nil
	}
	var data struct {
		Global globalStock `json:"globalSettings"`
	}
	err := c.api.do(ctx, operation{what: "read the shop's stock settings", query: `query Settings { ` + stockSettings + ` }`}, &data)
	if err != nil {
		return globalStock{}, err
	}
	c.settings.note(data.Global)
	return data.Global, nil
}
