package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// Options is what a worker is made from.
type Options struct {
	// Space is the namespace, opened with the rights of a catalog worker. It
	// stays the caller's to close.
	Space *hub.Space
	// Namespace is the label of the metrics.
	Namespace string
	// DataDir holds the worker's Pebble. It may be lost at any time.
	DataDir string
	// Holder names this instance, such as its pod.
	Holder string
	// Health is where /healthz, /readyz and /metrics are served; nil for
	// nowhere. Run closes it.
	Health net.Listener
	// Registry takes the metrics and is served; nil for none.
	Registry *prometheus.Registry
	// Logger; nil is slog.Default().
	Logger *slog.Logger
	// LeaseDuration after which a standby takes over, 10 s when 0.
	LeaseDuration time.Duration
}

// The worker's own times.
const (
	reportEvery  = workload.HeartbeatInterval
	reportSoon   = 500 * time.Millisecond
	houseWait    = 5 * time.Second // for one answer of the hub beside the fold
	releaseWait  = 5 * time.Second
	retryWait    = time.Second
	expireAgain  = time.Second
	keptFacts    = 10_000 // folded facts that are kept for people to look at
	keptFraction = 4      // unless they fill this part of what FACTS may hold
)

// Worker folds the facts of one namespace.
type Worker struct {
	o      Options
	log    *slog.Logger
	now    func() time.Time
	store  *store
	config *config
	counts *factCounts

	// fs and the hooks are for tests.
	fs         vfs.FS
	beforeFold func(records int) error // a batch is about to be sent
	afterFold  func(hub.Cursor) error  // it is stored and not yet applied
	stateEvery time.Duration           // how often the hub's state is asked for
	maxFacts   int                     // of one batch
	// expireEvery is how often old lines are looked for, exposureEvery how often
	// the exposure is counted.
	expireEvery   time.Duration
	exposureEvery time.Duration

	mu      sync.Mutex
	active  bool
	caught  bool // the store has all that the hub had at the last start
	meta    meta
	indices map[string]*catalog.Index
	// exposure is what is shown beyond what there is, by source.
	exposure map[string]int64
	// oversold counts since this process began.
	oversold oversoldUnits
	state    hub.State // of the hub, as last asked for
	asked    bool
	started  time.Time
}

// New opens the worker's store. Errors are of the store.
func New(o Options) (*Worker, error) { return newWorker(o, nil) }

func newWorker(o Options, fs vfs.FS) (*Worker, error) {
	w := &Worker{o: o, log: o.Logger, now: time.Now, fs: fs, counts: newFactCounts(), indices: map[string]*catalog.Index{}, oversold: oversoldUnits{}, stateEvery: 5 * time.Second, maxFacts: maxFacts, expireEvery: time.Hour, exposureEvery: exposureEvery}
	if w.log == nil {
		w.log = slog.Default()
	}
	if w.o.Holder == "" {
		w.o.Holder = "catalog"
	}
	w.config = newConfig(w.log, w.now)
	s, err := openStore(o.DataDir, fs, w.log)
	if err != nil {
		return nil, err
	}
	w.store = s
	return w, nil
}

// Run folds the facts of a namespace until ctx ends; it then returns nil.
func Run(ctx context.Context, o Options) error {
	w, err := New(o)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// Ready says why the worker cannot take over or go on, nil when it can: its
// copy of the records is complete and the hub answers.
func (w *Worker) Ready() error {
	if !w.o.Space.Connected() {
		return errors.New("the hub is not connected")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.caught {
		return errors.New("the records of the hub are still being read")
	}
	return nil
}

// Active says whether this instance holds the lease and folds.
func (w *Worker) Active() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active
}

// Run folds until ctx ends, and then returns nil. It may be called once; it
// closes the store. Errors are of the store or of credentials that do not
// allow the work; everything else is waited for.
func (w *Worker) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, w.store.close()) }()
	w.started = w.now()
	if w.o.Registry != nil {
		c := &collector{w}
		if err := w.o.Registry.Register(c); err != nil {
			return fmt.Errorf("register the metrics: %w", err)
		}
		defer w.o.Registry.Unregister(c)
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { w.keepWatching(ctx) })
	if w.o.Health != nil {
		watching.Go(func() { w.serve(ctx) })
	}
	defer watching.Wait()
	defer cancel()

	for ctx.Err() == nil {
		err := w.term(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errStop):
			return err
		case errors.Is(err, hub.ErrForbidden), errors.Is(err, hub.ErrClosed):
			return err
		case errors.Is(err, hub.ErrFenced), errors.Is(err, hub.ErrLeaseLost):
			w.log.Info("another worker folds now; standing by", "reason", err)
		case errors.Is(err, errAgain):
			w.log.Warn("starting the fold again", "reason", err)
		default:
			w.log.Error("the fold stopped and is started again", "error", err)
			pause(ctx)
		}
	}
	return nil
}

var (
	// errStop wraps errors that end the worker.
	errStop = errors.New("the catalog worker cannot go on")
	// errAgain wraps reasons to take the lease and the state anew.
	errAgain = errors.New("the state must be read again")
)

