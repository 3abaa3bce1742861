package vendure

import (
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// I3: what was handed over by a page that the caller did not keep is handed
// over again; what was kept is not.
func TestOrdersOfPagesThatWereNotKeptAreHandedOverAgain(t *testing.T) {
	t.Parallel()
	m := newOrderMemory()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	open := func(id string, units int64) (vendorOrder, driver.Order) {
		return vendorOrder{ID: id, State: "PaymentSettled", PlacedAt: at}, driver.Order{ID: id, Lines: []driver.OrderLine{{ID: id, Ordered: units}}}
	}
	if m.rewind("") {
		t.Error("the empty nonce was taken for one of this process")
	}
	m.turn()
	if !m.take(open("1", 1)) || m.take(open("1", 1)) {
		t.Error("an order is handed over once")
	}
	first := m.nonce()
	m.turn()
	if m.take(open("1", 1)) || m.nonce() != first {
		t.Error("a page that hands nothing over is no new page")
	}
	if !m.take(open("2", 1)) || !m.take(open("1", 2)) {
		t.Error("an order is handed over again when it has changed")
	}
	second := m.nonce()
	// The caller kept the first page only.
	if !m.rewind(first) {
		t.Fatal("a page of this process was not known")
	}
	m.turn()
	if !m.take(open("1", 2)) || !m.take(open("2", 1)) {
		t.Error("what the second page handed over was not kept, and is left out")
	}
	if !m.rewind(second) {
		t.Fatal("a page of this process was not known")
	}
	if m.rewind("another.1") {
		t.Error("a page of another process was taken for one of this")
	}
	m.turn()
	if !m.take(open("1", 2)) {
		t.Error("a new beginning leaves out what another process may not have kept")
	}
}

func TestOrdersThatLeaveTheSweepAreMissingOnce(t *testing.T) {
	t.Parallel()
	m := newOrderMemory()
	m.turn()
	m.take(vendorOrder{ID: "1", State: "PaymentSettled"}, driver.Order{ID: "1"})
	m.take(vendorOrder{ID: "2", State: "PaymentSettled"}, driver.Order{ID: "2"})
	m.take(vendorOrder{ID: "3", State: "Shipped"}, driver.Order{ID: "3"})
	m.endSweep()
	m.turn()
	m.beginSweep()
	m.take(vendorOrder{ID: "1", State: "PaymentSettled"}, driver.Order{ID: "1"})
	missing := m.missing()
	if len(missing) != 1 || missing[0] != "2" {
		t.Fatalf("missing %v, want 2", missing)
	}
	m.turn()
	m.gone(missing)
	if _, open := m.endSweep(); !open {
		t.Error("order 1 is open")
	}
	m.beginSweep()
	m.take(vendorOrder{ID: "1", State: "PaymentSettled"}, driver.Order{ID: "1"})
	if missing := m.missing(); len(missing) != 0 {
		t.Errorf("missing %v again", missing)
	}
}
