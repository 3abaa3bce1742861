package shopify

import (
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// fields are what can be searched of a thing: texts and times.
type fields map[string]any

// index is what searches look in: the data as it was a while ago.
type index struct {
	lag time.Duration

	mu     sync.Mutex
	things map[string]map[int64][]indexed // by kind and id, newest last
}

type indexed struct {
	visible time.Time
	fields  fields // nil when it is gone
}

func newIndex(lag time.Duration) *index {
	return &index{lag: lag, things: map[string]map[int64][]indexed{}}
}

// set changes fields of a thing, visible after the lag.
func (x *index) set(kind string, id int64, changed fields) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.things[kind] == nil {
		x.things[kind] = map[int64][]indexed{}
	}
	all := x.things[kind][id]
	next := fields{}
	if len(all) > 0 {
		for name, value := range all[len(all)-1].fields {
			next[name] = value
		}
	}
	for name, value := range changed {
		next[name] = value
	}
	if changed == nil {
		next = nil
	}
	all = append(all, indexed{visible: time.Now().Add(x.lag), fields: next})
	// What was visible before the one visible now matters no more.
	for len(all) > 1 && !all[1].visible.After(time.Now()) {
		all = all[1:]
	}
	x.things[kind][id] = all
}

// remove takes a thing out, visible after the lag.
func (x *index) remove(kind string, id int64) { x.set(kind, id, nil) }

// settled says that the index shows the data as it is.
func (x *index) settled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, ids := range x.things {
		for _, all := range ids {
			if all[len(all)-1].visible.After(time.Now()) {
				return false
			}
		}
	}
	return true
}

// find are the ids of the things that the query finds.
func (x *index) find(kind, query string) map[int64]bool {
	wanted := parseQuery(query)
	x.mu.Lock()
	defer x.mu.Unlock()
	found := map[int64]bool{}
	for id, all := range x.things[kind] {
		var seen fields
		for _, one := range all {
			if !one.visible.After(time.Now()) {
				seen = one.fields
			}
		}
		if seen != nil && matches(seen, wanted) {
			found[id] = true
		}
	}
	return found
}

// term is one condition of a query.
type term struct{ field, comparator, value string }

// matches says that all terms of one of the alternatives hold.
func matches(f fields, alternatives [][]term) bool {
	return slices.ContainsFunc(alternatives, func(all []term) bool {
		return !slices.ContainsFunc(all, func(t term) bool { return !t.holds(f) })
	})
}

func (t term) holds(f fields) bool {
	switch value := f[t.field].(type) {
	case time.Time:
		at, err := time.Parse(time.RFC3339, t.value)
		if err != nil {
			return false
		}
		order := value.Compare(at)
		switch t.comparator {
		case ">":
			return order > 0
		case ">=":
			return order >= 0
		case "<":
			return order < 0
		case "<=":
			return order <= 0
		}
		return order == 0
	case string:
		return loose(value) == loose(t.value)
	}
	return false
}

// loose is a text as a search compares it.
func loose(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
}

// parseQuery reads the search syntax that the driver uses: terms of a field and
// a value, alternatives joined by OR, values in quotes where they need it.
func parseQuery(query string) [][]term {
	alternatives := [][]term{nil}
	for _, word := range words(query) {
		if word == "OR" {
			alternatives = append(alternatives, nil)
			continue
		}
		if word == "AND" {
			continue
		}
		field, value, _ := strings.Cut(word, ":")
		t := term{field: field, value: value}
		for _, comparator := range []string{">=", "<=", ">", "<"} {
			if rest, ok := strings.CutPrefix(t.value, comparator); ok {
				t.comparator, t.value = comparator, rest
				break
			}
		}
		if inner, ok := strings.CutPrefix(t.value, `"`); ok {
			t.value = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(strings.TrimSuffix(inner, `"`))
		}
		last := len(alternatives) - 1
		alternatives[last] = append(alternatives[last], t)
	}
	return alternatives
}

// words cuts a query at spaces outside of quotes.
func words(query string) []string {
	var all []string
	var word strings.Builder
	quoted, escaped := false, false
	for _, r := range query {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		case r == ' ' && !quoted:
			if word.Len() > 0 {
				all = append(all, word.String())
				word.Reset()
			}
			continue
		}
		word.WriteRune(r)
	}
	if word.Len() > 0 {
		all = append(all, word.String())
	}
	return all
}
