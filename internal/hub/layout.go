package hub

import (
	"fmt"
	"strings"
)

// Isolation says how the namespaces of a hub are kept apart.
type Isolation string

// The ways namespaces are kept apart, strongest first.
const (
	// Accounts: one NATS account per namespace, with storage limits of its own.
	Accounts Isolation = "accounts"
	// Permissions: one account; every user's permissions end at its namespace.
	Permissions Isolation = "permissions"
	// Prefix: one account and one set of credentials. Namespaces differ by
	// subject prefix only: nothing stops a workload from reading another's.
	Prefix Isolation = "prefix"
)

// layout names the streams and subjects of one namespace. In an account of its
// own a namespace needs no prefix; in a shared account everything carries it.
type layout struct {
	prefix string // of every subject, "" or "<namespace>."
	facts  string
	cat    string
	bucket string
	inbox  string // prefix of inboxes
}

func newLayout(iso Isolation, namespace string) (layout, error) {
	switch iso {
	case Accounts, "":
		return layout{facts: "FACTS", cat: "CAT", bucket: "CFG", inbox: "_INBOX"}, nil
	case Permissions, Prefix:
		if err := validName(namespace); err != nil {
			return layout{}, fmt.Errorf("namespace of the hub: %w", err)
		}
		return layout{
			prefix: "sel." + namespace + ".",
			facts:  "FACTS_" + namespace,
			cat:    "CAT_" + namespace,
			bucket: "CFG_" + namespace,
			inbox:  "_INBOX." + namespace,
		}, nil
	}
	return layout{}, fmt.Errorf("isolation %q is unknown: accounts, permissions or prefix", iso)
}

func (l layout) kv() string            { return "KV_" + l.bucket }
func (l layout) key(key string) string { return "$KV." + l.bucket + "." + key }
func (l layout) keyOf(subject string) string {
	return strings.TrimPrefix(subject, "$KV."+l.bucket+".")
}
func (l layout) fact(channel, typ string) string { return l.prefix + "facts." + channel + "." + typ }
func (l layout) record(s Subject) string         { return l.prefix + s.s }

// factOf splits a fact's subject without allocating.
func (l layout) factOf(subject string) (channel, typ string, ok bool) {
	rest, ok := strings.CutPrefix(subject, l.prefix)
	if !ok {
		return "", "", false
	}
	if rest, ok = strings.CutPrefix(rest, "facts."); !ok {
		return "", "", false
	}
	channel, typ, ok = strings.Cut(rest, ".")
	return channel, typ, ok
}

// filters returns the subject filters for a set of kinds; none means the whole
// stream, which is cheaper than a filter that matches all of it.
func (l layout) filters(k Kind) []string {
	if k == 0 || k == Everything {
		return nil
	}
	if k == Shared {
		return []string{l.prefix + "cat.>"}
	}
	var f []string
	if k&KindItem != 0 {
		f = append(f, l.prefix+"cat.item.>")
	}
	if k&KindCursor != 0 {
		f = append(f, l.prefix+cursorSubject)
	}
	if k&KindLedger != 0 {
		f = append(f, l.prefix+"ledger.>")
	}
	if k&KindLine != 0 {
		f = append(f, l.prefix+"line.>")
	}
	return f
}
