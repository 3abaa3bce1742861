package main

import (
	"container/heap"
	"fmt"
	"strings"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/catalog/allot"
)

// start is when the world begins, by every clock in it.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// flaws are the mutations: each takes one rule of the protocol away.
type flaws struct {
	// grantFirst takes back units that are called back before the channel was
	// written.
	grantFirst bool
	// settleSkipped takes any reading for a settled one.
	settleSkipped bool
	// cutOffIgnored takes a count for one of the moment in which it arrives.
	cutOffIgnored bool
	// fencingOff lets a connector write without its lease.
	fencingOff bool
	// blindRuleOff takes every write for one that heeds what was sold meanwhile.
	blindRuleOff bool
	// workerFencingOff lets a stale worker's batch be stored.
	workerFencingOff bool
}

// injected counts what happened in a schedule.
type injected struct {
	Events, Sales, Orders, Writes, Settled int
	Lost, Late, Doubled, Crashes, Freezes  int
	Partitions, StaleBatches, Counts, Lies int
}

func (i *injected) add(o injected) {
	i.Events += o.Events
	i.Sales += o.Sales
	i.Orders += o.Orders
	i.Writes += o.Writes
	i.Settled += o.Settled
	i.Lost += o.Lost
	i.Late += o.Late
	i.Doubled += o.Doubled
	i.Crashes += o.Crashes
	i.Freezes += o.Freezes
	i.Partitions += o.Partitions
	i.StaleBatches += o.StaleBatches
	i.Counts += o.Counts
	i.Lies += o.Lies
}

// world is one schedule: shops, connectors, a worker and a hub in virtual time.
type world struct {
	*tape
	plan  plan
	flaws flaws

	now    time.Duration
	queue  events
	serial int
	// calm is set when no fault happens any more and nobody buys.
	calm bool

	hub    *hub
	shops  []*shop
	slots  []*slot
	worker *worker
	topo   *catalog.Topology
	truth  truth

	stats     injected
	violation *violation
	tracing   bool
	trace     []string
}

// truth is what only somebody outside of the system can know.
type truth struct {
	// shelf are the goods that are there.
	shelf int64
	// losses are goods that went missing without anybody's knowledge, gone all
	// of them.
	losses []loss
	gone   int64
	// resurrected are units that blind writes put back on sale because of what
	// happened between their reading and their landing.
	resurrected int64
}

// loss is goods that went missing.
type loss struct {
	at    time.Time
	units int64
}

// since are the goods that went missing after a count.
func (t *truth) since(counted time.Time) int64 {
	var units int64
	for _, l := range t.losses {
		if l.at.After(counted) {
			units += l.units
		}
	}
	return units
}

// event happens at a time.
type event struct {
	at     time.Duration
	serial int
	do     func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].serial < e[j].serial
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// after lets something happen later.
func (w *world) after(d time.Duration, do func()) {
	w.serial++
	heap.Push(&w.queue, event{at: w.now + d, serial: w.serial, do: do})
}

// clock is the time of the world.
func (w *world) clock() time.Time { return start.Add(w.now) }

// steps is how many times there are to choose from.
const steps = 16

// between chooses a time from d on, at most more later; the plain choice is the
// shortest.
func (w *world) between(d, more time.Duration) time.Duration {
	return d + more*time.Duration(w.below(steps))/steps
}

// seldom chooses alike for what happens again and again; the plain choice is the
// longest.
func (w *world) seldom(d, more time.Duration) time.Duration {
	return d + more*time.Duration(steps-1-w.below(steps))/steps
}

