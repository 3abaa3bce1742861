package connector

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

var errKilled = errors.New("killed by the test")

// killed waits until a connector ended by its injected crash.
func (s *shop) killed() {
	s.w.t.Helper()
	err := <-s.done
	s.stop()
	s.stop = nil
	if !errors.Is(err, errKilled) {
		s.w.t.Fatalf("connector %s ended with %v, want the injected crash", s.name, err)
	}
}

// I1, I2, I3 under a crash at any commit of the store, with what was not
// synced lost in part: the connector comes back and converges, and sends no
// older version after a newer one.
func TestACrashAtAnyCommitIsSurvived(t *testing.T) {
	t.Parallel()
	w, source, one, _ := three(t)
	const n = 12
	for i := range n {
		source.Add(fmt.Sprintf("S%02d", i), "Item", eur(100), 10)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	disks := map[*shop]*vfs.MemFS{source: vfs.NewCrashableMem(), one: vfs.NewCrashableMem()}
	var fuse atomic.Int64
	for s := range disks {
		s.dir = "/store"
		s.tune = func(o *Options) {
			o.fs = disks[s]
			o.hook = func(int) error {
				if s == one && fuse.Add(-1) == 0 {
					disks[s] = disks[s].CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
					return errKilled
				}
				return nil
			}
		}
	}
	fuse.Store(1 << 40)
	source.start()
	price := int64(100)
	for crash := int64(1); crash <= 30; crash++ {
		fuse.Store(crash)
		one.start()
		price++
		source.SetPrice(fmt.Sprintf("S%02d", crash%n), eur(price))
		if crash%3 == 0 {
			one.Sell(fmt.Sprintf("S%02d", crash%n), 1)
		}
		// Small activity goes on until the fuse has burnt down.
		stop := make(chan struct{})
		go func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					source.SetTitle(fmt.Sprintf("S%02d", i%n), fmt.Sprintf("title %d", i))
					_ = sleepFor(w.ctx, 20)
				}
			}
		}()
		one.killed()
		close(stop)
	}
	fuse.Store(1 << 40)
	one.start()
	one.inSync("main", n)
	source.inSync("main", n)
	for i := range n {
		sku := fmt.Sprintf("S%02d", i)
		a, _ := source.Listing(sku)
		one.shows(sku, a.Price.Minor, a.Stock.Available)
		one.titled(sku, a.Content.Title)
		one.ascending(sku)
	}
}

// The store may be lost altogether: a full comparison rebuilds it, nothing is
// written that is right already, and orders go on where they were (I3).
func TestALostStoreIsRebuilt(t *testing.T) {
	t.Parallel()
	w, source, one, two := three(t)
	const n = 40
	for i := range n {
		source.Add(fmt.Sprintf("S%02d", i), "Item", eur(100), 10)
	}
	for _, s := range []*shop{source, one, two} {
		s.start()
	}
	for _, s := range []*shop{source, one, two} {
		s.inSync("main", n)
	}
	id := one.Sell("S00", 2)
	two.shows("S00", 100, 8)
	one.inSync("main", n)
	eventually(t, "the order cursor reported", func() bool { return one.report().OrdersCursor != "" })
	at := one.report().OrdersCursor
	eventually(t, "a later report", func() bool { return one.report().OrdersCursor >= at })
	one.halt()
	source.halt()
	// Shipped and closed while nobody looked: only the position finds it.
	one.Fulfil(id)
	for _, s := range []*shop{one, source} {
		if err := os.RemoveAll(s.dir); err != nil {
			t.Fatal(err)
		}
		s.dir = filepath.Join(t.TempDir(), "new")
	}
	source.SetPrice("S01", eur(101))
	wrote := one.Written()
	one.start()
	source.start()
	one.shows("S01", 101, 10)
	one.inSync("main", n)
	source.inSync("main", n)
	eventually(t, "the shipment told", func() bool {
		return len(w.told(func(f catalog.Fact) bool {
			return f.OrderChanged != nil && f.OrderChanged.Order.ID == id && f.OrderChanged.Order.Closed
		})) > 0
	})
	for _, s := range []*shop{source, one, two} {
		s.shows("S00", 100, 8)
		s.inSync("main", n)
	}
	if got := one.Written() - wrote; got > 3 {
		t.Errorf("%d items were written after the loss, though only one differed", got)
	}
	if adjusted := w.told(func(f catalog.Fact) bool {
		return f.StockObserved != nil && f.StockObserved.SKU == "S00" && f.StockObserved.OnHand != 10 && f.Channel == "source"
	}); len(adjusted) > 1 {
		t.Errorf("the loss was taken for changes of stock: %+v", adjusted)
	}
}

// A store that lost its tail, as after a power cut, has not lost the mark of a
// write that was out: its SKU is looked at before it is written again.
func TestAWriteThatWasOutAtTheCrashIsReadFirst(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, habits())
	disk := vfs.NewCrashableMem()
	s.dir = "/store"
	s.tune = func(o *Options) { o.fs = disk }
	f.items(item("A", 100, 5))
	s.start()
	s.inSync("main", 1)
	open := s.Block()
	f.items(item("A", 200, 5))
	eventually(t, "the write is out", func() bool {
		s.engine.Load().mu.Lock()
		defer s.engine.Load().mu.Unlock()
		var r record
		_, err := s.engine.Load().store.readRecord("A", &r)
		return err == nil && r.sending
	})
	crashed := disk.CrashClone(vfs.CrashCloneCfg{})
	open()
	s.halt()
	disk = crashed
	reads, writes := s.Calls(driver.OpRead), s.Calls(driver.OpWrite)
	s.start()
	s.inSync("main", 1)
	s.shows("A", 200, 5)
	eventually(t, "the SKU read", func() bool { return s.Calls(driver.OpRead) > reads })
	s.inSync("main", 1)
	if got := s.Calls(driver.OpWrite) - writes; got > 0 {
		t.Errorf("%d writes of a value that was there already", got)
	}
}
