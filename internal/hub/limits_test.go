package hub

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A full hub says so, keeps everything it has acknowledged, and takes facts
// again once folded ones were trimmed or the limit was raised.
func TestFullHubRefusesAndLosesNothing(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		const limit = 2 << 20
		ns := e.namespace(t, ctx, fresh(), limit)
		conn, worker := as(t, e.a, ns, connector("north")), as(t, e.a, ns, catalog)
		for _, size := range []int{100, 10, 1} { // batches, several, singly
			stored := uint64(0)
			for {
				facts := someFacts("north", size)
				for i := range facts {
					facts[i].Data = bytes.Repeat([]byte("x"), 4000)
				}
				seq, err := conn.Append(ctx, facts...)
				if err == nil {
					stored = seq
					continue
				}
				if !errors.Is(err, ErrHubFull) {
					t.Fatalf("%d facts at once into a full hub: %v", size, err)
				}
				break
			}
			st := must2(worker.State(ctx))
			if st.Facts.LastSeq < stored || st.Facts.FirstSeq != 1 || st.Facts.Bytes > uint64(st.Facts.MaxBytes) {
				t.Fatalf("acknowledged up to %d, stored is %+v", stored, st.Facts)
			}
		}
		st := must2(worker.State(ctx))
		last := st.Facts.LastSeq
		if got := readFacts(t, ctx, worker, Position{}, int(last)); got[0].Seq != 1 || got[len(got)-1].Seq < last {
			t.Fatalf("a full hub reads from %d to %d, want 1 to %d at least: facts of a refused call may be stored", got[0].Seq, got[len(got)-1].Seq, last)
		}
		// The rest of the quota still takes folds, reports and leases.
		cur := must2(worker.ReadCursor(ctx))
		if _, err := worker.TrimFacts(ctx, 2); !errors.Is(err, ErrNotFolded) {
			t.Fatalf("facts that are not folded were trimmed: %v", err)
		}
		half := last / 2
		if _, err := worker.Fold(ctx, cur, Cursor{FactSeq: half, Epoch: cur.Epoch}, []Record{{Subject: item(t, "a"), Data: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
		must2(conn.Put(ctx, "report.channel.north", []byte("{}")))
		if _, err := worker.TrimFacts(ctx, half+2); !errors.Is(err, ErrNotFolded) {
			t.Fatalf("facts that are not folded were trimmed: %v", err)
		}
		if n := must2(worker.TrimFacts(ctx, half+1)); n != half {
			t.Fatalf("%d facts were trimmed, want %d", n, half)
		}
		if n := must2(worker.TrimFacts(ctx, half+1)); n != 0 {
			t.Fatalf("trimming again removed %d", n)
		}
		must2(conn.Append(ctx, someFacts("north", 1)...))
		cur = must2(worker.ReadCursor(ctx))
		if got := readFacts(t, ctx, worker, cur.Facts(), int(last-half)+1); got[0].Seq != half+1 {
			t.Fatalf("after trimming the facts begin at %d, want %d", got[0].Seq, half+1)
		}
		// A reader that has not seen what was trimmed is told.
		if err := worker.ReadFacts(ctx, Position{Seq: 1, Epoch: cur.Epoch}, func([]Fact) error { return errEnough }); !errors.Is(err, ErrRegressed) {
			t.Fatalf("a gap was passed over: %v", err)
		}
		e.namespace(t, ctx, ns, 2*limit)
		if st := must2(worker.State(ctx)); st.Facts.MaxBytes != 2*limit/5*4 || st.Facts.FirstSeq != half+1 {
			t.Fatalf("the raised limit made %+v", st.Facts)
		}
		facts := someFacts("north", 100)
		for i := range facts {
			facts[i].Data = bytes.Repeat([]byte("x"), 4000)
		}
		must2(conn.Append(ctx, facts...))
	})
}

// A fold into a full namespace is refused whole.
func TestFullNamespaceRefusesAFoldWhole(t *testing.T) {
	ctx := testContext(t)
	e := startHub(t)
	ns := e.namespace(t, ctx, fresh(), 4<<20)
	worker := as(t, e.a, ns, catalog)
	cur := must2(worker.ReadCursor(ctx))
	landed := 0
	for i := 0; ; i++ {
		var records []Record
		for k := range 20 {
			records = append(records, Record{Subject: item(t, fmt.Sprint(i, "-", k)), Data: bytes.Repeat([]byte("x"), 3000)})
		}
		next, err := worker.Fold(ctx, cur, Cursor{FactSeq: uint64(i + 1), Epoch: cur.Epoch}, records)
		if errors.Is(err, ErrHubFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		cur = next
		landed += len(records)
	}
	if got := must2(worker.ReadCursor(ctx)); got != cur {
		t.Errorf("the cursor is %+v, want %+v", got, cur)
	}
	if n := len(readAll(t, ctx, worker, Items)); n != landed || landed == 0 {
		t.Errorf("%d records are stored, %d were acknowledged", n, landed)
	}
}

// EnsureNamespace may be called at any time: it changes nothing that is right.
func TestEnsureNamespaceIsIdempotent(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 64<<20)
		op := must2(e.a.Space(ctx, ns))
		before := must2(op.State(ctx))
		conn := as(t, e.a, ns, connector("north"))
		must2(conn.Append(ctx, someFacts("north", 3)...))
		// Another operator with the same keys, as after a restart.
		other := newAuthority(t, AuthorityOptions{URL: e.urls, Keys: e.keys})
		for range 2 {
			if err := other.EnsureNamespace(ctx, ns, Limits{MaxBytes: 64 << 20, Replicas: e.replicas}); err != nil {
				t.Fatal(err)
			}
		}
		after := must2(must2(other.Space(ctx, ns)).State(ctx))
		if after.Facts.Epoch != before.Facts.Epoch || after.Records != before.Records || after.Facts.Messages != 3 {
			t.Errorf("it was %+v, is %+v", before, after)
		}
		if after.Facts.MaxBytes != 64<<20/5*4 || after.Facts.Replicas != e.replicas || after.Durability != DurabilityAlways {
			t.Errorf("the state is %+v", after)
		}
		if err := e.a.DeleteNamespace(ctx, ns); err != nil {
			t.Fatal(err)
		}
		if err := e.a.DeleteNamespace(ctx, ns); err != nil {
			t.Fatal(err)
		}
		e.namespace(t, ctx, ns, 64<<20)
		if st := must2(op.State(ctx)); st.Facts.Messages != 0 || st.Facts.Epoch == before.Facts.Epoch {
			t.Errorf("a namespace made anew has %+v", st.Facts)
		}
	})
}

