package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// keepHouse asks for the hub's state, deletes folded facts and reports, beside
// the fold, until ctx ends.
func (w *Worker) keepHouse(ctx context.Context) {
	state := time.NewTicker(w.stateEvery)
	defer state.Stop()
	report := time.NewTimer(0)
	defer report.Stop()
	changed := w.config.change()
	var said reported
	for {
		select {
		case <-ctx.Done():
			return
		case <-state.C:
			w.askState(ctx)
			w.trim(ctx)
			if now := w.reported(); now != said {
				said = now
				w.report(ctx)
				report.Reset(reportEvery)
			}
		case <-changed:
			changed = w.config.change()
			report.Reset(reportSoon)
		case <-report.C:
			said = w.reported()
			w.report(ctx)
			report.Reset(reportEvery)
		}
	}
}

func (w *Worker) askState(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, houseWait)
	defer cancel()
	state, err := w.o.Space.State(ctx)
	if err != nil {
		w.log.Debug("the hub's state is not known", "error", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// The life of the log of facts is that of the fold under way; a new one
	// ends the fold by itself.
	state.Facts.Epoch = w.state.Facts.Epoch
	w.state, w.asked = state, true
}

// trim deletes folded facts, but for the newest that people may look at.
func (w *Worker) trim(ctx context.Context) {
	w.mu.Lock()
	facts, folded := w.state.Facts, w.meta.Cursor.FactSeq
	w.mu.Unlock()
	below, bite := folded+1, uint64(1)
	if crowded := facts.MaxBytes > 0 && facts.Bytes > uint64(facts.MaxBytes)/keptFraction; !crowded { // #nosec G115 -- positive
		if folded <= keptFacts {
			return
		}
		below, bite = folded-keptFacts+1, keptFacts/10
	}
	// Deleting in small bites costs more than it frees.
	if facts.Messages == 0 || below < facts.FirstSeq+bite {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, houseWait)
	defer cancel()
	if _, err := w.o.Space.TrimFacts(ctx, below); err != nil && ctx.Err() == nil {
		w.log.Warn("folded facts cannot be deleted", "error", err)
	}
}

// reported is what makes a new report due before the heartbeat.
type reported struct {
	factSeq, backlog uint64
	items            int
}

func (w *Worker) reported() reported {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := reported{factSeq: w.meta.Cursor.FactSeq, backlog: w.backlog()}
	for _, n := range w.meta.Items {
		r.items += n
	}
	return r
}

// report puts report.catalog.
func (w *Worker) report(ctx context.Context) {
	data, err := json.Marshal(w.buildReport())
	if err != nil {
		w.log.Error("the report cannot be encoded", "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, houseWait)
	defer cancel()
	if _, err := w.o.Space.Put(ctx, workload.ReportCatalog, data); err != nil && !errors.Is(err, context.Canceled) {
		w.log.Warn("the report cannot be written", "error", err)
	}
}

func (w *Worker) buildReport() workload.CatalogReport {
	syncs, reports := w.config.snapshot()
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	r := workload.CatalogReport{
		At: now.UTC(), Syncs: make(map[string]workload.SyncReport, len(syncs)),
		FactSeq: w.meta.Cursor.FactSeq, Backlog: w.backlog(),
		Durability: string(w.state.Durability), HubBytes: w.hubBytes(), HubLimit: hubLimit(&w.state),
	}
	for name, s := range syncs {
		sync := workload.SyncReport{
			Generation: s.config.Generation, UID: s.config.UID, Items: w.meta.Items[s.config.Source],
			Channels: make(map[string]workload.SyncChannelReport, len(s.config.Channels)),
		}
		if s.problem != "" {
			sync.Problem, sync.ProblemMessage = "InvalidConfiguration", s.problem
		}
		for channel := range s.config.Channels {
			lag := w.lag(&s.config, name, channel, reports, now)
			sync.Channels[channel] = workload.SyncChannelReport{OldestPending: lag.oldest(), Silent: lag.silent}
		}
		r.Syncs[name] = sync
	}
	return r
}

// backlog is the number of facts that are not folded; w.mu is held.
func (w *Worker) backlog() uint64 {
	if last, folded := w.state.Facts.LastSeq, w.meta.Cursor.FactSeq; last > folded {
		return last - folded
	}
	return 0
}

// hubBytes is what the namespace uses; w.mu is held.
func (w *Worker) hubBytes() int64 {
	return int64(w.state.Facts.Bytes + w.state.Records.Bytes + w.state.Config.Bytes) // #nosec G115 -- bytes of a disk
}

// hubLimit is what the namespace may use, 0 for no limit: facts get four
// fifths of it.
func hubLimit(state *hub.State) int64 {
	return max(0, state.Facts.MaxBytes) / 4 * 5
}

// channelLag is what is pending of a channel in a sync.
type channelLag struct {
	progress *workload.Progress // nil without a report
	pending  map[workload.Cause]time.Time
	silent   bool
}

func (l *channelLag) oldest() time.Time {
	var oldest time.Time
	for _, at := range l.pending {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

// unheard is how long a connector's own word on its lag is believed without a
// new one; after that the index of item changes speaks for it.
const unheard = workload.HeartbeatInterval + 5*time.Second

// lag says what is pending of a channel: by its own report and, when that is
// old, by what was stored since. w.mu is held.
func (w *Worker) lag(s *workload.SyncConfig, name, channel string, reports map[string]reportEntry, now time.Time) channelLag {
	entry, reported := reports[channel]
	heard := w.started
	l := channelLag{pending: map[workload.Cause]time.Time{}}
	if reported {
		heard = entry.seen
		if progress, ok := entry.report.Progress[name]; ok {
			l.progress = &progress
			for cause, at := range progress.OldestPending {
				if !at.IsZero() {
					l.pending[cause] = at
				}
			}
		}
	}
	age := now.Sub(heard)
	l.silent = age > workload.NoReportAfter
	index := w.indices[s.Source]
	if index == nil || age <= unheard {
		return l
	}
	cause, watermark := workload.CauseBackfill, uint64(0)
	if l.progress != nil && l.progress.Epoch == w.meta.Epoch {
		cause, watermark = workload.CauseChange, l.progress.Watermark
	}
	if at, pending := index.OldestPending(watermark); pending {
		if have, ok := l.pending[cause]; !ok || at.Before(have) {
			l.pending[cause] = at
		}
	}
	return l
}
