package medusa

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

// WriteIntents implements driver.IntentWriter. Prices are lists that a write
// replaces, so the variants are read first, in one request. Then stock is
// written in one batch, prices and titles in a batch for each product, and what
// belongs to products after that.
func (c *connection) WriteIntents(ctx context.Context, intents []driver.Intent) ([]driver.Outcome, error) {
	ctx = driver.WithOperation(ctx, driver.OpWrite)
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.writeIntents(ctx, s, intents)
}

func (c *connection) writeIntents(ctx context.Context, s *shop, intents []driver.Intent) ([]driver.Outcome, error) {
	w := &writing{
		c: c, s: s, intents: intents,
		outcomes: make([]driver.Outcome, len(intents)),
		refusals: make([]driver.Outcome, len(intents)),
		variants: make([]variant, len(intents)),
	}
	w.refuseInvalid()
	if err := w.resolve(ctx); err != nil {
		return nil, err
	}
	for _, part := range []func(context.Context) error{w.writeStock, w.writeVariants, w.writeProducts} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	for i := range w.outcomes {
		if w.outcomes[i].Kind == "" {
			w.outcomes[i] = w.refusals[i]
		}
		if w.outcomes[i].Kind == "" {
			w.outcomes[i].Kind = driver.Accepted
		}
	}
	return w.outcomes, nil
}

// writing is one call of WriteIntents.
type writing struct {
	c       *connection
	s       *shop
	intents []driver.Intent
	// outcomes are set where nothing more is to be written; refusals are about
	// one field, and the others are written all the same.
	outcomes, refusals []driver.Outcome
	// variants are what the intents are for.
	variants []variant
	// applied says that something was written.
	applied bool
}

// refuseInvalid rejects what Medusa would take and should not, or would refuse
// for the whole batch.
func (w *writing) refuseInvalid() {
	for i, intent := range w.intents {
		if stock := intent.Stock; stock != nil && (stock.Quantity < 0 || stock.Quantity > maxQuantity) {
			w.outcomes[i] = rejected(reasonInvalidQuantity, fmt.Sprintf("a quantity is 0 to %d units, not %d", maxQuantity, stock.Quantity))
			continue
		}
		if intent.Price == nil {
			continue
		}
		if err := checkPrice(*intent.Price, w.c.currency); err != nil {
			w.outcomes[i] = rejected(reasonInvalidPrice, err.Error())
		}
	}
}

// resolve reads the variant of each intent by its SKU.
func (w *writing) resolve(ctx context.Context) error {
	var skus []string
	for _, i := range w.pending(func(int) bool { return true }) {
		skus = append(skus, w.intents[i].SKU)
	}
	found, err := w.c.readBy(ctx, "sku[]", skus)
	if err != nil {
		return err
	}
	bySKU := map[string][]variant{}
	for _, v := range found {
		bySKU[v.SKU] = append(bySKU[v.SKU], v)
	}
	for i, intent := range w.intents {
		if w.outcomes[i].Kind != "" {
			continue
		}
		switch have := bySKU[intent.SKU]; len(have) {
		case 0:
			w.outcomes[i] = rejected(reasonUnknownItem, "the shop has no variant with this SKU")
		case 1:
			w.variants[i] = have[0]
			w.refusals[i] = w.refusal(i)
		default:
			w.outcomes[i] = rejected("DuplicateSKU", fmt.Sprintf("%d variants of the shop bear this SKU", len(have)))
		}
	}
	return nil
}

// refusal is what cannot be written of an intent whose variant is there.
func (w *writing) refusal(i int) driver.Outcome {
	intent, v := w.intents[i], w.variants[i]
	if _, counted := v.item(); intent.Stock != nil && !counted {
		return rejected("StockNotTracked", "the shop does not manage the stock of this variant, or it is a bundle")
	}
	if want := intent.Content; want != nil {
		switch {
		case want.Product.Key != v.Product.key():
			return rejected("ProductDiffers", fmt.Sprintf("the variant belongs to the product %q, not %q; a variant cannot be moved and a handle is not changed", v.Product.key(), want.Product.Key))
		case !slices.Equal(want.Options, v.options()):
			return rejected("OptionsDiffer", "the options of a variant that exists are not changed")
		}
	}
	return driver.Outcome{}
}

// pending are the indexes of the intents without an outcome that are wanted.
func (w *writing) pending(wanted func(i int) bool) []int {
	var all []int
	for i := range w.intents {
		if w.outcomes[i].Kind == "" && wanted(i) {
			all = append(all, i)
		}
	}
	return all
}

