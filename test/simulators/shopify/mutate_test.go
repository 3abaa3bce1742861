package shopify_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"selaras.dev/selaras/test/simulators/shopify"
)

const setQuantities = `mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) { inventoryAdjustmentGroup { changes { name delta quantityAfterChange } } userErrors { code field message } }
}`

// stocked is a shop with variants, and the ids of their inventory items.
func stocked(t *testing.T, o shopify.Options, skus ...string) (c *client, items []string, location string) {
	t.Helper()
	c = start(t, o)
	for _, sku := range skus {
		c.shop.Add(shopify.NewProduct{SKU: sku, Title: sku, Price: "1.00", Available: 10})
	}
	r := c.do(`query All { location { id } productVariants(first: 10) { nodes { inventoryItem { id } } } }`, nil)
	for i := range skus {
		items = append(items, at(r.Data, "productVariants", "nodes", i, "inventoryItem", "id").(string))
	}
	return c, items, at(r.Data, "location", "id").(string)
}

// quantity is one of an input; from is nil for none.
func quantity(item, location string, to int, from any) map[string]any {
	return map[string]any{"inventoryItemId": item, "locationId": location, "quantity": to, "changeFromQuantity": from}
}

func (c *client) set(key string, quantities ...map[string]any) reply {
	c.t.Helper()
	return c.do(setQuantities, setVariables(key, quantities...))
}

func setVariables(key string, quantities ...map[string]any) map[string]any {
	return map[string]any{"key": key, "input": map[string]any{"name": "available", "reason": "correction", "quantities": quantities}}
}

// codes are those of the answer's userErrors, with the index that they name.
func (r reply) codes(mutation string) []string {
	var all []string
	errs, _ := at(r.Data, mutation, "userErrors").([]any)
	for _, e := range errs {
		code, _ := at(e, "code").(string)
		field := ""
		path, _ := at(e, "field").([]any)
		for _, part := range path {
			field += "." + part.(string)
		}
		all = append(all, code+field)
	}
	return all
}

func (c *client) available(want ...int64) {
	c.t.Helper()
	for i, sku := range c.shop.SKUs() {
		if shown, err := c.shop.Show(sku); err != nil || shown.Available != want[i] {
			c.t.Errorf("%s: %+v (%v), want %d available", sku, shown, err, want[i])
		}
	}
}

