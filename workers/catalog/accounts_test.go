package catalog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"selaras.dev/selaras/internal/catalog"
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
