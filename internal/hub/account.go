package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
)

// accountLimits are the storage limits of a namespace's account. Every replica
// counts. The margin keeps them behind the limits of the streams; they are there
// for streams that are not ours.
func accountLimits(lim Limits) jwt.JetStreamLimits {
	return jwt.JetStreamLimits{
		DiskStorage:   (lim.MaxBytes + lim.MaxBytes/8 + 16<<20) * int64(lim.Replicas),
		MemoryStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
		MaxAckPending: jwt.NoLimit, MemoryMaxStreamBytes: jwt.NoLimit, DiskMaxStreamBytes: jwt.NoLimit,
	}
}

// accountID is the public key of a namespace's account.
func (k *Keys) accountID(namespace string) (string, error) {
	kp, err := k.account(namespace)
	if err != nil {
		return "", err
	}
	id, err := kp.PublicKey()
	if err != nil {
		return "", fmt.Errorf("account key of %s: %w", namespace, err)
	}
	return id, nil
}

// lookupAccount returns what the hub knows of a namespace's account, nil for
// nothing.
func (a *Authority) lookupAccount(ctx context.Context, namespace string) (*jwt.AccountClaims, error) {
	id, err := a.o.Keys.accountID(namespace)
	if err != nil {
		return nil, err
	}
	return a.lookupClaims(ctx, id)
}

func (a *Authority) lookupClaims(ctx context.Context, id string) (have *jwt.AccountClaims, err error) {
	err = a.retry(ctx, "look up the account "+id, func(ctx context.Context, nc *nats.Conn) error {
		r, err := nc.RequestWithContext(ctx, "$SYS.REQ.ACCOUNT."+id+".CLAIMS.LOOKUP", nil)
		if err != nil || len(r.Data) == 0 {
			return err
		}
		if have, err = jwt.DecodeAccountClaims(string(r.Data)); err != nil {
			return permanentError{fmt.Errorf("read the account %s: %w", id, err)}
		}
		return nil
	})
	return have, err
}

// pushLimits hands the namespace's account to every server, if its limits
// differ from what they have, or in any case with force. An account that is
// pushed is in use: it bears no mark of retirement.
func (a *Authority) pushLimits(ctx context.Context, namespace string, lim jwt.JetStreamLimits, force bool) error {
	return a.changeAccount(ctx, namespace, func(claims *jwt.AccountClaims) bool {
		same := claims.Limits.JetStreamLimits == lim && retiredAt(claims).IsZero()
		claims.Limits.JetStreamLimits = lim
		markRetired(claims, time.Time{})
		if force {
			// A server passes over an account that is word for word the one it
			// has, and the time of signing counts whole seconds.
			claims.Description = "told again at " + time.Now().UTC().Format(time.RFC3339Nano)
		}
		return force || !same
	})
}

// changeAccount changes what the hub knows of a namespace's account, which is
// made when there is none; change says whether there is anything to hand to
// the servers. Two changes of one namespace come one after the other.
func (a *Authority) changeAccount(ctx context.Context, namespace string, change func(*jwt.AccountClaims) bool) error {
	unlock, err := a.accounts.lock(ctx, namespace)
	if err != nil {
		return fmt.Errorf("change the account of %s: %w", namespace, err)
	}
	defer unlock()
	id, err := a.o.Keys.accountID(namespace)
	if err != nil {
		return err
	}
	claims, err := a.lookupClaims(ctx, id)
	if err != nil {
		return err
	}
	isNew := claims == nil
	if isNew {
		claims = jwt.NewAccountClaims(id)
		claims.Name = namespace
	}
	if !change(claims) && !isNew {
		return nil
	}
	token, err := claims.Encode(a.o.Keys.operator)
	if err != nil {
		return fmt.Errorf("sign the account of %s: %w", namespace, err)
	}
	return a.askSystem(ctx, "set up the account of "+namespace, "$SYS.REQ.CLAIMS.UPDATE", token)
}

// askSystem sends a signed request to the system account and waits until a
// server has taken it.
func (a *Authority) askSystem(ctx context.Context, doing, subject, token string) error {
	return a.retry(ctx, doing, func(ctx context.Context, nc *nats.Conn) error {
		r, err := nc.RequestWithContext(ctx, subject, []byte(token))
		if err != nil {
			return err
		}
		var resp struct {
			Error *struct {
				Description string `json:"description"`
			} `json:"error"`
		}
		if err := json.Unmarshal(r.Data, &resp); err != nil {
			return fmt.Errorf("read the hub's answer to an account: %w", err)
		}
		if resp.Error != nil {
			return permanentError{errors.New(resp.Error.Description)}
		}
		return nil
	})
}

// keyedLocks is one lock for each key. Waiting for it ends with the context.
type keyedLocks struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when let go
}

func (l *keyedLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		l.mu.Lock()
		taken, ok := l.held[key]
		if !ok {
			mine := make(chan struct{})
			if l.held == nil {
				l.held = map[string]chan struct{}{}
			}
			l.held[key] = mine
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				delete(l.held, key)
				l.mu.Unlock()
				close(mine)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// storagePatience is how long a server may take to enable storage for an
// account that it was just told of.
const storagePatience = 5 * time.Second

// waitStorage waits until storage is enabled for the account. A single server
// that cannot reserve what the account's limits promise says so in its own log
// only, and tries again only when it is told of the account again.
func (a *Authority) waitStorage(ctx context.Context, s *Space, lim Limits) error {
	deadline := time.Now().Add(storagePatience)
	told := a.isolation != Accounts
	return s.retry(ctx, "set up the storage of "+s.namespace, func(ctx context.Context) error {
		err := s.call(ctx, "INFO", nil, nil)
		if !noStorage(err) {
			return err
		}
		if !told {
			told = true
			if err := a.pushLimits(ctx, s.namespace, accountLimits(lim), true); err != nil {
				return err
			}
		}
		// A cluster reserves nothing; it is only not ready yet.
		if lim.Replicas == 1 && time.Now().After(deadline) {
			// The cause is told, not wrapped: it is one that is waited for, and
			// this is the end of waiting.
			return fmt.Errorf("%w: the hub does not have the bytes to reserve for the namespace: %s", ErrHubFull, err.Error())
		}
		return err
	})
}

// noStorage says whether a server has no storage enabled for the account.
func noStorage(err error) bool {
	return isCode(err, codeNotEnabledForAccount) || errors.Is(err, nats.ErrNoResponders)
}
