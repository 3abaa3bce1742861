package hub

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A namespace out of use gives back what it does not store, keeps the rest and
// its time of retirement, whoever asks; EnsureNamespace puts it into use again
// as soon as there is room.
func TestARetiredNamespaceKeepsItsDataAndGivesBackTheRest(t *testing.T) {
	ctx := testContext(t)
	keys := newKeys(t)
	srv, err := StartServer(ServerOptions{Dir: t.TempDir(), Trust: keys.Trust(), MaxStore: 100 << 20, Logger: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Shutdown)
	a := newAuthority(t, AuthorityOptions{URL: srv.URL(), Keys: keys})
	lim := Limits{MaxBytes: 60 << 20}
	if err := a.EnsureNamespace(ctx, "first", lim); err != nil {
		t.Fatal(err)
	}
	must2(as(t, a, "first", connector("north")).Append(ctx, someFacts("north", 30)...))
	since := time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, at := range []time.Time{since, time.Now()} {
		if err := a.RetireNamespace(ctx, "first", at); err != nil {
			t.Fatal(err)
		}
	}
	// Another operator, as after a restart, knows as much.
	other := newAuthority(t, AuthorityOptions{URL: srv.URL(), Keys: keys})
	wantStored(t, ctx, other, Stored{"first", since})

	if err := a.EnsureNamespace(ctx, "second", lim); err != nil {
		t.Fatalf("a retired namespace holds on to what it does not use: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := other.EnsureNamespace(short, "first", lim); !errors.Is(err, ErrHubFull) {
		t.Fatalf("more was promised than there is: %v", err)
	}
	// One that never got its room can be given up all the same.
	if err := a.EnsureNamespace(ctx, "third", lim); !errors.Is(err, ErrHubFull) {
		t.Fatalf("more was promised than there is: %v", err)
	}
	if err := a.RetireNamespace(ctx, "third", since); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"third", "second"} {
		if err := a.DeleteNamespace(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.EnsureNamespace(ctx, "first", lim); err != nil {
		t.Fatalf("there is room again: %v", err)
	}
	st := must2(must2(other.Space(ctx, "first")).State(ctx))
	if st.Facts.Messages != 30 || st.Facts.MaxBytes != lim.MaxBytes/5*4 {
		t.Errorf("in use again with %+v, want its 30 facts under the full limit", st.Facts)
	}
	wantStored(t, ctx, a, Stored{"first", time.Time{}})
}

// A deleted namespace leaves nothing behind that would be listed, and can be
// made anew at once.
func TestADeletedNamespaceIsForgotten(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		stays, goes := e.namespace(t, ctx, fresh(), 0), e.namespace(t, ctx, fresh(), 0)
		if err := e.a.DeleteNamespace(ctx, goes); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the namespace is listed no more", func() bool {
			all := must2(e.a.Namespaces(ctx))
			return len(all) == 1 && all[0].Namespace == stays
		})
		e.namespace(t, ctx, goes, 0)
		must2(as(t, e.a, goes, connector("north")).Append(ctx, someFacts("north", 3)...))
	})
}

func wantStored(t *testing.T, ctx context.Context, a *Authority, want Stored) {
	t.Helper()
	for _, s := range must2(a.Namespaces(ctx)) {
		if s.Namespace == want.Namespace {
			if !s.Retired.Equal(want.Retired) {
				t.Errorf("%s is retired since %s, want %s", s.Namespace, s.Retired, want.Retired)
			}
			return
		}
	}
	t.Errorf("%s is not listed", want.Namespace)
}

// I9: revoked credentials open nothing any more and an open connection ends;
// those of others, of later ones and of the operator go on, also after the
// namespace was set up again.
func TestRevokedCredentialsAreWorthless(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		ns := e.namespace(t, ctx, fresh(), 0)
		creds := must2(e.a.Credentials(ns, connector("north")))
		dial := func() *Space {
			s := must2(Dial(ctx, DialOptions{URL: e.urls, Credentials: creds, Logger: testLog()}))
			t.Cleanup(s.Close)
			return s
		}
		open, south := dial(), as(t, e.a, ns, connector("south"))
		must2(open.Append(ctx, someFacts("north", 1)...))
		must2(south.Append(ctx, someFacts("south", 1)...))

		if err := e.a.Revoke(ctx, ns, must2(UserOf(creds))); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the open connection ends", func() bool { return !open.Connected() })
		// Raising the limit writes the account anew: the revocation stays.
		e.namespace(t, ctx, ns, 2*DefaultMaxBytes)
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		again := dial()
		if err := again.WaitConnected(short); err == nil {
			t.Error("revoked credentials connect")
		}
		if open.Connected() {
			t.Error("the revoked connection came back")
		}
		must2(south.Append(ctx, someFacts("south", 1)...))
		must2(as(t, e.a, ns, connector("north")).Append(ctx, someFacts("north", 1)...))
		must2(must2(e.a.Space(ctx, ns)).Put(ctx, "config.sync.all", []byte("{}")))
	})
}

// Of an account of somebody else's only its owner can revoke: that is said, not
// passed over.
func TestWhoeverHasASigningKeyAloneCannotRevoke(t *testing.T) {
	ctx := testContext(t)
	e := startHub(t)
	id, seed, _ := externalAccount(t, ctx, e)
	a := newAuthority(t, AuthorityOptions{URL: e.urls, AccountSigningKey: seed, AccountID: id})
	ensure(t, ctx, a, "shop")
	creds := must2(a.Credentials("shop", connector("north")))
	if err := a.Revoke(ctx, "shop", must2(UserOf(creds))); !errors.Is(err, ErrNoAccounts) {
		t.Errorf("revoking: %v, want %v", err, ErrNoAccounts)
	}
}
