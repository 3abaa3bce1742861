package main

import "slices"

// shrinkTries bounds how many schedules are played to shrink one.
const shrinkTries = 1500

// shrink looks for a plainer schedule that breaks the same invariant: choices
// are cut off the end, taken out, or made plain, in ever smaller runs.
func shrink(r result, f flaws) result {
	best, tries := r, 0
	invariant := r.violation.invariant
	try := func(choices []uint32) bool {
		tries++
		next := play(recorded(choices), f, false)
		if next.violation == nil || next.violation.invariant != invariant {
			return false
		}
		used := min(len(choices), next.used)
		next.choices = trimmed(slices.Clone(choices[:used]))
		if !plainer(next.choices, best.choices) {
			return false
		}
		best = next
		return true
	}
	try(trimmed(slices.Clone(best.choices)))
	for run := len(best.choices) / 2; run > 0 && tries < shrinkTries; {
		smaller := false
		for at := 0; at < len(best.choices) && tries < shrinkTries; {
			end := min(at+run, len(best.choices))
			without := slices.Delete(slices.Clone(best.choices), at, end)
			zeroed := slices.Clone(best.choices)
			clear(zeroed[at:end])
			if try(without) || !slices.Equal(zeroed, best.choices) && try(zeroed) {
				smaller = true
			}
			at += run
		}
		if !smaller || run > 1 {
			run /= 2
		}
	}
	return play(recorded(best.choices), f, true)
}

// trimmed leaves out plain choices at the end, which go without saying.
func trimmed(choices []uint32) []uint32 {
	n := len(choices)
	for n > 0 && choices[n-1] == 0 {
		n--
	}
	return choices[:n]
}

// plainer compares recordings: fewer choices that are not plain, then fewer
// choices.
func plainer(a, b []uint32) bool {
	x, y := faulty(a), faulty(b)
	return x < y || x == y && len(a) < len(b)
}

func faulty(choices []uint32) int {
	n := 0
	for _, c := range choices {
		if c != 0 {
			n++
		}
	}
	return n
}
