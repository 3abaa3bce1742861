package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

func TestFactsBecomeItemsAndStock(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	w := n.start(t, t.TempDir(), nil)
	defer w.stop()
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10), order("market", "m", "A", 1, 3, 0)))
	n.ats(t, "A", 7)
	// A fact that changes nothing moves the cursor as well: connectors wait for it.
	before := n.records(t)
	n.folded(t, n.append(t, order("market", "m", "A", 1, 3, 0)))
	if after := n.records(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("a repetition changed %v to %v", before, after)
	}
	if err := w.Ready(); err != nil || !w.Active() {
		t.Errorf("active %v, ready: %v", w.Active(), err)
	}
}

func TestFactsAreFoldedByAConfigurationThatWasThereBeforeThem(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	w := n.start(t, t.TempDir(), nil)
	defer w.stop()
	// Nobody's business yet; the order is kept for later.
	n.folded(t, n.append(t, itemSeen("A", "Red"), order("market", "m", "A", 1, 5, 2)))
	if got := n.records(t); len(got) != 1 {
		t.Errorf("without a sync there is %v", got)
	}
	// A connector that saw the configuration states its facts at once.
	n.sync(t, "market")
	n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10))
	n.folded(t, n.append(t, order("market", "m", "A", 1, 5, 2)))
	n.ats(t, "A", 7)
	if err := n.space.Delete(n.ctx, workload.ConfigSyncPrefix+"main"); err != nil {
		t.Fatal(err)
	}
	wait(t, n.ctx, func() string {
		if topology, _ := w.config.current(); len(topology.Sources) > 0 {
			return "the deleted sync is still followed"
		}
		return ""
	})
	n.folded(t, n.append(t, itemSeen("A", "Blue")))
	if got := n.item(t, "A"); got.Content.Title != "Red" {
		t.Errorf("a channel without sync changed the item to %+v", got)
	}
}

func TestAnOrderLargerThanABatchCountsOnce(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	dir := t.TempDir()
	var folds atomic.Int64
	w := n.start(t, dir, func(w *Worker) {
		w.afterFold = func(hub.Cursor) error {
			if folds.Add(1) == 3 {
				return errors.New("stopped in the middle")
			}
			return nil
		}
	})
	defer w.stop()
	n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 5000))
	large := order("market", "m", "A", 1, 1, 0)
	for i := range 1999 {
		line := driver.OrderLine{ID: fmt.Sprint("l", i), SKU: fmt.Sprint("S", i%700), Ordered: 1}
		large.OrderChanged.Order.Lines = append(large.OrderChanged.Order.Lines, line)
	}
	n.folded(t, n.append(t, large))
	n.ats(t, "A", 4999)
	committed := int64(0)
	for key, data := range n.records(t) {
		if strings.HasPrefix(key, "ledger.") {
			var l catalog.Ledger
			if err := json.Unmarshal([]byte(data), &l); err != nil {
				t.Fatal(err)
			}
			committed += l.Committed
		}
	}
	if committed != 2000 {
		t.Errorf("%d units are committed, want 2000", committed)
	}
	if folds.Load() < 4 {
		t.Errorf("the order took %d folds", folds.Load())
	}
}

func TestFactsThatCannotBeReadAreLeftOut(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t)
	w := n.start(t, t.TempDir(), nil)
	defer w.stop()
	for _, raw := range []hub.Fact{
		{Channel: "shop", Type: "item.praised", Data: []byte(`{}`)},
		{Channel: "shop", Type: catalog.TypeItemObserved, Data: []byte(`{`)},
		{Channel: "_ingest", Type: catalog.TypeOrderChanged, Data: []byte(`{"order":{"id":"o","lines":[{"id":"l","sku":"A","ordered":1}]}}`)},
	} {
		if _, err := n.space.Append(n.ctx, raw); err != nil {
			t.Fatal(err)
		}
	}
	n.folded(t, n.append(t, itemSeen("A", "Red")))
	wait(t, n.ctx, func() string {
		w.counts.mu.Lock()
		defer w.counts.mu.Unlock()
		if c := w.counts.n; c["unknown"] != 1 || c["invalid"] != 2 || c[catalog.TypeItemObserved] != 1 {
			return fmt.Sprintf("counted %v", c)
		}
		return ""
	})
}

func TestClosedLinesExpire(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	dir := t.TempDir()
	closed := order("market", "m", "A", 1, 3, 3)
	closed.OrderChanged.Order.Closed = true
	w := n.start(t, dir, nil)
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10), closed, order("market", "open", "A", 1, 1, 0)))
	w.stop()
	line, err := hub.LineSubject("market", "m-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := n.records(t)[line.String()]; !ok {
		t.Fatal("the line is not there to begin with")
	}
	w = n.start(t, dir, func(w *Worker) {
		w.now = func() time.Time { return time.Now().Add(catalog.Retention + time.Hour) }
	})
	defer w.stop()
	wait(t, n.ctx, func() string {
		if _, ok := n.records(t)[line.String()]; ok {
			return "the closed line is still there"
		}
		return ""
	})
	n.folded(t, n.append(t, closed)) // comes again
	n.ats(t, "A", 6)
}
