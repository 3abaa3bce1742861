package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
)

// errCrash is what a hook returns where the process is to die.
var errCrash = errors.New("crash")

// Workers die at drawn points, and their machines with them, until a last one
// folds the rest in peace.
func TestAnyCrashesEndInTheSameState(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Minute)
	defer cancel()
	rapid.Check(t, func(t *rapid.T) {
		facts := draw(t)
		calm, rough := h.namespace(t, ctx, 8<<20), h.namespace(t, ctx, 8<<20)
		calm.sync(t, "market")
		rough.sync(t, "market")

		w := calm.startOn(t, vfs.NewMem(), nil)
		defer w.stop()
		calm.folded(t, calm.append(t, facts...))
		w.stop()

		disk := vfs.NewCrashableMem()
		fed := 0
		for range rapid.IntRange(1, 4).Draw(t, "crashes") {
			more := min(len(facts), fed+rapid.IntRange(0, len(facts)/2).Draw(t, "facts"))
			if more > fed {
				rough.append(t, facts[fed:more]...)
			}
			fed = more
			before, folds := rapid.Bool().Draw(t, "before"), rapid.Int64Range(1, 3).Draw(t, "at fold")
			loseStore := rapid.Bool().Draw(t, "lose the store")
			var n atomic.Int64
			hit := make(chan struct{}, 1)
			die := func(now bool) error {
				if now && n.Add(1) == folds {
					hit <- struct{}{}
					return fmt.Errorf("%w: %w", errStop, errCrash)
				}
				return nil
			}
			w := rough.startOn(t, disk, func(w *Worker) {
				w.beforeFold = func(int) error { return die(before) }
				w.afterFold = func(hub.Cursor) error { return die(!before) }
				w.maxFacts = 3
			})
			died := false
			wait(t, ctx, func() string {
				select {
				case <-hit:
					died = true
					return ""
				default:
				}
				cursor, err := rough.space.ReadCursor(ctx)
				if err != nil {
					return err.Error()
				}
				if last, err := rough.space.State(ctx); err != nil || cursor.FactSeq < last.Facts.LastSeq {
					return "neither dead nor done"
				}
				return ""
			})
			// What a machine that loses power may have kept of the store.
			kept := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "luck"), 0))})
			if died {
				w.crash()
			} else {
				w.stop()
			}
			disk = kept
			if loseStore {
				disk = vfs.NewCrashableMem()
			}
		}
		last := rough.startOn(t, disk, nil)
		defer last.stop()
		rough.folded(t, rough.append(t, append(facts[fed:], itemSeen("end", "end"))...))
		want, got := calm.records(t), rough.records(t)
		for key := range got {
			if strings.HasPrefix(key, "cat.item.") && strings.Contains(got[key], `"sku":"end"`) {
				delete(got, key)
			}
		}
		if !maps.Equal(want, got) {
			t.Fatalf("with crashes there is\n%s\nwithout\n%s", lines(got), lines(want))
		}
	})
}

func lines(records map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(records)) {
		fmt.Fprintf(&b, "%s %s\n", key, records[key])
	}
	return b.String()
}

// draw draws facts of a shop and a market.
func draw(t *rapid.T) []catalog.Fact {
	facts := []catalog.Fact{itemSeen("A", "Red"), stockSeen("shop", "A", 50), itemSeen("B", "Red"), stockSeen("shop", "B", 50)}
	fulfilled := map[string]int64{}
	for i := range rapid.IntRange(4, 24).Draw(t, "length") {
		sku := rapid.SampledFrom([]string{"A", "B"}).Draw(t, "sku")
		channel := rapid.SampledFrom([]string{"shop", "market"}).Draw(t, "channel")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			facts = append(facts, itemSeen(sku, fmt.Sprint("title ", i)))
		case 1:
			fact := stockSeen(channel, sku, rapid.Int64Range(0, 60).Draw(t, "on hand"))
			fact.StockObserved.Revision = uint64(i + 1) // #nosec G115 -- small
			facts = append(facts, fact)
		default:
			id := fmt.Sprint(channel, sku, rapid.IntRange(1, 2).Draw(t, "order"))
			fulfilled[id] = min(5, fulfilled[id]+rapid.Int64Range(0, 2).Draw(t, "fulfilled"))
			facts = append(facts, order(channel, id, sku, i+1, 5, fulfilled[id]))
		}
	}
	return facts
}
