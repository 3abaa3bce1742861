package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

// ingest: facts a second through hub and catalog worker, against a bare
// program that moves the same bytes through the same server settings.
func ingest(ctx context.Context, r *run) error {
	const rounds = 3
	count := r.of(100_000)
	var ours, bare, raw []float64
	for i := range rounds {
		// By turns, so that a noisy minute hits both.
		a, err := ingestOurs(ctx, r.path(fmt.Sprint("ours", i)), count)
		if err != nil {
			return fmt.Errorf("ours: %w", err)
		}
		b, err := ingestBare(ctx, r.path(fmt.Sprint("bare", i)), count)
		if err != nil {
			return fmt.Errorf("bare program: %w", err)
		}
		c, err := publishRaw(ctx, r.path(fmt.Sprint("raw", i)), count)
		if err != nil {
			return fmt.Errorf("raw publish: %w", err)
		}
		r.say("round %d: ours %.0f facts/s, bare program %.0f facts/s; publishing alone, fsync every 2 minutes: %.0f/s", i+1, a, b, c)
		ours, bare, raw = append(ours, a), append(bare, b), append(raw, c)
	}
	ratios := make([]float64, rounds)
	for i := range ratios {
		ratios[i] = ours[i] / bare[i]
	}
	r.say("%d facts of as many SKUs a round, stated while they are folded; medians: ours %.0f, bare %.0f, raw default-sync publish %.0f facts/s",
		count, median(ours), median(bare), median(raw))
	r.atLeast("", median(ratios), 0.7)
	return nil
}

// ingestOurs states facts as a connector does while the catalog worker folds
// them, and returns the facts a second until all are folded.
func ingestOurs(ctx context.Context, dir string, count int) (perSecond float64, err error) {
	w, err := newWorld(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	n, err := w.namespace("bench")
	if err != nil {
		return 0, err
	}
	if err := errors.Join(n.sync("shop"), n.fold()); err != nil {
		return 0, err
	}
	// The worker is at work when the first fact is folded.
	seq, err := n.state(1, func(int) hub.Fact { return observed(count, 1000) })
	if err != nil {
		return 0, err
	}
	if err := n.folded(seq, time.Minute); err != nil {
		return 0, err
	}
	facts := make([]hub.Fact, count)
	for i := range facts {
		facts[i] = observed(i, 1000)
	}
	began := time.Now()
	seq, err = n.state(count, func(i int) hub.Fact { return facts[i] })
	if err != nil {
		return 0, err
	}
	if err := n.folded(seq, 5*time.Minute); err != nil {
		return 0, err
	}
	return float64(count) / time.Since(began).Seconds(), nil
}

// itemRecord is what the fold of observed(i, minor) writes.
func itemRecord(i int, minor int64) (subject string, data []byte) {
	f := observed(i, minor)
	fact, err := catalog.DecodeFact(f.Channel, f.Type, f.Data, 1, time.Now())
	if err == nil {
		var changes catalog.Changes
		changes, err = catalog.Fold(noState{}, &catalog.Topology{Sources: map[string]bool{source: true}}, &fact)
		if err == nil && len(changes.Items) == 1 {
			data, err = json.Marshal(changes.Items[0].Item)
		}
	}
	s, serr := hub.ItemSubject(source, skuName(i))
	if err := errors.Join(err, serr); err != nil || data == nil {
		panic(fmt.Sprint("fold of a plain fact: ", err)) // a mistake of this program
	}
	return s.String(), data
}

// noState is the state before the first fact.
type noState struct{}

// Item implements catalog.State.
func (noState) Item(string, string) (catalog.Item, bool, error) { return catalog.Item{}, false, nil }

// Ledger implements catalog.State.
func (noState) Ledger(string, string) (catalog.Ledger, bool, error) {
	return catalog.Ledger{}, false, nil
}

// Line implements catalog.State.
func (noState) Line(string, string) (catalog.Line, bool, error) { return catalog.Line{}, false, nil }
