package catalog_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

// history draws what one channel states, in its order: states of its order
// lines, readings and confirmations of its stock, and counts.
func history(t *rapid.T, channel string, basis driver.StockBasis, skus []string) []catalog.Fact {
	var facts []catalog.Fact
	type lineState struct{ ordered, cancelled, fulfilled, returned int64 }
	lines := map[string]*lineState{}
	second, revision := 0, uint64(0)
	for range rapid.IntRange(0, 14).Draw(t, channel+" length") {
		second += rapid.IntRange(1, 60).Draw(t, "later")
		sku := rapid.SampledFrom(skus).Draw(t, "sku")
		revision++
		switch kind := rapid.IntRange(0, 10).Draw(t, "kind"); {
		case kind < 6:
			id := fmt.Sprintf("%s-%s-%d", channel, sku, rapid.IntRange(1, 3).Draw(t, "order"))
			line := lines[id]
			if line == nil {
				line = &lineState{ordered: rapid.Int64Range(1, 5).Draw(t, "ordered")}
				lines[id] = line
			} else {
				open := line.ordered - line.cancelled - line.fulfilled
				line.cancelled += rapid.Int64Range(0, open).Draw(t, "cancelled")
				open = line.ordered - line.cancelled - line.fulfilled
				line.fulfilled += rapid.Int64Range(0, open).Draw(t, "fulfilled")
				line.returned += rapid.Int64Range(0, line.fulfilled-line.returned).Draw(t, "returned")
			}
			fact := order(channel, id, sku, second, line.ordered, line.cancelled, line.fulfilled, line.returned)
			fact.OrderChanged.After = rapid.Uint64Range(0, revision).Draw(t, "after")
			facts = append(facts, fact)
		case kind < 8:
			fact := observed(channel, sku, rapid.Int64Range(0, 50).Draw(t, "on hand"), 0)
			fact.StockObserved.Basis, fact.StockObserved.Revision, fact.StockObserved.ChangedAt = basis, revision, at(second)
			if rapid.Bool().Draw(t, "overtaken") {
				fact.StockObserved.ReservedUnknown = true
				fact.StockObserved.Lowered, fact.StockObserved.Raised = rapid.Int64Range(0, 5).Draw(t, "lowered"), rapid.Int64Range(0, 2).Draw(t, "raised")
			}
			facts = append(facts, fact)
		case kind < 9:
			fact := confirmed(channel, sku, rapid.Int64Range(0, 50).Draw(t, "confirmed"), basis)
			fact.StockConfirmed.Revision = revision
			facts = append(facts, fact)
		case kind < 10:
			facts = append(facts, written(channel, sku, basis, revision, rapid.Int64Range(0, 50).Draw(t, "written")))
		default:
			facts = append(facts, counted(channel, sku, rapid.Int64Range(0, 50).Draw(t, "counted"), basis,
				// No two counts are of the same nanosecond.
				at(rapid.IntRange(1, 900).Draw(t, "as of")).Add(time.Duration(revision)*time.Microsecond+time.Duration(channel[1]))))
		}
	}
	return facts
}

// merged draws an order of the histories that keeps each in its own order and
// repeats runs of facts, as a connector does that does not know whether its
// last append was stored.
func merged(t *rapid.T, histories [][]catalog.Fact, repeat bool) []catalog.Fact {
	next := make([]int, len(histories))
	var all []catalog.Fact
	for {
		var open []int
		for i := range histories {
			if next[i] < len(histories[i]) {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			return all
		}
		i := rapid.SampledFrom(open).Draw(t, "channel")
		next[i]++
		all = append(all, histories[i][next[i]-1])
		if repeat && rapid.IntRange(0, 3).Draw(t, "repeat") == 0 {
			from := rapid.IntRange(0, next[i]-1).Draw(t, "from")
			all = append(all, histories[i][from:next[i]]...)
		}
	}
}

func worlds(t *rapid.T) (seed []catalog.Fact, histories [][]catalog.Fact) {
	skus := []string{"A", "B"}
	for _, sku := range skus {
		seed = append(seed, itemSeen("shop", sku, "Red", 100), observed("shop", sku, rapid.Int64Range(0, 50).Draw(t, "seed"), 0))
		first := available("mobile", sku, 9)
		seed = append(seed, first)
	}
	return seed, [][]catalog.Fact{
		history(t, "shop", driver.BasisOnHand, skus),
		history(t, "market", driver.BasisOnHand, skus),
		history(t, "mobile", driver.BasisAvailable, skus),
	}
}

func TestAnyOrderDuplicationAndReplayOfFactsGivesTheSameState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed, histories := worlds(t)
		topology := threeShops()
		if rapid.Bool().Draw(t, "market adopts") {
			topology.AdoptsStock["market"] = true
		}
		plain := newMemory().fold(t, topology, seed...).fold(t, topology, merged(t, histories, false)...)
		again := newMemory().fold(t, topology, seed...).fold(t, topology, merged(t, histories, true)...)
		if a, b := plain.text(t), again.text(t); a != b {
			t.Fatalf("one order gave\n%s\nanother\n%s", a, b)
		}
	})
}

