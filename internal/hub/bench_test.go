package hub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// BenchmarkFold lands folds of 500 records over 20,000 SKUs, one at a time.
func BenchmarkFold(b *testing.B) {
	ctx, worker := benchSpace(b)
	cur := must2(worker.ReadCursor(ctx))
	const skus, batch = 20_000, 500
	records := make([]Record, skus)
	payload := make([]byte, 200)
	for i := range records {
		records[i] = Record{Subject: item(b, fmt.Sprintf("SKU-%08d", i)), Data: payload}
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		from := n * batch % skus
		next, err := worker.Fold(ctx, cur, Cursor{FactSeq: uint64(n), Epoch: cur.Epoch}, records[from:from+batch])
		if err != nil {
			b.Fatal(err)
		}
		cur = next
		n++
	}
	b.ReportMetric(float64(n*batch)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkAppend stores facts in calls of 1, 10 and 500.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 10, 24, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			ctx, s := benchSpace(b)
			facts := make([]Fact, size)
			for i := range facts {
				facts[i] = Fact{Channel: "north", Type: "item.observed", Data: make([]byte, 200)}
			}
			conn := as(b, spaceAuthority[s], s.Namespace(), connector("north"))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, err := conn.Append(ctx, facts...); err != nil {
					b.Fatal(err)
				}
				n += size
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "facts/s")
		})
	}
}

// BenchmarkReadFacts reads a log of facts stored in batches.
func BenchmarkReadFacts(b *testing.B) {
	ctx, worker := benchSpace(b)
	conn := as(b, spaceAuthority[worker], worker.Namespace(), connector("north"))
	facts := make([]Fact, 50_000)
	for i := range facts {
		facts[i] = Fact{Channel: "north", Type: "item.observed", Data: make([]byte, 200)}
	}
	if _, err := conn.Append(ctx, facts...); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		got := 0
		err := worker.ReadFacts(ctx, Position{}, func(f []Fact) error {
			if got += len(f); got == len(facts) {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			b.Fatal(err)
		}
		n += got
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "facts/s")
}

var spaceAuthority = map[*Space]*Authority{}

func benchSpace(b *testing.B) (context.Context, *Space) {
	b.Helper()
	e := startHub(b)
	ctx := context.Background()
	ns := e.namespace(b, ctx, fresh(), 0)
	s := as(b, e.a, ns, catalog)
	spaceAuthority[s] = e.a
	return ctx, s
}

// BenchmarkRawFold is what BenchmarkFold is measured against: the same
// messages, published by a bare NATS client with nothing of ours in between.
func BenchmarkRawFold(b *testing.B) {
	ctx, worker := benchSpace(b)
	cur := must2(worker.ReadCursor(ctx))
	const skus, batch = 20_000, 500
	subjects := make([]string, skus)
	payload := make([]byte, 200)
	for i := range subjects {
		subjects[i] = item(b, fmt.Sprintf("SKU-%08d", i)).String()
	}
	nc := worker.nc
	n := 0
	for b.Loop() {
		from, id := n*batch%skus, nuid.Next()
		for i := range batch {
			m := &nats.Msg{Subject: subjects[from+i], Data: payload, Header: nats.Header{
				hdrBatchID: {id}, hdrBatchSequence: {strconv.Itoa(i + 1)},
			}}
			if err := nc.PublishMsg(m); err != nil {
				b.Fatal(err)
			}
		}
		r, err := nc.RequestMsg(&nats.Msg{Subject: cursorSubject, Data: []byte(`{"factSeq":1,"epoch":1}`), Header: nats.Header{
			hdrBatchID: {id}, hdrBatchSequence: {strconv.Itoa(batch + 1)}, hdrBatchCommit: {"1"},
			hdrExpectedSeq: {strconv.FormatUint(cur.Seq, 10)},
		}}, attemptTimeout)
		if err != nil {
			b.Fatal(err)
		}
		if cur.Seq, err = parseAck(r.Data); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n*batch)/b.Elapsed().Seconds(), "records/s")
}
