package shopify

import (
	"context"
	"maps"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

type metafieldInput struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	Type      string `json:"type"`
	Value     string `json:"value"`
}

func ownTitle(title string) []metafieldInput {
	return []metafieldInput{{Namespace: titleNamespace, Key: titleKey, Type: titleType, Value: title}}
}

type variantInput struct {
	ID         string           `json:"id"`
	Price      *string          `json:"price,omitempty"`
	Metafields []metafieldInput `json:"metafields,omitempty"`
}

// writeVariants sets prices and titles, with a mutation for each product that
// takes what it can and names the rest.
func (w *writing) writeVariants(ctx context.Context) error {
	byProduct := map[string][]int{}
	for _, i := range w.pending(func(i int) bool { return w.intents[i].Price != nil || w.retitles(i) }) {
		id := w.variants[i].Product.ID
		byProduct[id] = append(byProduct[id], i)
	}
	var all []mutation
	var of [][]int
	for _, id := range slices.Sorted(maps.Keys(byProduct)) {
		at := byProduct[id]
		all, of = append(all, w.variantsMutation(id, at)), append(of, at)
	}
	done, err := w.c.runAll(ctx, "write prices and titles", "UpdateVariants", "code", all)
	if err != nil {
		return w.blame(slices.Concat(of[done:]...), err)
	}
	return nil
}

// retitles says that the variant needs a title of its own, or another one.
func (w *writing) retitles(i int) bool {
	want, v := w.intents[i].Content, w.variants[i]
	switch {
	case want == nil || want.Title == "":
		return false
	case v.OwnTitle != nil:
		return v.OwnTitle.Value != want.Title
	}
	return v.madeTitle(want.Product.Title) != want.Title
}

func (w *writing) variantsMutation(product string, at []int) mutation {
	variants := make([]variantInput, len(at))
	for n, i := range at {
		variants[n].ID = w.variants[i].ID
		if price := w.intents[i].Price; price != nil {
			decimal := price.Decimal()
			variants[n].Price = &decimal
		}
		if w.retitles(i) {
			variants[n].Metafields = ownTitle(w.intents[i].Content.Title)
		}
	}
	return mutation{
		field: "productVariantsBulkUpdate",
		arguments: []argument{
			{"productId", "ID!", product}, {"variants", "[ProductVariantsBulkInput!]!", variants}, {"allowPartialUpdates", "Boolean", true},
		},
		then: func(r result) { w.takeVariants(at, r) },
	}
}

// takeVariants gives the variants that the shop names their outcomes.
func (w *writing) takeVariants(at []int, r result) {
	if r.err != nil {
		for _, i := range at {
			w.outcomes[i] = driver.OutcomeOf(r.err)
		}
		return
	}
	w.applied = true
	for _, e := range r.errors {
		if n, ok := e.item("variants"); ok && n < len(at) {
			w.outcomes[at[n]] = refusedBy(e)
			continue
		}
		for _, i := range at {
			if w.outcomes[i].Kind == "" {
				w.outcomes[i] = refusedBy(e)
			}
		}
	}
}
