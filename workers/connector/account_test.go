package connector

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/workload"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// marked are the habits of a shop that says who it is.
func marked(mark string) shoptest.Options {
	o := habits()
	o.Mark = mark
	return o
}

// at serves a shop at one more address.
func (w *world) at(s http.Handler) string {
	server := httptest.NewServer(s)
	w.t.Cleanup(server.Close)
	w.t.Cleanup(server.CloseClientConnections)
	return server.URL
}

// moveTo points the Channel at another address.
func (s *shop) moveTo(endpoint string) {
	s.w.t.Helper()
	s.config.Endpoint = endpoint
	s.config.Generation++
	s.configure()
}

// shelves fills a shop with the SKUs 0 to n-1, the ids beginning with the SKU
// first.
func shelves(s *shoptest.Shop, n, first int) {
	for i := range n {
		s.Add(fmt.Sprintf("S%02d", (i+first)%n), "by hand", eur(int64(100+i)), 1)
	}
}

// The reference of a listing is an id of its shop. In another shop the same id
// is another product.
func TestNothingIsWrittenToAnotherShopByTheReferencesOfTheOld(t *testing.T) {
	t.Parallel()
	const n = 40
	for name, c := range map[string]struct {
		// mark of the new shop; that of the old one is "old".
		mark string
		// stays: the address is the same and the new shop answers there.
		stays bool
	}{
		"another address":                 {"new", false},
		"another address, a copy":         {"old", false},
		"the same address":                {"new", true},
		"another address, without a mark": {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := marked("old")
			if c.mark == "" {
				o = marked("")
			}
			f, s := oneTarget(t, o)
			old, fresh := s.Shop, shoptest.New(marked(c.mark))
			shelves(old, n, 0)
			shelves(fresh, n, 7)
			var behind atomic.Pointer[shoptest.Shop]
			behind.Store(old)
			s.moveTo(s.w.at(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if now := behind.Load(); now != nil {
					now.ServeHTTP(w, r)
				} else {
					http.Error(w, "moving", http.StatusBadGateway)
				}
			})))
			var items []catalog.Item
			for i := range n {
				items = append(items, item(fmt.Sprintf("S%02d", i), int64(1000+i), int64(i)))
			}
			f.items(items...)
			s.start()
			s.inSync("main", n)
			// While the shops are exchanged, everything is to be written.
			for i := range items {
				items[i] = item(items[i].SKU, int64(2000+i), int64(100+i))
			}
			s.Shop = fresh
			if c.stays {
				behind.Store(nil)
				f.items(items...)
				eventually(t, "the outage noticed", func() bool { return !s.report().Connected })
				behind.Store(fresh)
			} else {
				open := old.Block()
				f.items(items...)
				s.moveTo(s.w.at(fresh))
				open()
			}
			for i := range items {
				s.shows(items[i].SKU, int64(2000+i), int64(100+i))
			}
			s.inSync("main", n)
			if astray := fresh.Astray(); astray != 0 {
				t.Errorf("%d values were written to other products", astray)
			}
		})
	}
}

func twoShops() workload.SyncConfig {
	return workload.SyncConfig{
		Name: "main", UID: "main", Source: "source", Fields: allFields,
		Channels: map[string]workload.SyncChannel{"source": {Groups: []string{"stock"}}, "one": {Groups: every}},
	}
}

// Until the new address has said who it is, nothing is asked of it.
func TestNothingIsAskedOfAnAccountThatIsNotKnown(t *testing.T) {
	t.Parallel()
	f, s := oneTarget(t, marked("old"))
	shelves(s.Shop, 3, 0)
	f.items(item("S00", 1000, 5))
	s.start()
	s.inSync("main", 1)
	fresh := shoptest.New(marked("new"))
	shelves(fresh, 3, 1)
	var mute atomic.Bool
	mute.Store(true)
	fresh.Fault(func(op driver.Operation, _ int) shoptest.Fault {
		if op == driver.OpAccount && mute.Load() {
			return shoptest.Fault{Status: http.StatusBadGateway}
		}
		return shoptest.Fault{}
	})
	s.moveTo(s.w.at(fresh))
	f.items(item("S00", 2000, 6), item("S01", 2001, 7))
	eventually(t, "asked who it is", func() bool { return fresh.Calls(driver.OpAccount) >= 2 })
	for _, op := range []driver.Operation{driver.OpRead, driver.OpChanges, driver.OpOrders, driver.OpWrite, driver.OpCreate, driver.OpRemove} {
		if n := fresh.Calls(op); n != 0 {
			t.Errorf("%d calls of %s before it was known whose account it is", n, op)
		}
	}
	mute.Store(false)
	s.Shop = fresh
	s.shows("S00", 2000, 6)
	s.shows("S01", 2001, 7)
	if fresh.Astray() != 0 {
		t.Errorf("%d values were written to other products", fresh.Astray())
	}
}

