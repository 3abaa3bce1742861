package hub

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// AuthorityOptions say how an Authority makes namespaces. Exactly one of Keys,
// AccountSigningKey and Credentials is given.
type AuthorityOptions struct {
	// URL of the hub; ignored with InProcess.
	URL string
	// InProcess connects to an embedded server without a socket.
	InProcess *Server
	// TLS is used when the server asks for it.
	TLS *tls.Config
	// Logger for all connections; nil is slog.Default().
	Logger *slog.Logger

	// Keys of the hub's operator: every namespace gets an account (Accounts).
	Keys *Keys

	// AccountSigningKey is the seed of a signing key of one account of an
	// external cluster, AccountID the account's public key: every workload
	// gets a user limited by permissions (Permissions).
	AccountSigningKey []byte
	AccountID         string

	// Credentials is the content of one .creds file of an external cluster;
	// every workload gets the same (Prefix).
	Credentials []byte
}

// Authority creates namespaces in a hub and signs credentials for workloads. It
// is safe for concurrent use.
type Authority struct {
	o         AuthorityOptions
	isolation Isolation
	signing   nkeys.KeyPair // of the one account, with Permissions
	log       *slog.Logger
	accounts  keyedLocks // by namespace, around reading and changing its account

	mu      sync.Mutex
	spaces  map[string]*Space
	sys     *nats.Conn
	closed  bool
	durable Durability // as last asked
	asked   time.Time
}

// durabilityAge is how long an answer about durability is believed: it changes
// with the servers' configuration only.
const durabilityAge = time.Minute

// NewAuthority checks the options. It does not connect yet.
func NewAuthority(o AuthorityOptions) (*Authority, error) {
	a := &Authority{o: o, spaces: make(map[string]*Space), log: o.Logger}
	if a.log == nil {
		a.log = slog.Default()
	}
	if o.URL == "" && o.InProcess == nil {
		return nil, errors.New("authority of the hub: no URL given")
	}
	switch {
	case o.Keys != nil && len(o.AccountSigningKey) == 0 && len(o.Credentials) == 0:
		a.isolation = Accounts
	case o.Keys == nil && len(o.AccountSigningKey) > 0 && len(o.Credentials) == 0:
		kp, err := nkeys.FromSeed(o.AccountSigningKey)
		if err != nil {
			return nil, fmt.Errorf("authority of the hub: account signing key: %w", err)
		}
		if !nkeys.IsValidPublicAccountKey(o.AccountID) {
			return nil, errors.New("authority of the hub: the account's public key (A…) is needed with its signing key")
		}
		a.isolation, a.signing = Permissions, kp
	case o.Keys == nil && len(o.AccountSigningKey) == 0 && len(o.Credentials) > 0:
		a.isolation = Prefix
	default:
		return nil, errors.New("authority of the hub: exactly one of keys, account signing key and credentials is needed")
	}
	return a, nil
}

// Isolation says how namespaces of this hub are kept apart.
func (a *Authority) Isolation() Isolation { return a.isolation }

// Close ends the connections of the Authority and of the Spaces it opened.
func (a *Authority) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for _, s := range a.spaces {
		s.Close()
	}
	clear(a.spaces)
	if a.sys != nil {
		a.sys.Close()
	}
}

// Space opens a namespace with the operator's own rights. The Authority keeps
// one per namespace and closes it; the caller does not.
func (a *Authority) Space(ctx context.Context, namespace string) (*Space, error) {
	a.mu.Lock()
	s := a.spaces[namespace]
	closed := a.closed
	a.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	if s != nil {
		return s, nil
	}
	creds, err := a.Credentials(namespace, Workload{Kind: Operator})
	if err != nil {
		return nil, err
	}
	s, err = Dial(ctx, DialOptions{
		URL: a.o.URL, InProcess: a.o.InProcess, TLS: a.o.TLS, Logger: a.log,
		Credentials: creds, Namespace: namespace, Isolation: a.isolation, Name: "selaras operator " + namespace,
	})
	if err != nil {
		return nil, err
	}
	if d, err := a.Durability(ctx); err == nil {
		s.durable = d
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if other := a.spaces[namespace]; other != nil || a.closed {
		s.Close()
		if other == nil {
			return nil, ErrClosed
		}
		return other, nil
	}
	a.spaces[namespace] = s
	return s, nil
}

// Release closes the Authority's own connection to a namespace; Space opens
// another.
func (a *Authority) Release(namespace string) {
	a.mu.Lock()
	s := a.spaces[namespace]
	delete(a.spaces, namespace)
	a.mu.Unlock()
	if s != nil {
		s.Close()
	}
}

// Credentials signs the rights of a workload in a namespace and returns the
// content of a .creds file. Every call makes a new user key. With Prefix it
// returns the credentials the Authority was given.
func (a *Authority) Credentials(namespace string, w Workload) ([]byte, error) {
	if err := w.validate(); err != nil {
		return nil, fmt.Errorf("credentials of a workload: %w", err)
	}
	if err := validName(namespace); err != nil {
		return nil, fmt.Errorf("credentials of a workload: namespace: %w", err)
	}
	if a.isolation == Prefix {
		return a.o.Credentials, nil
	}
	l, err := newLayout(a.isolation, namespace)
	if err != nil {
		return nil, err
	}
	signer, issuer := a.signing, a.o.AccountID
	if a.isolation == Accounts {
		if signer, err = a.o.Keys.account(namespace); err != nil {
			return nil, err
		}
		issuer = "" // signed by the account itself
	}
	return signUser(signer, issuer, w.user(), l.permissions(w),
		tagKind+":"+string(w.Kind), tagNamespace+":"+namespace, tagIsolation+":"+string(a.isolation))
}

func signUser(signer nkeys.KeyPair, issuer, name string, p jwt.Permissions, tags ...string) ([]byte, error) {
	user, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("create a user key: %w", err)
	}
	defer user.Wipe()
	id, err := user.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("create a user key: %w", err)
	}
	seed, err := user.Seed()
	if err != nil {
		return nil, fmt.Errorf("create a user key: %w", err)
	}
	uc := jwt.NewUserClaims(id)
	uc.Name, uc.IssuerAccount, uc.Permissions = name, issuer, p
	uc.Tags.Add(tags...)
	token, err := uc.Encode(signer)
	if err != nil {
		return nil, fmt.Errorf("sign the user %s: %w", name, err)
	}
	return jwt.FormatUserConfig(token, seed)
}

