package shopify

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// keyRecord is what is remembered of an idempotency key of an app.
type keyRecord struct {
	of     [sha256.Size]byte
	answer *object
	// open: the first request with it is still under way. failed: it failed
	// inside the shop.
	open, failed bool
}

// idempotent carries out a mutation once for each key.
func (x *execution) idempotent(args arguments, kind string, do func() (*object, error)) (any, error) {
	directive := x.field.Directives.ForName("idempotent")
	if directive == nil {
		return nil, &fieldError{"BAD_REQUEST", "The @idempotent directive is required for this mutation but was not provided."}
	}
	key, _ := directive.ArgumentMap(x.variables)["key"].(string)
	if strings.TrimSpace(key) == "" {
		return nil, &fieldError{"BAD_REQUEST", "The idempotency key cannot be an empty string or whitespace only."}
	}
	of := digest(args)
	before := x.shop.keys[x.app.id+" "+key]
	complain := func(code, message string) (any, error) {
		return payload(kind, []complaint{{code: code, message: message}}, map[string]any{"inventoryAdjustmentGroup": (*object)(nil)}), nil
	}
	switch {
	case before == nil:
	case before.of != of:
		return complain("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "The same idempotency key cannot be used with different operation parameters.")
	case before.open:
		return complain("IDEMPOTENCY_CONCURRENT_REQUEST", "This request is currently in progress, please try again.")
	case before.failed:
		return complain("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "A previous request with this idempotency key failed. Retry with a new idempotency key.")
	default:
		return before.answer, nil
	}
	answer, err := do()
	if err == nil {
		x.shop.keys[x.app.id+" "+key] = &keyRecord{of: of, answer: answer}
	}
	return answer, err
}

func digest(args arguments) [sha256.Size]byte {
	text, err := json.Marshal(args)
	if err != nil {
		panic(err) // arguments came as JSON
	}
	return sha256.Sum256(text)
}

// delay keeps a request to be carried out by Land; its key is taken until then.
func (s *Shop) delay(by *app, op *ast.OperationDefinition, variables map[string]any, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	release := s.holdKeys(by, op, variables, keyRecord{open: true})
	s.late = append(s.late, func() {
		s.mu.Lock()
		release()
		s.mu.Unlock()
		do()
	})
}

// holdKeys takes the keys of an operation. The lock is held.
func (s *Shop) holdKeys(by *app, op *ast.OperationDefinition, variables map[string]any, as keyRecord) (release func()) {
	x := &execution{shop: s, app: by, schema: s.schema, variables: variables}
	var held []string
	for _, f := range x.collect(op.SelectionSet, "Mutation", false) {
		directive := f.Directives.ForName("idempotent")
		if directive == nil {
			continue
		}
		key, _ := directive.ArgumentMap(variables)["key"].(string)
		name := by.id + " " + key
		if s.keys[name] == nil {
			record := as
			record.of = digest(f.ArgumentMap(variables))
			s.keys[name] = &record
			held = append(held, name)
		}
	}
	return func() {
		for _, name := range held {
			delete(s.keys, name)
		}
	}
}

// FailKey makes the shop say of a key that the first request with it failed.
func (s *Shop) FailKey(clientID, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if record := s.keys[clientID+" "+key]; record != nil {
		record.failed = true
	}
}

const (
	maxQuantity   = 1_000_000_000
	maxQuantities = 250
)

// reasons are those of a change of quantities.
var reasons = []string{"correction", "cycle_count_available", "damaged", "movement_canceled", "movement_created", "movement_received", "movement_updated", "other", "promotion", "quality_control", "received", "reservation_created", "reservation_deleted", "reservation_updated", "restock", "safety_stock", "shrinkage"}

func itoa(n int) string { return strconv.Itoa(n) }

// setQuantities sets all or nothing, and says everything that is wrong.
func (s *Shop) setQuantities(input arguments) (*object, error) {
	quantities := input.inputs("quantities")
	if len(quantities) > maxQuantities {
		return nil, &fieldError{"MAX_INPUT_SIZE_EXCEEDED", fmt.Sprintf("The input array size of %d is greater than the maximum allowed of %d.", len(quantities), maxQuantities)}
	}
	var wrong []complaint
	if name := input.text("name"); name != "available" && name != "on_hand" {
		wrong = append(wrong, complaint{"INVALID_NAME", "The quantity name must be either 'available' or 'on_hand'.", []string{"input", "name"}})
	}
	if !slices.Contains(reasons, input.text("reason")) {
		wrong = append(wrong, complaint{"INVALID_REASON", "The specified reason is invalid.", []string{"input", "reason"}})
	}
	pairs := map[string]bool{}
	for i, q := range quantities {
		if _, ok := q["changeFromQuantity"]; !ok {
			return nil, &fieldError{"INVALID_FIELD_ARGUMENTS", "InventoryQuantityInput must include the following argument: changeFromQuantity."}
		}
		pair := q.text("inventoryItemId") + " " + q.text("locationId")
		if c, bad := s.wrongQuantity(input.text("name"), i, q); bad {
			wrong = append(wrong, c)
		} else if pairs[pair] {
			wrong = append(wrong, complaint{"NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "The combination of inventoryItemId and locationId must be unique.", at(i, "inventoryItemId")})
		}
		pairs[pair] = true
	}
	none := map[string]any{"inventoryAdjustmentGroup": (*object)(nil)}
	if len(wrong) > 0 {
		return payload("InventorySetQuantitiesPayload", wrong, none), nil
	}
	changes := list{}
	for _, q := range quantities {
		changes = append(changes, s.setQuantity(input.text("name"), q)...)
	}
	group := &object{kind: "InventoryAdjustmentGroup", get: values(map[string]any{"id": gid("InventoryAdjustmentGroup", s.newID()), "changes": changes})}
	return payload("InventorySetQuantitiesPayload", nil, map[string]any{"inventoryAdjustmentGroup": group}), nil
}

func at(i int, field string) []string { return []string{"input", "quantities", itoa(i), field} }

// target is the variant and location of a quantity, nil for none.
func (s *Shop) target(q arguments) (*variant, int64, complaint) {
	item, _ := numberOf("InventoryItem", q.text("inventoryItemId"))
	v := s.variantByID(item)
	if v == nil || v.item != item {
		return nil, 0, complaint{"INVALID_INVENTORY_ITEM", "The specified inventory item could not be found.", []string{"inventoryItemId"}}
	}
	location, _ := numberOf("Location", q.text("locationId"))
	if !s.hasLocation(location) {
		return nil, 0, complaint{"INVALID_LOCATION", "The specified location could not be found.", []string{"locationId"}}
	}
	return v, location, complaint{}
}

func (s *Shop) wrongQuantity(name string, i int, q arguments) (complaint, bool) {
	v, location, wrong := s.target(q)
	if v == nil {
		wrong.field = at(i, wrong.field[0])
		return wrong, true
	}
	quantity := int64(number(q["quantity"]))
	var have int64
	if l := v.levels[location]; l != nil {
		have = l.available
		if name == "on_hand" {
			have = l.onHand()
		}
	}
	switch from := q["changeFromQuantity"]; {
	case quantity > maxQuantity:
		return complaint{"INVALID_QUANTITY_TOO_HIGH", "The quantity can't be higher than 1,000,000,000.", at(i, "quantity")}, true
	case quantity < -maxQuantity:
		return complaint{"INVALID_QUANTITY_TOO_LOW", "The quantity can't be lower than -1,000,000,000.", at(i, "quantity")}, true
	case quantity < 0 && name == "on_hand":
		return complaint{"INVALID_QUANTITY_NEGATIVE", "The quantity can't be negative.", at(i, "quantity")}, true
	case from != nil && int64(number(from)) != have:
		return complaint{"CHANGE_FROM_QUANTITY_STALE", "The changeFromQuantity value does not match persisted value.", at(i, "changeFromQuantity")}, true
	}
	return complaint{}, false
}

// setQuantity sets one, also where the item was not stocked before.
func (s *Shop) setQuantity(name string, q arguments) list {
	v, location, _ := s.target(q)
	l := s.levelAt(v, location)
	quantity := int64(number(q["quantity"]))
	if name == "on_hand" {
		quantity -= l.committed
	}
	delta := quantity - l.available
	if delta == 0 && !l.updatedAt.IsZero() {
		return nil
	}
	l.available = quantity
	s.touchLevel(v, location)
	change := func(name string) *object {
		return &object{kind: "InventoryChange", get: values(map[string]any{"name": name, "delta": delta, "quantityAfterChange": nil})}
	}
	return list{change("available"), change("on_hand")}
}