// apply sends one request for the items. Where the shop refuses all of them for
// one, each is sent alone, and the one to blame is Rejected. What else goes
// wrong ends the call: with its error as long as nothing was written, later
// with outcomes for all that is pending.
func (w *writing) apply(ctx context.Context, at []int, send func(ctx context.Context, at []int) error) error {
	if len(at) == 0 {
		return nil
	}
	err := send(ctx, at)
	switch {
	case err == nil:
		w.applied = true
	case isRejection(err) && len(at) > 1:
		for _, i := range at {
			if w.outcomes[i].Kind != "" {
				continue
			}
			if err := w.apply(ctx, []int{i}, send); err != nil {
				return err
			}
		}
	case isRejection(err):
		w.outcomes[at[0]] = driver.OutcomeOf(err)
	case !w.applied:
		return err
	default:
		w.fail(at, err)
	}
	return nil
}

// fail gives the items the error as outcome, and those that are pending a word
// that they were not tried.
func (w *writing) fail(at []int, err error) {
	outcome := driver.OutcomeOf(err)
	for _, i := range at {
		w.outcomes[i] = outcome
	}
	outcome.Kind = driver.Failed
	var e *driver.Error
	if errors.As(err, &e) && e.Class == driver.ClassThrottled {
		outcome.Kind = driver.Throttled
	}
	for _, i := range w.pending(func(int) bool { return true }) {
		w.outcomes[i] = outcome
	}
}

type levelInput struct {
	Item     string `json:"inventory_item_id"`
	Location string `json:"location_id"`
	Stocked  int64  `json:"stocked_quantity"`
}

// writeStock sets all quantities in one batch, in the order of ids: two
// transactions that lock rows in one order cannot deadlock. A variant that is
// not stocked at the location yet gets a level there.
func (w *writing) writeStock(ctx context.Context) error {
	counted := w.pending(func(i int) bool {
		_, ok := w.variants[i].item()
		return ok && w.intents[i].Stock != nil
	})
	return w.apply(ctx, counted, func(ctx context.Context, at []int) error {
		byItem := map[string]levelInput{}
		exists := map[string]bool{}
		for _, i := range at {
			item, _ := w.variants[i].item()
			_, exists[item] = w.variants[i].level(w.s.location)
			byItem[item] = levelInput{Item: item, Location: w.s.location, Stocked: w.intents[i].Stock.Quantity}
		}
		body := map[string][]levelInput{}
		for _, item := range slices.Sorted(maps.Keys(byItem)) {
			kind := "create"
			if exists[item] {
				kind = "update"
			}
			body[kind] = append(body[kind], byItem[item])
		}
		return w.c.api.do(ctx, call{
			what: "write stock", path: "/admin/inventory-items/location-levels/batch", body: body, write: true,
		}, &struct{}{})
	})
}

type variantInput struct {
	ID     string  `json:"id"`
	Title  *string `json:"title,omitempty"`
	Prices []price `json:"prices,omitempty"`
}

// writeVariants sets prices and titles, in a batch for each product.
func (w *writing) writeVariants(ctx context.Context) error {
	byProduct := map[string][]int{}
	for _, i := range w.pending(func(i int) bool {
		content := w.intents[i].Content
		return w.intents[i].Price != nil || content != nil && content.Title != w.variants[i].Title
	}) {
		id := w.variants[i].Product.ID
		byProduct[id] = append(byProduct[id], i)
	}
	for _, id := range slices.Sorted(maps.Keys(byProduct)) {
		still := slices.DeleteFunc(byProduct[id], func(i int) bool { return w.outcomes[i].Kind != "" })
		err := w.apply(ctx, still, func(ctx context.Context, at []int) error {
			var update []variantInput
			for _, i := range at {
				update = append(update, w.variantInput(i))
			}
			slices.SortFunc(update, func(a, b variantInput) int { return compareText(a.ID, b.ID) })
			return w.c.api.do(ctx, call{
				what: "write prices and titles", write: true, body: map[string]any{"update": update},
				path: "/admin/products/" + url.PathEscape(id) + "/variants/batch", query: fields("id", nil),
			}, &struct{}{})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) variantInput(i int) variantInput {
	intent, v := w.intents[i], w.variants[i]
	input := variantInput{ID: v.ID}
	if intent.Price != nil {
		input.Prices = v.priceList(*intent.Price, w.s.region)
	}
	if intent.Content != nil {
		input.Title = &intent.Content.Title
	}
	return input
}
