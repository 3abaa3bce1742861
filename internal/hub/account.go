package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
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

// lookupAccount returns what the hub knows of a namespace's account, nil for
// nothing.
func (a *Authority) lookupAccount(ctx context.Context, namespace string) (*jwt.AccountClaims, error) {
	kp, err := a.o.Keys.account(namespace)
	if err != nil {
		return nil, err
	}
	id, err := kp.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("account key of %s: %w", namespace, err)
	}
	var have *jwt.AccountClaims
	err = a.retry(ctx, "look up the account of "+namespace, func(ctx context.Context, nc *nats.Conn) error {
		r, err := nc.RequestWithContext(ctx, "$SYS.REQ.ACCOUNT."+id+".CLAIMS.LOOKUP", nil)
		if err != nil || len(r.Data) == 0 {
			return err
		}
		if have, err = jwt.DecodeAccountClaims(string(r.Data)); err != nil {
			return permanentError{fmt.Errorf("read the account of %s: %w", namespace, err)}
		}
		return nil
	})
	return have, err
}

// pushAccount hands the namespace's account to every server, if its limits
// differ from what they have, or in any case with force.
func (a *Authority) pushAccount(ctx context.Context, namespace string, lim jwt.JetStreamLimits, force bool) error {
	kp, err := a.o.Keys.account(namespace)
	if err != nil {
		return err
	}
	id, err := kp.PublicKey()
	if err != nil {
		return fmt.Errorf("account key of %s: %w", namespace, err)
	}
	want := jwt.NewAccountClaims(id)
	want.Name = namespace
	want.Limits.JetStreamLimits = lim
	have, err := a.lookupAccount(ctx, namespace)
	if err != nil {
		return err
	}
	if !force && have != nil && reflect.DeepEqual(have.Limits, want.Limits) && have.Name == want.Name {
		return nil
	}
	token, err := want.Encode(a.o.Keys.operator)
	if err != nil {
		return fmt.Errorf("sign the account of %s: %w", namespace, err)
	}
	return a.retry(ctx, "set up the account of "+namespace, func(ctx context.Context, nc *nats.Conn) error {
		r, err := nc.RequestWithContext(ctx, "$SYS.REQ.CLAIMS.UPDATE", []byte(token))
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
		if !isCode(err, codeNotEnabledForAccount) && !errors.Is(err, nats.ErrNoResponders) {
			return err
		}
		if !told {
			told = true
			if err := a.pushAccount(ctx, s.namespace, accountLimits(lim), true); err != nil {
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
