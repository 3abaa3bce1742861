package shopify

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/vektah/gqlparser/v2/ast"
)

// object is something that has fields.
type object struct {
	kind string
	get  func(field string, args arguments) (any, error)
}

// list is a list of objects; elements may be nil.
type list []*object

// fieldError is an error of one field of an answer.
type fieldError struct{ code, message string }

func (e *fieldError) Error() string { return e.message }

// execution is one request on its way.
type execution struct {
	shop      *Shop
	app       *app
	schema    *ast.Schema
	variables map[string]any
	errors    []map[string]any
	// field is the mutation that is carried out.
	field *ast.Field
}

// arguments are those of a field.
type arguments map[string]any

func (a arguments) text(name string) string { s, _ := a[name].(string); return s }

func (a arguments) input(name string) arguments { m, _ := a[name].(map[string]any); return m }

func (a arguments) inputs(name string) []arguments {
	all, _ := a[name].([]any)
	out := make([]arguments, len(all))
	for i, one := range all {
		m, _ := one.(map[string]any)
		out[i] = m
	}
	return out
}

func (a arguments) texts(name string) []string {
	all, _ := a[name].([]any)
	out := make([]string, len(all))
	for i, one := range all {
		out[i], _ = one.(string)
	}
	return out
}

// number is a number as JSON or the parser gives it; 0 for none.
func number(value any) int {
	switch n := value.(type) {
	case int64:
		return int(n)
	case int:
		return n
	case float64:
		return int(n)
	case json.Number:
		i, _ := n.Int64()
		return int(i)
	}
	return 0
}

// collect are the fields of a selection that apply to the type. Static takes the
// fragments of any type, as a cost must.
func (x *execution) collect(set ast.SelectionSet, kind string, static bool) []*ast.Field {
	var all []*ast.Field
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if x.included(s.Directives) {
				all = append(all, s)
			}
		case *ast.InlineFragment:
			if x.included(s.Directives) && (static || s.TypeCondition == "" || s.TypeCondition == kind) {
				all = append(all, x.collect(s.SelectionSet, kind, static)...)
			}
		case *ast.FragmentSpread:
			if x.included(s.Directives) && (static || s.Definition.TypeCondition == kind) {
				all = append(all, x.collect(s.Definition.SelectionSet, kind, static)...)
			}
		}
	}
	return all
}

func (x *execution) included(directives ast.DirectiveList) bool {
	for _, d := range directives {
		given, _ := d.ArgumentMap(x.variables)["if"].(bool)
		if d.Name == "skip" && given || d.Name == "include" && !given {
			return false
		}
	}
	return true
}

// selected is the answer for a selection of an object, and what it cost.
func (x *execution) selected(o *object, set ast.SelectionSet, path []any) (map[string]any, float64) {
	answer := map[string]any{}
	var cost float64
	for _, f := range x.collect(set, o.kind, false) {
		if f.Name == "__typename" {
			answer[f.Alias] = o.kind
			continue
		}
		at := append(append([]any{}, path...), f.Alias)
		if x.schema.Types[o.kind] == x.schema.Mutation {
			x.field = f
		}
		value, err := o.get(f.Name, f.ArgumentMap(x.variables))
		if err != nil {
			x.fail(err, at)
			answer[f.Alias] = nil
			if x.schema.Types[o.kind] == x.schema.Mutation {
				cost += mutationCost
			}
			continue
		}
		one, spent := x.completed(o, f, value, at)
		answer[f.Alias] = one
		cost += spent
	}
	return answer, cost
}

// completed is the answer for the value of a field, and what it cost.
func (x *execution) completed(parent *object, f *ast.Field, value any, path []any) (any, float64) {
	kind := x.schema.Types[f.Definition.Type.Name()]
	if isLeaf(kind) {
		return value, 0
	}
	points := 1.0
	if f.Name == "pageInfo" {
		points = 0
	}
	switch v := value.(type) {
	case *object:
		if v == nil {
			return nil, points
		}
		answer, below := x.selected(v, f.SelectionSet, path)
		switch {
		case parent.kind == "Mutation":
			return answer, mutationCost + x.freed(v, f, below)
		case isConnection(kind):
			nodes, _ := v.get("nodes", nil)
			return answer, connectionCost + sized(reflect.ValueOf(nodes).Len())*below
		}
		return answer, points + below
	case list:
		answers := make([]any, len(v))
		var most float64
		for i, one := range v {
			if one == nil {
				continue
			}
			answer, below := x.selected(one, f.SelectionSet, append(append([]any{}, path...), i))
			answers[i], most = answer, max(most, below)
		}
		return answers, points + most
	}
	panic(fmt.Sprintf("the simulator has no value for %s.%s: %T", parent.kind, f.Name, value))
}

// freed takes from the cost of a mutation's answer the points of its own fields.
func (x *execution) freed(_ *object, f *ast.Field, below float64) float64 {
	for _, own := range x.collect(f.SelectionSet, f.Definition.Type.Name(), false) {
		if !isLeaf(x.schema.Types[own.Definition.Type.Name()]) {
			below--
		}
	}
	return max(0, below)
}

func (x *execution) fail(err error, path []any) {
	code := "INTERNAL_SERVER_ERROR"
	var e *fieldError
	if errors.As(err, &e) {
		code = e.code
	}
	x.errors = append(x.errors, map[string]any{"message": err.Error(), "path": path, "extensions": map[string]any{"code": code}})
}

// run carries out the operation. The lock is held.
func (x *execution) run(op *ast.OperationDefinition) (map[string]any, float64) {
	root := &object{kind: "QueryRoot", get: x.query}
	if op.Operation == ast.Mutation {
		root = &object{kind: "Mutation", get: x.mutate}
	}
	return x.selected(root, op.SelectionSet, nil)
}