// pause waits a little before another try, or until ctx ends.
func pause(ctx context.Context) {
	timer := time.NewTimer(retryWait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (w *Worker) keepWatching(ctx context.Context) {
	for ctx.Err() == nil {
		if err := w.config.watch(ctx, w.o.Space); err != nil && ctx.Err() == nil {
			w.log.Warn("the configuration cannot be followed", "error", err)
			pause(ctx)
		}
	}
}

// term is one time of standing by and then being the active worker.
func (w *Worker) term(ctx context.Context) error {
	lease, err := w.standBy(ctx)
	if err != nil {
		return err
	}
	working, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-lease.Lost():
			cancel(hub.ErrLeaseLost)
		case <-working.Done():
		}
	}()
	err = w.work(working)
	if cause := context.Cause(working); cause != nil && ctx.Err() == nil {
		err = cause
	}
	cancel(nil)
	<-stopped
	w.mu.Lock()
	w.active = false
	w.mu.Unlock()
	// The fold in flight has ended: a successor need not wait.
	release, done := context.WithTimeout(context.WithoutCancel(ctx), releaseWait)
	defer done()
	if rerr := lease.Release(release); rerr != nil && !errors.Is(rerr, hub.ErrLeaseLost) {
		w.log.Debug("the lease runs out by itself", "error", rerr)
	}
	return err
}

// standBy follows the records until the lease is ours.
func (w *Worker) standBy(ctx context.Context) (*hub.Lease, error) {
	following, cancel := context.WithCancel(ctx)
	var (
		done   sync.WaitGroup
		failed error
	)
	done.Go(func() {
		for following.Err() == nil {
			err := w.catchUp(following, true)
			if errors.Is(err, errStop) {
				failed = err
				cancel()
				return
			}
			if err != nil && following.Err() == nil {
				w.log.Warn("the records cannot be followed", "error", err)
				pause(following)
			}
		}
	})
	lease, err := w.o.Space.Acquire(following, hub.LeaseOptions{
		Key: workload.LeaseCatalog, Holder: w.o.Holder, Duration: w.o.LeaseDuration,
	})
	cancel()
	done.Wait()
	if failed != nil {
		return nil, failed
	}
	return lease, err
}

// work is the time of being the active worker.
func (w *Worker) work(ctx context.Context) error {
	if err := w.catchUp(ctx, false); err != nil {
		return err
	}
	state, err := w.o.Space.State(ctx)
	if err != nil {
		return err
	}
	if err := w.settleCursor(ctx, state.Facts); err != nil {
		return err
	}
	if err := w.config.load(ctx, w.o.Space, state.Facts.LastSeq); err != nil {
		return err
	}
	w.mu.Lock()
	w.active, w.state, w.asked = true, state, true
	m := w.meta
	w.mu.Unlock()
	w.log.Info("folding", "after", m.Cursor.FactSeq, "facts", state.Facts.LastSeq)

	ctx, cancel := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() { w.keepHouse(ctx) })
	keeping.Go(func() { w.watchExposure(ctx) })
	defer keeping.Wait()
	defer cancel()
	return newFolder(w, m).run(ctx)
}

// settleCursor makes the cursor fit the log of facts, which may have been
// restored from a backup or made anew.
func (w *Worker) settleCursor(ctx context.Context, facts hub.StreamState) error {
	w.mu.Lock()
	m := w.meta
	m.Items = maps.Clone(m.Items)
	w.mu.Unlock()
	next, why := fitCursor(m.Cursor, facts)
	if why == "" {
		return nil
	}
	w.log.Error("the log of facts is not the one that was folded; connectors have to compare everything",
		"reason", why, "folded", m.Cursor.FactSeq, "goingOnAfter", next.FactSeq)
	stored, err := w.o.Space.Fold(ctx, m.Cursor, next, nil)
	if err != nil {
		return err
	}
	m.Cursor, m.Seq, m.Epoch = stored, stored.Seq, stored.StateEpoch
	batch := w.store.db.NewBatch()
	if err := putMeta(batch, &m); err != nil {
		return errors.Join(errStop, err, batch.Close())
	}
	if err := w.store.commit(batch); err != nil {
		return errors.Join(errStop, err)
	}
	w.mu.Lock()
	w.meta = m
	w.mu.Unlock()
	return nil
}

// fitCursor returns the cursor to go on from and why it is another one.
func fitCursor(cursor hub.Cursor, facts hub.StreamState) (hub.Cursor, string) {
	next := hub.Cursor{FactSeq: cursor.FactSeq, Epoch: facts.Epoch}
	switch {
	case cursor.Epoch == 0 && cursor.FactSeq == 0:
		return cursor, ""
	case cursor.Epoch != facts.Epoch:
		next.FactSeq = 0
		if facts.FirstSeq > 0 {
			next.FactSeq = facts.FirstSeq - 1
		}
		return next, "it was made anew"
	case facts.LastSeq < cursor.FactSeq:
		next.FactSeq = facts.LastSeq
		return next, fmt.Sprintf("it ends at %d", facts.LastSeq)
	case facts.Messages > 0 && facts.FirstSeq > cursor.FactSeq+1:
		next.FactSeq = facts.FirstSeq - 1
		return next, fmt.Sprintf("it begins at %d", facts.FirstSeq)
	case facts.Messages == 0 && facts.LastSeq > cursor.FactSeq:
		next.FactSeq = facts.LastSeq
		return next, "facts that were not folded are gone"
	}
	return cursor, ""
}