// All or nothing, and everything that is wrong is said.
func TestQuantitiesAreComparedAndSetTogether(t *testing.T) {
	t.Parallel()
	c, items, location := stocked(t, shopify.Options{}, "A", "B", "C")
	r := c.set("1", quantity(items[0], location, 7, 10), quantity(items[1], location, 7, 9), quantity("gid://shopify/InventoryItem/1", location, 7, 10), quantity(items[2], "gid://shopify/Location/1", 7, 10))
	want := []string{
		"CHANGE_FROM_QUANTITY_STALE.input.quantities.1.changeFromQuantity",
		"INVALID_INVENTORY_ITEM.input.quantities.2.inventoryItemId",
		"INVALID_LOCATION.input.quantities.3.locationId",
	}
	if got := r.codes("inventorySetQuantities"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c.available(10, 10, 10)
	r = c.set("2", quantity(items[0], location, 7, 10), quantity(items[1], location, 3, nil))
	if got := r.codes("inventorySetQuantities"); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if delta := at(r.Data, "inventorySetQuantities", "inventoryAdjustmentGroup", "changes", 0, "delta"); delta != float64(-3) {
		t.Errorf("the change is %v, want -3", delta)
	}
	c.available(7, 3, 10)
}

func TestImpossibleQuantitiesAreNamed(t *testing.T) {
	t.Parallel()
	c, items, location := stocked(t, shopify.Options{}, "A")
	for to, want := range map[int]string{
		1_000_000_001:  "INVALID_QUANTITY_TOO_HIGH.input.quantities.0.quantity",
		-1_000_000_001: "INVALID_QUANTITY_TOO_LOW.input.quantities.0.quantity",
	} {
		if got := c.set("k"+want, quantity(items[0], location, to, 10)).codes("inventorySetQuantities"); !slices.Equal(got, []string{want}) {
			t.Errorf("%d: got %v", to, got)
		}
	}
	twice := c.set("twice", quantity(items[0], location, 1, 10), quantity(items[0], location, 2, 10)).codes("inventorySetQuantities")
	if len(twice) != 1 || !strings.HasPrefix(twice[0], "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR") {
		t.Errorf("an item named twice: %v", twice)
	}
	variables := setVariables("reason", quantity(items[0], location, 1, 10))
	variables["input"].(map[string]any)["reason"] = "mood"
	if got := c.do(setQuantities, variables).codes("inventorySetQuantities"); !slices.Equal(got, []string{"INVALID_REASON.input.reason"}) {
		t.Errorf("an unknown reason: %v", got)
	}
	c.available(10)
}

// The version 2026-10 wants both, and says so in an error of the field.
func TestQuantitiesNeedAKeyAndWhatTheyReplace(t *testing.T) {
	t.Parallel()
	c, items, location := stocked(t, shopify.Options{}, "A")
	without := `mutation Set($input: InventorySetQuantitiesInput!) { inventorySetQuantities(input: $input) { userErrors { code } } }`
	variables := setVariables("", quantity(items[0], location, 1, 10))
	delete(variables, "key")
	if r := c.do(without, variables); r.code() != "BAD_REQUEST" || at(r.Data, "inventorySetQuantities") != nil {
		t.Errorf("without a key: %+v", r)
	}
	if r := c.set(" ", quantity(items[0], location, 1, 10)); r.code() != "BAD_REQUEST" {
		t.Errorf("with a blank key: %+v", r)
	}
	q := quantity(items[0], location, 1, 10)
	delete(q, "changeFromQuantity")
	if r := c.set("k", q); r.code() != "INVALID_FIELD_ARGUMENTS" {
		t.Errorf("without changeFromQuantity: %+v", r)
	}
	c.available(10)
}

// As of 2026-10, an item can be stocked by setting its quantity.
func TestAQuantityCanBeSetWhereNoneWas(t *testing.T) {
	t.Parallel()
	c, items, _ := stocked(t, shopify.Options{}, "A")
	second := at(c.do(`query L { locations(first: 10) { nodes { id } } }`, nil).Data, "locations", "nodes", 1, "id").(string)
	level := func() any {
		r := c.do(`query Level($item: [ID!]!, $at: ID!) { nodes(ids: $item) { ... on InventoryItem { inventoryLevel(locationId: $at) { quantities(names: ["available"]) { quantity } } } } }`, map[string]any{"item": []string{items[0]}, "at": second})
		return at(r.Data, "nodes", 0, "inventoryLevel", "quantities", 0, "quantity")
	}
	if got := level(); got != nil {
		t.Fatalf("before: %v", got)
	}
	if got := c.set("k", quantity(items[0], second, 4, 0)).codes("inventorySetQuantities"); len(got) > 0 {
		t.Error(got)
	}
	if got := level(); got != float64(4) {
		t.Errorf("after: %v, want 4", got)
	}
}

func TestAKeyIsForOneRequest(t *testing.T) {
	t.Parallel()
	c, items, location := stocked(t, shopify.Options{}, "A")
	if got := c.set("k", quantity(items[0], location, 7, 10)).codes("inventorySetQuantities"); len(got) > 0 {
		t.Fatal(got)
	}
	if err := c.shop.SetAvailable("A", 10); err != nil {
		t.Fatal(err)
	}
	// The same again is answered from memory, and does nothing.
	if got := c.set("k", quantity(items[0], location, 7, 10)).codes("inventorySetQuantities"); len(got) > 0 {
		t.Errorf("the replay says %v", got)
	}
	c.available(10)
	if got := c.set("k", quantity(items[0], location, 6, 10)).codes("inventorySetQuantities"); !slices.Equal(got, []string{"IDEMPOTENCY_KEY_PARAMETER_MISMATCH"}) {
		t.Errorf("other values: %v", got)
	}
	c.shop.FailKey("app", "k")
	if got := c.set("k", quantity(items[0], location, 7, 10)).codes("inventorySetQuantities"); !slices.Equal(got, []string{"IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"}) {
		t.Errorf("after the first has failed: %v", got)
	}
	// A key is of one app.
	c.shop.Install("other")
	c.token = c.shop.FixedToken("other")
	if got := c.set("k", quantity(items[0], location, 6, 10)).codes("inventorySetQuantities"); len(got) > 0 {
		t.Errorf("another app: %v", got)
	}
	c.available(6)
}

func TestAKeyIsTakenWhileItsRequestIsUnderWay(t *testing.T) {
	t.Parallel()
	c, items, location := stocked(t, shopify.Options{}, "A")
	c.shop.Fault(func(r shopify.Request) shopify.Fault { return shopify.Fault{Late: r.Operation == "Set"} })
	ctx, cancel := context.WithCancel(t.Context())
	c.shop.Before("Set", cancel)
	if _, err := c.post(ctx, shopify.Version, setQuantities, setVariables("k", quantity(items[0], location, 7, 10))); err == nil {
		t.Fatal("the late request was answered")
	}
	soon(t, "the late request", func() bool { return c.shop.Waiting() == 1 }, func() any { return c.shop.Waiting() })
	c.shop.Fault(nil)
	if got := c.set("k", quantity(items[0], location, 7, 10)).codes("inventorySetQuantities"); !slices.Equal(got, []string{"IDEMPOTENCY_CONCURRENT_REQUEST"}) {
		t.Errorf("while it is under way: %v", got)
	}
	c.available(10)
	c.shop.Land()
	c.available(7)
	if got := c.set("k", quantity(items[0], location, 7, 10)).codes("inventorySetQuantities"); len(got) > 0 {
		t.Errorf("afterwards: %v", got)
	}
	c.available(7)
}

const updateVariants = `mutation Update($id: ID!, $variants: [ProductVariantsBulkInput!]!, $partial: Boolean!) {
  productVariantsBulkUpdate(productId: $id, variants: $variants, allowPartialUpdates: $partial) { productVariants { id } userErrors { code field message } }
}`

func TestVariantsAreUpdatedTogetherOrInPart(t *testing.T) {
	t.Parallel()
	c := start(t, shopify.Options{})
	made := c.do(`mutation Make($input: ProductSetInput!) { productSet(input: $input) { product { id handle variants(first: 5) { nodes { id title } } } userErrors { code field } } }`, map[string]any{
		"input": map[string]any{
			"title": "Shirt", "handle": "shirt", "productOptions": []any{map[string]any{"name": "Size", "values": []any{map[string]any{"name": "S"}, map[string]any{"name": "M"}}}},
			"variants": []any{newVariant("S"), newVariant("M")},
		},
	})
	product := at(made.Data, "productSet", "product", "id")
	s, m := at(made.Data, "productSet", "product", "variants", "nodes", 0, "id"), at(made.Data, "productSet", "product", "variants", "nodes", 1, "id")
	if product == nil || m == nil || at(made.Data, "productSet", "product", "variants", "nodes", 0, "title") != "S" {
		t.Fatalf("making the product: %+v", made)
	}
	variants := []any{
		map[string]any{"id": s, "price": "5.00"}, map[string]any{"id": m, "price": "-1.00"}, map[string]any{"id": "gid://shopify/ProductVariant/1", "price": "1.00"},
	}
	want := []string{"GREATER_THAN_OR_EQUAL_TO.variants.1.price", "PRODUCT_VARIANT_DOES_NOT_EXIST.variants.2.id"}
	for _, partial := range []bool{false, true} {
		r := c.do(updateVariants, map[string]any{"id": product, "variants": variants, "partial": partial})
		if got := r.codes("productVariantsBulkUpdate"); !slices.Equal(got, want) {
			t.Errorf("partial %v: %v, want %v", partial, got, want)
		}
		shown, err := c.shop.Show("SHIRT-S")
		if wanted := map[bool]string{false: "1.00", true: "5.00"}[partial]; err != nil || shown.Price != wanted {
			t.Errorf("partial %v: %+v (%v), want %s", partial, shown, err, wanted)
		}
	}
	again := c.do(`mutation Make($input: ProductSetInput!) { productSet(input: $input) { userErrors { code } } }`, map[string]any{"input": map[string]any{"title": "Other", "handle": "shirt"}})
	if got := again.codes("productSet"); !slices.Equal(got, []string{"HANDLE_NOT_UNIQUE"}) {
		t.Errorf("a handle that is taken: %v", got)
	}
	same := c.do(`mutation Add($id: ID!, $variants: [ProductVariantsBulkInput!]!) { productVariantsBulkCreate(productId: $id, variants: $variants) { userErrors { code field } } }`, map[string]any{
		"id": product, "variants": []any{newVariant("L"), newVariant("S")},
	})
	if got := same.codes("productVariantsBulkCreate"); !slices.Equal(got, []string{"VARIANT_ALREADY_EXISTS.variants.1"}) || len(c.shop.SKUs()) != 2 {
		t.Errorf("a variant that is there: %v, and %v", got, c.shop.SKUs())
	}
}

func newVariant(size string) map[string]any {
	return map[string]any{
		"price": "1.00", "inventoryItem": map[string]any{"sku": "SHIRT-" + size, "tracked": true},
		"optionValues": []any{map[string]any{"optionName": "Size", "name": size}},
	}
}
