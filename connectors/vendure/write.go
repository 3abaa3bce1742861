package vendure

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

// updateMutation returns what is stored after the transaction: its fields are
// resolved from the database once the mutation has committed.
const updateMutation = `mutation Update($input: [UpdateProductVariantInput!]!) {
  updateProductVariants(input: $input) { ...Variant }
}` + variantFields

// WriteIntents implements driver.IntentWriter. All variants of the call are
// updated in one transaction; what belongs to products is written after it.
func (c *connection) WriteIntents(ctx context.Context, intents []driver.Intent) ([]driver.Outcome, error) {
	ctx = driver.WithOperation(ctx, driver.OpWrite)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.writeIntents(ctx, s, intents)
}

func (c *connection) writeIntents(ctx context.Context, s *shop, intents []driver.Intent) ([]driver.Outcome, error) {
	w := newWriting(c, s, intents)
	w.refuseInvalid()
	if err := w.resolve(ctx); err != nil {
		return nil, err
	}
	if err := w.writeVariants(ctx); err != nil {
		return nil, err
	}
	w.writeProducts(ctx)
	w.judge()
	return w.outcomes, nil
}

// writing is one call of WriteIntents.
type writing struct {
	c        *connection
	s        *shop
	intents  []driver.Intent
	outcomes []driver.Outcome
	// ids are the variants to write, "" where an outcome is known already.
	ids []string
	// stored are the variants as answered, enabled their own switches.
	stored  map[string]driver.Listing
	enabled map[string]bool
	// products are the failures of writes of products, by product id.
	products map[string]driver.Outcome
}

func newWriting(c *connection, s *shop, intents []driver.Intent) *writing {
	return &writing{
		c: c, s: s, intents: intents,
		outcomes: make([]driver.Outcome, len(intents)),
		ids:      make([]string, len(intents)),
		stored:   map[string]driver.Listing{},
		enabled:  map[string]bool{},
		products: map[string]driver.Outcome{},
	}
}

func rejected(reason, message string) driver.Outcome {
	return driver.Outcome{Kind: driver.Rejected, Reason: reason, Message: driver.ClipMessage(message)}
}

// refuseInvalid rejects what Vendure would take and should not (a negative
// stockOnHand in stockLevels), or would refuse for the whole batch.
func (w *writing) refuseInvalid() {
	for i, intent := range w.intents {
		if stock := intent.Stock; stock != nil && (stock.Quantity < 0 || stock.Quantity > maxInt32) {
			w.outcomes[i] = rejected(reasonInvalidQuantity, fmt.Sprintf("the shop stores 0 to %d units, not %d", maxInt32, stock.Quantity))
			continue
		}
		if intent.Price == nil {
			continue
		}
		if intent.Price.Currency != w.c.currency {
			w.outcomes[i] = rejected(reasonInvalidPrice, fmt.Sprintf("the channel's currency is %s, not %s", w.c.currency, intent.Price.Currency))
		} else if _, err := toStored(*intent.Price, w.s.precision); err != nil {
			w.outcomes[i] = rejected(reasonInvalidPrice, err.Error())
		}
	}
}

