package conformance

import (
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

func (s *suite) accountCases() []testCase {
	accounts, price := needs{"accounts", s.shop.NewAccount != nil}, s.has(driver.CanWritePrice)
	return []testCase{
		{"WrongCredentialsAreUnauthorized", nil, wrongCredentials},
		{"RevokedCredentialsAreUnauthorized", []needs{accounts, price, {"revocation", s.shop.Revoke != nil}}, revokedCredentials},
		{"RotatedCredentialsWork", []needs{accounts, {"rotation", s.shop.Rotate != nil}}, rotatedCredentials},
	}
}

func wrongCredentials(t *testing.T, s *suite) {
	ctx := s.context(t)
	wrong := map[string]string{}
	for key, value := range s.shop.Settings.Credentials {
		wrong[key] = value
	}
	// The last of the required keys is the secret one.
	for _, key := range s.description.Credentials {
		if !key.Optional {
			wrong[key.Name] = "wrong-" + s.sku("SECRET")
		}
	}
	c := s.open(t, withCredentials(wrong))
	_, err := c.Account(ctx)
	c.failed(t, err, driver.ClassUnauthorized)
	for _, err := range c.everything(ctx) {
		c.failed(t, err, driver.ClassUnauthorized)
	}
}

func revokedCredentials(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "REVOKED")
	credentials, err := s.shop.NewAccount(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c := s.open(t, withCredentials(credentials))
	before := c.listing(t, ctx, sku)
	if err := s.shop.Revoke(ctx, credentials); err != nil {
		t.Fatal(err)
	}
	_, err = c.get(ctx, sku)
	c.failed(t, err, driver.ClassUnauthorized)
	price := s.money(1)
	_, err = c.write(ctx, driver.Intent{Key: driver.Key{SKU: sku, Ref: before.Ref}, Price: &price})
	c.failed(t, err, driver.ClassUnauthorized)
	_, err = c.Account(ctx)
	c.failed(t, err, driver.ClassUnauthorized)
	if l := s.open(t).listing(t, ctx, sku); *l.Price != s.money(1999) {
		t.Errorf("a write without authority changed the price to %v", l.Price)
	}
}

func rotatedCredentials(t *testing.T, s *suite) {
	ctx := s.context(t)
	old, err := s.shop.NewAccount(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := s.open(t, withCredentials(old))
	if _, err := before.Account(ctx); err != nil {
		t.Fatal(err)
	}
	fresh, err := s.shop.Rotate(ctx, old)
	if err != nil {
		t.Fatal(err)
	}
	after := s.open(t, withCredentials(fresh))
	if _, err := after.Account(ctx); err != nil {
		t.Errorf("the new credentials: %v", err)
	}
	_, err = before.Account(ctx)
	before.failed(t, err, driver.ClassUnauthorized)
}
