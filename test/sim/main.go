// Command sim plays schedules of shops, connectors, a catalog worker and a hub
// in virtual time, with the real domain in them, and checks after every step
// what must hold (docs/simulation.md).
//
//	go run ./test/sim                   100,000 schedules
//	go run ./test/sim -seed 42          one of them, told step by step
//	go run ./test/sim -seed 42 -shrink  the plainest that breaks as that one does
//	go run ./test/sim -flaw settle       with a rule of the protocol taken away
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// mutations are the rules that can be taken away, by name.
var mutations = map[string]flaws{
	"grant-first":    {grantFirst: true},
	"settle":         {settleSkipped: true},
	"cut-off":        {cutOffIgnored: true},
	"fencing":        {fencingOff: true},
	"blind-rule":     {blindRuleOff: true},
	"worker-fencing": {workerFencingOff: true},
}

func main() {
	schedules := flag.Uint64("schedules", 100_000, "how many schedules to play")
	first := flag.Uint64("first", 1, "seed of the first")
	seed := flag.Uint64("seed", 0, "play this one and tell what happens")
	plain := flag.Bool("shrink", false, "with -seed: look for a plainer one")
	flaw := flag.String("flaw", "", "take a rule away: "+strings.Join(slices.Sorted(maps.Keys(mutations)), ", "))
	flag.Parse()
	f, ok := mutations[*flaw]
	if *flaw != "" && !ok {
		fmt.Fprintln(os.Stderr, "no such flaw:", *flaw)
		os.Exit(2)
	}
	if *seed != 0 {
		os.Exit(tell(*seed, f, *plain))
	}
	stats, bad := runAll(*first, *schedules, f, 10)
	fmt.Println(summary(*schedules, stats, len(bad)))
	for _, b := range bad {
		fmt.Printf("seed %d: %v\n  %s\n  %s\n", b.seed, b.result.violation, b.result.plan.String(), replay(b.seed, *flaw))
	}
	if len(bad) > 0 {
		os.Exit(1)
	}
}

// replay is the command that tells how a schedule went wrong.
func replay(seed uint64, flaw string) string {
	command := fmt.Sprintf("go run ./test/sim -seed %d -shrink", seed)
	if flaw != "" {
		command += " -flaw " + flaw
	}
	return command
}

// tell plays one schedule, or a plainer one that breaks as it does, and prints
// every step.
func tell(seed uint64, f flaws, plain bool) int {
	r := play(seeded(seed), f, true)
	if r.violation != nil && plain {
		r = shrink(r, f)
	}
	fmt.Println(r.told())
	if r.violation != nil {
		fmt.Println(r.violation)
		return 1
	}
	return 0
}

// summary is a line for the report.
func summary(schedules uint64, s injected, violations int) string {
	return fmt.Sprintf("%d schedules, %d steps: %d units sold in %d orders, %d writes, %d settled readings; %d requests lost, %d writes landed late, %d things done twice, %d crashes, %d pauses, %d partitions, %d batches of stale workers, %d counts, %d lies; violations: %d",
		schedules, s.Events, s.Sales, s.Orders, s.Writes, s.Settled, s.Lost, s.Late, s.Doubled, s.Crashes, s.Freezes, s.Partitions, s.StaleBatches, s.Counts, s.Lies, violations)
}
