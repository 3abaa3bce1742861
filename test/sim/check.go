package main

import (
	"fmt"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/catalog/allot"
)

// logFold tells what a fold made of the stock.
func (w *world) logFold(fact *catalog.Fact, l *catalog.Ledger) {
	if !w.tracing || l == nil {
		return
	}
	text := fmt.Sprintf("fold %d %s of %s: ATS %d", fact.Seq, fact.Type(), fact.Channel, l.OnHand-l.Committed)
	if l.Book != nil {
		text += fmt.Sprintf(", version %d", l.Book.Version)
		for _, h := range l.Book.Holdings {
			text += fmt.Sprintf(", %s holds %d shows %d", h.Channel, h.Units, h.Show)
		}
	}
	w.log("%s", text)
}

// checkGrants holds I4 over every fold: only what nobody holds is granted.
func (w *world) checkGrants(fact *catalog.Fact, before, after *catalog.Ledger) {
	if after.Book == nil || !after.Book.Strict || before.Book == nil || !before.Book.Strict {
		return
	}
	most, had := after.OnHand-after.Committed+w.plan.policy.Budget, before.OnHand-before.Committed+w.plan.policy.Budget
	if after.Book.Units() <= max(0, most) {
		return
	}
	for i := range after.Book.Holdings {
		h := &after.Book.Holdings[i]
		held, _ := before.Book.Holding(h.Channel)
		if h.Units > held.Units && h.Channel != fact.Channel {
			w.fail("I4", "fact %d of %s (%s) granted %s %d units more: the channels hold %d of %d", fact.Seq, fact.Channel, fact.Type(), h.Channel, h.Units-held.Units, after.Book.Units(), most)
		}
	}
	if w.exact() && sum(after.Book)-most > max(0, sum(before.Book)-had) {
		w.fail("I4", "after fact %d of %s (%s) the channels hold %d of %d", fact.Seq, fact.Channel, fact.Type(), after.Book.Units(), most)
	}
}

// sum is what the channels hold, less what they sold beyond that: where nothing
// can be put back on sale, they got it back and did not tell yet.
func sum(b *allot.Book) int64 {
	var units int64
	for i := range b.Holdings {
		units += b.Holdings[i].Units
	}
	return units
}

// exact says that nothing in the plan can make the channels hold more than there
// is: every shop heeds what was sold, and no goods are lost.
func (w *world) exact() bool {
	for _, kind := range w.plan.shops {
		if !kind.exact() {
			return false
		}
	}
	return !w.plan.counts && !w.plan.returns && !w.plan.lies && w.plan.policy.Kind == allot.Escrow
}

// learnt notes which states of orders are in the ledger now.
func (w *world) learnt(lines map[string]catalog.Line) {
	for _, s := range w.shops {
		for _, o := range s.orders {
			line, ok := lines[s.name+"/"+o.id]
			if !ok {
				continue
			}
			for i := len(o.states) - 1; i >= 0; i-- {
				if state := &o.states[i]; state.ordered == line.Ordered && state.cancelled == line.Cancelled &&
					state.fulfilled == line.Fulfilled && state.returned == line.Returned {
					if i+1 < o.folded {
						w.fail("I3", "order %s went back in the ledger", o.id)
					}
					o.folded = i + 1
					break
				}
			}
		}
	}
}

// check holds what must hold after every step.
func (w *world) check() {
	if w.plan.lies {
		w.checkIsolation()
		return
	}
	w.checkHoldings()
	w.checkSales()
	w.checkIsolation()
}

// checkHoldings: no channel can sell more than it holds, whatever lands.
func (w *world) checkHoldings() {
	ledger := w.hub.ledger
	if ledger == nil || ledger.Book == nil || !ledger.Book.Strict {
		return
	}
	for _, s := range w.shops {
		h, _ := ledger.Book.Holding(s.name)
		if most := s.most(); most > max(0, h.Units) {
			w.fail("I4", "%s may sell %d that the ledger does not know of, and holds %d", s.name, most, h.Units)
			return
		}
	}
}

