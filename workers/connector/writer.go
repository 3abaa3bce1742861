package connector

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
)

// writer makes the channel show what it should: it takes rounds of work from
// the engine, calls the channel, reads back, and hands in the outcomes.
// Several run at once; the engine never gives two of them the same SKU.
type writer struct {
	engine  *engine
	link    *link
	budget  *budget
	space   *hub.Space
	channel string
	limits  limits
	now     func() time.Time
}

// limits are the most SKUs of one call, by operation.
type limits struct {
	read, write, create, remove int
}

const (
	defaultBatch       = 50
	defaultPage        = 100
	defaultConcurrency = 2
	// roundTime bounds how long writes of a round go on before they are read
	// back, when a reading takes more SKUs than a write.
	roundTime = time.Second
	// readTries is how often a read-back is tried before the round gives up
	// and leaves its SKUs under suspicion.
	readTries = 5
)

func limitsOf(t driver.Traits) limits {
	or := func(n, other int) int {
		if n > 0 {
			return n
		}
		return other
	}
	write := or(t.WriteBatch, defaultBatch)
	return limits{read: or(t.ReadBatch, defaultBatch), write: write, create: or(t.CreateBatch, write), remove: write}
}

// round is the most SKUs of one round: as many as one reading takes, so that
// small writes share it.
func (l limits) round(returnsStored bool) [operations]int {
	fill := func(n int) int {
		if returnsStored || n >= l.read {
			return n
		}
		return l.read / n * n
	}
	return [operations]int{opRead: l.read, opWrite: fill(l.write), opCreate: fill(l.create), opRemove: fill(l.remove)}
}

// run works until ctx ends. A round that has begun is finished on work, which
// outlives ctx by at most a request.
func (w *writer) run(ctx, work context.Context) error {
	for ctx.Err() == nil {
		changed := w.engine.change()
		ok, next, err := w.engine.ready()
		if err != nil {
			return err
		}
		if !ok {
			if err := until(ctx, changed, next, w.now()); err != nil {
				return nil
			}
			continue
		}
		// What to send is decided when it can be sent.
		if _, err := w.link.open(ctx); err != nil {
			if sleep(ctx, jitter(100*time.Millisecond)) != nil {
				return nil
			}
			continue
		}
		if err := w.budget.ready(ctx); err != nil {
			return nil
		}
		if err := w.round(ctx, work); err != nil {
			return err
		}
	}
	return nil
}

