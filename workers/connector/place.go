package connector

import "time"

// place brings queue, suspects and settles in line with a record.
func (e *engine) place(t *txn, s *sku) error {
	if !e.loaded {
		return nil
	}
	r := &s.record
	if r.suspectUntil != 0 {
		e.suspect[s.name] = r.suspectNext
	} else {
		delete(e.suspect, s.name)
	}
	e.placeSample(s)
	q := e.queue
	entry := q.entries[s.name]
	if s.landed && entry != nil {
		q.landed(entry)
	}
	if r.pending == 0 && r.failed == 0 {
		if entry != nil && !entry.inflight {
			q.drop(entry)
		}
		return nil
	}
	if entry == nil {
		entry = q.get(s.name)
	}
	if entry.inflight {
		// The write that is out will place it when it is done.
		return nil
	}
	w, err := t.want(s)
	if err != nil {
		return err
	}
	k := workOn(r, w, &e.can)
	k.groups = r.pending
	switch s.attempt {
	case attemptGood:
		entry.attempts, entry.split, entry.backoff = 0, false, time.Time{}
	case attemptBad:
		entry.attempts++
		entry.backoff = t.now.Add(max(s.delay, backoff(entry.attempts)))
	case attemptCall:
		entry.attempts++
		entry.backoff = t.now.Add(min(backoff(entry.attempts), maxCallBackoff))
	case attemptSplit:
		entry.split = true
	case attemptNone:
		if s.delay > 0 {
			entry.backoff = t.now.Add(s.delay)
		}
	}
	if !s.ordersAfter.IsZero() {
		entry.ordersAfter = s.ordersAfter
		entry.overdue.saw(r.shown.reserved, t.now)
	}
	entry.overdue.covered(e.foldedOrders(), w.open)
	if entry.split && k.op == opWrite {
		k.groups = one(k.groups)
	}
	if e.unsettled(s.name, r, w) || e.waits(entry) && !e.rushed(entry, t.now) {
		// Writing stock now could undo what the reading may turn out to be, or
		// an order that was not seen yet.
		k.groups &^= stock
	}
	q.change(entry, k)
	entry.since, entry.seq, entry.cause, entry.pending = r.since, r.sinceSeq, r.cause, r.pending != 0
	entry.groups = r.pending
	entry.mask, entry.failedSince, entry.reason, entry.message = r.failed, r.failedSince, r.reason, r.message
	q.rank(entry)
	entry.notBefore = entry.backoff
	switch {
	case r.pending == 0 && r.retryAt == 0:
		entry.notBefore = farAway // until a new version or the next comparison
	case r.pending == 0:
		entry.notBefore = time.Unix(0, r.retryAt)
	case k.groups == 0:
		entry.notBefore = later(entry.backoff, t.now.Add(settleCheck))
	case e.comparing && !r.known && r.cause == causeBackfill:
		// The comparison that is under way will read it.
		entry.notBefore = farAway
	}
	q.place(entry, t.now)
	return nil
}

var farAway = time.Unix(1<<40, 0)

// settleCheck is how soon a SKU is looked at again whose stock may not be
// written yet.
const settleCheck = 250 * time.Millisecond

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// one is the most urgent of some groups.
func one(g groups) groups {
	for _, x := range []groups{stock, price, content} {
		if g.has(x) {
			return x
		}
	}
	return 0
}

const maxCallBackoff = 2 * time.Second

// backoff is how long a SKU waits after its n-th failed try.
func backoff(n int) time.Duration {
	d := 500 * time.Millisecond << min(n-1, 7)
	return jitter(min(d, time.Minute))
}
