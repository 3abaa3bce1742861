package main

import "math/rand/v2"

// tape is every choice of a schedule. Played from a seed it draws new ones and
// remembers them; played from a recording, choices beyond its end are 0, which
// stands for what is plain: no fault, the shortest wait, the fewest units.
type tape struct {
	rng     *rand.Rand // nil when played from a recording
	choices []uint32
	next    int
}

func seeded(seed uint64) *tape {
	return &tape{rng: rand.New(rand.NewPCG(seed, 0x5e1a7a5))} // #nosec G404 -- replayed by its seed
}

func recorded(choices []uint32) *tape { return &tape{choices: choices} }

// below chooses one of n.
func (t *tape) below(n int) int {
	if n <= 1 {
		return 0
	}
	if t.rng != nil {
		t.choices = append(t.choices, uint32(t.rng.IntN(n)))
	}
	t.next++
	if t.next > len(t.choices) {
		return 0
	}
	return int(t.choices[t.next-1]) % n
}

// oneIn is true once in n times.
func (t *tape) oneIn(n int) bool { return t.below(n) == n-1 }