func (w *world) log(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, fmt.Sprintf("%9.3fs  ", w.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

func (w *world) fail(invariant, format string, args ...any) {
	if w.violation == nil {
		w.violation = &violation{invariant: invariant, text: fmt.Sprintf(format, args...), at: w.now}
		w.log("VIOLATION of %s: %s", invariant, fmt.Sprintf(format, args...))
	}
}

// violation is a broken invariant.
type violation struct {
	invariant, text string
	at              time.Duration
}

func (v *violation) String() string {
	return fmt.Sprintf("%s at %.3f s: %s", v.invariant, v.at.Seconds(), v.text)
}

// result is how a schedule went.
type result struct {
	violation *violation
	stats     injected
	choices   []uint32
	used      int // choices that were asked for
	trace     []string
	plan      plan
}

// told is the schedule step by step.
func (r *result) told() string {
	return strings.Join(r.trace, "\n") + "\n" + r.plan.String()
}

// play plays a schedule to its end, or to the first violation.
func play(t *tape, f flaws, tracing bool) result {
	w := &world{tape: t, flaws: f, tracing: tracing}
	w.plan = w.choosePlan()
	w.build()
	w.until(w.plan.length)
	if w.violation == nil {
		w.calmDown()
	}
	return result{violation: w.violation, stats: w.stats, choices: t.choices, used: t.next, trace: w.trace, plan: w.plan}
}

// until lets everything happen up to a time, and checks after every step.
func (w *world) until(end time.Duration) {
	for w.violation == nil && len(w.queue) > 0 && w.queue[0].at <= end {
		e := heap.Pop(&w.queue).(event)
		w.now = max(e.at, w.now+1) // no two things happen at once
		w.stats.Events++
		e.do()
		w.check()
	}
	w.now = max(w.now, end)
}

// patience is how long the world may take to come to rest.
const patience = 3 * time.Minute

// calmDown ends all faults and checks that everything comes right.
func (w *world) calmDown() {
	w.calm = true
	w.log("calm")
	for _, s := range w.shops {
		s.deadUntil, s.lies = 0, false
	}
	for _, s := range w.slots {
		s.cutOffUntil = 0
	}
	for end := w.now + patience; w.violation == nil && w.now < end; {
		w.until(w.now + 5*time.Second)
		if w.unrest() == "" {
			return
		}
	}
	if why := w.unrest(); w.violation == nil && why != "" {
		w.fail("I1", "not at rest after %s: %s", patience, why)
	}
}

// build makes the world that was planned.
func (w *world) build() {
	w.hub = newHub(w)
	w.topo = &catalog.Topology{
		Sources: map[string]bool{house: true}, StockSource: map[string]string{house: house},
		Policies: map[string]*allot.Policy{house: w.plan.policy},
	}
	w.truth.shelf = w.plan.units
	for i, kind := range w.plan.shops {
		s := newShop(w, i, kind)
		w.topo.StockSource[s.name] = house
		w.shops = append(w.shops, s)
	}
	w.hub.take(catalog.Fact{Channel: house, StockObserved: &catalog.StockObserved{
		SKU: sku, OnHand: w.plan.units, Basis: onHand, Revision: 1,
	}})
	w.worker = newWorker(w)
	for _, s := range w.shops {
		slot := &slot{w: w, shop: s}
		w.slots = append(w.slots, slot)
		slot.launch(0, true)
		s.trade()
		s.trouble(slot)
	}
	if w.plan.counts {
		w.keepShelf()
	}
}

const (
	// house is the source whose ledger it is: it seeds the stock and counts.
	house = "house"
	sku   = "A"
)

// keepShelf lets goods be lost now and then, and be counted; the counts come
// late.
func (w *world) keepShelf() {
	w.after(w.seldom(5*time.Second, 20*time.Second), func() {
		if w.calm {
			return
		}
		if w.oneIn(2) && w.truth.shelf > 0 {
			lost := int64(1 + w.below(2))
			lost = min(lost, w.truth.shelf)
			w.truth.shelf -= lost
			w.truth.gone += lost
			w.truth.losses = append(w.truth.losses, loss{w.clock(), lost})
			w.log("%d units are lost from the shelf", lost)
		}
		counted, at := w.truth.shelf, w.clock()
		w.stats.Counts++
		w.log("counted %d", counted)
		w.after(w.between(0, 20*time.Second), func() {
			w.hub.take(catalog.Fact{Channel: house, StockCounted: &catalog.StockCounted{
				SKU: sku, Quantity: counted, Basis: onHand, AsOf: at,
			}})
		})
		w.keepShelf()
	})
}
