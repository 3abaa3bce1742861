package allot

import "selaras.dev/selaras/connectors/driver"

// escrow grants what nobody holds, and calls back what must be or what others
// can sell better.
func (b *Book) escrow(p *Policy, m Market) {
	units := m.ATS + p.Budget - p.Reserve
	plan := b.demand(p, m, max(0, units))
	b.grant(plan, units-b.Units(), m)
	beyond := b.Units() - units
	b.callBack(plan, b.called(plan, beyond), beyond > 0)
}

// demand deals all units by what the channels sold lately. One that sold nothing
// counts as one that sold a unit.
func (b *Book) demand(p *Policy, m Market, units int64) []claim {
	plan := make([]claim, len(b.Holdings))
	for i := range plan {
		plan[i] = claim{weight: 1 + b.Holdings[i].Sales.lastDay(m.Now), most: anything}
		if most := p.Parts[i].Most; most != nil {
			plan[i].most = max(0, *most)
		}
	}
	deal(units, plan)
	return plan
}

// grant deals units that nobody holds to channels that hold fewer than planned.
func (b *Book) grant(plan []claim, free int64, m Market) {
	lacking := make([]claim, len(plan))
	for i := range lacking {
		h := &b.Holdings[i]
		lack := min(plan[i].units-h.Units, free)
		h.Unsure = h.Units < 0
		if lack > 0 && h.mayRepeat(m) {
			h.Unsure = true
		} else if lack > 0 {
			lacking[i] = claim{weight: plan[i].units - h.Units, most: plan[i].units - h.Units}
		}
	}
	deal(free, lacking)
	for i := range lacking {
		h := &b.Holdings[i]
		h.Units += lacking[i].units
		h.Show += lacking[i].units
	}
}

// mayRepeat says whether a difference that was sent may be added still, to
// whatever the channel shows then.
func (h *Holding) mayRepeat(m Market) bool {
	return h.Mode == driver.StockAdjust && m.Seen(h.Channel).Pending
}

// called is how many units must be called back: those that are held beyond what
// may be, and those that channels lack which hold less than half of what is
// planned. Moving a unit costs two writes and a wait, so that smaller
// differences are left until there are units to grant.
func (b *Book) called(plan []claim, beyond int64) int64 {
	units := max(0, beyond)
	for i := range plan {
		if have := b.Holdings[i].Units; 2*have < plan[i].units {
			units += plan[i].units - have
		}
	}
	return units
}

// callBack asks the channels with the most units beyond the plan to show fewer;
// those first that were asked already. As long as units are held beyond what may
// be, nobody is asked to show more than before: what a channel holds may be more
// than what it shows, and then showing it would sell it.
func (b *Book) callBack(plan []claim, units int64, beyond bool) {
	for i := range plan {
		h := &b.Holdings[i]
		if !beyond {
			h.Show = h.Units - min(h.Units-h.Show, max(0, h.Units-plan[i].units), max(0, units))
		}
		units -= max(0, h.Units) - h.Asks()
	}
	for units > 0 {
		from, most := -1, int64(0)
		for i := range plan {
			h := &b.Holdings[i]
			if surplus := h.Show - plan[i].units; surplus > most {
				from, most = i, surplus
			}
		}
		if from < 0 {
			return
		}
		back := min(most, units)
		b.Holdings[from].Show -= back
		units -= back
	}
}