// until waits for a change or a time; an error is the end of ctx.
func until(ctx context.Context, changed <-chan struct{}, next, now time.Time) error {
	var due <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(max(0, next.Sub(now)))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-changed:
	case <-due:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// round takes one round of work and sees it through.
func (w *writer) round(ctx, work context.Context) error {
	can, _ := w.link.abilities()
	op, jobs, err := w.engine.take(w.limits.round(can.returnsStored))
	if err != nil || len(jobs) == 0 {
		return err
	}
	slices.SortFunc(jobs, func(a, b *job) int { return strings.Compare(string(a.intent.Ref), string(b.intent.Ref)) })
	if op == opRead {
		w.readBack(work, jobs, &can)
	} else {
		if _, err := appendFacts(work, w.space, w.channel, w.engine.announcements(jobs)); err != nil {
			return w.engine.finish(op, jobs) // nothing of it left
		}
		w.send(ctx, work, op, jobs)
		w.readBack(work, needReading(jobs, &can), &can)
	}
	for {
		_, err := appendFacts(work, w.space, w.channel, w.engine.confirmations(op, jobs))
		if err == nil {
			break
		}
		// The outcome may not be stored before the ledger knows it: the writes
		// stay marked as sent, and are read again when there is a hub.
		if work.Err() != nil || sleep(work, time.Second) != nil {
			return nil
		}
	}
	return w.engine.finish(op, jobs)
}

// send writes the intents of a round, batch by batch.
func (w *writer) send(ctx, work context.Context, op operation, jobs []*job) {
	size := map[operation]int{opWrite: w.limits.write, opCreate: w.limits.create, opRemove: w.limits.remove}[op]
	began := w.now()
	for len(jobs) > 0 {
		if ctx.Err() != nil || w.now().Sub(began) > roundTime || !w.link.passes() {
			// The rest was not sent, and goes back to the queue: while it waited
			// for the channel, its values could become old.
			return
		}
		n := min(size, len(jobs))
		w.write(work, op, jobs[:n])
		jobs = jobs[n:]
	}
}

// write makes one call; a batch that is refused whole is halved until the item
// to blame is alone.
func (w *writer) write(ctx context.Context, op operation, jobs []*job) {
	outcomes, err := w.call(ctx, op, jobs)
	if err == nil {
		for i, j := range jobs {
			j.outcome = &outcomes[i]
		}
		return
	}
	if neverSent(err) {
		return // back to the queue, as it was
	}
	class := driver.ClassOf(err)
	blame := class == driver.ClassBatchRejected || class == driver.ClassInvalid ||
		class == driver.ClassTransient && tried(jobs) && w.link.aliveWithin(aliveFor)
	if blame && len(jobs) > 1 {
		half := len(jobs) / 2
		w.write(ctx, op, jobs[:half])
		w.write(ctx, op, jobs[half:])
		return
	}
	for _, j := range jobs {
		j.outcome, j.whole = outcomeOfError(class, err), true
	}
}

// A batch that keeps failing while the channel answers other calls may fail
// because of an item, whatever the channel calls it.
const (
	wholeTries = 3
	aliveFor   = 5 * time.Second
)

func tried(jobs []*job) bool {
	for _, j := range jobs {
		if j.entry.attempts >= wholeTries {
			return true
		}
	}
	return false
}

// call makes one call of the driver for an operation.
func (w *writer) call(ctx context.Context, op operation, jobs []*job) ([]driver.Outcome, error) {
	intents := make([]driver.Intent, len(jobs))
	keys := make([]driver.Key, len(jobs))
	var g groups
	for i, j := range jobs {
		intents[i], keys[i] = j.intent, j.intent.Key
		g |= j.groups
	}
	ctx = withGroups(ctx, g)
	var outcomes []driver.Outcome
	name := map[operation]driver.Operation{opWrite: driver.OpWrite, opCreate: driver.OpCreate, opRemove: driver.OpRemove}[op]
	err := w.link.call(ctx, name, func(ctx context.Context, c driver.Connection) (err error) {
		switch op {
		case opCreate:
			if x, ok := c.(driver.ListingCreator); ok {
				outcomes, err = x.CreateListings(ctx, intents)
				return err
			}
		case opRemove:
			if x, ok := c.(driver.ListingRemover); ok {
				outcomes, err = x.RemoveListings(ctx, keys)
				return err
			}
		default:
			if x, ok := c.(driver.IntentWriter); ok {
				outcomes, err = x.WriteIntents(ctx, intents)
				return err
			}
		}
		return &driver.Error{Class: driver.ClassInvalid, Op: string(name), Reason: "NotSupported", Message: "the driver cannot do this"}
	})
	if err == nil && len(outcomes) != len(jobs) {
		err = &driver.Error{Class: driver.ClassUnknown, Op: string(name), Reason: "OutcomesMissing", Message: "the driver returned another number of outcomes than intents"}
	}
	return outcomes, err
}

// outcomeOfError is what an error that hit a whole call means for each item.
func outcomeOfError(class driver.Class, err error) *driver.Outcome {
	o := &driver.Outcome{Kind: driver.Failed, Reason: string(class), Message: err.Error()}
	var e *driver.Error
	if errors.As(err, &e) {
		o.Reason, o.RetryAfter = reasonOr(e.Reason, string(class)), e.RetryAfter
		o.Message = reasonOr(e.Message, o.Message)
	}
	switch class {
	case driver.ClassBatchRejected, driver.ClassInvalid:
		o.Kind = driver.Rejected
	case driver.ClassThrottled:
		o.Kind = driver.Throttled
	case driver.ClassUnknown:
		o.Kind = driver.Unknown
	}
	return o
}

// needReading are the jobs whose value nobody has told yet. Those whose
// channel answered with what it stores need none.
func needReading(jobs []*job, can *abilities) []*job {
	var rest []*job
	for _, j := range jobs {
		switch {
		case !j.taken():
		case j.outcome.Kind == driver.Verified && j.outcome.Stored != nil:
			j.read, j.listings = true, []driver.Listing{*j.outcome.Stored}
		case j.outcome.Kind == driver.Verified && !can.gets:
			j.read, j.assumed = true, true
		default:
			rest = append(rest, j)
		}
	}
	return rest
}

// readBack reads what the channel shows of some jobs.
func (w *writer) readBack(ctx context.Context, jobs []*job, can *abilities) {
	if !can.gets {
		return
	}
	for len(jobs) > 0 {
		n := min(w.limits.read, len(jobs))
		w.readSome(ctx, jobs[:n])
		jobs = jobs[n:]
	}
}

func (w *writer) readSome(ctx context.Context, jobs []*job) {
	keys := make([]driver.Key, len(jobs))
	for i, j := range jobs {
		keys[i] = j.key()
		if j.outcome != nil && keys[i].Ref == "" && j.outcome.Stored != nil {
			keys[i].Ref = j.outcome.Stored.Ref
		}
	}
	for try := range readTries {
		found, err := readListings(ctx, w.link, keys)
		if err == nil {
			seen := bySKU(found)
			for _, j := range jobs {
				j.read, j.listings = true, seen.of[j.sku]
			}
			return
		}
		if ctx.Err() != nil || try+1 < readTries && sleep(ctx, jitter(50*time.Millisecond<<try)) != nil {
			return
		}
	}
}

// readListings reads listings by name.
func readListings(ctx context.Context, l *link, keys []driver.Key) ([]driver.Listing, error) {
	var found []driver.Listing
	err := l.call(ctx, driver.OpRead, func(ctx context.Context, c driver.Connection) (err error) {
		g, ok := c.(driver.ListingGetter)
		if !ok {
			return &driver.Error{Class: driver.ClassInvalid, Op: "read listings", Reason: "NotSupported", Message: "the driver cannot read listings by name"}
		}
		found, err = g.ReadListings(ctx, keys)
		return err
	})
	return found, err
}
