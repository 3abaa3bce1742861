package connector

import (
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

// A channel that compares refuses a quantity that was worked out from a reading
// which no longer holds. The same again would be refused for ever: the SKU is
// read first.
func TestAStaleWriteIsReadBeforeItIsWrittenAgain(t *testing.T) {
	t.Parallel()
	for _, basis := range []driver.StockBasis{driver.BasisOnHand, driver.BasisAvailable} {
		t.Run(string(basis), func(t *testing.T) {
			t.Parallel()
			o := habits()
			o.Traits.StockMode, o.Traits.StockBasis = driver.StockCompareAndSet, basis
			f, s := oneTarget(t, o)
			f.items(item("A", 100, 10))
			s.start()
			s.inSync("main", 1)

			s.SetStockQuietly("A", 4)
			writes := s.Calls(driver.OpWrite)
			f.items(item("A", 100, 7))
			eventually(t, "the shop shows 7", func() bool {
				l, ok := s.Listing("A")
				return ok && l.Stock.Available == 7
			})
			s.inSync("main", 1)
			if made := s.Calls(driver.OpWrite) - writes; made != 2 {
				t.Errorf("%d writes, want 2: the one that was refused, and the one after reading", made)
			}
		})
	}
}