// most is what a shop may sell, or has sold, that the ledger does not know of.
func (s *shop) most() int64 {
	unseen := s.unseen(0)
	switch {
	case s.kind.mode == driver.StockSet && s.kind.basis == available:
		most := s.stored + s.unseen(s.landedStep)
		for _, p := range s.pending {
			most = max(most, p.quantity)
		}
		return most
	case s.kind.mode == driver.StockSet:
		most := s.canSell() + unseen - s.excess
		for _, p := range s.pending {
			most = max(most, p.quantity-s.reserved+unseen-(s.shipped(false)-p.shipped))
		}
		return most
	case s.kind.mode == driver.StockAdjust:
		most := s.stored + unseen
		for _, p := range s.pending {
			most += max(0, p.quantity-p.base.stored)
		}
		return most
	}
	most := s.stored + unseen
	for _, p := range s.pending {
		// It lands only on what it was read over, after as many sales.
		most = max(most, p.quantity+s.stored+unseen-p.base.stored)
	}
	return most
}

// unseen are the units sold since a step that the ledger does not know of.
func (s *shop) unseen(since int) int64 {
	var units int64
	for _, o := range s.orders {
		for i := o.folded; i < len(o.states); i++ {
			if o.states[i].step < since {
				continue
			}
			units += o.states[i].sold()
			if i > 0 {
				units -= o.states[i-1].sold()
			}
		}
	}
	return units
}

// checkSales: what was sold beyond what there is, by no more than the budget,
// goods that went missing and what blind writes put back on sale.
func (w *world) checkSales() {
	if w.plan.policy.Kind != allot.Escrow {
		return
	}
	promised := int64(0)
	for _, s := range w.shops {
		for _, o := range s.orders {
			promised += o.states[len(o.states)-1].open()
		}
	}
	allowed := w.plan.policy.Budget + w.truth.gone + w.truth.resurrected
	if oversold := promised - w.truth.shelf; oversold > allowed {
		w.fail("I4", "%d units are promised and %d on the shelf: %d sold twice, at most %d can be explained", promised, w.truth.shelf, oversold, allowed)
	}
}

// lagBound is how long a healthy channel may show more than it is asked to:
// a reading, a round, and what else is on its way.
const lagBound = 6 * time.Second

// checkIsolation: a channel whose neighbour is dead or lies is as fast as ever.
func (w *world) checkIsolation() {
	if w.plan.dead < 0 || w.plan.crashes || w.plan.losses || w.plan.partitions || w.hub.item == nil {
		return
	}
	for _, s := range w.shops {
		part, ok := w.hub.item.Allotted.Of(s.name)
		if s.sick || !ok {
			continue
		}
		switch {
		case s.canSell() <= part.Show:
			s.above = 0
		case s.above == 0:
			s.above = w.now
		case w.now-s.above > lagBound:
			w.fail("I8", "%s shows %d for %s, asked for %d, because of a neighbour", s.name, s.canSell(), w.now-s.above, part.Show)
		}
	}
}

// unrest says what is not as it should be when nothing happens any more, "" if
// all is.
func (w *world) unrest() string {
	ledger, item := w.hub.ledger, w.hub.item
	switch {
	case w.hub.folded < len(w.hub.log):
		return fmt.Sprintf("%d of %d facts are folded", w.hub.folded, len(w.hub.log))
	case ledger == nil || item == nil || item.Allotted == nil:
		return "there is no stock"
	}
	var open, shown int64
	for _, s := range w.shops {
		for _, o := range s.orders {
			if o.folded < len(o.states) {
				return fmt.Sprintf("order %s is not in the ledger", o.id)
			}
			open += o.states[len(o.states)-1].open()
		}
		if s.lies {
			continue
		}
		part, _ := item.Allotted.Of(s.name)
		if part.Settle || s.canSell() != part.Show {
			return fmt.Sprintf("%s shows %d, is asked for %d (settle %v)", s.name, s.canSell(), part.Show, part.Settle)
		}
		shown += part.Show
	}
	ats := ledger.OnHand - ledger.Committed
	if ledger.Committed != open || ledger.OnHand != w.truth.shelf+w.truth.since(ledger.CountedAt) {
		return fmt.Sprintf("the ledger has %d on hand and %d committed, there are %d and %d", ledger.OnHand, ledger.Committed, w.truth.shelf, open)
	}
	if !w.plan.lies && ledger.Book.Strict && shown != max(0, ats+w.plan.policy.Budget) {
		return fmt.Sprintf("%d may be sold, %d are shown", ats, shown)
	}
	return ""
}
