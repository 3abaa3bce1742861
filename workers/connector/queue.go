package connector

import (
	"container/heap"
	"time"
)

// queue holds the SKUs that are not as they should be: ready ones in the
// order of their worth, others until their time. It knows nothing of what they
// are; the engine, which owns it, says what each waits for. At most one entry
// of a SKU exists, so a hundred changes are one piece of work.
type queue struct {
	entries map[string]*entry
	// ready by operation, by the groups to be written (which of them may be is
	// asked of a list, not of its entries), by lane, by scarcity.
	ready   [operations][allGroups + 1][lanes][scarcities]list
	delayed delays
	// readyCount is the number of entries in ready lists, by operation and by
	// groups.
	readyCount [operations][allGroups + 1]int
	placed     uint64 // entries put into ready lists so far
	ranks      ranks
	inflight   int
	flights    uint64 // begun so far
	most       int    // entries since it was empty
	spare      bool   // very many entries are gone, see reporter.giveBack
}

// entry is one SKU with work to do.
type entry struct {
	sku  string
	work work
	// since, seq, cause as in the record; pending is false for SKUs that only
	// wait to be tried again after a rejection.
	since   int64
	seq     uint64
	cause   cause
	pending bool
	groups  groups // the pending groups
	// failedSince is since when a group is rejected, 0 for none.
	failedSince int64
	reason      string
	message     string
	mask        groups // of the failed groups

	attempts int
	// split asks for one group at a time, after a write of several was refused.
	split bool
	// next is of the first change while a write was out.
	next struct {
		since int64
		seq   uint64
	}

	inflight  bool
	flight    uint64 // which of the queue's flights the last one was
	notBefore time.Time
	// backoff and ordersAfter are what notBefore is worked out from.
	backoff, ordersAfter time.Time
	overdue              overdue
	heapIndex            int // -1 when not delayed
	before, after        *entry
	in                   *list
	placed               uint64 // which of the queue's it was
	// ranked is by what it was ranked, ranks are its places.
	ranked standing
	ranks  [rankings]int32
}

func newQueue() *queue { return &queue{entries: make(map[string]*entry)} }

// list is a doubly linked list through the entries.
type list struct{ head, tail *entry }

func (l *list) push(e *entry) {
	e.in, e.before, e.after = l, l.tail, nil
	if l.tail != nil {
		l.tail.after = e
	} else {
		l.head = e
	}
	l.tail = e
}

func (l *list) remove(e *entry) {
	if e.before != nil {
		e.before.after = e.after
	} else {
		l.head = e.after
	}
	if e.after != nil {
		e.after.before = e.before
	} else {
		l.tail = e.before
	}
	e.in, e.before, e.after = nil, nil, nil
}

// get returns the entry of a SKU, made if there is none.
func (q *queue) get(sku string) *entry {
	e := q.entries[sku]
	if e == nil {
		e = &entry{sku: sku, heapIndex: -1}
		q.entries[sku] = e
		q.most = max(q.most, len(q.entries))
	}
	return e
}

// place puts an entry where its work and notBefore say. An entry in flight
// stays there.
func (q *queue) place(e *entry, now time.Time) {
	if e.inflight {
		return
	}
	q.unplace(e)
	if e.notBefore.After(now) || !e.pending || e.work.groups == 0 {
		heap.Push(&q.delayed, e)
		return
	}
	q.placed++
	e.placed = q.placed
	q.ready[e.work.op][e.work.groups][e.work.lane][e.work.scarcity].push(e)
	q.readyCount[e.work.op][e.work.groups]++
}

func (q *queue) unplace(e *entry) {
	if e.in != nil {
		e.in.remove(e)
		q.readyCount[e.work.op][e.work.groups]--
	}
	if e.heapIndex >= 0 {
		heap.Remove(&q.delayed, e.heapIndex)
	}
}

// change sets the work of an entry; it must be placed afterwards.
func (q *queue) change(e *entry, w work) {
	q.unplace(e)
	e.work = w
}

// drop forgets an entry that is not in flight.
func (q *queue) drop(e *entry) {
	q.unplace(e)
	q.unrank(e)
	delete(q.entries, e.sku)
	if len(q.entries) == 0 {
		q.empty()
	}
}

