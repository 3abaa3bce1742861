package main

import (
	"slices"
	"testing"
)

// shortSchedules are those of make sim-short and of make test.
const shortSchedules = 4000

func TestNoScheduleBreaksAnInvariant(t *testing.T) {
	t.Parallel()
	stats, bad := runAll(1, shortSchedules, flaws{}, 3)
	t.Log(summary(shortSchedules, stats, len(bad)))
	for _, b := range bad {
		shrunk := shrink(b.result, flaws{})
		t.Errorf("seed %d: %v\n%s\n%s\n\nThe plainest schedule found that breaks as it does:\n%s", b.seed, b.result.violation, b.result.plan.String(), replay(b.seed, ""), shrunk.told())
	}
	for what, n := range map[string]int{
		"sales": stats.Sales, "settled readings": stats.Settled, "lost requests": stats.Lost, "late writes": stats.Late, "doubled writes": stats.Doubled,
		"crashes": stats.Crashes, "pauses": stats.Freezes, "partitions": stats.Partitions, "batches of stale workers": stats.StaleBatches,
		"counts": stats.Counts, "lies": stats.Lies,
	} {
		if n < shortSchedules/100 {
			t.Errorf("only %d %s in %d schedules: they prove little", n, what, shortSchedules)
		}
	}
}

func TestEveryRuleThatIsTakenAwayIsMissed(t *testing.T) {
	t.Parallel()
	for name, f := range mutations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const most = 1000
			if _, bad := runAll(1, most, f, 1); len(bad) == 0 {
				t.Errorf("without %s, %d schedules broke nothing", name, most)
			} else {
				t.Logf("seed %d: %v", bad[0].seed, bad[0].result.violation)
			}
		})
	}
}

func TestASeedIsPlayedAgainStepByStep(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		one, other := play(seeded(seed), flaws{}, true), play(seeded(seed), flaws{}, true)
		again := play(recorded(one.choices), flaws{}, true)
		if !slices.Equal(one.trace, other.trace) || !slices.Equal(one.trace, again.trace) || len(one.trace) < 20 {
			t.Errorf("seed %d is told in %d, %d and %d different steps", seed, len(one.trace), len(other.trace), len(again.trace))
		}
	}
}

func TestAScheduleThatBreaksShrinks(t *testing.T) {
	t.Parallel()
	f := mutations["settle"]
	_, bad := runAll(1, 200, f, 1)
	if len(bad) == 0 {
		t.Fatal("nothing broke")
	}
	before := bad[0].result
	after := shrink(before, f)
	if after.violation == nil || after.violation.invariant != before.violation.invariant {
		t.Fatalf("%v became %v", before.violation, after.violation)
	}
	if was, is := faulty(before.choices), faulty(after.choices); is >= was {
		t.Errorf("%d choices that are not plain became %d", was, is)
	}
	if again := play(recorded(after.choices), f, false); again.violation == nil {
		t.Error("played again, it breaks nothing")
	}
}
