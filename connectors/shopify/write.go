package shopify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

// WriteIntents implements driver.IntentWriter. The variants are read first, by
// id, which costs next to nothing: a price needs the id of the product, a
// quantity that of the inventory item, and nothing is written to a variant that
// bears another SKU by now. Then stock is written, prices and titles, and what
// belongs to products.
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
	for _, part := range []struct {
		write func(context.Context) error
		// done says that an intent asks for nothing that a later part writes.
		done func(driver.Intent) bool
	}{
		{w.writeStock, func(i driver.Intent) bool { return i.Price == nil && i.Content == nil }},
		{w.writeVariants, func(i driver.Intent) bool { return i.Content == nil }},
		{w.writeProducts, func(driver.Intent) bool { return true }},
	} {
		if err := part.write(ctx); err != nil {
			return nil, err
		}
		w.conclude(part.done)
	}
	return w.outcomes, nil
}

// conclude gives the intents that are done, and have no outcome, theirs.
func (w *writing) conclude(done func(driver.Intent) bool) {
	for _, i := range w.pending(func(i int) bool { return done(w.intents[i]) }) {
		w.outcomes[i] = w.refusals[i]
		if w.outcomes[i].Kind == "" {
			w.outcomes[i].Kind = driver.Accepted
		}
	}
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

// refuseInvalid rejects what Shopify would take and should not, or would refuse
// for others too.
func (w *writing) refuseInvalid() {
	for i, intent := range w.intents {
		if stock := intent.Stock; stock != nil && (stock.Quantity < 0 || stock.Quantity > maxQuantity) {
			w.outcomes[i] = rejected(reasonInvalidQuantity, fmt.Sprintf("a quantity is 0 to %d units, not %d", maxQuantity, stock.Quantity))
			continue
		}
		if intent.Price == nil {
			continue
		}
		if err := checkPrice(*intent.Price, w.s.currency); err != nil {
			w.outcomes[i] = rejected(reasonInvalidPrice, err.Error())
		}
	}
}

// checkPrice says why a price cannot be stored.
func checkPrice(m driver.Money, currency string) error {
	switch {
	case m.Currency != currency:
		return fmt.Errorf("the channel's currency is %s, not %q", currency, m.Currency)
	case m.Minor < 0:
		return fmt.Errorf("a price cannot be negative: %s", m)
	}
	return nil
}

// resolve reads the variant of each intent.
func (w *writing) resolve(ctx context.Context) error {
	var keys []driver.Key
	for _, i := range w.pending(func(int) bool { return true }) {
		keys = append(keys, w.intents[i].Key)
	}
	if len(keys) == 0 {
		return nil
	}
	found, err := w.c.readKeys(ctx, w.s, keys)
	if err != nil {
		return err
	}
	w.c.listings(found, w.s) // remembered
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
			w.outcomes[i] = rejected(reasonDuplicate, fmt.Sprintf("%d variants of the shop bear this SKU", len(have)))
		}
	}
	return nil
}

// refusal is what cannot be written of an intent whose variant is there.
func (w *writing) refusal(i int) driver.Outcome {
	intent, v := w.intents[i], w.variants[i]
	if intent.Stock != nil && !v.Item.Tracked {
		return rejected(reasonNotTracked, "the shop does not track the stock of this variant")
	}
	if want := intent.Content; want != nil {
		switch {
		case want.Product.Key != v.Product.Handle:
			return rejected("ProductDiffers", fmt.Sprintf("the variant belongs to the product %q, not %q; a variant cannot be moved and a handle is not changed", v.Product.Handle, want.Product.Key))
		case !slices.Equal(want.Options, v.options()):
			return rejected(reasonOptionsDiffer, "the options of a variant that exists are not changed")
		case want.Title == "":
			return rejected("TitleMissing", "a variant without a title is shown under the one that Shopify makes")
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

// blame gives each item its outcome for an error that hit a request for all of
// them. A rejection is theirs; what else goes wrong ends the call: with its
// error as long as nothing was written, later with outcomes for all that is
// pending.
func (w *writing) blame(at []int, err error) error {
	switch {
	case isRejection(err):
		for _, i := range at {
			w.outcomes[i] = driver.OutcomeOf(err)
		}
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
