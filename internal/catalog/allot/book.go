package allot

import (
	"slices"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// Book is what the channels hold of one SKU.
type Book struct {
	// Version counts what channels were asked to show: it rises whenever that
	// changes for any of them.
	Version uint64 `json:"version,omitempty"`
	// Strict is set while units are granted; else channels may show the same units.
	Strict bool `json:"strict,omitempty"`
	// Holdings are those of the channels, in the order of their names.
	Holdings []Holding `json:"holdings,omitempty"`
}

// Holding is what one channel holds.
type Holding struct {
	Channel string `json:"channel"`
	// Units may still be sold by the channel as far as can be known: what it
	// shows, what writes of unknown fate may leave it showing, and what it sold
	// and did not tell yet are never more. It is less than none when more was
	// sold: then something was given back and not told yet, or the shop sold
	// what it was not to show.
	Units int64 `json:"units"`
	// Show is what the channel is asked to show: Units or, while some are called
	// back, fewer. Less than none is asked as none.
	Show int64 `json:"show"`
	// Asked is what its connector may still act on, see asked.
	Asked []Ask `json:"asked,omitempty"`
	// Tenure is the newest of those that told something: what an older one read
	// does not know what a newer one told.
	Tenure uint64 `json:"tenure,omitempty"`
	// Wrote is the revision of the newest write that was told, Read that of the
	// reading that confirmed it, and ReadAt the channel's own time of its last
	// change as it was read then.
	Wrote  uint64    `json:"wrote,omitempty"`
	Read   uint64    `json:"read,omitempty"`
	ReadAt time.Time `json:"readAt,omitzero"`
	// Mode is that of the last write. Blind is set from a write that takes no
	// heed of what was sold meanwhile until a settled reading, and Risked are the
	// units that such writes may have put back on sale.
	Mode   driver.StockMode `json:"mode,omitempty"`
	Blind  bool             `json:"blind,omitempty"`
	Risked int64            `json:"risked,omitempty"`
	// Unsure is set while a settled reading has to tell what the channel holds:
	// there are units for it, but writes whose fate is not known, or it sold more
	// than it held.
	Unsure bool  `json:"unsure,omitempty"`
	Sales  Sales `json:"sales,omitzero"`
}

// Ask says what a connector that knows no version after Version may show.
type Ask struct {
	Version uint64 `json:"version"`
	Show    int64  `json:"show"`
}

// maxAsked bounds the asks of a holding.
const maxAsked = 8

// Clone returns a copy that may be changed freely.
func (b *Book) Clone() *Book {
	if b == nil {
		return nil
	}
	c := *b
	c.Holdings = slices.Clone(b.Holdings)
	return &c
}

// Same says whether two books grant and ask the same.
func (b *Book) Same(o *Book) bool {
	if b == nil || o == nil {
		return b == o
	}
	return b.Version == o.Version && b.Strict == o.Strict && slices.EqualFunc(b.Holdings, o.Holdings, func(x, y Holding) bool {
		return x.Channel == y.Channel && x.Units == y.Units && x.Show == y.Show && x.Unsure == y.Unsure
	})
}

// Holding returns what a channel holds.
func (b *Book) Holding(channel string) (Holding, bool) {
	if h := b.holding(channel); h != nil {
		return *h, true
	}
	return Holding{}, false
}

func (b *Book) holding(channel string) *Holding {
	if b == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(b.Holdings, channel, func(h Holding, name string) int {
		return strings.Compare(h.Channel, name)
	})
	if !found {
		return nil
	}
	return &b.Holdings[i]
}

// Units is what all channels hold together. What one of them sold beyond that
// may be gone for good, and makes no room for others.
func (b *Book) Units() int64 {
	var units int64
	for i := range b.Holdings {
		units += max(0, b.Holdings[i].Units)
	}
	return units
}

// Write is a write of a channel's stock that is about to leave.
type Write struct {
	Revision uint64
	Mode     driver.StockMode
	Basis    driver.StockBasis
}

// Blind says whether a write replaces what is available, whatever was sold
// meanwhile. A mode that is not known is taken for one that does.
func (w *Write) Blind() bool {
	return w.Basis == driver.BasisAvailable && w.Mode != driver.StockCompareAndSet && w.Mode != driver.StockAdjust
}

// Told takes in that a write is about to leave.
func (b *Book) Told(channel string, w Write) {
	h := b.holding(channel)
	if h == nil || w.Revision < h.Wrote {
		return
	}
	h.Wrote, h.Mode, h.ReadAt = w.Revision, w.Mode, time.Time{}
	if w.Blind() {
		h.Blind, h.Risked = true, h.Risked+max(0, h.Units)
	}
}

// exact says that a write moves what the channel shows by as much as was granted
// or called back, whenever it lands: what is held is then right without looking
// at the quantities that were sent.
func (h *Holding) exact() bool {
	return h.Mode == driver.StockCompareAndSet || h.Mode == driver.StockAdjust
}

// Reading is what a channel was read to show.
type Reading struct {
	// Tenure is that of the connector that read it.
	Tenure uint64
	// Revision numbers the reading in one order with the writes.
	Revision uint64
	// Available is what buyers saw.
	Available int64
	// Landing is the most that writes of unknown fate may leave the channel
	// showing later, Pending that there are any.
	Landing int64
	Pending bool
	// Sold and Freed are at least the units that the channel is known to have sold
	// since, and to have got back.
	Sold, Freed int64
	// Version is the newest that the connector knows: it acts on no older one.
	Version uint64
	// At is the channel's own time of the last change, zero if unknown.
	At time.Time
}

// Confirmed takes in a reading that showed what was written.
func (b *Book) Confirmed(channel string, r Reading) {
	h := b.holding(channel)
	if h == nil || r.Revision < h.Wrote || !h.newest(r.Tenure) {
		return
	}
	h.heard(r.Version)
	if h.Wrote == 0 {
		h.Units = max(h.Units, r.Available)
	}
	h.Read, h.ReadAt = r.Revision, r.At
}

// Settled takes in a reading before which everything that the channel had sold
// is known: it holds what it showed then, or what it may come to show, and no
// more.
func (b *Book) Settled(channel string, r Reading) {
	h := b.holding(channel)
	if h == nil || r.Revision < h.Wrote || !h.newest(r.Tenure) {
		return // a write was told since, or another connector knows more
	}
	h.heard(r.Version)
	if !r.Pending || !h.exact() {
		h.Units = min(h.Units, max(max(r.Available, r.Landing)+r.Freed, h.asked()))
	}
	h.Units = max(h.Units, r.Available-r.Sold) // somebody else raised it
	h.Show = min(h.Show, h.Units)
	h.Read, h.ReadAt = r.Revision, r.At
	if !r.Pending {
		h.Blind, h.Risked = false, 0
	}
}

// newest takes in that a tenure told something, and says whether no newer one
// did before.
func (h *Holding) newest(tenure uint64) bool {
	h.Tenure = max(h.Tenure, tenure)
	return tenure == h.Tenure
}

// Proof is what is known of when something was sold.
type Proof struct {
	// Tenure is that of the connector that told it.
	Tenure uint64
	// After is a revision: it was sold after the channel was read with it.
	After uint64
	// At is when it was sold, by the channel's own clock.
	At time.Time
	// Pending says that writes of unknown fate may land still.
	Pending bool
}

// Moved takes in that a channel's own orders sold units and gave some back. It
// returns the units that were sold beyond what the channel held.
func (b *Book) Moved(channel string, sold, freed int64, proof Proof, now time.Time) int64 {
	h := b.holding(channel)
	if h == nil {
		return 0
	}
	h.newest(proof.Tenure)
	h.Sales.add(now, sold)
	h.Units += freed
	h.Show += freed - sold
	if sold > 0 && h.Blind && !h.later(proof) {
		// The write may have put back on sale what was sold before it. It is held
		// until the channel was read again, and not shown.
		return 0
	}
	held := max(0, h.Units)
	h.Units -= sold
	h.Show = min(h.Show, h.Units)
	return max(0, sold-held)
}

// later says whether something was sold after the last write had landed.
func (h *Holding) later(proof Proof) bool {
	if proof.Pending || h.Read <= h.Wrote {
		return false
	}
	return proof.After >= h.Read || !h.ReadAt.IsZero() && proof.At.After(h.ReadAt)
}

// Asks is what the channel is asked to show.
func (h *Holding) Asks() int64 { return max(0, h.Show) }

// asked is the most that the connector may take itself to be asked to show.
func (h *Holding) asked() int64 {
	if len(h.Asked) == 0 {
		return h.Asks()
	}
	return max(h.Asks(), h.Asked[0].Show)
}

// publishes says whether the newest ask is another one.
func (h *Holding) publishes() bool {
	n := len(h.Asked)
	return n == 0 || h.Asked[n-1].Show != h.Asks()
}

// ask publishes what to show. Asks that a newer one exceeds say nothing any
// more, so that they fall from the oldest to the newest.
func (h *Holding) ask(version uint64) {
	kept := len(h.Asked)
	for kept > 0 && h.Asked[kept-1].Show <= h.Asks() {
		kept--
	}
	h.Asked = append(h.Asked[:kept:kept], Ask{Version: version, Show: h.Asks()})
	if len(h.Asked) > maxAsked {
		// The second oldest counts for as much as the oldest.
		h.Asked[1].Show = h.Asked[0].Show
		h.Asked = h.Asked[1:]
	}
}

// heard takes in that the connector knows a version.
func (h *Holding) heard(version uint64) {
	for len(h.Asked) > 1 && h.Asked[0].Version < version {
		h.Asked = h.Asked[1:]
	}
}
