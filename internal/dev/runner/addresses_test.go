package runner

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// No two owners ever share an address, all lie within the range, an owner keeps
// its own, and a name gets the same address in every run when it is free.
func TestAddressesAreUniqueAndStable(t *testing.T) {
	t.Parallel()
	prefix := netip.MustParsePrefix("127.9.128.0/28") // small, so that it runs out
	rapid.Check(t, func(t *rapid.T) {
		pool := newAddresses(prefix)
		held := map[string]string{}
		names := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			name := names.Draw(t, "name")
			if rapid.Bool().Draw(t, "release") {
				pool.release(name)
				delete(held, name)
				continue
			}
			address, err := pool.take(name, name, "")
			if err != nil {
				if len(held) < 14 {
					t.Fatalf("refused with %d of 14 taken: %v", len(held), err)
				}
				continue
			}
			if before, holds := held[name]; holds && before != address {
				t.Fatalf("%s moved from %s to %s", name, before, address)
			}
			for other, taken := range held {
				if other != name && taken == address {
					t.Fatalf("%s and %s share %s", other, name, address)
				}
			}
			if !prefix.Contains(netip.MustParseAddr(address)) {
				t.Fatalf("%s lies outside of %s", address, prefix)
			}
			held[name] = address
		}
	})
	first, _ := newAddresses(prefix).take("uid-1", "ns/hub-0", "")
	second, _ := newAddresses(prefix).take("uid-2", "ns/hub-0", "")
	if first != second {
		t.Errorf("the same name got %s and %s in two runs", first, second)
	}
}

// The first restart is immediate, the waits double and end at the maximum.
func TestBackoffDoublesToItsMaximum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		crashes := rapid.IntRange(2, 10_000).Draw(t, "crashes")
		backoff := KubeletBackoff
		if backoff.delay(0) != 0 || backoff.delay(1) != backoff.Initial {
			t.Fatalf("the first waits are %s and %s", backoff.delay(0), backoff.delay(1))
		}
		if got, want := backoff.delay(crashes), min(2*backoff.delay(crashes-1), backoff.Max); got != want {
			t.Fatalf("after %d crashes the wait is %s, want %s", crashes, got, want)
		}
	})
}
