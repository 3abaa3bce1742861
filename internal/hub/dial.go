package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// DialOptions says which namespace of which hub to open, and as whom.
type DialOptions struct {
	// URL of the hub: "nats://host:4222", or several separated by commas.
	// Ignored with InProcess.
	URL string
	// CredentialsFile is a .creds file. It is read again at every reconnect, so
	// a rotated file is picked up.
	CredentialsFile string
	// Credentials is the content of a .creds file, used when CredentialsFile
	// is empty.
	Credentials []byte
	// Name of the connection, shown by the server's own tools.
	Name string
	// Namespace is needed when Isolation is not Accounts.
	Namespace string
	// Isolation of the hub; "" is Accounts, or what the credentials say.
	Isolation Isolation
	// InProcess connects to an embedded server without a socket.
	InProcess *Server
	// TLS is used when the server asks for it; nil is the system's trust.
	TLS *tls.Config
	// Logger receives connection events; nil is slog.Default().
	Logger *slog.Logger
}

// Space is one namespace of the hub, opened with one workload's rights. It is
// safe for concurrent use.
type Space struct {
	nc        *nats.Conn
	l         layout
	log       *slog.Logger
	isolation Isolation
	namespace string
	user      string // name in the credentials, "" when unknown
	fixed     bool   // consumers carry fixed names, because the permissions name them
	server    *Server
	denied    denials
	durable   Durability
	goneFor   time.Duration // GoneFor, but for tests

	mu       sync.Mutex
	isUp     bool          // as told by the connection's callbacks, which come in order
	up       chan struct{} // closed and replaced at every (re)connect
	down     chan struct{} // closed and replaced at every loss of the connection
	catEpoch uint64        // created time of CAT, 0 when not known since the last connect
	closed   chan struct{}
	once     sync.Once
}

const (
	attemptTimeout = 5 * time.Second
	pingInterval   = 5 * time.Second
	minBackoff     = 20 * time.Millisecond
	maxBackoff     = 2 * time.Second
)

