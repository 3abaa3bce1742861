package shopify

import (
	"context"
	"encoding/json"
	"errors"

	"selaras.dev/selaras/connectors/driver"
)

const identityQuery = `query Identity { shop { id } }`

// recognise reads with a token whose shop it is. The first shop is the one that
// the connection is of; the error for any other has driver.ReasonOtherAccount.
func (a *api) recognise(ctx context.Context, token string) (string, error) {
	o := operation{what: "recognise the shop", name: "Identity", query: identityQuery}
	got, err := a.send(driver.WithOperation(ctx, driver.OpAccount), o, token)
	if err != nil {
		return "", err
	}
	if len(got.errors) > 0 {
		return "", classify(o.what, false, got.errors[0])
	}
	var data struct {
		Shop struct {
			ID string `json:"id"`
		} `json:"shop"`
	}
	if err := json.Unmarshal(got.data, &data); err != nil || data.Shop.ID == "" {
		return "", badAnswer(o, err)
	}
	id := data.Shop.ID
	if !a.shopID.CompareAndSwap(nil, &id) && *a.shopID.Load() != id {
		return id, &driver.Error{
			Class: driver.ClassTransient, Op: o.what, Reason: driver.ReasonOtherAccount,
			Message: "the endpoint answers for another shop than before",
		}
	}
	return id, nil
}

func otherAccount(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Reason == driver.ReasonOtherAccount
}
