package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

// Bounds of one batch.
const (
	maxFacts   = 500
	maxRecords = 900
	// orderPart is the most lines of an order that are folded at once: a line
	// changes at most five records (itself, two ledgers, two items), and an
	// order the horizon of its channel.
	orderPart      = 150
	recordsPerLine = 5
	maxBatchBytes  = 4 << 20
)

// folder folds facts in order, one batch on its way to the hub while the next
// is made. It is owned by one goroutine; only send runs beside it.
type folder struct {
	w    *Worker
	view view
	meta meta // of what is stored

	facts   chan []catalog.Fact
	reading chan error
	queue   []catalog.Fact // read and not folded yet
	part    int            // lines of queue[0] that were folded in parts
	seen    uint64         // the last fact read

	built    batch
	sending  *batch // in flight
	sent     chan sendResult
	expireAt time.Time
	expiring []byte // where the look for closed lines goes on
	notes    map[catalog.NoteKind]int

	replanning replanning
}

// batch is what one fold will hold.
type batch struct {
	facts   int
	through uint64 // cursor: every fact up to it is in
	records []hub.Record
	bytes   int
	layer   layer
	types   map[string]int
	// oversold are the units that it promises beyond what there is.
	oversold []catalog.Oversold
	began    time.Time
}

type sendResult struct {
	cursor hub.Cursor
	err    error
}

func newFolder(w *Worker, m meta) *folder {
	m.Items = maps.Clone(m.Items)
	f := &folder{
		w: w, meta: m, view: view{store: w.store}, seen: m.Cursor.FactSeq,
		facts: make(chan []catalog.Fact, 2), reading: make(chan error, 1), sent: make(chan sendResult, 1),
		expireAt: w.now(), notes: map[catalog.NoteKind]int{},
	}
	f.start()
	return f
}

// start begins a new batch.
func (f *folder) start() {
	f.view.building, f.view.dirty = layer{}, 0
	f.built = batch{through: f.meta.Cursor.FactSeq, types: map[string]int{}}
	if f.sending != nil {
		f.built.through = f.sending.through
	}
}

