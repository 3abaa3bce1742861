package hub

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// UserOf returns the public key of the user whose credentials these are, by
// which they can be revoked.
func UserOf(credentials []byte) (string, error) {
	token, err := nkeys.ParseDecoratedJWT(credentials)
	if err != nil {
		return "", fmt.Errorf("hub credentials hold no user JWT: %w", err)
	}
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil {
		return "", fmt.Errorf("hub credentials hold no user JWT: %w", err)
	}
	return claims.Subject, nil
}

// Revoke makes the credentials of users of a namespace worthless and ends their
// connections. It needs an account for each namespace: of an account whose
// signing key alone is known, ErrNoAccounts says that its owner must do it.
func (a *Authority) Revoke(ctx context.Context, namespace string, users ...string) error {
	if a.isolation != Accounts {
		return fmt.Errorf("cannot revoke credentials in %s: %w", namespace, ErrNoAccounts)
	}
	if have, err := a.lookupAccount(ctx, namespace); err != nil || have == nil {
		return err // an account that is gone takes its users with it
	}
	return a.changeAccount(ctx, namespace, func(claims *jwt.AccountClaims) (changed bool) {
		for _, user := range users {
			if _, known := claims.Revocations[user]; !known {
				// User keys are made once: none is ever given out again, so the
				// second in which this happens matters to nobody else.
				claims.RevokeAt(user, time.Now())
				changed = true
			}
		}
		return changed
	})
}
