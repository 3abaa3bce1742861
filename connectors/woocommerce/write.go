package woocommerce

import (
	"context"
	"fmt"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

// WriteIntents implements driver.IntentWriter. The items are read by their SKUs
// first. Then the variations of each product are written in a batch of their
// own, and all products in one: what buyers see of a product, its variations
// included, changes last.
func (c *connection) WriteIntents(ctx context.Context, intents []driver.Intent) ([]driver.Outcome, error) {
	return c.writeIntents(driver.WithOperation(ctx, driver.OpWrite), intents)
}

func (c *connection) writeIntents(ctx context.Context, intents []driver.Intent) ([]driver.Outcome, error) {
	s, err := c.shop.read(ctx, c)
	if err != nil {
		return nil, err
	}
	w := &writing{
		c: c, s: s, intents: intents,
		outcomes: make([]driver.Outcome, len(intents)),
		refusals: make([]driver.Outcome, len(intents)),
		items:    make([]item, len(intents)),
	}
	w.refuseInvalid()
	if err := w.resolve(ctx); err != nil {
		return nil, err
	}
	if err := w.write(ctx); err != nil {
		return nil, err
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
	// items are what the intents are for.
	items []item
	// left is in how many changes that are not sent yet each intent has a part.
	left []int
	// saleOnly: of the content, only whether it is on sale is written.
	saleOnly bool
	// applied says that something was written.
	applied bool
}

// refuseInvalid rejects what the shop would take and should not.
func (w *writing) refuseInvalid() {
	for i, intent := range w.intents {
		if stock := intent.Stock; stock != nil && (stock.Quantity < 0 || stock.Quantity > maxQuantity) {
			w.outcomes[i] = rejected(reasonInvalidQuantity, fmt.Sprintf("a quantity is 0 to %d units, not %d", maxQuantity, stock.Quantity))
			continue
		}
		if intent.Price == nil {
			continue
		}
		if err := w.s.checkPrice(*intent.Price); err != nil {
			w.outcomes[i] = rejected(reasonInvalidPrice, err.Error())
		}
	}
}

// resolve reads the item of each intent by its SKU.
func (w *writing) resolve(ctx context.Context) error {
	var skus []string
	for _, i := range w.pending(func(int) bool { return true }) {
		if w.intents[i].SKU != "" {
			skus = append(skus, w.intents[i].SKU)
		}
	}
	found, err := w.c.bySKU(ctx, skus)
	if err != nil {
		return err
	}
	bySKU := map[string][]item{}
	for _, it := range found {
		bySKU[it.sku()] = append(bySKU[it.sku()], it)
	}
	for i, intent := range w.intents {
		if w.outcomes[i].Kind != "" {
			continue
		}
		switch have := bySKU[intent.SKU]; len(have) {
		case 0:
			w.outcomes[i] = rejected(reasonUnknownItem, "the shop has no product or variation with this SKU")
		case 1:
			w.items[i] = have[0]
			w.refusals[i] = w.refusal(i)
		default:
			w.outcomes[i] = rejected(reasonDuplicate, fmt.Sprintf("%d products or variations of the shop bear this SKU", len(have)))
		}
	}
	return nil
}

// refusal is what cannot be written of an intent whose item is there.
func (w *writing) refusal(i int) driver.Outcome {
	intent, it := w.intents[i], w.items[i]
	if intent.Stock != nil && !it.tracked() {
		return rejected(reasonStockNotTracked, untracked(it))
	}
	if want := intent.Content; want != nil {
		switch owner := it.owner(); {
		case want.Product.Key != owner.key():
			return rejected(reasonProductDiffers, fmt.Sprintf("it belongs to the product %q, not %q; a variation cannot be moved and a slug is not changed", owner.key(), want.Product.Key))
		case !slices.Equal(want.Options, it.options()):
			return rejected(reasonOptionsDiffer, "the options of what exists are not changed")
		}
	}
	return driver.Outcome{}
}

func untracked(it item) string {
	if it.ManageStock == managedByParent {
		return "its product counts one stock for all variations; let each variation manage its own"
	}
	return "the shop does not manage the stock of this item"
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

// write carries out what is to be done.
func (w *writing) write(ctx context.Context) error {
	p, err := w.plan(ctx)
	if err != nil {
		return err
	}
	w.left = p.parts(len(w.intents))
	for _, parent := range keysOf(p.variations) {
		if err := w.send(ctx, variationsPath(parent), p.variations[parent]); err != nil {
			return err
		}
	}
	return w.send(ctx, "/products", p.products)
}

// fields are those of the item itself that the intent sets. The stock is managed
// already; saying so keeps WooCommerce from passing over the quantity.
func (w *writing) fields(i int) change {
	intent, it := w.intents[i], w.items[i]
	set := change{}
	if intent.Price != nil {
		set["regular_price"] = intent.Price.Decimal()
	}
	if intent.Stock != nil && it.tracked() {
		set["manage_stock"], set["stock_quantity"] = true, intent.Stock.Quantity
	}
	if want := w.content(i); want != nil && !w.saleOnly {
		set.title(it, want)
	}
	return set
}

// content is what is to be said of the item; nil where it is of another product.
func (w *writing) content(i int) *driver.Content {
	if w.refusals[i].Reason == reasonProductDiffers {
		return nil
	}
	return w.intents[i].Content
}
