package hub

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
)

// eachIsolation runs a test with an account per namespace and with one account
// of somebody else's hub whose signing key we were given.
func eachIsolation(t *testing.T, test func(t *testing.T, ctx context.Context, a *Authority)) {
	t.Run("accounts", func(t *testing.T) { test(t, testContext(t), startHub(t).a) })
	t.Run("permissions", func(t *testing.T) {
		ctx := testContext(t)
		e := startHub(t)
		id, seed, _ := externalAccount(t, ctx, e)
		a := newAuthority(t, AuthorityOptions{URL: e.urls, AccountSigningKey: seed, AccountID: id})
		if a.Isolation() != Permissions {
			t.Fatalf("isolation is %s", a.Isolation())
		}
		test(t, ctx, a)
	})
}

func ensure(t testing.TB, ctx context.Context, a *Authority, names ...string) {
	t.Helper()
	for _, ns := range names {
		if err := a.EnsureNamespace(ctx, ns, Limits{}); err != nil {
			t.Fatal(err)
		}
	}
}

// I9: a connector does its own work and nothing else. Everything forbidden is
// answered as such, and leaves no trace.
func TestConnectorReachesItsOwnSubjectsOnly(t *testing.T) {
	eachIsolation(t, func(t *testing.T, ctx context.Context, a *Authority) {
		ensure(t, ctx, a, "shop", "other")
		op := must2(a.Space(ctx, "shop"))
		worker := as(t, a, "shop", catalog)
		conn := as(t, a, "shop", connector("north"))
		south := as(t, a, "shop", connector("south"))

		// What it may do works.
		if _, err := conn.Append(ctx, someFacts("north", 3)...); err != nil {
			t.Error(err)
		}
		if _, err := conn.Put(ctx, "report.channel.north", []byte("{}")); err != nil {
			t.Error(err)
		}
		must2(op.Put(ctx, "config.channel.north", []byte("{}")))
		must2(op.Put(ctx, "config.channel.south", []byte("{}")))
		must2(op.Put(ctx, "config.sync.all", []byte("{}")))
		for _, key := range []string{"config.channel.north", "config.sync.all"} {
			if _, err := conn.Get(ctx, key); err != nil {
				t.Error(err)
			}
		}
		l, err := conn.Acquire(ctx, LeaseOptions{Key: "lease.channel.north", Holder: "pod"})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(ctx); err != nil {
			t.Error(err)
		}
		if _, err := south.Put(ctx, "report.channel.south", []byte("{}")); err != nil {
			t.Error(err)
		}

		// What it may not do is refused.
		stop := func(Batch) error { return errEnough }
		publish := func(subject string) error {
			_, err := conn.publish(ctx, &nats.Msg{Subject: subject, Data: []byte("x")})
			return err
		}
		call := func(subject string) error { return conn.call(ctx, subject, nil, nil) }
		list := func(stream, filter, name string) error {
			subject := "CONSUMER.CREATE." + stream + "." + name
			if filter != "" {
				subject += "." + filter
			}
			return call(subject)
		}
		cur := must2(worker.ReadCursor(ctx))
		ly := conn.l
		for what, err := range map[string]error{
			"facts of another channel":     second(conn.Append(ctx, someFacts("south", 1)...)),
			"some of another channel":      second(conn.Append(ctx, someFacts("south", 3)...)),
			"many of another channel":      second(conn.Append(ctx, someFacts("south", 100)...)),
			"mixed with its own":           second(conn.Append(ctx, append(someFacts("south", 50), someFacts("north", 50)...)...)),
			"facts of the operator":        second(conn.Append(ctx, someFacts("_operator", 1)...)),
			"reading facts":                conn.ReadFacts(ctx, Position{}, func([]Fact) error { return errEnough }),
			"reading ledgers":              list(ly.cat, ly.prefix+"ledger.>", "x"),
			"reading ledgers by its name":  list(ly.cat, ly.prefix+"ledger.>", fixedConsumerName("connector-north", "records", ly.filters(Shared))),
			"reading lines":                list(ly.cat, ly.prefix+"line.>", "x"),
			"reading everything":           list(ly.cat, "", fixedConsumerName("connector-north", "records", ly.filters(Shared))),
			"another one's consumer":       list(ly.cat, ly.filters(Shared)[0], fixedConsumerName("connector-south", "records", ly.filters(Shared))),
			"pulling another's consumer":   call("CONSUMER.MSG.NEXT." + ly.cat + "." + fixedConsumerName("connector-south", "records", ly.filters(Shared))),
			"a durable consumer":           call("CONSUMER.DURABLE.CREATE." + ly.cat + ".x"),
			"any message by number":        call("STREAM.MSG.GET." + ly.cat),
			"any message by number, quick": call("DIRECT.GET." + ly.cat),
			"a ledger by subject":          call("DIRECT.GET." + ly.cat + "." + ly.prefix + "ledger.north.00.x"),
			"writing an item":              publish(ly.prefix + "cat.item.north.00.x"),
			"writing the cursor":           publish(ly.prefix + cursorSubject),
			"writing a ledger":             publish(ly.prefix + "ledger.north.00.x"),
			"folding":                      second(conn.Fold(ctx, cur, Cursor{FactSeq: 1}, []Record{{Subject: item(t, "a"), Data: []byte("x")}})),
			"its own configuration":        second(conn.Put(ctx, "config.channel.north", []byte("x"))),
			"another's configuration":      second(conn.Get(ctx, "config.channel.south")),
			"watching another's":           conn.Watch(ctx, []string{"config.channel.south"}, func(Entry) error { return errEnough }),
			"watching all":                 conn.Watch(ctx, []string{"config.>"}, func(Entry) error { return errEnough }),
			"another's report":             second(conn.Put(ctx, "report.channel.south", []byte("x"))),
			"reading another's report":     second(conn.Get(ctx, "report.channel.south")),
			"another's lease":              second(conn.Acquire(ctx, LeaseOptions{Key: "lease.channel.south", Holder: "pod"})),
			"the worker's lease":           second(conn.Acquire(ctx, LeaseOptions{Key: "lease.catalog", Holder: "pod"})),
			"a key of its own making":      second(conn.Put(ctx, "report.channel.north.x", []byte("x"))),
			"the streams' state":           second(conn.State(ctx)),
			"trimming":                     second(conn.TrimFacts(ctx, 1)),
			"purging":                      call("STREAM.PURGE." + ly.facts),
			"deleting":                     call("STREAM.DELETE." + ly.cat),
			"making a stream":              call("STREAM.CREATE.MINE"),
			"listing streams":              call("STREAM.NAMES"),
			"the account":                  call("INFO"),
			"acknowledging":                publish("$JS.ACK." + ly.cat + ".x.1.1.1.1.1"),
			"the system account":           publish("$SYS.REQ.SERVER.PING"),
			"a free subject":               publish("anything"),
		} {
			if !errors.Is(err, ErrForbidden) {
				t.Errorf("%s: %v, want ErrForbidden", what, err)
			}
		}
		if err := conn.ReadRecords(ctx, ReadOptions{Kinds: Shared}, stop); !errors.Is(err, errEnough) {
			t.Errorf("reading items: %v", err)
		}
		// Whoever listens hears its own inbox only.
		for _, subject := range []string{"facts.>", ">", "_INBOX.>", "$KV.>", "_INBOX.connector-south.>"} {
			sub, err := conn.nc.SubscribeSync(subject)
			if err != nil {
				t.Fatal(err)
			}
			must2(op.Put(ctx, "config.channel.north", []byte("secret")))
			// What the server had to deliver is here before its answer.
			if err := conn.nc.FlushWithContext(ctx); err != nil {
				t.Fatal(err)
			}
			if n, _, err := sub.Pending(); err == nil && n > 0 {
				t.Errorf("a subscription to %s heard %d messages", subject, n)
			}
		}
		if st := must2(op.State(ctx)); st.Facts.Messages != 3 || st.Records.Messages != 1 {
			t.Errorf("the refused writes left %d facts and %d records, want 3 and the cursor", st.Facts.Messages, st.Records.Messages)
		}
	})
}

