package connector

import "selaras.dev/selaras/internal/catalog"

// confirmations are the facts a round has to tell the ledger before its
// outcome may be stored: what stock was written and is there.
func (e *engine) confirmations(op operation, jobs []*job) []catalog.Fact {
	e.mu.Lock()
	defer e.mu.Unlock()
	if op == opRead {
		return e.readings(jobs)
	}
	if !e.routes.stock {
		return nil
	}
	var facts []catalog.Fact
	for _, j := range jobs {
		if j.assumed && j.intent.Stock != nil {
			facts = append(facts, e.stockConfirmed(j.sku, j.intent.Stock.Quantity))
			continue
		}
		if j.intent.Stock == nil || !j.taken() || len(j.listings) != 1 || j.listings[0].Stock == nil {
			continue
		}
		now := showing(&j.listings[0])
		stored := now.stored(e.can.basis)
		if stored != j.intent.Stock.Quantity && j.previous != nil && stored == *j.previous {
			continue // it was not stored
		}
		// If something else is there by now, the write came first, and the
		// rest will be settled.
		facts = append(facts, e.stockConfirmed(j.sku, j.intent.Stock.Quantity))
	}
	return facts
}

// readings are the facts that SKUs read for their own sake make: an unknown
// write may be found to have landed. The lock is held.
func (e *engine) readings(jobs []*job) []catalog.Fact {
	var facts []catalog.Fact
	for _, j := range jobs {
		var r record
		if _, err := e.store.readRecord(j.sku, &r); err != nil || !j.read {
			continue // finish meets the same error
		}
		facts = append(facts, e.tell(j.sku, &r, j.listings, true)...)
	}
	return facts
}

// announcements are the facts a round has to tell the ledger before its writes
// leave. Where the ledger takes in what somebody changes, it must know what was
// sent, though this connector and all it remembers be lost.
func (e *engine) announcements(jobs []*job) []catalog.Fact {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.routes.owns {
		return nil
	}
	var facts []catalog.Fact
	for _, j := range jobs {
		var r record
		if _, err := e.store.readRecord(j.sku, &r); err != nil || j.intent.Stock == nil {
			continue // take wrote it just now; finish meets the same error
		}
		facts = append(facts, catalog.Fact{StockWritten: &catalog.StockWritten{
			SKU: j.sku, Basis: e.can.basis, Written: r.stocks, Lands: e.can.horizon, Revision: e.nextRevision(),
		}})
	}
	return facts
}

// stockConfirmed tells what the channel shows, by a write of ours or still. The
// lock is held.
func (e *engine) stockConfirmed(name string, quantity int64) catalog.Fact {
	var r record
	c := &catalog.StockConfirmed{SKU: name, Basis: e.can.basis, OnHand: quantity, Revision: e.nextRevision()}
	if _, err := e.store.readRecord(name, &r); err == nil && r.suspectUntil > e.now().UnixNano() {
		c.Written = r.stocks
	}
	return catalog.Fact{StockConfirmed: c}
}

// nextRevision numbers readings of stock. The numbers of a tenure of the lease
// are above those of every tenure before it, on whatever machine and with
// whatever store: clocks may fall. The lock is held.
func (e *engine) nextRevision() uint64 {
	e.revision = max(e.revision+1, e.meta.Revision+1, e.tenure<<catalog.TenureBits)
	return e.revision
}