func (f *folder) run(ctx context.Context) error {
	reading, cancel := context.WithCancel(ctx)
	go f.read(reading)
	err := f.loop(ctx)
	cancel()
	for range f.facts { // the reader closes it
		continue
	}
	if f.sending != nil {
		// Its outcome decides what the hub holds; a successor waits for it.
		if result := <-f.sent; result.err == nil {
			err = errors.Join(err, f.apply(result.cursor))
		}
	}
	if errors.Is(err, hub.ErrRegressed) {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	return err
}

// read decodes facts ahead of the fold.
func (f *folder) read(ctx context.Context) {
	defer close(f.facts)
	f.reading <- f.w.o.Space.ReadFacts(ctx, f.meta.Cursor.Facts(), func(raw []hub.Fact) error {
		facts := make([]catalog.Fact, len(raw))
		for i := range raw {
			r := &raw[i]
			fact, err := catalog.DecodeFact(r.Channel, r.Type, r.Data, r.Seq, r.Time)
			if err != nil {
				f.w.skip(r, err)
				// An empty fact moves the cursor and nothing else.
				fact = catalog.Fact{Channel: r.Channel, Seq: r.Seq, Time: r.Time}
			}
			facts[i] = fact
		}
		select {
		case f.facts <- facts:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func (w *Worker) skip(r *hub.Fact, err error) {
	if errors.Is(err, catalog.ErrUnknownFact) {
		w.counts.add("unknown", 1)
	} else {
		w.counts.add("invalid", 1)
	}
	w.log.Warn("a fact is left out", "channel", r.Channel, "seq", r.Seq, "reason", err)
}

func (f *folder) loop(ctx context.Context) error {
	timer, plans := time.NewTimer(0), time.NewTimer(0)
	defer timer.Stop()
	defer plans.Stop()
	for {
		full, err := f.fold(ctx)
		if err != nil {
			return err
		}
		if f.sending == nil && (f.built.facts > 0 || f.view.dirty > 0) {
			if err := f.send(ctx); err != nil {
				return err
			}
			continue
		}
		incoming := f.facts
		if full || len(f.queue) > 0 {
			incoming = nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case facts, ok := <-incoming:
			if !ok {
				return f.readError(ctx)
			}
			f.queue = facts
			f.seen = facts[len(facts)-1].Seq
		case result := <-f.sent:
			if result.err != nil {
				f.sending = nil
				return result.err
			}
			if err := f.apply(result.cursor); err != nil {
				return err
			}
		case <-timer.C:
			next, err := f.expire()
			if err != nil {
				return err
			}
			timer.Reset(next)
		case <-plans.C:
			next, err := f.replan()
			if err != nil {
				return err
			}
			plans.Reset(next)
		}
	}
}

func (f *folder) readError(ctx context.Context) error {
	err := <-f.reading
	f.reading <- err
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// fold folds what is queued into the batch being built; full says that it takes
// no more.
func (f *folder) fold(ctx context.Context) (full bool, err error) {
	for len(f.queue) > 0 {
		fact := &f.queue[0]
		if fact.Type() != "" {
			if err := f.cover(ctx, fact); err != nil {
				return false, err
			}
		}
		part, last := f.next(fact)
		if f.full(part) {
			return true, nil
		}
		if err := f.foldPart(part); err != nil {
			return false, err
		}
		if !last {
			f.part += orderPart
			continue
		}
		f.part = 0
		if typ := fact.Type(); typ != "" {
			f.built.types[typ]++
		}
		f.built.facts++
		f.built.through = fact.Seq
		f.queue = f.queue[1:]
	}
	return false, nil
}

// cover makes sure that the configuration that may have caused a fact is
// known before the fact is found to be nobody's business.
func (f *folder) cover(ctx context.Context, fact *catalog.Fact) error {
	topology, covered := f.w.config.current()
	if fact.Seq <= covered || routed(topology, fact) {
		return nil
	}
	return f.w.config.load(ctx, f.w.o.Space, f.seen)
}

// next returns the part of a fact that is folded next. The lines of a large
// order are folded in parts, perhaps of several batches: they are cumulative,
// so that a part that is folded again changes nothing, and the cursor moves
// with the last one.
func (f *folder) next(fact *catalog.Fact) (*catalog.Fact, bool) {
	if fact.OrderChanged == nil || len(fact.OrderChanged.Order.Lines) <= orderPart {
		return fact, true
	}
	lines := fact.OrderChanged.Order.Lines
	end := min(f.part+orderPart, len(lines))
	part, changed := *fact, *fact.OrderChanged
	changed.Order.Lines = lines[f.part:end]
	part.OrderChanged = &changed
	return &part, end == len(lines)
}

func (f *folder) full(fact *catalog.Fact) bool {
	if f.built.facts >= f.w.maxFacts || f.built.bytes >= maxBatchBytes {
		return true
	}
	most := 3
	if fact.OrderChanged != nil {
		most = recordsPerLine*len(fact.OrderChanged.Order.Lines) + 1
	}
	return f.view.dirty+most > maxRecords
}

func (f *folder) foldPart(fact *catalog.Fact) error {
	if fact.Type() == "" {
		return nil
	}
	topology, _ := f.w.config.current()
	changes, err := catalog.Fold(&f.view, topology, fact)
	if err != nil && !errors.Is(err, hub.ErrInvalidToken) {
		return fmt.Errorf("fold fact %d: %w", fact.Seq, err)
	}
	var staged []change
	if err == nil {
		staged, err = stage(&changes)
	}
	if err != nil {
		// Nothing of it can be stored, now or later.
		f.w.counts.add("invalid", 1)
		f.w.log.Warn("a fact is left out", "channel", fact.Channel, "seq", fact.Seq, "reason", err)
		return nil
	}
	for i := range staged {
		f.built.bytes += len(staged[i].entry.data)
	}
	for i := range changes.Notes {
		f.note(fact, &changes.Notes[i])
	}
	f.built.oversold = append(f.built.oversold, changes.Oversold...)
	return f.view.take(staged)
}

// note logs what a person may have to know: the first of a kind in every
// batch, so that a storm stays readable.
func (f *folder) note(fact *catalog.Fact, n *catalog.Note) {
	f.notes[n.Kind]++
	if f.notes[n.Kind] > 1 {
		return
	}
	level := slog.LevelInfo
	if n.Kind == catalog.NoteInvalidFact || n.Kind == catalog.NoteOversold || n.Kind == catalog.NoteClockSkew {
		level = slog.LevelWarn
	}
	f.w.log.Log(context.Background(), level, n.Message, "note", string(n.Kind), "channel", n.Channel, "sku", n.SKU, "units", n.Units, "seq", fact.Seq)
}

// send puts the batch on its way.
func (f *folder) send(ctx context.Context) error {
	b := f.built
	b.layer = f.view.building
	b.records = make([]hub.Record, 0, len(b.layer))
	for _, e := range b.layer {
		if e.dirty && hub.KindItem != e.subject.Kind() {
			b.records = append(b.records, hub.Record{Subject: e.subject, Data: e.data, Deleted: e.deleted})
		}
	}
	// Items last: the last sequences of the batch are theirs.
	for _, e := range b.layer {
		if e.dirty && hub.KindItem == e.subject.Kind() {
			b.records = append(b.records, hub.Record{Subject: e.subject, Data: e.data, Deleted: e.deleted})
		}
	}
	for kind, n := range f.notes {
		if n > 1 {
			f.w.log.Info("more of the same", "note", string(kind), "count", n-1)
		}
	}
	clear(f.notes)
	b.began = f.w.now()
	if f.w.beforeFold != nil {
		if err := f.w.beforeFold(len(b.records)); err != nil {
			return err
		}
	}
	f.sending = &b
	f.view.inFlight = b.layer
	expected := f.meta.Cursor
	next := hub.Cursor{FactSeq: b.through, Epoch: f.factEpoch()}
	f.start()
	go func() {
		cursor, err := f.w.land(ctx, expected, next, b.records)
		if err == nil && f.w.afterFold != nil {
			err = f.w.afterFold(cursor)
		}
		f.sent <- sendResult{cursor, err}
	}()
	return nil
}

func (f *folder) factEpoch() uint64 {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	return f.w.state.Facts.Epoch
}

// land stores a batch in the hub, waiting while it is full: facts that are
// folded are what can be deleted then.
func (w *Worker) land(ctx context.Context, expected, next hub.Cursor, records []hub.Record) (hub.Cursor, error) {
	for {
		cursor, err := w.o.Space.Fold(ctx, expected, next, records)
		if !errors.Is(err, hub.ErrHubFull) {
			return cursor, err
		}
		w.log.Error("the hub is full; deleting folded facts and trying again", "error", err)
		if _, terr := w.o.Space.TrimFacts(ctx, expected.FactSeq+1); terr != nil && ctx.Err() == nil {
			w.log.Warn("folded facts cannot be deleted", "error", terr)
		}
		pause(ctx)
		if ctx.Err() != nil {
			return hub.Cursor{}, ctx.Err()
		}
	}
}

// apply writes the batch that the hub has stored into the store.
func (f *folder) apply(cursor hub.Cursor) error {
	b := f.sending
	f.sending, f.view.inFlight = nil, nil
	f.replanning.wait = max(0, f.replanning.wait-1)
	m := f.meta
	m.Cursor, m.Seq, m.Epoch, m.At = cursor, cursor.Seq, cursor.StateEpoch, f.w.now()
	m.Items = maps.Clone(m.Items)
	batch := f.w.store.db.NewBatch()
	lastItems := map[string]uint64{}
	for i := range b.records {
		r := &b.records[i]
		if err := putRecord(batch, r); err != nil {
			return fmt.Errorf("%w: %w", errStop, errors.Join(err, batch.Close()))
		}
		if r.Subject.Kind() != hub.KindItem {
			continue
		}
		source := r.Subject.Source()
		// The records of a batch are stored one after the other, the cursor last.
		lastItems[source] = cursor.Seq - uint64(len(b.records)-i) // #nosec G115 -- i < len
		e := b.layer[r.Subject.String()]
		live := e.item != nil && !e.item.Removed
		switch {
		case live && !e.live:
			m.Items[source]++
		case !live && e.live:
			m.Items[source]--
		}
	}
	f.w.mu.Lock()
	for source, seq := range lastItems {
		index := f.w.indices[source]
		if index == nil {
			index = new(catalog.Index)
			f.w.indices[source] = index
		}
		index.Add(seq, b.began)
		if err := putMark(batch, source, index.Newest()); err != nil {
			f.w.mu.Unlock()
			return fmt.Errorf("%w: %w", errStop, errors.Join(err, batch.Close()))
		}
	}
	f.w.mu.Unlock()
	if err := putMeta(batch, &m); err != nil {
		return fmt.Errorf("%w: %w", errStop, errors.Join(err, batch.Close()))
	}
	if err := f.w.store.commit(batch); err != nil {
		return fmt.Errorf("%w: %w", errStop, err)
	}
	f.meta = m
	f.w.mu.Lock()
	f.w.meta = m
	f.w.meta.Items = maps.Clone(m.Items)
	f.w.oversold.add(b.oversold)
	f.w.mu.Unlock()
	for typ, n := range b.types {
		f.w.counts.add(typ, n)
	}
	return nil
}
