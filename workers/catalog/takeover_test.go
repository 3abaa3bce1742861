package catalog

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"selaras.dev/selaras/internal/hub"
)

func TestAWorkerGoesOnWhereItStoppedWithAndWithoutItsStore(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	dir := t.TempDir()
	var last uint64
	for i, dir := range []string{dir, dir, t.TempDir(), dir} {
		if i == 0 {
			n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 100))
		}
		n.append(t, order("market", fmt.Sprint("o", i), "A", 1, 3, 0), itemSeen(fmt.Sprint("B", i), "Blue"))
		w := n.start(t, dir, nil)
		last = n.append(t, order("market", fmt.Sprint("o", i), "A", 2, 3, 1))
		n.folded(t, last)
		wait(t, n.ctx, func() string {
			w.mu.Lock()
			defer w.mu.Unlock()
			if got := w.meta.Items["shop"]; got != i+2 {
				return fmt.Sprintf("%d items are counted, want %d", got, i+2)
			}
			return ""
		})
		w.stop()
	}
	n.ats(t, "A", 88)
}

func TestAKillBetweenHubAndStoreHasNoEffectTwice(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	dir := t.TempDir()
	killed := make(chan struct{})
	var once sync.Once
	w := n.start(t, dir, func(w *Worker) {
		w.afterFold = func(hub.Cursor) error {
			once.Do(func() { close(killed) })
			return errStop
		}
	})
	n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10), order("market", "m", "A", 1, 3, 2))
	<-killed
	w.crash()
	w = n.start(t, dir, nil)
	defer w.stop()
	n.folded(t, n.append(t, order("market", "m", "A", 2, 3, 3)))
	n.ats(t, "A", 7)
}

func TestAStaleOwnerLandsNothingAndStartsAgain(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	var armed atomic.Bool
	paused, resume := make(chan struct{}), make(chan struct{})
	w := n.start(t, t.TempDir(), func(w *Worker) {
		w.beforeFold = func(int) error {
			if armed.CompareAndSwap(true, false) {
				close(paused)
				<-resume
			}
			return nil
		}
	})
	defer w.stop()
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10)))
	armed.Store(true)
	seq := n.append(t, order("market", "m", "A", 1, 3, 0))
	<-paused
	// Meanwhile another owner folds the same fact to something else.
	subject, err := hub.ItemSubject("shop", "A")
	if err != nil {
		t.Fatal(err)
	}
	item := n.item(t, "A")
	item.Content.Title = "folded by another"
	data, err := json.Marshal(item)
	if err != nil {
		t.Fatal(err)
	}
	cursor, err := n.space.ReadCursor(n.ctx)
	if err != nil {
		t.Fatal(err)
	}
	other, err := n.space.Fold(n.ctx, cursor, hub.Cursor{FactSeq: seq, Epoch: cursor.Epoch}, []hub.Record{{Subject: subject, Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	close(resume)
	// The fact is not folded again; the next one is, on the other's state.
	n.folded(t, n.append(t, order("market", "n", "A", 1, 1, 0)))
	n.ats(t, "A", 9)
	if got := n.item(t, "A"); got.Content.Title != "folded by another" {
		t.Errorf("the stale batch overwrote the item: %+v", got)
	}
	if now, err := n.space.ReadCursor(n.ctx); err != nil || now.Seq <= other.Seq {
		t.Errorf("the cursor is %+v, %v; it was %+v", now, err, other)
	}
}

func TestAStandbyTakesOver(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	first := n.start(t, t.TempDir(), nil)
	defer first.stop()
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10)))
	second := n.start(t, t.TempDir(), nil)
	defer second.stop()
	wait(t, n.ctx, func() string {
		if err := second.Ready(); err != nil {
			return err.Error()
		}
		return ""
	})
	if second.Active() {
		t.Fatal("two workers are active")
	}
	first.stop()
	n.folded(t, n.append(t, order("market", "m", "A", 1, 3, 0)))
	n.ats(t, "A", 7)
	if !second.Active() {
		t.Error("nobody is active")
	}
}
