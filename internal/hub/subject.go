package hub

import (
	"fmt"
	"strings"
)

// Kind says what a record of the state is.
type Kind uint8

// The kinds of records. They are bits, so that a set of kinds is their sum.
const (
	KindItem   Kind = 1 << iota // the canonical record of one SKU of one source; connectors read it
	KindLedger                  // the stock ledger of one SKU of one source; the catalog worker's own
	KindLine                    // the last state of one order line of one channel; the catalog worker's own
	KindCursor                  // how far the facts are folded into the records before it
)

// Sets of kinds for ReadOptions.Kinds.
const (
	Items   = KindItem
	Ledgers = KindLedger
	Lines   = KindLine
	Cursors = KindCursor
	// Shared is what connectors read: items and cursors.
	Shared = KindItem | KindCursor
	// Everything is what the catalog worker rebuilds itself from.
	Everything = KindItem | KindLedger | KindLine | KindCursor
)

const cursorSubject = "cat.cursor"

// String returns item, ledger, line or cursor.
func (k Kind) String() string {
	switch k {
	case KindItem:
		return "item"
	case KindLedger:
		return "ledger"
	case KindLine:
		return "line"
	case KindCursor:
		return "cursor"
	}
	return "unknown"
}

// Subject names one record. It is comparable and usable as a map key.
type Subject struct{ s string }

// ItemSubject names the item of a SKU of a source Channel. Errors are
// ErrInvalidToken.
func ItemSubject(source, sku string) (Subject, error) { return skuSubject("cat.item.", source, sku) }

// LedgerSubject names the stock ledger of a SKU of a source Channel. Errors
// are ErrInvalidToken.
func LedgerSubject(source, sku string) (Subject, error) { return skuSubject("ledger.", source, sku) }

// LineSubject names one order line of a Channel. Errors are ErrInvalidToken.
func LineSubject(channel, line string) (Subject, error) {
	if err := validName(channel); err != nil {
		return Subject{}, err
	}
	token, err := Token(line)
	if err != nil {
		return Subject{}, err
	}
	return Subject{"line." + channel + "." + token}, nil
}

func skuSubject(prefix, source, sku string) (Subject, error) {
	if err := validName(source); err != nil {
		return Subject{}, err
	}
	n, err := NormalizeSKU(sku)
	if err != nil {
		return Subject{}, err
	}
	shard := shardOf(n)
	buf := make([]byte, 0, len(prefix)+len(source)+4+tokenEncoding.EncodedLen(len(n)))
	buf = append(buf, prefix...)
	buf = append(buf, source...)
	buf = append(buf, '.', byte('0'+shard/10), byte('0'+shard%10), '.')
	buf = tokenEncoding.AppendEncode(buf, []byte(n))
	return Subject{string(buf)}, nil
}

// ParseSubject reads what Subject.String wrote. It fails with ErrInvalidToken.
func ParseSubject(s string) (Subject, error) {
	sub := Subject{s}
	if sub.Kind() == 0 {
		return Subject{}, fmt.Errorf("%w: %q names no record", ErrInvalidToken, s)
	}
	return sub, nil
}

// String returns the subject without the namespace's prefix.
func (s Subject) String() string { return s.s }

// IsZero reports whether s names nothing.
func (s Subject) IsZero() bool { return s.s == "" }

// Kind returns what kind of record s names; 0 for the zero Subject.
func (s Subject) Kind() Kind {
	switch {
	case strings.HasPrefix(s.s, "cat.item."):
		return KindItem
	case strings.HasPrefix(s.s, "ledger."):
		return KindLedger
	case strings.HasPrefix(s.s, "line."):
		return KindLine
	case s.s == cursorSubject:
		return KindCursor
	}
	return 0
}

// Source returns the source Channel of an item or a ledger, else "".
func (s Subject) Source() string {
	switch s.Kind() {
	case KindItem:
		return firstToken(s.s[len("cat.item."):])
	case KindLedger:
		return firstToken(s.s[len("ledger."):])
	}
	return ""
}

// Channel returns the Channel of an order line, else "".
func (s Subject) Channel() string {
	if s.Kind() != KindLine {
		return ""
	}
	return firstToken(s.s[len("line."):])
}

// SKU returns the normalised SKU of an item or a ledger; ErrInvalidToken for
// anything else.
func (s Subject) SKU() (string, error) {
	if k := s.Kind(); k != KindItem && k != KindLedger {
		return "", fmt.Errorf("%w: %q has no SKU", ErrInvalidToken, s.s)
	}
	return SKU(s.lastToken())
}

// Line returns the order line; ErrInvalidToken for anything else.
func (s Subject) Line() (string, error) {
	if s.Kind() != KindLine {
		return "", fmt.Errorf("%w: %q has no order line", ErrInvalidToken, s.s)
	}
	return SKU(s.lastToken())
}

func (s Subject) lastToken() string { return s.s[strings.LastIndexByte(s.s, '.')+1:] }

func firstToken(s string) string {
	if i := strings.IndexByte(s, '.'); i >= 0 {
		return s[:i]
	}
	return s
}
