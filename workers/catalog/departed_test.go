package catalog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"selaras.dev/selaras/internal/catalog"
)

// What a channel promised that left its sync of stock is given back in the end,
// and held again once the channel is back.
func TestGoodsOfAChannelThatLeftAreGivenBackInTheEnd(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	dir := t.TempDir()
	w := n.start(t, dir, nil)
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10), order("market", "17", "A", 1, 3, 0)))
	n.ats(t, "A", 7)
	w.stop()
	look := func(by time.Duration, what string, done func(line string) bool) {
		t.Helper()
		w := n.start(t, dir, func(w *Worker) {
			w.now = func() time.Time { return time.Now().Add(by) }
			w.expireEvery = 20 * time.Millisecond
		})
		defer w.stop()
		wait(t, n.ctx, func() string {
			for subject, data := range n.records(t) {
				if strings.HasPrefix(subject, "line.market.") && done(data) {
					return ""
				}
			}
			return fmt.Sprintf("no line %s: %v", what, n.records(t))
		})
	}
	n.sync(t)
	look(0, "marked as left", func(line string) bool { return strings.Contains(line, `"leftAt"`) })
	n.ats(t, "A", 7)
	look(catalog.Retention+time.Hour, "given back", func(line string) bool { return !strings.Contains(line, `"source"`) })
	n.ats(t, "A", 10)
	n.sync(t, "market")
	look(catalog.Retention+time.Hour, "counted again", func(line string) bool { return strings.Contains(line, `"source"`) })
	n.ats(t, "A", 7)
}
