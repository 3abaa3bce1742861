package shopify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// maxMutations is the most mutations of one request: each costs ten points, and
// a request may cost a thousand.
const maxMutations = 20

// mutation is one of several in a request. The shop carries them out one after
// another, each for itself: what one of them is refused for keeps none back.
type mutation struct {
	// call is the mutation with its arguments, which are variables of the
	// request; answer what is asked of it beside its errors.
	field, answer string
	arguments     []argument
	// then takes the answer: the errors that the shop has with the input, or
	// the error that kept it from being carried out.
	then func(result)
}

// argument is one of a mutation.
type argument struct {
	name, kind string
	value      any
}

// result is what became of one mutation.
type result struct {
	data   json.RawMessage
	errors []userError
	err    error
}

// runAll sends the mutations in as many requests as it takes. An error is of a
// request of which nobody knows what was done, or by which nothing was: the
// mutations from the one with the returned index on have no result.
func (c *connection) runAll(ctx context.Context, what, name, codes string, all []mutation) (done int, err error) {
	for done < len(all) {
		some := all[done:min(done+maxMutations, len(all))]
		if err := c.runSome(ctx, what, name, codes, some); err != nil {
			return done, err
		}
		done += len(some)
	}
	return done, nil
}

func (c *connection) runSome(ctx context.Context, what, name, codes string, some []mutation) error {
	variables := map[string]any{}
	var parameters, fields []string
	for n, m := range some {
		var given []string
		for _, a := range m.arguments {
			variable := fmt.Sprintf("m%d%s", n, a.name)
			parameters = append(parameters, "$"+variable+": "+a.kind)
			variables[variable] = a.value
			given = append(given, a.name+": $"+variable)
		}
		fields = append(fields, fmt.Sprintf("  m%d: %s(%s) { %s userErrors { field message %s } }\n", n, m.field, strings.Join(given, ", "), m.answer, codes))
	}
	o := operation{
		what: what, name: name, parts: len(some), write: true, variables: variables,
		query: "mutation " + name + "(" + strings.Join(parameters, ", ") + ") {\n" + strings.Join(fields, "") + "}",
	}
	got, err := c.api.run(ctx, o)
	if err != nil {
		return err
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(got.data, &data); err != nil {
		return badAnswer(o, err)
	}
	for n, m := range some {
		m.then(resultOf(o, got, fmt.Sprintf("m%d", n), data))
	}
	return nil
}

// resultOf is the result of the mutation with the alias.
func resultOf(o operation, got *answer, alias string, data map[string]json.RawMessage) result {
	for _, e := range got.errors {
		if len(e.Path) == 0 || e.Path[0] == alias {
			return result{err: classify(o.what, true, e)}
		}
	}
	var payload *struct {
		Errors []userError `json:"userErrors"`
	}
	if err := json.Unmarshal(data[alias], &payload); err != nil || payload == nil {
		return result{err: badAnswer(o, err)}
	}
	return result{data: data[alias], errors: payload.Errors}
}

// outcome is that of an item for which everything in the result was: nothing
// where it went well.
func (r result) outcome() driver.Outcome {
	switch {
	case r.err != nil:
		return driver.OutcomeOf(r.err)
	case len(r.errors) > 0:
		return refusedBy(r.errors[0])
	}
	return driver.Outcome{}
}

// refusedBy is the outcome of an item that the shop refused.
func refusedBy(e userError) driver.Outcome {
	switch e.Code {
	case "PRODUCT_DOES_NOT_EXIST", "PRODUCT_VARIANT_DOES_NOT_EXIST":
		return rejected(reasonUnknownItem, e.Message)
	case "GREATER_THAN_OR_EQUAL_TO", "NEGATIVE_PRICE_VALUE":
		return rejected(reasonInvalidPrice, e.Message)
	}
	return rejected(reasonRefused, e.Message)
}