// A limit may be lowered at any time, by any factor; what is stored stays.
func TestALimitMayBeLowered(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 1<<30)
		must2(as(t, e.a, ns, connector("north")).Append(ctx, someFacts("north", 3)...))
		for _, limit := range []int64{300 << 20, 2 << 20} {
			e.namespace(t, ctx, ns, limit)
			if st := must2(as(t, e.a, ns, catalog).State(ctx)); st.Facts.MaxBytes != limit/5*4 || st.Facts.Messages != 3 {
				t.Errorf("lowered to %d: %+v", limit, st.Facts)
			}
		}
	})
}

// What the hub does not have is not promised: the namespace is refused, and
// there is room again when another is deleted.
func TestHubPromisesOnlyWhatItHas(t *testing.T) {
	ctx := testContext(t)
	keys := newKeys(t)
	srv, err := StartServer(ServerOptions{Dir: t.TempDir(), Trust: keys.Trust(), MaxStore: 100 << 20, Logger: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Shutdown)
	if err := srv.Ready(); err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t, AuthorityOptions{InProcess: srv, Keys: keys})
	lim := Limits{MaxBytes: 40 << 20}
	if err := a.EnsureNamespace(ctx, "first", lim); err != nil {
		t.Fatal(err)
	}
	if err := a.EnsureNamespace(ctx, "second", lim); !errors.Is(err, ErrHubFull) {
		t.Fatalf("more was promised than there is: %v", err)
	}
	if err := a.DeleteNamespace(ctx, "first"); err != nil {
		t.Fatal(err)
	}
	if err := a.EnsureNamespace(ctx, "second", lim); err != nil {
		t.Fatal(err)
	}
	// A lower limit gives back as well.
	if err := a.EnsureNamespace(ctx, "second", Limits{MaxBytes: 10 << 20}); err != nil {
		t.Fatal(err)
	}
	if err := a.EnsureNamespace(ctx, "first", lim); err != nil {
		t.Fatal(err)
	}
	if err := a.DeleteNamespace(ctx, "never-there"); err != nil {
		t.Error(err)
	}
	if err := a.EnsureNamespace(ctx, "third", Limits{MaxBytes: 1}); err == nil {
		t.Error("a namespace of one byte was made")
	}
}

// Keys are kept from other users of the machine, and never overwritten.
func TestKeysAreKeptSafe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := LoadKeys(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("keys from nowhere: %v", err)
	}
	k := must2(LoadOrGenerateKeys(dir))
	if info := must2(os.Stat(dir)); info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %o", info.Mode().Perm())
	}
	for _, f := range must2(os.ReadDir(dir)) {
		if info := must2(f.Info()); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", f.Name(), info.Mode().Perm())
		}
	}
	if _, err := GenerateKeys(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("keys were generated over others: %v", err)
	}
	again := must2(LoadOrGenerateKeys(dir))
	if again.Trust() != k.Trust() {
		t.Error("loaded keys have another trust")
	}
	a, b := must2(must2(k.account("shop")).PublicKey()), must2(must2(again.account("shop")).PublicKey())
	if other := must2(must2(k.account("other")).PublicKey()); a != b || a == other {
		t.Errorf("accounts: %s and %s for one namespace, %s for another", a, b, other)
	}
}