// Dial opens a namespace. It does not wait for the hub: a Space connects and
// reconnects for ever in the background, and every call waits for the
// connection as long as its context allows. Dial fails only on unusable
// options, such as credentials that cannot be read.
func Dial(_ context.Context, o DialOptions) (*Space, error) {
	who, auth, err := o.identity()
	if err != nil {
		return nil, err
	}
	if o.Isolation == "" {
		o.Isolation = who.isolation
	}
	if o.Namespace == "" {
		o.Namespace = who.namespace
	}
	l, err := newLayout(o.Isolation, o.Namespace)
	if err != nil {
		return nil, err
	}
	if o.Isolation == "" {
		o.Isolation = Accounts
	}
	s := &Space{
		l: l, log: o.Logger, isolation: o.Isolation, namespace: o.Namespace,
		user: who.name, fixed: who.kind == Connector, server: o.InProcess,
		up: make(chan struct{}), down: make(chan struct{}), closed: make(chan struct{}), durable: DurabilityUnknown, goneFor: GoneFor,
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if who.name != "" {
		s.l.inbox += "." + who.name
	}
	opts := []nats.Option{
		nats.Name(o.Name),
		nats.CustomInboxPrefix(s.l.inbox),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		// A credential may be refused only because its account is not known to
		// this server yet, or the hub is being restored: keep trying.
		nats.IgnoreAuthErrorAbort(),
		// Nothing is buffered while disconnected: a write that its caller has
		// given up on must not arrive later.
		nats.ReconnectBufSize(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, 500*time.Millisecond),
		nats.Timeout(attemptTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.ConnectHandler(s.connected),
		nats.ReconnectHandler(s.connected),
		nats.DisconnectErrHandler(s.disconnected),
		nats.ErrorHandler(s.asyncError),
	}
	opts = append(opts, auth...)
	if o.TLS != nil {
		opts = append(opts, nats.Secure(o.TLS))
	}
	url := o.URL
	if o.InProcess != nil {
		url = ""
		opts = append(opts, nats.InProcessServer(o.InProcess.ns))
		s.durable = DurabilityAlways
	} else if url == "" {
		return nil, errors.New("dial the hub: no URL given")
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, fmt.Errorf("dial the hub at %s: %w", url, err)
	}
	s.mu.Lock()
	s.nc = nc
	s.mu.Unlock()
	return s, nil
}

// identity is what credentials tell about their holder.
type identity struct {
	name      string
	kind      WorkloadKind
	namespace string
	isolation Isolation
}

func (o DialOptions) identity() (identity, []nats.Option, error) {
	creds := o.Credentials
	var auth []nats.Option
	switch {
	case o.CredentialsFile != "":
		b, err := os.ReadFile(o.CredentialsFile)
		if err != nil {
			return identity{}, nil, fmt.Errorf("read hub credentials: %w", err)
		}
		creds, auth = b, []nats.Option{nats.UserCredentials(o.CredentialsFile)}
	case len(creds) > 0:
		auth = []nats.Option{nats.UserCredentialBytes(creds)}
	default:
		return identity{}, nil, nil
	}
	token, err := nkeys.ParseDecoratedJWT(creds)
	if err != nil {
		return identity{}, nil, fmt.Errorf("hub credentials hold no user JWT: %w", err)
	}
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil {
		return identity{}, nil, fmt.Errorf("hub credentials hold no user JWT: %w", err)
	}
	var who identity
	for _, tag := range claims.Tags {
		switch k, v, _ := strings.Cut(tag, ":"); k {
		case tagKind:
			who.kind = WorkloadKind(v)
		case tagNamespace:
			who.namespace = v
		case tagIsolation:
			who.isolation = Isolation(v)
		}
	}
	// Only credentials of our own making restrict the inbox to the name.
	if who.kind != "" {
		who.name = claims.Name
	}
	return who, auth, nil
}

// Connected reports whether the hub is connected now.
func (s *Space) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isUp
}

// WaitConnected waits until the hub is connected or ctx ends.
func (s *Space) WaitConnected(ctx context.Context) error {
	for {
		s.mu.Lock()
		isUp, up := s.isUp, s.up
		s.mu.Unlock()
		if isUp {
			return nil
		}
		select {
		case <-up:
		case <-s.closed:
			return ErrClosed
		case <-ctx.Done():
			err := s.nc.LastError()
			if err == nil {
				err = errors.New("no connection yet")
			}
			return fmt.Errorf("wait for the hub: %w (%w)", ctx.Err(), err)
		}
	}
}

// Isolation says how this namespace is kept apart from the others.
func (s *Space) Isolation() Isolation { return s.isolation }

// Namespace returns the namespace, "" when the credentials do not say it.
func (s *Space) Namespace() string { return s.namespace }

// Close ends the connection. Calls in flight return an error.
func (s *Space) Close() {
	s.once.Do(func() {
		close(s.closed)
		s.nc.Close()
	})
}

func (s *Space) connected(nc *nats.Conn) {
	s.mu.Lock()
	if s.nc == nil {
		s.nc = nc
	}
	s.isUp = true
	close(s.up)
	s.up = make(chan struct{})
	s.catEpoch = 0
	s.mu.Unlock()
	s.log.Debug("hub connected", "server", nc.ConnectedServerName())
}

func (s *Space) disconnected(_ *nats.Conn, err error) {
	s.mu.Lock()
	s.isUp = false
	close(s.down)
	s.down = make(chan struct{})
	s.mu.Unlock()
	if !s.isClosed() {
		s.log.Info("hub connection lost", "error", err)
	}
}

// downSignal returns a channel that is closed when the connection is lost next.
func (s *Space) downSignal() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// upSignal returns a channel that is closed at the next (re)connect.
func (s *Space) upSignal() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up
}

func (s *Space) asyncError(_ *nats.Conn, _ *nats.Subscription, err error) {
	if subject, ok := deniedSubject(err); ok {
		s.denied.report(subject, err)
		s.log.Error("the hub refused a subject; the credentials are not meant for it", "subject", subject)
		return
	}
	s.log.Warn("hub connection", "error", err)
}
