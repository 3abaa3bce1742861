package allot

import (
	"slices"
	"time"
)

// Market is what a plan is made from beside the book.
type Market struct {
	Now time.Time
	// ATS is what may be sold.
	ATS int64
	// Seen says what is known of a channel.
	Seen func(channel string) Seen
}

// Seen is what the ledger knows of a channel.
type Seen struct {
	// Shown is the most that it may show as it was read or confirmed last, 0 if
	// it never was.
	Shown int64
	// Landing is the most that writes of unknown fate may leave it showing,
	// Pending that there are any.
	Landing int64
	Pending bool
}

// Plan works out anew what every channel is to show. It is the only place where
// units are granted.
func (b *Book) Plan(p *Policy, m Market) {
	if !b.names(p) {
		b.join(p, m)
	}
	if strict := p.strict(m.ATS); strict != b.Strict {
		b.Strict = strict
		if strict {
			b.tighten(m)
		}
	}
	switch {
	case b.Strict:
		b.land(m)
		b.escrow(p, m)
	case p.Kind == Percent:
		b.percent(p, m)
	case p.Kind == Dedicated:
		b.dedicated(p, m)
	default:
		b.shared(p, m)
	}
	b.publish()
}

// names says whether the holdings are those of the policy's channels.
func (b *Book) names(p *Policy) bool {
	return slices.EqualFunc(b.Holdings, p.Parts, func(h Holding, part Part) bool { return h.Channel == part.Channel })
}

// join makes the holdings those of the policy's channels. A channel that joins
// holds what it shows.
func (b *Book) join(p *Policy, m Market) {
	holdings := make([]Holding, len(p.Parts))
	for i := range p.Parts {
		name := p.Parts[i].Channel
		if h := b.holding(name); h != nil {
			holdings[i] = *h
			continue
		}
		seen := m.Seen(name)
		holdings[i] = Holding{Channel: name, Units: max(0, seen.Shown, seen.Landing)}
	}
	b.Holdings = holdings
}

// tighten begins to grant: from here on every channel holds all that it may
// come to show by what it was asked so far.
func (b *Book) tighten(m Market) {
	for i := range b.Holdings {
		h := &b.Holdings[i]
		h.Units = max(h.Units, h.asked(), m.Seen(h.Channel).Shown)
	}
}

// land lets channels hold what writes of unknown fate may leave them showing.
func (b *Book) land(m Market) {
	for i := range b.Holdings {
		if seen := m.Seen(b.Holdings[i].Channel); seen.Pending && !b.Holdings[i].exact() {
			b.Holdings[i].Units = max(b.Holdings[i].Units, seen.Landing)
		}
	}
}

// publish counts what channels are asked from now on.
func (b *Book) publish() {
	changed := false
	for i := range b.Holdings {
		changed = changed || b.Holdings[i].publishes()
	}
	if !changed {
		return
	}
	b.Version++
	for i := range b.Holdings {
		if h := &b.Holdings[i]; h.publishes() {
			h.ask(b.Version)
		}
	}
}

// show is what is asked where nothing is granted: it is held without further ado.
func (h *Holding) show(units int64) { h.Show, h.Units = units, max(h.Units, units) }

func (b *Book) shared(p *Policy, m Market) {
	for i := range b.Holdings {
		part := &p.Parts[i]
		safety := part.Safety
		if part.Adaptive {
			safety = max(safety, b.others(i, part.Lag, m.Now))
		}
		b.Holdings[i].show(part.bounded(m.ATS - safety))
	}
}

// others is what all channels but one sell within a time.
func (b *Book) others(one int, d time.Duration, now time.Time) int64 {
	var units int64
	for i := range b.Holdings {
		if i != one {
			units += b.Holdings[i].Sales.within(d, now)
		}
	}
	return units
}

func (b *Book) percent(p *Policy, m Market) {
	for i := range b.Holdings {
		part := &p.Parts[i]
		b.Holdings[i].show(part.bounded(max(0, m.ATS-part.Safety) * part.Share / 100))
	}
}

func (b *Book) dedicated(p *Policy, m Market) {
	claims := make([]claim, len(p.Parts))
	rest := max(0, m.ATS)
	for i := range p.Parts {
		if pool := p.Parts[i].Pool; pool != nil {
			claims[i] = claim{weight: *pool, most: *pool}
		}
	}
	deal(rest, claims)
	for i := range claims {
		rest -= claims[i].units
	}
	for i := range p.Parts {
		part := &p.Parts[i]
		if part.Pool != nil {
			b.Holdings[i].show(part.bounded(claims[i].units))
		} else {
			b.Holdings[i].show(part.bounded(rest - part.Safety))
		}
	}
}
