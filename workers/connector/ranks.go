package connector

import "container/heap"

// ranks answer what is told of the backlog, the oldest pending and failed and
// the first failures by name, without a look at all of it.
type ranks struct {
	bySeq    [allGroups + 1]ranking
	bySince  [allGroups + 1][causes]ranking
	byFailed [allGroups + 1]ranking
	bySKU    [allGroups + 1]ranking // of the failed
}

// standing is what the rank of an entry is worked out from.
type standing struct {
	since, failedSince int64
	seq                uint64
	cause              cause
	groups, mask       groups // pending, failed
}

func (x *entry) standing() standing {
	s := standing{since: x.since, failedSince: x.failedSince, seq: x.seq, cause: x.cause, groups: x.groups, mask: x.mask}
	if !x.pending {
		s.groups = 0
	}
	if x.failedSince == 0 {
		s.mask = 0
	}
	return s
}

// rank puts an entry where it stands now.
func (q *queue) rank(e *entry) {
	now := e.standing()
	if now == e.ranked {
		return
	}
	q.unrank(e)
	if now.groups != 0 {
		q.ranks.bySeq[now.groups].add(e, rankSeq)
		q.ranks.bySince[now.groups][now.cause].add(e, rankSince)
	}
	if now.mask != 0 {
		q.ranks.byFailed[now.mask].add(e, rankFailed)
		q.ranks.bySKU[now.mask].add(e, rankSKU)
	}
	e.ranked = now
}

func (q *queue) unrank(e *entry) {
	was := e.ranked
	if was.groups != 0 {
		q.ranks.bySeq[was.groups].remove(e)
		q.ranks.bySince[was.groups][was.cause].remove(e)
	}
	if was.mask != 0 {
		q.ranks.byFailed[was.mask].remove(e)
		q.ranks.bySKU[was.mask].remove(e)
	}
	e.ranked = standing{}
}

// rankBy is what entries are ranked by.
type rankBy uint8

const (
	rankSeq rankBy = iota
	rankSince
	rankFailed
	rankSKU

	rankings
)

// ranking is a heap of entries by one of their numbers, as they were ranked.
type ranking struct {
	by      rankBy
	entries []ranked
}

// ranked is an entry with its numbers at the time: these change only with rank.
type ranked struct {
	*entry
	key int64
}

func (r *ranking) add(e *entry, by rankBy) {
	r.by = by
	key := [rankings]int64{rankSeq: int64(e.seq), rankSince: e.since, rankFailed: e.failedSince}[by]
	heap.Push(r, ranked{e, key})
}

func (r *ranking) remove(e *entry) { heap.Remove(r, int(e.ranks[r.by])) }

// first returns the number that comes first, false if there is none.
func (r *ranking) first() (int64, bool) {
	if len(r.entries) == 0 {
		return 0, false
	}
	return r.entries[0].key, true
}

// each calls fn for the first n, in their order.
func (r *ranking) each(n int, fn func(*entry)) {
	next := []int{0} // places in the heap of which nothing above is left
	for ; n > 0; n-- {
		best := -1
		for i, at := range next {
			if at < len(r.entries) && (best < 0 || r.Less(at, next[best])) {
				best = i
			}
		}
		if best < 0 {
			return
		}
		at := next[best]
		fn(r.entries[at].entry)
		next[best] = 2*at + 1
		next = append(next, 2*at+2)
	}
}

// Len implements heap.Interface.
func (r *ranking) Len() int { return len(r.entries) }

// Less implements heap.Interface.
func (r *ranking) Less(i, j int) bool {
	if r.by == rankSKU {
		return r.entries[i].sku < r.entries[j].sku
	}
	return r.entries[i].key < r.entries[j].key
}

// Swap implements heap.Interface.
func (r *ranking) Swap(i, j int) {
	r.entries[i], r.entries[j] = r.entries[j], r.entries[i]
	r.entries[i].ranks[r.by], r.entries[j].ranks[r.by] = int32(i), int32(j)
}

// Push implements heap.Interface.
func (r *ranking) Push(x any) {
	e := x.(ranked)
	e.ranks[r.by] = int32(len(r.entries))
	r.entries = append(r.entries, e)
}

// Pop implements heap.Interface.
func (r *ranking) Pop() any {
	last := len(r.entries) - 1
	e := r.entries[last]
	r.entries[last] = ranked{}
	r.entries = r.entries[:last]
	return e
}
