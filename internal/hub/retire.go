package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
)

// Stored is a namespace of which the hub holds an account.
type Stored struct {
	Namespace string
	// Retired is when the namespace went out of use; zero while it is in use.
	Retired time.Time
}

// ErrNoAccounts: namespaces share one account, and only who holds the keys of
// the hub's operator can change it.
var ErrNoAccounts = errors.New("the hub has no account for each namespace")

// Namespaces lists the namespaces that the hub holds, in no order. It asks once
// for each: remember the answer.
func (a *Authority) Namespaces(ctx context.Context) ([]Stored, error) {
	if a.isolation != Accounts {
		return nil, fmt.Errorf("cannot list the namespaces: %w", ErrNoAccounts)
	}
	var ids []string
	err := a.retry(ctx, "list the accounts of the hub", func(ctx context.Context, nc *nats.Conn) error {
		r, err := nc.RequestWithContext(ctx, "$SYS.REQ.CLAIMS.LIST", nil)
		if err != nil {
			return err
		}
		var list struct {
			Data []string `json:"data"`
		}
		if err := json.Unmarshal(r.Data, &list); err != nil {
			return fmt.Errorf("read the list of accounts: %w", err)
		}
		ids = list.Data
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []Stored
	for _, id := range ids {
		claims, err := a.lookupClaims(ctx, id)
		if err != nil {
			return nil, err
		}
		if claims != nil && a.isNamespace(claims) {
			all = append(all, Stored{Namespace: claims.Name, Retired: retiredAt(claims)})
		}
	}
	return all, nil
}

// isNamespace tells the account of a namespace from the system's, from one of
// somebody else's, and from one that was deleted and came back from a server
// that had not heard of it.
func (a *Authority) isNamespace(claims *jwt.AccountClaims) bool {
	id, err := a.o.Keys.accountID(claims.Name)
	return err == nil && id == claims.Subject && claims.Limits.DiskStorage > 0
}

// HasNamespace says whether the hub holds the namespace.
func (a *Authority) HasNamespace(ctx context.Context, namespace string) (bool, error) {
	if a.isolation != Accounts {
		return false, fmt.Errorf("cannot look up %s: %w", namespace, ErrNoAccounts)
	}
	claims, err := a.lookupAccount(ctx, namespace)
	return err == nil && claims != nil && a.isNamespace(claims), err
}

// RetireNamespace marks a namespace as out of use since a time, and lowers what
// is reserved for it to what it stores, so that others may have the rest.
// Nothing is deleted; EnsureNamespace puts it into use again. A namespace that
// is retired already keeps its time.
func (a *Authority) RetireNamespace(ctx context.Context, namespace string, since time.Time) error {
	if a.isolation != Accounts {
		return fmt.Errorf("cannot retire %s: %w", namespace, ErrNoAccounts)
	}
	have, err := a.lookupAccount(ctx, namespace)
	if err != nil || have == nil || !retiredAt(have).IsZero() {
		return err
	}
	s, err := a.Space(ctx, namespace)
	if err != nil {
		return err
	}
	reserved, err := s.shrink(ctx)
	if err != nil {
		return err
	}
	return a.changeAccount(ctx, namespace, func(claims *jwt.AccountClaims) bool {
		claims.Limits.DiskStorage = min(claims.Limits.DiskStorage, max(reserved+reserved/8, retiredSlack))
		markRetired(claims, since)
		return true
	})
}

// retiredSlack is what a stream of a retired namespace may grow by: its
// workloads may still be ending.
const retiredSlack = 64 << 10

// shrink lowers the limit of every stream to what it stores and returns what is
// reserved then, in all replicas.
func (s *Space) shrink(ctx context.Context) (reserved int64, err error) {
	deadline := time.Now().Add(storagePatience)
	for _, cfg := range s.l.streams(Limits{MaxBytes: minMaxBytes, Replicas: 1}) {
		err := s.ifStored(ctx, deadline, "shrink the stream "+cfg.Name, func(ctx context.Context) error {
			info, err := s.streamInfo(ctx, cfg.Name)
			if isCode(err, codeStreamNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			if limit := int64(info.State.Bytes) + retiredSlack; info.Config.MaxBytes > limit {
				info.Config.MaxBytes = limit
				if err := s.call(ctx, "STREAM.UPDATE."+cfg.Name, info.Config, nil); err != nil {
					return err
				}
			}
			reserved += info.Config.MaxBytes * int64(max(1, info.Config.Replicas))
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return reserved, nil
}

// ifStored retries f, and takes an account for which storage is not enabled by
// the deadline for one that stores nothing: the hub never had room for it.
func (s *Space) ifStored(ctx context.Context, deadline time.Time, doing string, f func(context.Context) error) error {
	return s.retry(ctx, doing, func(ctx context.Context) error {
		err := f(ctx)
		if noStorage(err) && time.Now().After(deadline) {
			return nil
		}
		return err
	})
}

// DeleteNamespace deletes everything a namespace holds, its account included,
// and gives back what was reserved for it. What is not there is no error.
func (a *Authority) DeleteNamespace(ctx context.Context, namespace string) error {
	if a.isolation == Accounts {
		if have, err := a.lookupAccount(ctx, namespace); err != nil || have == nil {
			return err
		}
	}
	s, err := a.Space(ctx, namespace)
	if err != nil {
		return err
	}
	s.forgetEpoch()
	deadline := time.Now().Add(storagePatience)
	for _, stream := range []string{s.l.facts, s.l.cat, s.l.kv()} {
		err := s.ifStored(ctx, deadline, "delete "+stream, func(ctx context.Context) error {
			err := s.call(ctx, "STREAM.DELETE."+stream, nil, nil)
			if isCode(err, codeStreamNotFound) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if a.isolation != Accounts {
		return nil
	}
	// Without limits first: a server that does not hear of the deletion holds
	// nothing back for the account.
	if err := a.pushLimits(ctx, namespace, jwt.JetStreamLimits{}, false); err != nil {
		return err
	}
	return a.deleteAccount(ctx, namespace)
}

func (a *Authority) deleteAccount(ctx context.Context, namespace string) error {
	id, err := a.o.Keys.accountID(namespace)
	if err != nil {
		return err
	}
	operator, err := a.o.Keys.operator.PublicKey()
	if err != nil {
		return fmt.Errorf("operator key: %w", err)
	}
	request := jwt.NewGenericClaims(operator)
	request.Data["accounts"] = []string{id}
	token, err := request.Encode(a.o.Keys.operator)
	if err != nil {
		return fmt.Errorf("sign the deletion of %s: %w", namespace, err)
	}
	return a.askSystem(ctx, "delete the account of "+namespace, "$SYS.REQ.CLAIMS.DELETE", token)
}

// tagRetired is the tag of an account that bears since when its namespace is
// out of use, in seconds of Unix time. The hub itself keeps it, so that it
// survives whoever operates it.
const tagRetired = "selaras-retired:"

func retiredAt(claims *jwt.AccountClaims) time.Time {
	for _, tag := range claims.Tags {
		if text, ok := strings.CutPrefix(tag, tagRetired); ok {
			if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
				return time.Unix(seconds, 0)
			}
		}
	}
	return time.Time{}
}

// markRetired sets the mark, or takes it off for a zero time.
func markRetired(claims *jwt.AccountClaims, since time.Time) {
	var kept jwt.TagList
	for _, tag := range claims.Tags {
		if !strings.HasPrefix(tag, tagRetired) {
			kept = append(kept, tag)
		}
	}
	if !since.IsZero() {
		kept.Add(tagRetired + strconv.FormatInt(since.Unix(), 10))
	}
	claims.Tags = kept
}