// Every shop counts its orders from one.
func TestOrdersOfAnotherShopAreOtherOrders(t *testing.T) {
	t.Parallel()
	_, source, one, _ := three(t)
	source.Add("A", "Item A", eur(1000), 100)
	source.start()
	one.start()
	one.inSync("main", 1)
	one.Fulfil(one.Sell("A", 30))
	source.shows("A", 1000, 70)
	fresh := shoptest.New(marked("new"))
	fresh.Add("A", "Item A", eur(1000), 70)
	was := one.report().AccountID
	one.Shop = fresh
	one.moveTo(one.w.at(fresh))
	eventually(t, "the new account reported", func() bool { r := one.report(); return r.AccountID != was && r.Shop == "new" })
	id := fresh.Sell("A", 2)
	if id != "O000001" {
		t.Fatalf("the order is %s, and so no order of the old shop", id)
	}
	source.shows("A", 1000, 68)
	one.inSync("main", 1)
	fresh.Fulfil(id)
	one.inSync("main", 1)
	source.shows("A", 1000, 68)
	one.shows("A", 1000, 68)
}

// A shop that moves to another address is the same shop: what was sold and
// shipped meanwhile is not lost, and nothing counts twice.
func TestAShopThatMovesGoesOnWithItsOrders(t *testing.T) {
	t.Parallel()
	for name, successor := range map[string]bool{"address": false, "successor": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			source, one := w.shop("source", habits()), w.shop("one", marked("the shop"))
			w.sync(twoShops())
			w.fold()
			source.Add("A", "Item A", eur(1000), 100)
			source.start()
			one.start()
			one.inSync("main", 1)
			open, shipped := one.Sell("A", 5), one.Sell("A", 3)
			source.shows("A", 1000, 92)
			one.inSync("main", 1)
			eventually(t, "the position in the orders reported", func() bool { return one.report().OrdersCursor != "" })
			one.halt()
			one.Fulfil(shipped)
			one.Fulfil(one.Sell("A", 7))
			if successor {
				// Deleted and made again, on another node.
				one.dir, one.config.UID = t.TempDir(), "uid-of-the-successor"
			}
			one.moveTo(w.at(one.Shop))
			one.start()
			source.shows("A", 1000, 85)
			one.inSync("main", 1)
			one.Fulfil(open)
			one.Sell("A", 1)
			source.shows("A", 1000, 84)
			one.inSync("main", 1)
			one.shows("A", 1000, 84)
		})
	}
}

// A successor of the same name that sells another shop begins with that shop's
// own orders.
func TestASuccessorOnAnotherShopTakesNothingOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source, one := w.shop("source", habits()), w.shop("one", marked("old"))
	w.sync(twoShops())
	w.fold()
	source.Add("A", "Item A", eur(1000), 100)
	source.start()
	one.start()
	one.inSync("main", 1)
	for range 5 {
		one.Fulfil(one.Sell("A", 1))
	}
	source.shows("A", 1000, 95)
	eventually(t, "the position in the orders reported", func() bool { return one.report().OrdersCursor != "" })
	one.halt()
	fresh := shoptest.New(marked("new"))
	fresh.Add("A", "Item A", eur(1000), 95)
	// Its clock of orders stands far below that of the old shop.
	fresh.Sell("A", 4)
	one.Shop, one.dir, one.config.UID = fresh, t.TempDir(), "uid-of-the-successor"
	one.moveTo(w.at(fresh))
	one.start()
	source.shows("A", 1000, 91)
	one.inSync("main", 1)
	fresh.Sell("A", 1)
	source.shows("A", 1000, 90)
	one.shows("A", 1000, 90)
}
