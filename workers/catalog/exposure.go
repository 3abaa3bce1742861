package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/catalog/allot"
)

// The exposure is counted again when something was folded or configured, not
// before exposureEvery, and for at most a part of the time.
const (
	exposureEvery = 30 * time.Second
	exposurePart  = 20
)

// watchExposure counts by how much more is shown than there is, beside the fold,
// until ctx ends.
func (w *Worker) watchExposure(ctx context.Context) {
	var counted uint64
	known := false
	for ctx.Err() == nil {
		changed := w.config.change()
		w.mu.Lock()
		seq := w.meta.Cursor.Seq
		w.mu.Unlock()
		began := w.now()
		if !known || seq != counted {
			exposure, err := w.store.exposure(ctx, w.config.shared())
			if err != nil {
				if ctx.Err() == nil {
					w.log.Warn("the exposure cannot be counted", "error", err)
				}
			} else {
				w.mu.Lock()
				w.exposure = exposure
				w.mu.Unlock()
				counted, known = seq, true
			}
		}
		timer := time.NewTimer(max(w.exposureEvery, exposurePart*w.now().Sub(began)))
		select {
		case <-ctx.Done():
		case <-changed:
			known = false
		case <-timer.C:
		}
		timer.Stop()
	}
}

// exposure sums what is shown beyond what there is, by source.
func (s *store) exposure(ctx context.Context, shared map[string]*allot.Policy) (map[string]int64, error) {
	units := make(map[string]int64, len(shared))
	for source := range shared {
		units[source] = 0
	}
	scanned := 0
	err := s.scan(itemPrefix, itemEnd, func(key, value []byte) (bool, error) {
		if scanned++; scanned%1024 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		name, _, _ := bytes.Cut(key[len(itemPrefix):], []byte("."))
		source := string(name)
		policy := shared[source]
		if policy == nil {
			return true, nil
		}
		// Only what counts is decoded.
		var stock struct {
			ATS      *int64            `json:"ats"`
			Removed  bool              `json:"removed"`
			Allotted *catalog.Allotted `json:"allotted"`
		}
		if err := json.Unmarshal(value, &stock); err != nil {
			return false, fmt.Errorf("decode the item %s: %w", key, err)
		}
		item := catalog.Item{ATS: stock.ATS, Removed: stock.Removed, Allotted: stock.Allotted}
		units[source] += item.Exposed(policy)
		return true, nil
	})
	return units, err
}
