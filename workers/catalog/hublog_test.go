package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

func TestAFullHubRecoversWhenItsFactsAreFolded(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 4<<20)
	n.sync(t)
	long := itemSeen("A", strings.Repeat("x", 60_000))
	typ, data, err := catalog.EncodeFact(long)
	if err != nil {
		t.Fatal(err)
	}
	full := func() error {
		ctx, cancel := context.WithTimeout(n.ctx, 5*time.Second)
		defer cancel()
		_, err := n.space.Append(ctx, hub.Fact{Channel: "shop", Type: typ, Data: data})
		return err
	}
	for err == nil {
		err = full()
	}
	if !errors.Is(err, hub.ErrHubFull) {
		t.Fatalf("filling the hub ended with %v", err)
	}
	w := n.start(t, t.TempDir(), nil)
	defer w.stop()
	wait(t, n.ctx, func() string {
		if err := full(); err != nil {
			return err.Error()
		}
		return ""
	})
	n.folded(t, n.append(t, stockSeen("shop", "A", 5)))
	n.ats(t, "A", 5)
}

func TestAHubMadeAnewIsFoldedFromItsStart(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	n := h.namespace(t, testContext(t), 0)
	n.sync(t)
	dir := t.TempDir()
	w := n.start(t, dir, nil)
	n.folded(t, n.append(t, itemSeen("A", "Red"), itemSeen("B", "Red"), itemSeen("C", "Red")))
	w.stop()
	if err := h.authority.DeleteNamespace(n.ctx, n.name); err != nil {
		t.Fatal(err)
	}
	if err := h.authority.EnsureNamespace(n.ctx, n.name, hub.Limits{}); err != nil {
		t.Fatal(err)
	}
	n.sync(t)
	w = n.start(t, dir, nil)
	defer w.stop()
	n.folded(t, n.append(t, itemSeen("D", "Red")))
	if got := n.records(t); len(got) != 1 {
		t.Errorf("the new hub holds %v", got)
	}
	wait(t, n.ctx, func() string {
		w.mu.Lock()
		defer w.mu.Unlock()
		if got := w.meta.Items["shop"]; got != 1 {
			return fmt.Sprintf("%d items are counted, want 1", got)
		}
		return ""
	})
}

func TestTheCursorFitsTheLogOfFacts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cursor hub.Cursor
		facts  hub.StreamState
		want   uint64
		moved  bool
	}{
		"as it was":             {hub.Cursor{FactSeq: 5, Epoch: 1}, hub.StreamState{Epoch: 1, FirstSeq: 3, LastSeq: 9, Messages: 7}, 5, false},
		"all folded and gone":   {hub.Cursor{FactSeq: 9, Epoch: 1}, hub.StreamState{Epoch: 1, FirstSeq: 10, LastSeq: 9}, 9, false},
		"never folded":          {hub.Cursor{}, hub.StreamState{Epoch: 1, FirstSeq: 1, LastSeq: 9, Messages: 9}, 0, false},
		"made anew":             {hub.Cursor{FactSeq: 5, Epoch: 1}, hub.StreamState{Epoch: 2, FirstSeq: 1, LastSeq: 9, Messages: 9}, 0, true},
		"restored":              {hub.Cursor{FactSeq: 5, Epoch: 1}, hub.StreamState{Epoch: 1, FirstSeq: 1, LastSeq: 3, Messages: 3}, 3, true},
		"begins later":          {hub.Cursor{FactSeq: 5, Epoch: 1}, hub.StreamState{Epoch: 1, FirstSeq: 8, LastSeq: 9, Messages: 2}, 7, true},
		"emptied before a fold": {hub.Cursor{FactSeq: 5, Epoch: 1}, hub.StreamState{Epoch: 1, FirstSeq: 10, LastSeq: 9}, 9, true},
	} {
		got, why := fitCursor(c.cursor, c.facts)
		if got.FactSeq != c.want || (why != "") != c.moved {
			t.Errorf("%s: going on after %d because %q; want %d", name, got.FactSeq, why, c.want)
		}
		if c.moved && got.Epoch != c.facts.Epoch {
			t.Errorf("%s: the epoch stayed %d", name, got.Epoch)
		}
	}
}
