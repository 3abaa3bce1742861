package catalog

import (
	"fmt"
	"time"
)

// Unfollowed says what becomes of a line whose channel belongs to no sync of
// stock: its orders are not read any more. What they promised stays promised
// for Retention, because it may still have to be shipped, or the channel may
// come back; then it is given back. The line is kept, so that a channel that
// comes back later counts what is open then, and nothing twice.
func Unfollowed(state State, topology *Topology, channel, id string, now time.Time) (Changes, error) {
	f := folding{state: state, topology: topology, fact: &Fact{Channel: channel, Time: now}}
	line, known, err := state.Line(channel, id)
	if err != nil || !known || line.position().open == 0 {
		return Changes{}, err
	}
	followed := topology.StockSource[channel] != ""
	switch {
	case followed && (line.Source == "" || !line.LeftAt.IsZero()):
		err = f.countLine(id, line, true, line, false)
	case followed || line.Source == "":
	case line.LeftAt.IsZero():
		if err = f.attribute(&line, -line.position().open); err == nil {
			line.LeftAt = now.UTC()
			f.setLine(id, line)
		}
	case now.Sub(line.LeftAt) > Retention:
		err = f.giveBack(id, line)
	}
	return f.changes, err
}

// giveBack takes what a line still holds out of its ledger.
func (f *folding) giveBack(id string, line Line) error {
	open := line.position().open
	ledger, err := f.openLedger(line.Source, line.SKU)
	if err != nil {
		return err
	}
	ledger.Committed -= open
	f.note(NoteChannelLeft, line.SKU, open, fmt.Sprintf("%d units promised to an order of a channel whose stock is kept in step no more are given back", open))
	source := line.Source
	line.Source, line.LeftAt = "", time.Time{}
	f.setLine(id, line)
	return f.closeLedger(source, ledger, f.fact.Time)
}
