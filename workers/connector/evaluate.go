package connector

// event is why a SKU is looked at.
type event struct {
	// at (Unix nanoseconds) and seq are what a SKU that becomes pending by it
	// is pending since; why is the cause.
	at  int64
	seq uint64
	why cause
	// changed are groups whose intended value changed: a rejected value may be
	// taken now, and drift that was left alone is no longer.
	changed groups
	// drifted are groups that a reading found changed by others.
	drifted groups
	// compared is set once the channel was read to its end.
	compared bool
	// retry asks for rejected groups to be tried again.
	retry bool
}

// evaluate works out what is to be done about a SKU: it compares what the
// channel should show with what it was last read to show, and sets managed,
// pending, failed and drifted accordingly. It is the only place where they
// are set after a change of either side.
func evaluate(r *record, w *want, p *routes, a *abilities, e event) {
	differing := w.differing(r, a)
	r.managed = w.managed
	if w.absent && differing == 0 && r.known {
		// It is out of sale, and counts as an item no more.
		r.managed = 0
	}
	before := r.pending
	if e.retry || r.reason == reasonNotListed && !r.absent || r.reason == reasonDuplicate && !r.duplicate {
		r.unfail(allGroups)
	}
	r.unfail(r.failed & (e.changed | ^w.managed | (^differing &^ w.invalid)))
	r.drifted |= e.drifted & w.managed
	r.drifted &= differing &^ (e.changed & p.enforce)
	r.pending = 0
	switch {
	case r.duplicate:
		r.fail(w.managed&p.enforce, reasonDuplicate, "several listings of the channel bear this SKU", e.at, 0)
		return
	case w.invalid != 0:
		r.fail(w.invalid&p.enforce, w.reason, w.message, e.at, 0)
	}
	if r.known || e.compared && !w.absent {
		// What is only compared is drift. What was never met is none until the
		// channel was read to its end: then it is known to be missing.
		r.drifted |= differing & p.observe
	}
	left := r.drifted & p.leave
	r.pending = differing & p.enforce &^ left &^ r.failed
	if r.pending != 0 && r.known && r.absent && !w.absent {
		if !w.creatable(a) {
			r.fail(r.pending, reasonNotListed, w.whyNotCreated(a), e.at, 0)
		}
	}
	if before == 0 && r.pending != 0 {
		r.since, r.sinceSeq, r.cause = e.at, e.seq, e.why
	}
}

// Reasons of failures that readings alone end.
const (
	reasonNotListed = "NotListed"
	reasonDuplicate = "DuplicateSKU"
)

func (w *want) creatable(a *abilities) bool {
	return a.creates && w.content != nil && w.price != nil && w.invalid == 0
}

func (w *want) whyNotCreated(a *abilities) string {
	switch {
	case !a.creates:
		return "the channel has no such listing, and its driver cannot create listings (CreateListings)"
	case w.content == nil:
		return "the channel has no such listing, and no CatalogSync keeps its content, which is needed to create it"
	case w.price == nil:
		return "the channel has no such listing, and no CatalogSync keeps its price, which is needed to create it"
	}
	return "the channel has no such listing, and its price cannot be worked out: " + w.message
}

// operation is the kind of call that a SKU waits for.
type operation uint8

const (
	opRead operation = iota
	opWrite
	opCreate
	opRemove

	operations
)

// lane is how urgent the work is: stock going down can be sold twice, a wrong
// price costs money, stock going up is a lost sale, content can wait.
type lane uint8

const (
	laneStockDown lane = iota
	lanePrice
	laneStockUp
	laneContent

	lanes
)

// work is what a pending SKU waits for.
type work struct {
	op   operation
	lane lane
	// scarcity puts what is nearly sold out first, 0 to scarcities-1.
	scarcity uint8
	groups   groups
}

const scarcities = 4

// workOn says what to do next about a pending SKU.
func workOn(r *record, w *want, a *abilities) work {
	k := work{groups: r.pending, lane: laneContent, scarcity: scarcity(w.available)}
	switch {
	case !r.known || r.sending || r.unread && r.pending.has(stock):
		k.op = opRead
	case w.absent && a.removes && r.pending.has(content):
		k.op = opRemove
	case r.absent:
		k.op = opCreate
	default:
		k.op = opWrite
	}
	if !a.gets && k.op == opRead {
		// It cannot be looked at by itself: write on what is known.
		k.op = opWrite
		if r.known && r.absent {
			k.op = opCreate
		}
	}
	switch {
	case w.absent && !r.absent:
		k.lane, k.scarcity = laneStockDown, 0
	case k.op == opCreate:
	case r.pending.has(stock) && r.known && r.shown.hasStock:
		k.lane = laneStockUp
		if w.quantity(r, a) < r.shown.stored(a.basis) {
			k.lane = laneStockDown
		} else if r.pending.has(price) {
			k.lane = lanePrice
		}
	case r.pending.has(price):
		k.lane = lanePrice
	case r.pending.has(stock):
		k.lane = laneStockUp
	}
	return k
}

func scarcity(available int64) uint8 {
	switch {
	case available <= 1:
		return 0
	case available <= 5:
		return 1
	case available <= 20:
		return 2
	}
	return scarcities - 1
}
