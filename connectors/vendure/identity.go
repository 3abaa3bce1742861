package vendure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// identity is what a Vendure channel says of itself, wherever it is reached: no
// two installations made a channel with one token at one time, and a database
// that was copied is told from its copy by nothing.
type identity struct {
	ID        string `json:"id"`
	Token     string `json:"token"`
	CreatedAt string `json:"createdAt"`
}

// mark is the identity as an opaque text.
func (i identity) mark() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{i.ID, i.Token, i.CreatedAt}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

const identityQuery = `query Identity { activeChannel { id token createdAt } }`

// recognise reads with a new session whose shop it is. The first shop is the
// one that the connection is of; the error for any other has
// driver.ReasonOtherAccount.
func (a *api) recognise(ctx context.Context, token string) (identity, error) {
	const what = "recognise the shop"
	response, err := a.post(driver.WithOperation(ctx, driver.OpAccount), operation{what: what, query: identityQuery}, token)
	if err != nil {
		return identity{}, err
	}
	var data struct {
		Channel identity `json:"activeChannel"`
	}
	if err := json.Unmarshal(response.data, &data); err != nil || data.Channel.ID == "" {
		return identity{}, &driver.Error{Class: driver.ClassTransient, Op: what, Reason: reasonBadAnswer, Err: err}
	}
	who := data.Channel
	if !a.shop.CompareAndSwap(nil, &who) && *a.shop.Load() != who {
		return who, &driver.Error{
			Class: driver.ClassTransient, Op: what, Reason: driver.ReasonOtherAccount,
			Message: "the endpoint answers for another shop than before",
		}
	}
	return who, nil
}

func otherAccount(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Reason == driver.ReasonOtherAccount
}
