package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"
)

// TestMain checks that nothing is left running. A server that was shut down
// takes a moment to end its last goroutines, longer on a busy machine.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		deadline := time.Now().Add(20 * time.Second)
		err := goleak.Find()
		for err != nil && time.Now().Before(deadline) {
			err = goleak.Find()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// testLog is silent; HUB_TEST_LOG=1 shows what hub and clients have to say.
func testLog() *slog.Logger {
	if os.Getenv("HUB_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// env is a running hub of one shape, and an Authority over it.
type env struct {
	a        *Authority
	keys     *Keys
	replicas int
	servers  []*Server
	opts     []ServerOptions
	urls     string
}

// eachHub runs a test against the embedded server and against a cluster of
// three with three replicas.
func eachHub(t *testing.T, test func(t *testing.T, e *env)) {
	t.Run("embedded", func(t *testing.T) { test(t, startHub(t)) })
	t.Run("cluster", func(t *testing.T) { test(t, startCluster(t)) })
}

func startHub(t testing.TB) *env {
	t.Helper()
	keys := newKeys(t)
	e := &env{keys: keys, replicas: 1, opts: []ServerOptions{{Dir: t.TempDir(), Trust: keys.Trust(), Logger: testLog()}}}
	s := e.start(t, 0)
	e.servers = []*Server{s}
	e.urls = s.URL()
	// A restart comes back where the clients look for it.
	e.opts[0].Listen = strings.TrimPrefix(s.URL(), "nats://")
	e.a = newAuthority(t, AuthorityOptions{URL: e.urls, Keys: keys})
	t.Cleanup(e.stop)
	return e
}

func startCluster(t testing.TB) *env {
	t.Helper()
	keys := newKeys(t)
	e := &env{keys: keys, replicas: 3, servers: make([]*Server, 3)}
	addrs := freeAddrs(t, 6)
	for i := range 3 {
		e.opts = append(e.opts, ServerOptions{
			Dir: t.TempDir(), Trust: keys.Trust(), Logger: testLog(), Name: fmt.Sprintf("hub-%d", i), Listen: addrs[i],
			Cluster: &ClusterOptions{Name: "hub", Listen: addrs[3+i], Peers: addrs[3:]},
		})
	}
	type started struct {
		i   int
		s   *Server
		err error
	}
	done := make(chan started)
	for i := range 3 {
		go func() {
			s, err := StartServer(e.opts[i])
			done <- started{i, s, err}
		}()
	}
	t.Cleanup(e.stop)
	for range 3 {
		r := <-done
		if r.err != nil {
			t.Error(r.err)
		}
		e.servers[r.i] = r.s
	}
	if t.Failed() {
		t.FailNow()
	}
	e.urls = "nats://" + strings.Join(addrs[:3], ",nats://")
	e.a = newAuthority(t, AuthorityOptions{URL: e.urls, Keys: keys})
	return e
}

func (e *env) start(t testing.TB, i int) *Server {
	t.Helper()
	s, err := StartServer(e.opts[i])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (e *env) stop() {
	for _, s := range e.servers {
		if s != nil {
			s.Shutdown()
		}
	}
}

// namespace makes one and returns it.
func (e *env) namespace(t testing.TB, ctx context.Context, name string, maxBytes int64) string {
	t.Helper()
	if err := e.a.EnsureNamespace(ctx, name, Limits{MaxBytes: maxBytes, Replicas: e.replicas}); err != nil {
		t.Fatal(err)
	}
	return name
}

// interrupt stops the server that leads a stream and returns a function that
// starts it again. On a single server that is the hub itself, which is started
// again at once.
func (e *env) interrupt(t testing.TB, namespace, stream string) (again func()) {
	t.Helper()
	if len(e.servers) == 1 {
		e.servers[0].Shutdown()
		e.servers[0] = e.start(t, 0)
		return func() {}
	}
	kp, err := e.keys.account(namespace)
	if err != nil {
		t.Fatal(err)
	}
	account, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	leader := -1
	eventually(t, "stream "+stream+" has a leader", func() bool {
		for i, s := range e.servers {
			if s.ns.JetStreamIsStreamLeader(account, stream) {
				leader = i
				return true
			}
		}
		return false
	})
	e.servers[leader].Shutdown()
	return func() { e.servers[leader] = e.start(t, leader) }
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// freeAddrs asks the system for free ports. Servers of a cluster have to know
// each other's before they start.
func freeAddrs(t testing.TB, n int) []string {
	t.Helper()
	addrs := make([]string, n)
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		addrs[i] = l.Addr().String()
	}
	return addrs
}

func newKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := GenerateKeys(t.TempDir() + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newAuthority(t testing.TB, o AuthorityOptions) *Authority {
	t.Helper()
	o.Logger = testLog()
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
	return dialAs(t, a, a.o.URL, namespace, w)
}

func dialAs(t testing.TB, a *Authority, url, namespace string, w Workload) *Space {
	t.Helper()
	creds, err := a.Credentials(namespace, w)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Dial(context.Background(), DialOptions{
		URL: url, Credentials: creds, Name: t.Name(),
		Namespace: namespace, Isolation: a.Isolation(), Logger: testLog(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func connector(name string) Workload { return Workload{Kind: Connector, Name: name} }

var catalog = Workload{Kind: Catalog}

func someFacts(channel string, n int) []Fact {
	facts := make([]Fact, n)
	for i := range facts {
		facts[i] = Fact{Channel: channel, Type: "item.observed", Data: fmt.Appendf(nil, `{"n":%d}`, i)}
	}
	return facts
}

func item(t testing.TB, sku string) Subject {
	t.Helper()
	s, err := ItemSubject("north", sku)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// errEnough ends a reading that has seen what it wanted.
var errEnough = errors.New("enough")

// readAll reads the records of some kinds up to the end of the backlog, and
// returns the last per subject: a replica that lags may show an older one first.
func readAll(t testing.TB, ctx context.Context, s *Space, kinds Kind) map[Subject]Record {
	t.Helper()
	all := make(map[Subject]Record)
	err := s.ReadRecords(ctx, ReadOptions{Kinds: kinds}, func(b Batch) error {
		for _, r := range b.Records {
			if r.Seq <= all[r.Subject].Seq {
				t.Errorf("%s at %d came after %d", r.Subject, r.Seq, all[r.Subject].Seq)
			}
			all[r.Subject] = r
		}
		if b.Caught {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	return all
}

// readFacts reads facts after a position until it has seen want.
func readFacts(t testing.TB, ctx context.Context, s *Space, after Position, want int) []Fact {
	t.Helper()
	var all []Fact
	err := s.ReadFacts(ctx, after, func(f []Fact) error {
		all = append(all, f...)
		if len(all) >= want {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	return all
}

var namespaces atomic.Int64

// fresh returns a namespace name no other test uses.
func fresh() string { return fmt.Sprintf("shop-%d", namespaces.Add(1)) }

// externalAccount makes one account on a hub of ours, the way an administrator
// of somebody else's cluster would, and returns its id and a signing key.
func externalAccount(t testing.TB, ctx context.Context, e *env) (id string, signingSeed []byte, userCreds []byte) {
	t.Helper()
	kp := must2(nkeys.CreateAccount())
	signing := must2(nkeys.CreateAccount())
	id = must2(kp.PublicKey())
	signingID := must2(signing.PublicKey())
	ac := jwt.NewAccountClaims(id)
	ac.Name = "external"
	ac.SigningKeys.Add(signingID)
	ac.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1,
		MaxAckPending: -1, MemoryMaxStreamBytes: -1, DiskMaxStreamBytes: -1,
	}
	token, err := ac.Encode(e.keys.operator)
	if err != nil {
		t.Fatal(err)
	}
	nc := must2(e.a.system(ctx))
	if _, err := nc.RequestWithContext(ctx, "$SYS.REQ.CLAIMS.UPDATE", []byte(token)); err != nil {
		t.Fatal(err)
	}
	var all jwt.Permissions
	creds, err := signUser(kp, "", "somebody", all)
	if err != nil {
		t.Fatal(err)
	}
	seed := must2(signing.Seed())
	return id, seed, creds
}

// must2 makes a two-valued call usable as one argument.
func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
