package catalog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

func TestGoodsOfAnAccountThatWasLeftAreGivenBackInTheEnd(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	dir := t.TempDir()
	old, fresh := order("market", "17", "A", 1, 3, 0), order("market", "17", "A", 1, 2, 0)
	old.OrderChanged.Account, fresh.OrderChanged.Account = "old shop", "new shop"
	w := n.start(t, dir, nil)
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10), old, fresh))
	n.ats(t, "A", 5)
	w.stop()
	n.put(t, workload.ReportChannelPrefix+"market", workload.ChannelReport{Shop: "new shop"})
	lines := func() (found int, left bool) {
		for subject, data := range n.records(t) {
			if strings.HasPrefix(subject, "line.market.") {
				found++
				left = left || strings.Contains(data, `"leftAt"`)
			}
		}
		return found, left
	}
	// The look for old lines begins before the report is known, and is repeated.
	late := func(by time.Duration) func(*Worker) {
		return func(w *Worker) {
			w.now = func() time.Time { return time.Now().Add(by) }
			w.expireEvery = 20 * time.Millisecond
		}
	}
	w = n.start(t, dir, late(0))
	wait(t, n.ctx, func() string {
		if found, left := lines(); found != 2 || !left {
			return fmt.Sprintf("%d lines, one marked as left: %v", found, left)
		}
		return ""
	})
	n.ats(t, "A", 5)
	w.stop()
	w = n.start(t, dir, late(catalog.Retention+time.Hour))
	defer w.stop()
	wait(t, n.ctx, func() string {
		if found, _ := lines(); found != 1 {
			return fmt.Sprintf("%d lines, want that of the new shop alone", found)
		}
		return ""
	})
	n.ats(t, "A", 8)
}

// The hub says for a while only that a line is gone: a copy of the records that
// is older than that is not believed.
func TestACopyThatMayHaveMissedTheEndOfALineIsReadAnew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		away time.Duration
		kept bool
	}{"in time": {time.Hour, true}, "too late": {hub.GoneFor, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startHub(t).namespace(t, testContext(t), 0)
			n.sync(t, "market")
			dir := t.TempDir()
			w := n.start(t, dir, nil)
			n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10), order("market", "17", "A", 1, 3, 0)))
			w.stop()
			gone, err := hub.LineSubject("market", "gone")
			if err != nil {
				t.Fatal(err)
			}
			s, err := openStore(dir, nil, testLog())
			if err != nil {
				t.Fatal(err)
			}
			batch := s.db.NewBatch()
			if err := putRecord(batch, &hub.Record{Subject: gone, Data: []byte(`{"sku":"A","ordered":2}`)}); err != nil {
				t.Fatal(err)
			}
			if err := s.commit(batch); err != nil {
				t.Fatal(err)
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			var worker *Worker
			w = n.start(t, dir, func(w *Worker) {
				worker = w
				w.now = func() time.Time { return time.Now().Add(c.away) }
			})
			n.folded(t, n.append(t, order("market", "17", "A", 2, 3, 1)))
			w.stop()
			if s, err = openStore(dir, nil, testLog()); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.close() }()
			kept := false
			if err := s.get([]byte(gone.String()), func([]byte) error { kept = true; return nil }); err != nil || kept != c.kept {
				t.Errorf("after %s the line is kept: %v, want %v (%v)", c.away, kept, c.kept, err)
			}
			if n := worker.meta.Items["shop"]; n != 1 {
				t.Errorf("%d items are counted, want 1", n)
			}
		})
	}
}
