package allot

import "time"

// Kind names how a stock is divided.
type Kind string

// The kinds.
const (
	// Shared shows on every channel what may be sold, less a safety stock.
	Shared Kind = "Shared"
	// Percent shows on every channel its share, rounded down.
	Percent Kind = "Percent"
	// Dedicated keeps a pool of units for a channel alone; channels without a
	// pool share what is left.
	Dedicated Kind = "Dedicated"
	// Escrow grants every unit to one channel at a time.
	Escrow Kind = "Escrow"
	// Adaptive is Shared, and Escrow as soon as stock is scarce.
	Adaptive Kind = "Adaptive"
)

// Policy is how the stock of a source is divided. It is never changed once made.
type Policy struct {
	Kind Kind
	// Budget are units that may be granted beyond what may be sold.
	Budget int64
	// ScarceBelow is the stock at or below which Adaptive grants.
	ScarceBelow int64
	// Reserve are units that are not granted at all.
	Reserve int64
	// Parts are those of the channels, in the order of their names.
	Parts []Part
}

// Part is what a policy says of one channel.
type Part struct {
	Channel string
	// Safety is held back from the channel where stock is shared. With Adaptive
	// it is what the other channels sell within Lag, if that is more.
	Safety   int64
	Adaptive bool
	// Lag is how long, at the 99th percentile, a change takes to be shown.
	Lag time.Duration
	// Most is the largest quantity to show; nil means no bound.
	Most *int64
	// Share is the channel's part of the stock in percent.
	Share int64
	// Pool are the units kept for the channel alone; nil means that it shares the
	// rest.
	Pool *int64
}

// strict says whether units are granted at that stock.
func (p *Policy) strict(ats int64) bool {
	return p.Kind == Escrow || p.Kind == Adaptive && ats <= p.ScarceBelow
}

// bounded is a quantity to show on the channel.
func (p *Part) bounded(units int64) int64 {
	if p.Most != nil {
		units = min(units, *p.Most)
	}
	return max(0, units)
}