func TestStatesOfOrderLinesCommute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var facts []catalog.Fact
		for range rapid.IntRange(1, 8).Draw(t, "states") {
			ordered := rapid.Int64Range(0, 6).Draw(t, "ordered")
			fact := order("market", rapid.SampledFrom([]string{"o", "p"}).Draw(t, "order"), "A",
				rapid.IntRange(1, 4).Draw(t, "second"), ordered,
				rapid.Int64Range(0, ordered).Draw(t, "cancelled"), rapid.Int64Range(0, ordered).Draw(t, "fulfilled"), rapid.Int64Range(0, ordered).Draw(t, "returned"))
			fact.OrderChanged.Order.Closed = rapid.Bool().Draw(t, "closed")
			facts = append(facts, fact)
		}
		topology := threeShops()
		one := newMemory().fold(t, topology, observed("shop", "A", 30, 0)).fold(t, topology, facts...)
		other := newMemory().fold(t, topology, observed("shop", "A", 30, 0)).fold(t, topology, rapid.Permutation(facts).Draw(t, "order")...)
		a, b := one.ledgers["shop/A"], other.ledgers["shop/A"]
		if a.OnHand != b.OnHand || a.Committed != b.Committed || fmt.Sprint(one.lines) != fmt.Sprint(other.lines) {
			t.Fatalf("one order gave %+v, another %+v", a, b)
		}
	})
}

func TestStockIsConserved(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed, histories := worlds(t)
		m := newMemory().fold(t, threeShops(), seed...).fold(t, threeShops(), merged(t, histories, true)...)
		open := map[string]int64{}
		for _, line := range m.lines {
			open[line.SKU] += line.Ordered - line.Cancelled - line.Fulfilled
		}
		for _, l := range m.ledgers {
			if l.Committed != open[l.SKU]+l.Unattributed {
				t.Fatalf("%s: %d committed, %d open and %d unattributed", l.SKU, l.Committed, open[l.SKU], l.Unattributed)
			}
			if item := m.items["shop/"+l.SKU]; item.ATS == nil || *item.ATS != l.OnHand-l.Committed {
				t.Fatalf("%s: the item shows %v of %d on hand and %d committed", l.SKU, item.ATS, l.OnHand, l.Committed)
			}
			if l.CountedAt.IsZero() {
				continue
			}
			// After a count, the shelf holds it and what moved since.
			for _, history := range histories {
				for _, fact := range history {
					if c := fact.StockCounted; c != nil && c.SKU == l.SKU && c.AsOf.Equal(l.CountedAt) && c.Basis == driver.BasisOnHand {
						own := c.Quantity
						for _, movement := range l.Movements {
							if movement.At.After(c.AsOf) {
								own += movement.Units
							}
						}
						if own != l.OnHand {
							t.Fatalf("%s: counted and moved gives %d, the ledger has %d", l.SKU, own, l.OnHand)
						}
					}
				}
			}
		}
	})
}

func TestAnEchoNeverMovesTheLedger(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed, histories := worlds(t)
		topology := threeShops()
		topology.AdoptsStock["market"], topology.AdoptsStock["mobile"] = true, true
		m := newMemory().fold(t, topology, seed...).fold(t, topology, merged(t, histories, false)...)
		m.certain()
		// A reading ends doubts about what was sent; that is all it changes.
		text := func() string {
			doubtless := *m
			doubtless.ledgers = make(map[string]catalog.Ledger, len(m.ledgers))
			for key, l := range m.ledgers {
				l.Writing = nil
				doubtless.ledgers[key] = l
			}
			return doubtless.text(t)
		}
		before := text()
		for key, l := range m.ledgers {
			for channel, shown := range l.Shown {
				if shown.Basis == "" {
					continue
				}
				echo := observed(channel, l.SKU, shown.OnHand, 0)
				echo.StockObserved.Basis = shown.Basis
				m.fold(t, topology, echo)
			}
			m.certain()
			if after := text(); after != before {
				t.Fatalf("%s: echoes changed\n%s\nto\n%s", key, before, after)
			}
		}
	})
}

// certain forgets which orders may have come before a write: an echo tells.
func (m *memory) certain() {
	for _, l := range m.ledgers {
		for channel, shown := range l.Shown {
			shown.Wrote, shown.Lowered, shown.Raised = 0, 0, 0
			l.Shown[channel] = shown
		}
	}
}

func TestWhatIsShownRisesWithTheStockAndStaysInBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ats := rapid.Int64Range(-1000, 1000).Draw(t, "ats")
		safety := rapid.Int64Range(0, 50).Draw(t, "safety stock")
		var most *int64
		if rapid.Bool().Draw(t, "bounded") {
			n := rapid.Int64Range(0, 100).Draw(t, "max quantity")
			most = &n
		}
		rules := &catalog.Rules{Stock: true, SafetyStock: safety, MaxQuantity: most}
		show := func(ats int64) int64 {
			desired, err := catalog.Project(catalog.Item{SKU: "A", ATS: &ats}, rules)
			if err != nil {
				t.Fatalf("project: %v", err)
			}
			return *desired.Available
		}
		shown := show(ats)
		if shown < 0 || shown > max(0, ats-safety) || most != nil && shown > *most {
			t.Fatalf("%d of %d are shown", shown, ats)
		}
		if more := show(ats + 1); more < shown || more > shown+1 {
			t.Fatalf("one unit more shows %d after %d", more, shown)
		}
		reserved := rapid.Int64Range(0, 100).Draw(t, "reserved")
		value := catalog.StockValue(shown, reserved, driver.BasisOnHand, 0)
		if value-reserved != shown {
			t.Fatalf("written %d with %d reserved shows %d, want %d", value, reserved, value-reserved, shown)
		}
	})
}
