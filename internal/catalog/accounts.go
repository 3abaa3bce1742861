package catalog

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"
)

// A channel may be pointed at another shop: a changed endpoint, other
// credentials, a successor of the same name. Order 17 of the one shop is not
// order 17 of the other, so lines are told apart by the account they are of.

// accountEnd ends the account's token in the id of a line. No id of a line has
// control characters of its own.
const accountEnd = "\x00"

// tokenBytes of the hash tell accounts of one channel apart.
const tokenBytes = 8

var tokenText = base32.HexEncoding.WithPadding(base32.NoPadding)

// AccountToken is the short form of an account in the ids of lines; empty for
// none.
func AccountToken(account string) string {
	if account == "" {
		return ""
	}
	return token(account)
}

func token(text string) string {
	sum := sha256.Sum256([]byte(text))
	return strings.ToLower(tokenText.EncodeToString(sum[:tokenBytes]))
}

// lineID is the id of the record of an account's line. An id too long to stand
// beside the token is hashed.
func lineID(account, id string) string {
	if account == "" {
		return id
	}
	if len(account)+len(accountEnd)+len(id) > MaxSKUBytes {
		id = token(id)
	}
	return account + accountEnd + id
}

// LineAccount is the token of the account that the record of a line is of.
func LineAccount(id string) string {
	account, _, of := strings.Cut(id, accountEnd)
	if !of {
		return ""
	}
	return account
}

// Horizon is the id of the record that holds, in ChangedAt, the horizon of an
// account: an order that was placed up to it and whose lines are not known is
// an old one, either expired or closed before the account was first read.
func Horizon(account string) string { return account + accountEnd + "\x00horizon" }

// Left says what becomes of a line whose account its channel has left: nobody
// tells any more what happens to its order. The goods stay promised for
// Retention, because they may still have to be shipped, or the channel may
// come back; then they are given back and the line goes. A state of the line
// ends that.
func Left(state State, channel, id string, now time.Time) (Changes, error) {
	f := folding{state: state, fact: &Fact{Channel: channel, Time: now}}
	line, known, err := state.Line(channel, id)
	if err != nil || !known || strings.HasSuffix(id, Horizon("")) {
		return Changes{}, err
	}
	switch {
	case line.LeftAt.IsZero():
		if err := f.attribute(&line, -line.position().open); err != nil {
			return Changes{}, err
		}
		line.LeftAt = now.UTC()
		f.setLine(id, line)
	case now.Sub(line.LeftAt) > Retention:
		if err := f.release(&line); err != nil {
			return Changes{}, err
		}
		f.changes.Lines = append(f.changes.Lines, LineChange{Channel: channel, ID: id})
	}
	return f.changes, nil
}

// attribute moves units of a line between what its channel holds open and what
// is promised for others.
func (f *folding) attribute(line *Line, open int64) error {
	if line.Source == "" || open == 0 {
		return nil
	}
	ledger, err := f.openLedger(line.Source, line.SKU)
	if err != nil {
		return err
	}
	shown := ledger.shown(f.fact.Channel)
	shown.Committed += open
	ledger.show(f.fact.Channel, shown)
	return f.closeLedger(line.Source, ledger, f.fact.Time)
}

// release gives back what a line still holds.
func (f *folding) release(line *Line) error {
	open := line.position().open
	if line.Source == "" || open == 0 {
		return nil
	}
	ledger, err := f.openLedger(line.Source, line.SKU)
	if err != nil {
		return err
	}
	ledger.Committed -= open
	f.note(NoteAccountLeft, line.SKU, open, fmt.Sprintf("%d units promised to an order of the account that the channel was pointed at before are given back", open))
	return f.closeLedger(line.Source, ledger, f.fact.Time)
}