// I9: credentials of a namespace show nothing of another.
func TestNamespacesDoNotSeeEachOther(t *testing.T) {
	eachIsolation(t, func(t *testing.T, ctx context.Context, a *Authority) {
		ensure(t, ctx, a, "shop", "other")
		other := as(t, a, "other", connector("north"))
		worker := as(t, a, "other", catalog)
		if _, err := other.Append(ctx, someFacts("north", 5)...); err != nil {
			t.Fatal(err)
		}
		// The same workload of another namespace, which asks for the other's.
		theirs := must2(newLayout(a.Isolation(), "other"))
		for _, w := range []Workload{connector("north"), catalog} {
			s := as(t, a, "shop", w)
			if a.Isolation() == Permissions {
				mine := s.l
				s.l = theirs
				s.l.inbox = mine.inbox
				if _, err := s.Append(ctx, someFacts("north", 1)...); !errors.Is(err, ErrForbidden) {
					t.Errorf("%s appended to another namespace: %v", w.Kind, err)
				}
				if err := s.ReadFacts(ctx, Position{}, func([]Fact) error { return errEnough }); !errors.Is(err, ErrForbidden) {
					t.Errorf("%s read facts of another namespace: %v", w.Kind, err)
				}
				if err := s.ReadRecords(ctx, ReadOptions{Kinds: Shared}, func(Batch) error { return errEnough }); !errors.Is(err, ErrForbidden) {
					t.Errorf("%s read records of another namespace: %v", w.Kind, err)
				}
				if _, err := s.Get(ctx, "config.channel.north"); !errors.Is(err, ErrForbidden) {
					t.Errorf("%s read configuration of another namespace: %v", w.Kind, err)
				}
			} else if cur, err := s.ReadCursor(ctx); err != nil || cur == must2(worker.ReadCursor(ctx)) {
				t.Errorf("%s reads the cursor %v of another namespace, %v", w.Kind, cur, err)
			}
		}
		for ns, want := range map[string]uint64{"shop": 0, "other": 5} {
			st := must2(must2(a.Space(ctx, ns)).State(ctx))
			if st.Facts.Messages != want {
				t.Errorf("%s has %d facts, want %d", ns, st.Facts.Messages, want)
			}
		}
	})
}