// roomy is how many entries leave room behind that is worth giving back.
const roomy = 10_000

// empty gives up the room of entries that were there.
func (q *queue) empty() {
	if q.most >= roomy {
		q.entries, q.delayed, q.ranks = make(map[string]*entry), nil, ranks{}
		q.spare = true
	}
	q.most = 0
}

// wake moves entries whose time has come to the ready lists and returns when
// the next is due, zero if none.
func (q *queue) wake(now time.Time, due func(*entry)) time.Time {
	for len(q.delayed) > 0 {
		e := q.delayed[0]
		if e.notBefore.After(now) {
			return e.notBefore
		}
		heap.Remove(&q.delayed, 0)
		due(e)
	}
	return time.Time{}
}

// allowed says which ready entries may be taken.
type allowed struct {
	// groups that may be written.
	groups groups
	// stock says that the channel's orders are settled.
	stock bool
	// creates says that listings may be made.
	creates bool
}

// take removes entries of one operation, the most valuable first and of these
// the oldest, and marks them in flight. limit is the most by operation.
func (q *queue) take(a allowed, limit [operations]int) (operation, []*entry) {
	op, found := q.first(a)
	if !found {
		return 0, nil
	}
	var taken []*entry
	for l := range lanes {
		for s := range scarcities {
			for len(taken) < limit[op] {
				e := q.oldest(op, l, s, a)
				if e == nil {
					break
				}
				q.unplace(e)
				q.flights++
				e.inflight, e.flight = true, q.flights
				q.inflight++
				taken = append(taken, e)
			}
		}
	}
	return op, taken
}

// oldest is the entry that may be taken and was placed first, nil if none may.
func (q *queue) oldest(op operation, l lane, scarcity int, a allowed) *entry {
	var oldest *entry
	for g := range allGroups + 1 {
		e := q.ready[op][g][l][scarcity].head
		if e != nil && a.may(op, g) && (oldest == nil || e.placed < oldest.placed) {
			oldest = e
		}
	}
	return oldest
}

// may reports whether entries may be taken that are to write some groups.
func (a allowed) may(op operation, g groups) bool {
	switch {
	case g&a.groups == 0, op == opCreate && !a.creates:
		return false
	case op == opRead || op == opRemove:
		return true
	}
	return a.stock || !a.waitsForOrders(op, g)
}

// waitsForOrders reports whether entries have nothing to be written but stock,
// for which the channel's orders must be settled.
func (a allowed) waitsForOrders(op operation, g groups) bool {
	return (op == opWrite || op == opCreate && a.creates) && g&a.groups == stock
}

// first finds the operation of the most valuable entry that may be taken.
func (q *queue) first(a allowed) (operation, bool) {
	for l := range lanes {
		for s := range scarcities {
			for op := range operations {
				if q.oldest(op, l, s, a) != nil {
					return op, true
				}
			}
		}
	}
	return 0, false
}

// stale is the number of entries that only wait for orders to be settled.
func (q *queue) stale(a allowed) int {
	n := 0
	for op := range operations {
		for g := range allGroups + 1 {
			if a.waitsForOrders(op, g) {
				n += q.readyCount[op][g]
			}
		}
	}
	return n
}

// landed ends an entry's flight.
func (q *queue) landed(e *entry) {
	if e.inflight {
		e.inflight = false
		q.inflight--
	}
}

// backlog is the number of entries that wait for a call now, for the sake of
// some groups, or are in one.
func (q *queue) backlog(of groups) int {
	n := q.inflight
	for op := range operations {
		for g := range allGroups + 1 {
			if g&of != 0 {
				n += q.readyCount[op][g]
			}
		}
	}
	return n
}

// delays is a heap of entries by their time.
type delays []*entry

func (d delays) Len() int           { return len(d) }
func (d delays) Less(i, j int) bool { return d[i].notBefore.Before(d[j].notBefore) }
func (d delays) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].heapIndex, d[j].heapIndex = i, j
}

// Push implements heap.Interface.
func (d *delays) Push(x any) {
	e := x.(*entry)
	e.heapIndex = len(*d)
	*d = append(*d, e)
}

// Pop implements heap.Interface.
func (d *delays) Pop() any {
	old := *d
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	e.heapIndex = -1
	return e
}
