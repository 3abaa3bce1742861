package connector

import (
	"context"

	"selaras.dev/selaras/connectors/driver"
)

// exchange begins to read and write the channel once its account is known to
// be the one that the store is about, and ends the tenure when it is another.
func (t *tenure) exchange(ctx context.Context, traits driver.Traits) error {
	account, ok := t.c.link.account(ctx, driver.Account{})
	if !ok {
		return nil
	}
	var was meta
	t.engine.view(func() { was = t.engine.meta })
	if was.Shop != "" && was.Shop != account.Shop || was.Account != "" && was.Account != account.ID {
		t.leave(account)
		return nil
	}
	if err := t.engine.belong(account); err != nil {
		return err
	}
	t.c.link.bind(account)
	if err := t.trade(ctx, traits); err != nil {
		return err
	}
	if other, ok := t.c.link.account(ctx, account); ok {
		t.leave(other)
	}
	return nil
}

// leave ends the tenure because the endpoint is of another account. What is
// known is of the old one: the next tenure begins without it.
func (t *tenure) leave(to driver.Account) {
	t.c.o.Logger.Warn("the endpoint is another account than before; everything is compared", "account", to.ID)
	t.moved = &to
	t.end()
}

// move makes the store of an account, once nothing works on it any more.
// References of listings mean nothing at another address, even where it is a
// copy of the same shop; the position in the orders does where the shop itself
// says that it is the same.
func (e *engine) move(to driver.Account) error {
	orders := ""
	if e.meta.Shop == to.Shop && e.meta.Baselined {
		orders = e.meta.Orders
	}
	if err := e.forget(orders); err != nil {
		return err
	}
	return e.belong(to)
}

// belong notes which account the store is about.
func (e *engine) belong(to driver.Account) error {
	return e.update(true, func(x *txn) error {
		if x.meta.Account != to.ID || x.meta.Shop != to.Shop {
			x.meta.Account, x.meta.Shop, x.putMeta = to.ID, to.Shop, true
		}
		return nil
	})
}