// I9: the server sends answers to whatever reply subject it is asked to, without
// looking at permissions. A connector that uses this to put words into another
// channel's mouth is not believed.
func TestForgedFactsAreNotBelieved(t *testing.T) {
	eachIsolation(t, func(t *testing.T, ctx context.Context, a *Authority) {
		ensure(t, ctx, a, "shop")
		conn := as(t, a, "shop", connector("north"))
		worker := as(t, a, "shop", catalog)
		forged := []byte(`{"sku":"forged"}`)
		must2(conn.Put(ctx, "lease.channel.north", forged))
		get := apiPrefix + "DIRECT.GET." + conn.l.kv() + "." + conn.l.key("lease.channel.north")
		victim := conn.l.fact("south", "stock.observed")
		if err := conn.nc.PublishRequest(get, victim, nil); err != nil {
			t.Fatal(err)
		}
		op := must2(a.Space(ctx, "shop"))
		eventually(t, "the server stored its answer as a fact", func() bool {
			return must2(op.State(ctx)).Facts.Messages > 0
		})
		must2(conn.Append(ctx, someFacts("north", 1)...))
		for _, f := range readFacts(t, ctx, worker, Position{}, 1) {
			if f.Channel != "north" {
				t.Errorf("a forged fact of %s was handed on: %s", f.Channel, f.Data)
			}
		}
	})
}

// The catalog worker folds, and that is all.
func TestCatalogWorkerReachesNoMoreThanItNeeds(t *testing.T) {
	eachIsolation(t, func(t *testing.T, ctx context.Context, a *Authority) {
		ensure(t, ctx, a, "shop")
		w := as(t, a, "shop", catalog)
		for what, err := range map[string]error{
			"appending facts":         second(w.Append(ctx, someFacts("north", 1)...)),
			"writing configuration":   second(w.Put(ctx, "config.channel.north", []byte("x"))),
			"a channel's report":      second(w.Put(ctx, "report.channel.north", []byte("x"))),
			"a channel's lease":       second(w.Acquire(ctx, LeaseOptions{Key: "lease.channel.north", Holder: "x"})),
			"deleting a stream":       w.call(ctx, "STREAM.DELETE."+w.l.cat, nil, nil),
			"purging records":         w.call(ctx, "STREAM.PURGE."+w.l.cat, nil, nil),
			"changing a stream":       w.call(ctx, "STREAM.UPDATE."+w.l.facts, nil, nil),
			"configuration at large":  w.call(ctx, "STREAM.MSG.GET."+w.l.kv(), nil, nil),
			"the leases of a channel": second(w.Get(ctx, "lease.channel.north")),
		} {
			if !errors.Is(err, ErrForbidden) {
				t.Errorf("%s: %v, want ErrForbidden", what, err)
			}
		}
		if _, err := w.Put(ctx, "report.catalog", []byte("{}")); err != nil {
			t.Error(err)
		}
		if _, err := w.List(ctx, "report.channel.*"); err != nil {
			t.Error(err)
		}
		if _, err := w.State(ctx); err != nil {
			t.Error(err)
		}
	})
}

