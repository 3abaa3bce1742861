package hub

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelError)
	goleak.VerifyTestMain(m)
}

func quiet() *slog.Logger {
	level := slog.LevelError + 8
	if os.Getenv("HUB_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func startSingle(t testing.TB, dir string, keys *Keys) *Server {
	t.Helper()
	s, err := StartServer(ServerOptions{Dir: dir, Trust: keys.Trust(), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func newKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := GenerateKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newAuthority(t testing.TB, o AuthorityOptions) *Authority {
	t.Helper()
	o.Logger = quiet()
	a, err := NewAuthority(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// as opens a namespace as a workload.
func as(t testing.TB, a *Authority, namespace string, w Workload) *Space {
	t.Helper()
	creds, err := a.Credentials(namespace, w)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Dial(context.Background(), DialOptions{
		URL: a.o.URL, Credentials: creds, Name: t.Name(),
		Namespace: namespace, Isolation: a.Isolation(), Logger: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func someFacts(channel string, n int) []Fact {
	facts := make([]Fact, n)
	for i := range facts {
		facts[i] = Fact{Channel: channel, Type: "item.observed", Data: fmt.Appendf(nil, `{"n":%d}`, i)}
	}
	return facts
}

func TestSmoke(t *testing.T) {
	ctx := testContext(t)
	keys := newKeys(t)
	srv := startSingle(t, t.TempDir(), keys)
	a := newAuthority(t, AuthorityOptions{URL: srv.URL(), Keys: keys})
	if err := a.EnsureNamespace(ctx, "shop", Limits{MaxBytes: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	t0 := time.Now()
	if err := a.EnsureNamespace(ctx, "shop", Limits{MaxBytes: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	t.Log("second ensure", time.Since(t0))
	conn := as(t, a, "shop", Workload{Kind: Connector, Name: "north"})
	for _, n := range []int{1, 10, 600} {
		t0 := time.Now()
		seq, err := conn.Append(ctx, someFacts("north", n)...)
		t.Log(n, seq, err, time.Since(t0))
		if err != nil {
			t.Fatal(err)
		}
	}
	w := as(t, a, "shop", Workload{Kind: Catalog})
	cur, err := w.ReadCursor(ctx)
	t.Log(cur, err)
	rctx, cancel := context.WithCancel(ctx)
	n := 0
	err = w.ReadFacts(rctx, cur.Facts(), func(f []Fact) error {
		n += len(f)
		if n == 611 {
			cancel()
		}
		return nil
	})
	t.Log(n, err)
	it, _ := ItemSubject("north", "ä 1")
	cur2, err := w.Fold(ctx, cur, Cursor{FactSeq: 611, Epoch: cur.Epoch}, []Record{{Subject: it, Data: []byte(`{}`)}})
	t.Log(cur2, err)
	_, err = w.Fold(ctx, cur, Cursor{FactSeq: 611, Epoch: cur.Epoch}, []Record{{Subject: it, Data: []byte(`{}`)}})
	t.Log(err)
	rctx, cancel = context.WithCancel(ctx)
	err = conn.ReadRecords(rctx, ReadOptions{Kinds: Shared}, func(b Batch) error {
		for _, r := range b.Records {
			t.Log(r.Subject, string(r.Data), r.Seq)
		}
		if b.Caught {
			cancel()
		}
		return nil
	})
	t.Log(err)
	op, _ := a.Space(ctx, "shop")
	t.Log(op.State(ctx))
	_, err = conn.State(ctx)
	t.Log(err)
	_, err = conn.Append(ctx, someFacts("south", 2)...)
	t.Log(err)
}
