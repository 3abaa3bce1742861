package allot

import "selaras.dev/selaras/connectors/driver"

// Bound is by how much more can be sold than there is, as far as Selaras has a
// part in it and a shop does not sell beyond what it shows.
type Bound struct {
	// Exposure are the units that channels may sell beyond what there is and the
	// budget, as far as is known.
	Exposure int64
	// AtRisk are those that blind writes may have put back on sale and that no
	// settled reading denied yet.
	AtRisk int64
}

// Bound returns the bound at what may be sold.
func (b *Book) Bound(p *Policy, ats int64) Bound {
	var bound Bound
	for i := range b.Holdings {
		if h := &b.Holdings[i]; b.Strict {
			bound.Exposure += max(0, h.Units)
			bound.AtRisk += h.Risked
		} else {
			bound.Exposure += h.Show
		}
	}
	bound.Exposure = max(0, bound.Exposure-max(0, ats+p.Budget))
	return bound
}

// Exposed are the units that the channels show together beyond what there is,
// where stock is shared.
func (p *Policy) Exposed(ats int64) int64 {
	var shown int64
	for i := range p.Parts {
		shown += p.Parts[i].bounded(ats - p.Parts[i].Safety)
	}
	return max(0, shown-max(0, ats))
}

// Risk names what the bound of a way to write stock leaves out.
type Risk string

// The risks.
const (
	// Exact: a quantity is written only over the one that was read.
	Exact Risk = "Exact"
	// UnseenSales: what is sold between the reading and the write is put back on
	// sale by it.
	UnseenSales Risk = "UnseenSales"
	// UnseenFulfilments: what is shipped between the reading and the write is.
	UnseenFulfilments Risk = "UnseenFulfilments"
	// Repetition: a difference that was sent may be added twice.
	Repetition Risk = "Repetition"
)

// RiskOf returns the risk of a driver's way to write stock.
func RiskOf(mode driver.StockMode, basis driver.StockBasis) Risk {
	switch {
	case mode == driver.StockCompareAndSet:
		return Exact
	case mode == driver.StockAdjust:
		return Repetition
	case basis == driver.BasisAvailable:
		return UnseenSales
	}
	return UnseenFulfilments
}
