package shopify_test

import (
	"strings"
	"testing"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/shopify"
	sim "selaras.dev/selaras/test/simulators/shopify"
)

// A shop's id is its own: the same at any address, another one for another shop.
func TestAShopIsKnownByItsID(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	account, err := shop.open(t).Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(account.ID, "gid://shopify/Shop/") || account.Shop != account.ID || account.Name == "" || account.Currency != "USD" {
		t.Errorf("got %+v", account)
	}
	elsewhere, err := shop.open(t, func(s *driver.Settings) {
		s.Endpoint = strings.Replace(shop.url, "127.0.0.1", "localhost", 1) + "/admin/"
	}).Account(t.Context())
	if err != nil || elsewhere != account {
		t.Errorf("at another address: %+v, %v", elsewhere, err)
	}
}

func TestATokenThatEndedIsRenewed(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	c := shop.open(t)
	one(t, c, "A")
	shop.EndTokens()
	one(t, c, "A")
	tokens := 0
	for _, r := range shop.Requests() {
		if r.Operation == "token" {
			tokens++
		}
	}
	if tokens != 2 {
		t.Errorf("%d tokens were asked for, want 2", tokens)
	}
}

// Apps made in a shop's own admin have a token, and no grant.
func TestATokenOfAnAdminsAppIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	token := shop.FixedToken(clientID)
	c := shop.open(t, func(s *driver.Settings) {
		s.Credentials = map[string]string{shopify.KeyClientID: "key", shopify.KeyClientSecret: "secret", shopify.KeyAccessToken: token}
	})
	if _, err := c.Account(t.Context()); err != nil {
		t.Fatal(err)
	}
	one(t, c, "A")
	for _, r := range shop.Requests() {
		if r.Operation == "token" {
			t.Error("a token was asked for")
		}
	}
	shop.EndTokens()
	_, err := c.Account(t.Context())
	if e := failure(t, err, driver.ClassUnauthorized); strings.Contains(e.Error(), token) {
		t.Errorf("the error holds the token: %v", e)
	}
}

// Settings that do not fit the shop are told with what there is.
func TestSettingsThatDoNotFitTheShopAreTold(t *testing.T) {
	t.Parallel()
	shop := stockShop(t, sim.Options{}, "A")
	for name, one := range map[string]struct {
		change       func(*driver.Settings)
		reason, says string
	}{
		"a location":       {configured(`{"location":"Berlin"}`), "UnknownLocation", `"Main" "Store room"`},
		"a sales channel":  {configured(`{"publication":"Shop"}`), "UnknownPublication", `"Point of Sale" "Online Store"`},
		"another currency": {func(s *driver.Settings) { s.Currency = "EUR" }, "CurrencyNotAvailable", "the shop sells in USD"},
	} {
		_, err := shop.open(t, one.change).Account(t.Context())
		if e := failure(t, err, driver.ClassInvalid); e.Reason != one.reason || !strings.Contains(e.Message, one.says) {
			t.Errorf("%s: %v", name, e)
		}
	}
}