// system returns a connection to the system account; Accounts only.
func (a *Authority) system(ctx context.Context) (*nats.Conn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, ErrClosed
	}
	if a.sys != nil && a.sys.IsConnected() {
		return a.sys, nil
	}
	if a.sys != nil {
		a.sys.Close()
		a.sys = nil
	}
	var p jwt.Permissions
	p.Pub.Allow.Add("$SYS.REQ.>")
	p.Sub.Allow.Add("_INBOX.>")
	creds, err := signUser(a.o.Keys.system, "", "operator", p)
	if err != nil {
		return nil, err
	}
	opts := []nats.Option{
		nats.Name("selaras operator"), nats.UserCredentialBytes(creds), nats.Timeout(attemptTimeout),
		nats.NoReconnect(), // the next call connects again
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			a.log.WarnContext(ctx, "hub system account", "error", err)
		}),
	}
	if a.o.TLS != nil {
		opts = append(opts, nats.Secure(a.o.TLS))
	}
	url := a.o.URL
	if a.o.InProcess != nil {
		url = ""
		opts = append(opts, nats.InProcessServer(a.o.InProcess.ns))
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to the hub's system account: %w", err)
	}
	a.sys = nc
	return nc, nil
}

// retry repeats what the system account is asked until ctx ends.
func (a *Authority) retry(ctx context.Context, doing string, f func(context.Context, *nats.Conn) error) error {
	var b backoff
	for {
		nc, err := a.system(ctx)
		if err == nil {
			attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
			err = f(attempt, nc)
			cancel()
			if err == nil {
				return nil
			}
		}
		var permanent permanentError
		if errors.Is(err, ErrClosed) || errors.As(err, &permanent) {
			return fmt.Errorf("cannot %s: %w", doing, err)
		}
		t := time.NewTimer(b.next())
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("cannot %s: %w; last: %w", doing, ctx.Err(), err)
		}
	}
}

// permanentError is one that waiting does not mend.
type permanentError struct{ error }

// Durability asks every server, at most once a minute, whether it syncs each
// write. Without a system account nobody tells: DurabilityUnknown.
func (a *Authority) Durability(ctx context.Context) (Durability, error) {
	if a.isolation != Accounts {
		if a.o.InProcess != nil {
			return DurabilityAlways, nil
		}
		return DurabilityUnknown, nil
	}
	a.mu.Lock()
	d, asked := a.durable, a.asked
	a.mu.Unlock()
	if !asked.IsZero() && time.Since(asked) < durabilityAge {
		return d, nil
	}
	err := a.retry(ctx, "ask the hub for its durability", func(ctx context.Context, nc *nats.Conn) error {
		inbox := nc.NewInbox()
		sub, err := nc.SubscribeSync(inbox)
		if err != nil {
			return err
		}
		defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is gone
		if err := nc.PublishRequest("$SYS.REQ.SERVER.PING.VARZ", inbox, nil); err != nil {
			return err
		}
		d = DurabilityAlways
		// The first answer may take its time; the other servers answer with it.
		wait := attemptTimeout
		for n := 0; ; n++ {
			one, cancel := context.WithTimeout(ctx, wait)
			m, err := sub.NextMsgWithContext(one)
			cancel()
			if err != nil {
				if n > 0 && ctx.Err() == nil {
					return nil
				}
				return err
			}
			var v struct {
				Data struct {
					JetStream struct {
						Config struct {
							SyncAlways bool `json:"sync_always"`
						} `json:"config"`
					} `json:"jetstream"`
				} `json:"data"`
			}
			if err := json.Unmarshal(m.Data, &v); err != nil {
				return fmt.Errorf("read a server's variables: %w", err)
			}
			if !v.Data.JetStream.Config.SyncAlways {
				d = DurabilityLazy
			}
			wait = 250 * time.Millisecond
		}
	})
	if err != nil {
		return DurabilityUnknown, err
	}
	a.mu.Lock()
	a.durable, a.asked = d, time.Now()
	a.mu.Unlock()
	return d, nil
}
