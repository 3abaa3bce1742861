package catalog_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"selaras.dev/selaras/internal/catalog"
)

func TestTheOldestPendingChangeIsFoundByTheWatermarkAlone(t *testing.T) {
	t.Parallel()
	var index catalog.Index
	if _, pending := index.OldestPending(0); pending {
		t.Error("an empty index has something pending")
	}
	index.Add(10, at(0))
	index.Add(11, at(0).Add(time.Millisecond))
	index.Add(20, at(5))
	index.Add(30, at(4)) // a clock that fell back
	for _, c := range []struct {
		watermark uint64
		second    int
		pending   bool
	}{{0, 0, true}, {10, 0, true}, {11, 5, true}, {20, 5, true}, {29, 5, true}, {30, 0, false}, {99, 0, false}} {
		got, pending := index.OldestPending(c.watermark)
		if pending != c.pending || pending && !got.Equal(at(c.second)) {
			t.Errorf("above %d: %v, %v; want second %d, %v", c.watermark, got, pending, c.second, c.pending)
		}
	}
	if lag := catalog.Lag(at(5), at(65)); lag != time.Minute {
		t.Errorf("the lag is %v", lag)
	}
	if lag := catalog.Lag(at(5), at(1)); lag != 0 {
		t.Errorf("a clock that fell back makes a lag of %v", lag)
	}
}

func TestTheWatermarkEndsBeforeTheFirstUnconfirmedItem(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]uint64{{0, 50, 50}, {7, 50, 6}, {60, 50, 50}} {
		if got := catalog.Watermark(c[0], c[1]); got != c[2] {
			t.Errorf("Watermark(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestTheIndexIsBoundedAndNeverTellsALagTooShort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var index catalog.Index
		gap := rapid.IntRange(1, 3).Draw(t, "gap")
		const n = 30_000
		for i := range n {
			index.Add(uint64(i+1), at(i*gap))
		}
		if marks := len(index.Marks()); marks > 10_000 {
			t.Fatalf("%d marks are kept", marks)
		}
		watermark := rapid.IntRange(0, n-1).Draw(t, "watermark")
		got, pending := index.OldestPending(uint64(watermark))
		exact := at(watermark * gap)
		if !pending || got.After(exact) {
			t.Fatalf("above %d: %v, %v; the change is of %v", watermark, got, pending, exact)
		}
		if newest, _ := index.OldestPending(n - 1); !newest.Equal(at((n - 1) * gap)) {
			t.Fatalf("the newest second became %v", newest)
		}
	})
}
