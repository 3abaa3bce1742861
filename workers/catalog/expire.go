package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

// Bounds of one look for lines that may go, so that facts do not wait for it.
const (
	expireScan = 20_000
	expireMost = 150
	// recordsPerOld is what the end of one line changes at most: itself, its
	// ledger, its item.
	recordsPerOld = 3
)

// How a line's JSON says that it is closed, counted in a ledger, left.
var (
	closedMark = []byte(`"closed":true`)
	sourceMark = []byte(`"source":`)
	leftMark   = []byte(`"leftAt":`)
)

// expire takes lines out of the state that nobody will ask for again, some at a
// time: closed ones that are old enough, and those of accounts that their
// channel has left. It returns after what time to go on.
func (f *folder) expire() (time.Duration, error) {
	if f.view.dirty+(recordsPerOld+1)*expireMost > maxRecords {
		return expireAgain, nil // facts first
	}
	old := oldLines{f: f, now: f.w.now(), accounts: f.w.config.accounts(), closed: map[account]map[string]catalog.Line{}}
	if err := old.find(); err != nil {
		return 0, fmt.Errorf("%w: %w", errStop, err)
	}
	for of, lines := range old.closed {
		horizon, _, err := f.view.Line(of.channel, catalog.Horizon(of.token))
		if err != nil {
			return 0, err
		}
		if err := f.change(&catalog.Changes{Lines: catalog.Expire(of.channel, of.token, horizon, lines)}); err != nil {
			return 0, err
		}
	}
	if f.expiring != nil {
		return expireAgain, nil
	}
	return f.w.expireEvery, nil
}

// change takes changes into the batch that is being built.
func (f *folder) change(changes *catalog.Changes) error {
	staged, err := stage(changes)
	if err != nil {
		return err
	}
	return f.view.take(staged)
}

// account is one of a channel, by its token.
type account struct{ channel, token string }

// oldLines is one look for lines that may go.
type oldLines struct {
	f        *folder
	now      time.Time
	accounts map[string]string // of the channels as they are now, by token
	closed   map[account]map[string]catalog.Line
	hits     int
}

// find looks through some of the lines from where the last look ended.
func (o *oldLines) find() error {
	from := o.f.expiring
	if from == nil {
		from = linePrefix
	}
	o.f.expiring = nil
	scanned := 0
	return o.f.w.store.scan(from, lineEnd, func(key, value []byte) (bool, error) {
		if scanned++; scanned > expireScan || o.hits >= expireMost {
			o.f.expiring = bytes.Clone(key)
			return false, nil
		}
		subject, err := hub.ParseSubject(string(key))
		if err != nil {
			return false, err
		}
		id, err := subject.Line()
		if err != nil {
			return false, err
		}
		of := account{subject.Channel(), catalog.LineAccount(id)}
		if now := o.accounts[of.channel]; now != "" && of.token != "" && of.token != now {
			if err := o.left(of, id); err != nil {
				return false, err
			}
		} else if err := o.unfollowed(of, id, value); err != nil {
			return false, err
		}
		if !bytes.Contains(value, closedMark) {
			return true, nil
		}
		return true, o.end(of, id, value)
	})
}

// left tells the fold that a line is of an account that its channel has left.
func (o *oldLines) left(of account, id string) error {
	changes, err := catalog.Left(&o.f.view, of.channel, id, o.now)
	return o.told(of, &changes, err)
}

// told takes in what became of a line.
func (o *oldLines) told(of account, changes *catalog.Changes, err error) error {
	if err != nil || len(changes.Lines) == 0 {
		return err
	}
	for i := range changes.Notes {
		o.f.note(&catalog.Fact{Channel: of.channel}, &changes.Notes[i])
	}
	o.hits++
	return o.f.change(changes)
}

// unfollowed tells the fold that an open line is of a channel whose orders are
// read no more, or again.
func (o *oldLines) unfollowed(of account, id string, value []byte) error {
	topology, _ := o.f.w.config.current()
	counted, left := bytes.Contains(value, sourceMark), bytes.Contains(value, leftMark)
	if followed := topology.StockSource[of.channel] != ""; followed == counted && (!followed || !left) {
		return nil // as it should be
	}
	changes, err := catalog.Unfollowed(&o.f.view, topology, of.channel, id, o.now)
	return o.told(of, &changes, err)
}

// end notes a closed line that is old enough to go.
func (o *oldLines) end(of account, id string, value []byte) error {
	var line catalog.Line
	if err := json.Unmarshal(value, &line); err != nil {
		return fmt.Errorf("decode a line of %s: %w", of.channel, err)
	}
	if !line.Expired(o.now) {
		return nil
	}
	// A batch under way may have changed it.
	line, _, err := o.f.view.Line(of.channel, id)
	if err != nil || !line.Expired(o.now) {
		return err
	}
	if o.closed[of] == nil {
		o.closed[of] = map[string]catalog.Line{}
	}
	o.closed[of][id] = line
	o.hits++
	return nil
}
