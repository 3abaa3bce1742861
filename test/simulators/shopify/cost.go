package shopify

import (
	"math"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// The cost of a request, as recorded answers of Shopify have it: an object is
// one point and so is a list of objects, however long; a connection is two, and
// what a node costs times a size that grows with the logarithm of its length; a
// mutation is ten, and the fields of its answer are free, though not what is
// below them.
const (
	mutationCost   = 10
	connectionCost = 2
)

// maxCost is the most that one request may cost.
const maxCost = 1000

// sized is the factor of a connection of that length.
func sized(length int) float64 {
	if length < 1 {
		return 0
	}
	return max(1, math.Floor(2*math.Log(float64(length))))
}

func isConnection(d *ast.Definition) bool { return d != nil && strings.HasSuffix(d.Name, "Connection") }

func isLeaf(d *ast.Definition) bool { return d.Kind == ast.Scalar || d.Kind == ast.Enum }

// asked is what the selection asks for.
func (x *execution) asked(set ast.SelectionSet, on *ast.Definition) float64 {
	var sum float64
	for _, f := range x.collect(set, on.Name, true) {
		kind := x.schema.Types[f.Definition.Type.Name()]
		below := func() float64 { return x.asked(f.SelectionSet, kind) }
		switch {
		case isLeaf(kind), f.Name == "pageInfo":
		case on == x.schema.Mutation:
			sum += mutationCost + x.askedOfPayload(f.SelectionSet, kind)
		case isConnection(kind):
			sum += connectionCost + sized(number(f.ArgumentMap(x.variables)["first"]))*below()
		default:
			sum += 1 + below()
		}
	}
	return sum
}

// askedOfPayload leaves the fields of a mutation's answer free.
func (x *execution) askedOfPayload(set ast.SelectionSet, on *ast.Definition) float64 {
	var sum float64
	for _, f := range x.collect(set, on.Name, true) {
		kind := x.schema.Types[f.Definition.Type.Name()]
		if !isLeaf(kind) {
			sum += x.asked(f.SelectionSet, kind)
		}
	}
	return sum
}
