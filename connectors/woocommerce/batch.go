package woocommerce

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"selaras.dev/selaras/connectors/driver"
)

// change are the fields of one item to set.
type change map[string]any

// meta sets entries of the metadata.
func (c change) meta(entries ...[2]string) {
	list, _ := c["meta_data"].([]map[string]string)
	for _, e := range entries {
		list = append(list, map[string]string{"key": e[0], "value": e[1]})
	}
	c["meta_data"] = list
}

// update is a change of one item, and the intents that it is for.
type update struct {
	set change
	at  []int
}

// updates are changes by the id of what they change.
type updates map[int64]*update

// prune forgets changes that set nothing.
func (u updates) prune() {
	maps.DeleteFunc(u, func(_ int64, one *update) bool { return len(one.set) == 1 }) // the id
}

// of is the update of an id, noted as one of the intent too.
func (u updates) of(id int64, intent int) change {
	if u[id] == nil {
		u[id] = &update{set: change{"id": id}}
	}
	if !slices.Contains(u[id].at, intent) {
		u[id].at = append(u[id].at, intent)
	}
	return u[id].set
}

// answered is one item of the answer to a batch.
type answered struct {
	product
	Error *apiError `json:"error"`
}

// batch sends one batch. The answers of its items are in the order in which they
// were sent.
func (c *connection) batch(ctx context.Context, what, path, kind string, items []change) ([]answered, error) {
	var answer map[string]json.RawMessage
	_, err := c.api.do(ctx, call{
		what: what, method: http.MethodPost, path: path + "/batch", body: map[string]any{kind: items},
	}, &answer)
	if err != nil {
		return nil, err
	}
	var all []answered
	if err := json.Unmarshal(answer[kind], &all); err != nil || len(all) != len(items) {
		return nil, badAnswer(what, true, "the answer does not hold the items of the batch")
	}
	return all, nil
}

// send writes updates, at most a hundred in a batch. Where the shop refuses a
// batch as a whole, its halves are tried. What else goes wrong ends the call:
// with its error as long as nothing was written, later with outcomes for all
// that is pending.
func (w *writing) send(ctx context.Context, path string, all updates) error {
	var ids []int64
	for _, id := range keysOf(all) {
		// Refused by a batch before are those with an outcome.
		if slices.ContainsFunc(all[id].at, func(i int) bool { return w.outcomes[i].Kind == "" }) {
			ids = append(ids, id)
		}
	}
	for chunk := range slices.Chunk(ids, maxPerPage) {
		if err := w.sendBatch(ctx, path, all, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) sendBatch(ctx context.Context, path string, all updates, ids []int64) error {
	items := make([]change, len(ids))
	var at []int
	for n, id := range ids {
		items[n] = all[id].set
		at = append(at, all[id].at...)
	}
	answers, err := w.c.batch(ctx, "write listings", path, "update", items)
	switch {
	case err == nil:
		w.applied = true
		for n, id := range ids {
			w.judge(all[id], answers[n])
		}
	case isRejection(err) && len(ids) > 1:
		half := len(ids) / 2
		if err := w.sendBatch(ctx, path, all, ids[:half]); err != nil {
			return err
		}
		return w.sendBatch(ctx, path, all, ids[half:])
	case isRejection(err):
		w.settle(at, driver.OutcomeOf(err))
	case !w.applied:
		return err
	default:
		w.fail(at, err)
	}
	return nil
}

// judge gives the intents of an update what its answer says of it.
func (w *writing) judge(u *update, a answered) {
	for _, i := range u.at {
		w.left[i]--
	}
	if a.Error != nil {
		w.settle(u.at, rejection(*a.Error))
		return
	}
	if field := u.set.altered(a.product); field != "" {
		outcome := rejected(reasonAltered, "WordPress stored another "+field+" than was sent: it filters HTML, and wants & written as &amp;")
		for _, i := range u.at {
			w.refusals[i] = outcome
		}
	}
}

// altered is the text that is stored otherwise than it was sent; empty for none.
func (c change) altered(stored product) string {
	if name, ok := c["name"].(string); ok && plain(stored.Name) != name {
		return "name"
	}
	if description, ok := c["description"].(string); ok && stored.Description != description {
		return "description"
	}
	return ""
}

func (w *writing) settle(at []int, outcome driver.Outcome) {
	for _, i := range at {
		w.outcomes[i] = outcome
	}
}

// fail gives the items the error as outcome, and those that are pending a word
// that they were not tried.
func (w *writing) fail(at []int, err error) {
	outcome := driver.OutcomeOf(err)
	w.settle(at, outcome)
	outcome.Kind = driver.Failed
	if driver.ClassOf(err) == driver.ClassThrottled {
		outcome.Kind = driver.Throttled
	}
	w.settle(w.pending(func(i int) bool { return w.left[i] > 0 }), outcome)
}