// resolve finds the variant of each intent, by SKU where no Ref is known.
func (w *writing) resolve(ctx context.Context) error {
	var unknown []driver.Key
	for i, intent := range w.intents {
		if w.outcomes[i].Kind != "" {
			continue
		}
		if w.ids[i], _ = splitRef(intent.Ref); w.ids[i] == "" {
			unknown = append(unknown, driver.Key{SKU: intent.SKU})
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	found, err := w.c.readKeys(ctx, w.s, unknown)
	if err != nil {
		return err
	}
	bySKU := map[string][]driver.Listing{}
	for _, l := range found {
		bySKU[l.SKU] = append(bySKU[l.SKU], l)
	}
	for i, intent := range w.intents {
		if w.outcomes[i].Kind != "" || w.ids[i] != "" {
			continue
		}
		switch have := bySKU[intent.SKU]; len(have) {
		case 0:
			w.outcomes[i] = rejected(reasonUnknownItem, "the shop has no variant with this SKU")
		case 1:
			w.ids[i], _ = splitRef(have[0].Ref)
		default:
			w.outcomes[i] = rejected(reasonDuplicate, fmt.Sprintf("%d variants of the shop bear this SKU", len(have)))
		}
	}
	return nil
}

// writeVariants updates all variants in one call, in the order of their ids:
// two transactions that lock rows in one order cannot deadlock.
func (w *writing) writeVariants(ctx context.Context) error {
	order := w.pending()
	if len(order) == 0 {
		return nil
	}
	global, err := w.c.stockSettings(ctx)
	if err != nil {
		return err
	}
	input := make([]map[string]any, len(order))
	for n, i := range order {
		input[n] = w.input(i)
	}
	var data struct {
		Updated []*variant `json:"updateProductVariants"`
	}
	err = w.c.api.do(ctx, operation{
		what: "write listings", query: updateMutation, write: true, language: w.s.language,
		variables: map[string]any{"input": input},
	}, &data)
	var e *driver.Error
	if errors.As(err, &e) && e.Class == driver.ClassBatchRejected && len(order) == 1 {
		return w.refused(ctx, order[0], e)
	}
	if err != nil {
		return err
	}
	for _, v := range data.Updated {
		if v != nil {
			w.stored[v.ID], w.enabled[v.ID] = w.c.listing(*v, w.s, global), v.Enabled
		}
	}
	return nil
}

// refused is what follows when the shop refuses a single item: that item is to
// blame. One that is gone by its id may have been made anew under another.
func (w *writing) refused(ctx context.Context, i int, e *driver.Error) error {
	if e.Reason == reasonUnknownItem && w.intents[i].Ref != "" {
		w.intents = slices.Clone(w.intents)
		w.intents[i].Ref = ""
		if err := w.resolve(ctx); err != nil {
			return err
		}
		return w.writeVariants(ctx)
	}
	w.outcomes[i] = rejected(e.Reason, e.Message)
	return nil
}

// pending are the indexes of the intents without an outcome, by variant id.
func (w *writing) pending() []int {
	var order []int
	for i := range w.intents {
		if w.outcomes[i].Kind == "" {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return compareIDs(w.ids[a], w.ids[b]) })
	return order
}

// input is the UpdateProductVariantInput of an intent.
func (w *writing) input(i int) map[string]any {
	intent := w.intents[i]
	input := map[string]any{"id": w.ids[i]}
	if content := intent.Content; content != nil {
		input["enabled"] = content.Enabled
		input["translations"] = []any{map[string]any{"languageCode": w.s.language, "name": content.Title}}
	}
	if intent.Price != nil {
		// refuseInvalid has checked it.
		price, _ := toStored(*intent.Price, w.s.precision)
		input["prices"] = []any{map[string]any{"currencyCode": intent.Price.Currency, "price": price}}
	}
	if intent.Stock != nil {
		input["stockLevels"] = []any{map[string]any{"stockLocationId": w.s.location, "stockOnHand": intent.Stock.Quantity}}
	}
	return input
}

// judge compares what is stored with what was intended.
func (w *writing) judge() {
	for i, intent := range w.intents {
		if w.outcomes[i].Kind != "" {
			continue
		}
		stored, ok := w.stored[w.ids[i]]
		if !ok {
			w.outcomes[i] = driver.Outcome{Kind: driver.Accepted, Reason: reasonBadAnswer, Message: "the answer did not hold the variant"}
			continue
		}
		outcome := verdict(intent, stored)
		if _, productID := splitRef(stored.Ref); outcome.Kind != driver.Verified {
			if failure, failed := w.products[productID]; failed {
				outcome = failure
			}
		}
		outcome.Stored = &stored
		w.outcomes[i] = outcome
	}
}

// verdict is the outcome of an intent by what the channel stored.
func verdict(intent driver.Intent, stored driver.Listing) driver.Outcome {
	if stored.SKU != intent.SKU {
		return rejected("SKUChanged", "the variant now bears another SKU")
	}
	if intent.Stock != nil && stored.Stock == nil {
		return rejected("StockNotTracked", "the shop does not track the stock of this variant (trackInventory)")
	}
	if want := intent.Content; want != nil {
		have := stored.Content
		switch {
		case want.Product.Key != have.Product.Key:
			return rejected("ProductDiffers", fmt.Sprintf("the variant belongs to the product %q, not %q; a variant cannot be moved and a slug is not changed", have.Product.Key, want.Product.Key))
		case !slices.Equal(want.Options, have.Options):
			return rejected("OptionsDiffer", "the options of a variant that exists are not changed")
		case want.Title != have.Title, want.Enabled != have.Enabled, want.Product != have.Product:
			return driver.Outcome{Kind: driver.Accepted}
		}
	}
	if intent.Price != nil && (stored.Price == nil || *stored.Price != *intent.Price) {
		return driver.Outcome{Kind: driver.Accepted}
	}
	if intent.Stock != nil && stored.Stock.OnHand != intent.Stock.Quantity {
		return driver.Outcome{Kind: driver.Accepted}
	}
	return driver.Outcome{Kind: driver.Verified}
}
