package shopify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

const setQuantitiesMutation = `mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) { userErrors { field code message } }
}`

type quantityInput struct {
	Item     string `json:"inventoryItemId"`
	Location string `json:"locationId"`
	Quantity int64  `json:"quantity"`
	From     int64  `json:"changeFromQuantity"`
}

// stockSet are the quantities of one request, and the intents they are of.
type stockSet struct {
	quantities []quantityInput
	at         []int
}

// writeStock sets all quantities in one request, each only if the one it
// replaces still holds. The shop applies all or nothing and says which items are
// to blame, so the others are sent again without them.
func (w *writing) writeStock(ctx context.Context) error {
	at := w.pending(func(i int) bool { return w.intents[i].Stock != nil && w.variants[i].Item.Tracked })
	for len(at) > 0 {
		set := w.quantities(at)
		if len(set.at) == 0 {
			return nil
		}
		blamed, err := w.sendStock(ctx, set)
		if err != nil {
			return w.blame(set.at, err)
		}
		if len(blamed) == 0 {
			w.applied = true
			return nil
		}
		for i, outcome := range blamed {
			w.outcomes[i] = outcome
		}
		at = slices.DeleteFunc(set.at, func(i int) bool { return w.outcomes[i].Kind != "" })
	}
	return nil
}

// quantities are what is to be sent. What the shop stores already is not, and
// what no longer stores what the intent was made from is refused here.
func (w *writing) quantities(at []int) stockSet {
	var set stockSet
	mine := map[string]bool{}
	for _, i := range at {
		stock, item := w.intents[i].Stock, w.variants[i].Item
		from := item.Level.of("available")
		switch {
		case stock.Previous != nil && *stock.Previous != from:
			w.outcomes[i] = stale(fmt.Sprintf("the shop stores %d units, not %d", from, *stock.Previous))
		case from == stock.Quantity, mine[item.ID]:
		default:
			mine[item.ID] = true
			set.at = append(set.at, i)
		}
	}
	// In the order of ids: two requests that lock rows in one order cannot
	// deadlock.
	slices.SortFunc(set.at, func(a, b int) int { return strings.Compare(w.variants[a].Item.ID, w.variants[b].Item.ID) })
	for _, i := range set.at {
		item := w.variants[i].Item
		set.quantities = append(set.quantities, quantityInput{
			Item: item.ID, Location: w.s.location, Quantity: w.intents[i].Stock.Quantity, From: item.Level.of("available"),
		})
	}
	return set
}

func stale(message string) driver.Outcome {
	return driver.Outcome{Kind: driver.Failed, Reason: driver.ReasonStale, Message: driver.ClipMessage(message)}
}

// The codes of inventorySetQuantities that are about the idempotency key.
const (
	codeKeyConcurrent = "IDEMPOTENCY_CONCURRENT_REQUEST"
	codeKeyFailed     = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
	codeKeyMismatch   = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
)

// keyTries bounds how often a key that is used up is replaced by the next.
const keyTries = 3

// sendStock sends the set and returns the outcomes of the items to blame; none
// means that all was done.
func (w *writing) sendStock(ctx context.Context, set stockSet) (map[int]driver.Outcome, error) {
	const what = "write stock"
	text, err := json.Marshal(w.identity(set))
	if err != nil {
		return nil, &driver.Error{Class: driver.ClassInvalid, Op: what, Reason: reasonQuery, Err: err}
	}
	var said []userError
	for range keyTries {
		attempt := w.c.attempts.begin(text)
		var data struct {
			Set struct {
				Errors []userError `json:"userErrors"`
			} `json:"inventorySetQuantities"`
		}
		_, err := w.c.api.do(ctx, operation{what: what, name: "SetQuantities", query: setQuantitiesMutation, write: true, variables: map[string]any{
			"key": attempt.key(), "input": map[string]any{
				"name": "available", "reason": "correction", "quantities": set.quantities,
			},
		}}, &data)
		if err != nil {
			return nil, err
		}
		said = data.Set.Errors
		switch {
		case hasCode(said, codeKeyConcurrent):
			return nil, &driver.Error{Class: driver.ClassUnknown, Op: what, Reason: "StillUnderWay", Message: driver.ClipMessage(said[0].Message)}
		case hasCode(said, codeKeyFailed), hasCode(said, codeKeyMismatch):
			w.c.attempts.end(attempt)
			continue
		}
		w.c.attempts.end(attempt)
		return w.blamed(set, said), nil
	}
	return nil, &driver.Error{Class: driver.ClassTransient, Op: what, Reason: reasonRefused, Message: driver.ClipMessage(said[0].Message)}
}

// identity is what makes one write of quantities another one than the next: the
// versions, so that a newer intent is never taken for an older one, and the
// values.
func (w *writing) identity(set stockSet) any {
	type part struct {
		SKU     string
		Version driver.Version
		quantityInput
	}
	parts := make([]part, len(set.at))
	for n, i := range set.at {
		parts[n] = part{SKU: w.intents[i].SKU, Version: w.intents[i].Version, quantityInput: set.quantities[n]}
	}
	return parts
}

func hasCode(errs []userError, code string) bool {
	return slices.ContainsFunc(errs, func(e userError) bool { return e.Code == code })
}

// blamed are the outcomes of the items that the errors name; of all of them
// where an error names none.
func (w *writing) blamed(set stockSet, errs []userError) map[int]driver.Outcome {
	outcomes := map[int]driver.Outcome{}
	for _, e := range errs {
		outcome := stockOutcome(e)
		if n, ok := e.item("quantities"); ok && n < len(set.at) {
			outcomes[set.at[n]] = outcome
			continue
		}
		for _, i := range set.at {
			if _, known := outcomes[i]; !known {
				outcomes[i] = outcome
			}
		}
	}
	return outcomes
}

func stockOutcome(e userError) driver.Outcome {
	switch e.Code {
	case "CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE":
		return stale(e.Message)
	case "INVALID_INVENTORY_ITEM":
		return rejected(reasonUnknownItem, e.Message)
	case "NON_MUTABLE_INVENTORY_ITEM":
		return rejected(reasonNotTracked, e.Message)
	case "INVALID_LOCATION":
		return rejected("UnknownLocation", e.Message)
	case "INVALID_QUANTITY_NEGATIVE", "INVALID_QUANTITY_TOO_HIGH", "INVALID_QUANTITY_TOO_LOW":
		return rejected(reasonInvalidQuantity, e.Message)
	}
	return rejected(reasonRefused, e.Message)
}