// With one set of credentials everything works by prefix, two namespaces do not
// mix, and Isolation tells how little keeps them apart.
func TestPrefixIsolationWorksAndSaysSo(t *testing.T) {
	eachHub(t, func(t *testing.T, e *env) {
		ctx := testContext(t)
		_, _, creds := externalAccount(t, ctx, e)
		a := newAuthority(t, AuthorityOptions{URL: e.urls, Credentials: creds})
		for i, ns := range []string{"shop", "other"} {
			if err := a.EnsureNamespace(ctx, ns, Limits{MaxBytes: 1 << 30, Replicas: e.replicas}); err != nil {
				t.Fatal(err)
			}
			conn, worker := as(t, a, ns, connector("north")), as(t, a, ns, catalog)
			if conn.Isolation() != Prefix {
				t.Fatalf("isolation is %s", conn.Isolation())
			}
			must2(conn.Append(ctx, someFacts("north", 30+i)...))
			end := must2(worker.State(ctx))
			if end.Facts.Messages != uint64(30+i) || end.Isolation != Prefix || end.Durability != DurabilityUnknown {
				t.Fatalf("state of %s is %+v", ns, end)
			}
			a, err := resume(ctx, worker)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.foldUntil(ctx, end.Facts.LastSeq, 10); err != nil {
				t.Fatal(err)
			}
			if err := checkTally(ctx, worker, end.Facts.LastSeq); err != nil {
				t.Fatal(err)
			}
			if n := len(readAll(t, ctx, conn, Shared)); n != 31+i {
				t.Errorf("a connector of %s reads %d records, want the items and the cursor", ns, n)
			}
			must2(conn.Put(ctx, "report.channel.north", []byte(ns)))
			if en := must2(conn.List(ctx, "report.>")); len(en) != 1 || string(en[0].Data) != ns || en[0].Key != "report.channel.north" {
				t.Errorf("%s lists %v", ns, en)
			}
			l := must2(conn.Acquire(ctx, LeaseOptions{Key: "lease.channel.north", Holder: ns}))
			if err := l.Release(ctx); err != nil {
				t.Error(err)
			}
		}
	})
}

// Credentials say who they are for, and hold no right to more than a user's.
func TestCredentialsAreOfTheirKind(t *testing.T) {
	a := newAuthority(t, AuthorityOptions{URL: "nats://127.0.0.1:1", Keys: newKeys(t)})
	creds := must2(a.Credentials("shop", connector("north")))
	who, _, err := DialOptions{Credentials: creds}.identity()
	if err != nil {
		t.Fatal(err)
	}
	want := identity{name: "connector-north", kind: Connector, namespace: "shop", isolation: Accounts}
	if who != want {
		t.Errorf("credentials are of %+v, want %+v", who, want)
	}
	if string(creds) == string(must2(a.Credentials("shop", connector("north")))) {
		t.Error("two credentials share a key")
	}
	for _, w := range []Workload{{}, {Kind: "root"}, {Kind: Connector}, {Kind: Connector, Name: "a.>"}, {Kind: Connector, Name: "*"}} {
		if _, err := a.Credentials("shop", w); err == nil {
			t.Errorf("credentials for %+v were signed", w)
		}
	}
	for _, ns := range []string{"", "a.b", "*", ">", "Shop"} {
		if _, err := a.Credentials(ns, catalog); err == nil {
			t.Errorf("credentials for namespace %q were signed", ns)
		}
	}
	if _, err := NewAuthority(AuthorityOptions{URL: "nats://127.0.0.1:1"}); err == nil {
		t.Error("an authority without any means was made")
	}
}

// second returns the error of a call with two results.
func second[T any](_ T, err error) error { return err }
