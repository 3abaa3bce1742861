package vendure

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// mutations are several mutations in one request. The shop carries them out one
// after another, each in a transaction of its own, and ends at the first that
// fails: those before it are done, those after it are not.
type mutations struct {
	what      string
	fields    []string
	params    []string
	variables map[string]any
	keys      []string
	then      []func(made)
}

// made is what such a mutation answers: a product, an option group or an
// option.
type made struct {
	ID      string         `json:"id"`
	Slug    string         `json:"slug"`
	Name    string         `json:"name"`
	Code    string         `json:"code"`
	Options []named        `json:"options"`
	Groups  []*optionGroup `json:"optionGroups"`
}

// argument is one of a mutation.
type argument struct {
	name, kind string
	value      any
}

// add adds a mutation for the product with the key; then takes what it made.
func (m *mutations) add(key, mutation, selection string, then func(made), arguments ...argument) {
	if m.variables == nil {
		m.variables = map[string]any{}
	}
	alias := fmt.Sprintf("m%d", len(m.fields))
	var given []string
	for _, a := range arguments {
		variable := alias + a.name
		m.params = append(m.params, "$"+variable+": "+a.kind)
		m.variables[variable] = a.value
		given = append(given, a.name+": $"+variable)
	}
	m.fields = append(m.fields, fmt.Sprintf("  %s: %s(%s) %s\n", alias, mutation, strings.Join(given, ", "), selection))
	m.keys, m.then = append(m.keys, key), append(m.then, then)
}

// run sends the mutations, if there are any. Where one of them is to blame, the
// error is a *blame.
func (m *mutations) run(ctx context.Context, c *connection, s *shop) error {
	if len(m.fields) == 0 {
		return nil
	}
	data := map[string]made{}
	err := c.api.do(ctx, operation{
		what: m.what, write: true, language: s.language, variables: m.variables,
		query: "mutation Make(" + strings.Join(m.params, ", ") + ") {\n" + strings.Join(m.fields, "") + "}",
	}, &data)
	if err != nil {
		return m.blame(err)
	}
	for n, then := range m.then {
		one := data[fmt.Sprintf("m%d", n)]
		if one.ID == "" {
			return &driver.Error{Class: driver.ClassUnknown, Op: m.what, Reason: reasonBadAnswer, Message: "the answer does not hold what was made"}
		}
		then(one)
	}
	return nil
}

// blame is an error that hit the parts of one product; others may be made
// without it.
type blame struct {
	key string
	err error
}

func (b *blame) Error() string { return b.err.Error() }
func (b *blame) Unwrap() error { return b.err }

func (m *mutations) blame(err error) error {
	var at *fieldError
	if !errors.As(err, &at) {
		return err
	}
	switch driver.ClassOf(err) {
	case driver.ClassBatchRejected, driver.ClassTransient, driver.ClassUnknown:
	default:
		return err
	}
	for n, key := range m.keys {
		if at.field == fmt.Sprintf("m%d", n) {
			return &blame{key: key, err: err}
		}
	}
	return err
}
