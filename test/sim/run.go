package main

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// found is a seed whose schedule broke an invariant.
type found struct {
	seed   uint64
	result result
}

// runAll plays the schedules of seeds from first on, on all processors, and
// returns what they had in them and those that broke an invariant, in the order
// of their seeds. It plays no new ones once there are stop of them; 0 plays all.
func runAll(first, count uint64, f flaws, stop int) (injected, []found) {
	var (
		next  atomic.Uint64
		group sync.WaitGroup
		mu    sync.Mutex
		total injected
		bad   []found
	)
	enough := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return stop > 0 && len(bad) >= stop
	}
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			var mine injected
			for !enough() {
				n := next.Add(1) - 1
				if n >= count {
					break
				}
				r := play(seeded(first+n), f, false)
				mine.add(r.stats)
				if r.violation != nil {
					mu.Lock()
					bad = append(bad, found{first + n, r})
					mu.Unlock()
				}
			}
			mu.Lock()
			total.add(mine)
			mu.Unlock()
		})
	}
	group.Wait()
	slices.SortFunc(bad, func(a, b found) int { return cmp.Compare(a.seed, b.seed) })
	return total, bad
}
