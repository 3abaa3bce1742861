package connector

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"
)

// sales sells one unit after the other in several shops, and looks all the
// while at whether one of them shows fewer than there were less what was sold.
type sales struct {
	shops  []*shop
	skus   []string
	onHand int64

	mu     sync.Mutex
	sold   map[string]int64
	made   int
	faults []string
	stop   func()
}

func sell(t *testing.T, every time.Duration, onHand int64, skus []string, shops ...*shop) *sales {
	t.Helper()
	ctx, cancel := context.WithCancel(shops[0].w.ctx)
	m := &sales{shops: shops, skus: skus, onHand: onHand, sold: map[string]int64{}}
	var done sync.WaitGroup
	done.Go(func() {
		for sleep(ctx, every) == nil {
			m.one()
		}
	})
	done.Go(func() {
		for sleep(ctx, 2*time.Millisecond) == nil {
			m.look()
		}
	})
	m.stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(m.stop)
	return m
}

func (m *sales) one() {
	m.mu.Lock()
	defer m.mu.Unlock()
	sku, s := m.skus[m.made%len(m.skus)], m.shops[m.made/len(m.skus)%len(m.shops)]
	s.Sell(sku, 1)
	m.sold[sku]++
	m.made++
}

func (m *sales) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.shops {
		for _, sku := range m.skus {
			if have, least := s.available(sku), m.onHand-m.sold[sku]; have < least {
				m.faults = append(m.faults, fmt.Sprintf("%s: %s showed %d of %s, least %d", time.Now().Format("05.000"), s.name, have, sku, least))
			}
		}
	}
}

// more waits for as many more sales.
func (m *sales) more(t *testing.T, n int) {
	t.Helper()
	count := func() int { m.mu.Lock(); defer m.mu.Unlock(); return m.made }
	goal := count() + n
	eventually(t, fmt.Sprintf("%d sales", goal), func() bool { return count() >= goal })
}

func (m *sales) finish(t *testing.T) {
	t.Helper()
	m.stop()
	for _, s := range m.shops {
		for _, sku := range m.skus {
			s.shows(sku, 100, m.onHand-m.sold[sku])
		}
	}
	for i, fault := range m.faults {
		if i == 10 {
			t.Fatalf("and %d more", len(m.faults)-i)
		}
		t.Error(fault)
	}
}

// slow lets a connector hear late that facts of orders are stored, as on a
// machine that has much else to do.
func (s *shop) slow() {
	s.tune = func(o *Options) { o.durable = func() { time.Sleep(rand.N(100 * time.Millisecond)) } }
}

// What sells everywhere without a pause is shown as too few nowhere, not for a
// moment: not in a rush, not when the source's connector is killed in it, and
// not when its store is lost as well (I1, I3).
func TestNoSaleIsTakenTwiceForAMoment(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]func(t *testing.T, source *shop, m *sales){
		"a rush": func(t *testing.T, _ *shop, m *sales) { m.more(t, 60) },
		"killed": func(t *testing.T, source *shop, m *sales) {
			source.halt()
			m.more(t, 30)
			source.start()
		},
		"store lost": func(t *testing.T, source *shop, m *sales) {
			source.halt()
			if err := os.RemoveAll(source.dir); err != nil {
				t.Fatal(err)
			}
			m.more(t, 30)
			source.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, source, one := pair(t, rushHabits())
			source.slow()
			one.slow()
			skus := []string{"A", "B", "C"}
			for _, sku := range skus {
				source.Add(sku, "Item", eur(100), 1000)
			}
			source.start()
			one.start()
			for _, sku := range skus {
				one.shows(sku, 100, 1000)
			}
			source.inSync("main", 3)
			one.inSync("main", 3)
			m := sell(t, rushEvery, 1000, skus, source, one)
			m.more(t, 30)
			failure(t, source, m)
			m.more(t, 90)
			m.finish(t)
		})
	}
}

// A source whose store was lost is looked at anew. What it holds reserved for
// its own open orders is not taken from it again (I1, I3).
func TestASourceWhoseStoreIsLostKeepsWhatItsOrdersHold(t *testing.T) {
	t.Parallel()
	w, source, one := pair(t, habits())
	source.Add("A", "Item", eur(100), 1000)
	source.start()
	one.start()
	one.shows("A", 100, 1000)
	source.inSync("main", 1)
	m := sell(t, time.Hour, 1000, []string{"A"}, source)
	for range 3 {
		m.one()
	}
	one.shows("A", 100, 997)
	source.inSync("main", 1)
	source.halt()
	if err := os.RemoveAll(source.dir); err != nil {
		t.Fatal(err)
	}
	told := w.adjusted("A")
	source.start()
	eventually(t, "the stock is told anew", func() bool { return w.adjusted("A") > told })
	source.compared()
	source.inSync("main", 1)
	m.finish(t)
}
