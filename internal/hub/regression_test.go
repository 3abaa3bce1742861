package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A hub restored from a backup, or with lost storage, is noticed by every
// reader whose position it does not reach, also by one that was reading when it
// happened. Who starts from nothing, or from a position the log still has,
// reads on.
func TestRestoredHubIsNoticed(t *testing.T) {
	ctx := testContext(t)
	e := startHub(t)
	ns := e.namespace(t, ctx, fresh(), 0)
	conn, worker := as(t, e.a, ns, connector("north")), as(t, e.a, ns, catalog)
	step := func(n int) Cursor {
		t.Helper()
		end := must2(conn.Append(ctx, tallyFacts(n, func(i int) int { return i })...))
		a := must2(resume(ctx, worker))
		if err := a.foldUntil(ctx, end, 100); err != nil {
			t.Fatal(err)
		}
		return a.cursor
	}
	early := step(10)
	dir := e.opts[0].Dir
	backup := filepath.Join(t.TempDir(), "backup")
	e.servers[0].Shutdown()
	if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	e.servers[0] = e.start(t, 0)
	late := step(20)

	// One reader of each stream is in the middle of it.
	reading, stop := context.WithCancel(ctx)
	defer stop()
	facts, records := make(chan error, 1), make(chan error, 1)
	go func() {
		facts <- worker.ReadFacts(reading, late.Facts(), func([]Fact) error { return nil })
	}()
	caught := make(chan struct{})
	go func() {
		records <- conn.ReadRecords(reading, ReadOptions{After: late.Records(), Kinds: Shared}, func(b Batch) error {
			if b.Caught {
				close(caught)
			}
			return nil
		})
	}()
	<-caught

	e.servers[0].Shutdown()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	e.servers[0] = e.start(t, 0)
	if err := <-facts; !errors.Is(err, ErrRegressed) {
		t.Errorf("the running reader of facts: %v", err)
	}
	if err := <-records; !errors.Is(err, ErrRegressed) {
		t.Errorf("the running reader of records: %v", err)
	}
	check := func(what string, c Cursor, want error) {
		t.Helper()
		// A fact and a fold, so that whoever may read on has something to read.
		err := worker.ReadFacts(ctx, c.Facts(), func([]Fact) error { return errEnough })
		if !errors.Is(err, want) {
			t.Errorf("%s: facts: %v, want %v", what, err, want)
		}
		err = conn.ReadRecords(ctx, ReadOptions{After: c.Records(), Kinds: Shared}, func(Batch) error { return errEnough })
		if !errors.Is(err, want) {
			t.Errorf("%s: records: %v, want %v", what, err, want)
		}
	}
	check("a position after the backup", late, ErrRegressed)
	step(1)
	check("a position before the backup", early, errEnough)
	check("from nothing", Cursor{}, errEnough)
	if _, err := worker.Fold(ctx, late, Cursor{FactSeq: 99, Epoch: late.Epoch}, nil); !errors.Is(err, ErrFenced) {
		t.Errorf("a fold on a cursor that is gone: %v", err)
	}

	// Storage lost altogether, and the namespace made anew, with more in it than
	// before: only the epoch tells.
	before := must2(worker.ReadCursor(ctx))
	if err := e.a.DeleteNamespace(ctx, ns); err != nil {
		t.Fatal(err)
	}
	e.namespace(t, ctx, ns, 0)
	for range 5 {
		step(30)
	}
	check("a position from another life", before, ErrRegressed)
}
