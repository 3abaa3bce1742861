package main

import (
	"time"

	"selaras.dev/selaras/internal/catalog"
)

// hub keeps the log of facts, the records folded from it, and leases.
type hub struct {
	w   *world
	log []catalog.Fact

	records
	// folded is the cursor: the facts that are in the records.
	folded int
	// itemSeq numbers the versions of the item.
	itemSeq uint64

	leases map[string]*leased
}

// records are what folds made.
type records struct {
	item   *catalog.Item
	ledger *catalog.Ledger
	lines  map[string]catalog.Line
}

// leased is who may write to a shop, and until when as the hub sees it.
type leased struct {
	epoch uint64
	until time.Duration
}

func newHub(w *world) *hub {
	return &hub{w: w, records: records{lines: map[string]catalog.Line{}}, leases: map[string]*leased{}}
}

// take appends a fact and returns its place.
func (h *hub) take(fact catalog.Fact) int {
	fact.Seq, fact.Time = uint64(len(h.log)+1), h.w.clock()
	h.log = append(h.log, fact)
	return len(h.log)
}

// overlay is a state seen through changes that are not stored yet. It is what a
// batch is folded on.
type overlay struct {
	h *hub
	records
}

// Item implements catalog.State.
func (o *overlay) Item(_, _ string) (catalog.Item, bool, error) {
	if o.item != nil {
		return *o.item, true, nil
	}
	if o.h.item != nil {
		return *o.h.item, true, nil
	}
	return catalog.Item{}, false, nil
}

// Ledger implements catalog.State.
func (o *overlay) Ledger(_, _ string) (catalog.Ledger, bool, error) {
	if o.ledger != nil {
		return *o.ledger, true, nil
	}
	if o.h.ledger != nil {
		return *o.h.ledger, true, nil
	}
	return catalog.Ledger{}, false, nil
}

// Line implements catalog.State.
func (o *overlay) Line(channel, id string) (catalog.Line, bool, error) {
	line, ok := o.lines[channel+"/"+id]
	if !ok {
		line, ok = o.h.lines[channel+"/"+id]
	}
	return line, ok, nil
}

// apply takes in the changes of one fold.
func (o *overlay) apply(changes *catalog.Changes) {
	for i := range changes.Items {
		o.item = changes.Items[i].Item
	}
	for i := range changes.Ledgers {
		o.ledger = changes.Ledgers[i].Ledger
	}
	for i := range changes.Lines {
		o.lines[changes.Lines[i].Channel+"/"+changes.Lines[i].ID] = *changes.Lines[i].Line
	}
}

// store stores a batch, if the cursor is where the batch began.
func (h *hub) store(o *overlay, from, to int) {
	if from != h.folded && !h.w.flaws.workerFencingOff {
		h.w.stats.StaleBatches++
		return
	}
	h.folded = to
	if o.item != nil {
		h.item = o.item
		h.itemSeq++
	}
	if o.ledger != nil {
		h.ledger = o.ledger
	}
	for id, line := range o.lines {
		h.lines[id] = line
	}
	h.w.learnt(o.lines)
}

// worker folds facts. A crash or a pause leaves a batch on its way.
type worker struct {
	w *world
	// life counts the instances: an old one that wakes up finds itself replaced.
	life int
}

const (
	foldEvery = 40 * time.Millisecond
	batchMost = 8
	foldTakes = 10 * time.Millisecond
)

func newWorker(w *world) *worker {
	k := &worker{w: w}
	k.run(0)
	return k
}

// run folds batch after batch as one instance.
func (k *worker) run(life int) {
	w := k.w
	if life != k.life {
		return
	}
	from := w.hub.folded
	to := min(len(w.hub.log), from+batchMost)
	if from == to {
		w.after(foldEvery, func() { k.run(life) })
		return
	}
	o := &overlay{h: w.hub, records: records{lines: map[string]catalog.Line{}}}
	for i := from; i < to && w.violation == nil; i++ {
		k.fold(o, &w.hub.log[i])
	}
	d := foldTakes
	switch {
	case !w.plan.crashes || w.calm:
	case w.oneIn(60):
		w.stats.Crashes++
		w.log("the worker crashes")
		k.life++
		if w.oneIn(2) {
			w.after(d, func() { w.hub.store(o, from, to) }) // it was on its way
		}
		w.after(w.between(100*time.Millisecond, 2*time.Second), func() { k.run(k.life) })
		return
	case w.oneIn(60):
		w.stats.Freezes++
		w.log("the worker freezes")
		d = w.between(time.Second, 4*time.Second)
		k.life++
		next := k.life
		w.after(w.between(100*time.Millisecond, time.Second), func() { k.run(next) })
	}
	w.after(d, func() {
		w.hub.store(o, from, to)
		k.run(life)
	})
}

// fold folds one fact with the real domain.
func (k *worker) fold(o *overlay, fact *catalog.Fact) {
	w := k.w
	folded := *fact
	if w.flaws.cutOffIgnored && fact.StockCounted != nil {
		counted := *fact.StockCounted
		counted.AsOf = fact.Time
		folded.StockCounted = &counted
	}
	if w.flaws.blindRuleOff && fact.StockWritten != nil {
		written := *fact.StockWritten
		written.Mode = "CompareAndSet"
		folded.StockWritten = &written
	}
	before, _, _ := o.Ledger(house, sku)
	changes, err := catalog.Fold(o, w.topo, &folded)
	if err != nil {
		w.fail("fold", "%v", err)
		return
	}
	if w.flaws.grantFirst {
		takeBack(&changes)
	}
	o.apply(&changes)
	w.logFold(fact, o.ledger)
	after, _, _ := o.Ledger(house, sku)
	w.checkGrants(fact, &before, &after)
}

// takeBack is the mutation by which units that are called back are taken at
// once, before the channel was written.
func takeBack(changes *catalog.Changes) {
	for i := range changes.Ledgers {
		book := changes.Ledgers[i].Ledger.Book
		if book == nil || !book.Strict {
			continue
		}
		for j := range book.Holdings {
			h := &book.Holdings[j]
			h.Units = h.Show
		}
	}
}
