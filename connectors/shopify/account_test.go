package shopify_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
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

func TestAWebhookAddressMustBeOne(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"hooks.example.com", "ftp://hooks.example.com/", "https://user:password@hooks.example.com/", "https://"} {
		_, err := shopify.New().Open(t.Context(), driver.Settings{
			Endpoint: "https://simulated.myshopify.com", Currency: "USD", Config: []byte(`{"webhookURL":"` + address + `"}`),
			Credentials: map[string]string{shopify.KeyClientID: "id", shopify.KeyClientSecret: "secret"},
		})
		if e := failure(t, err, driver.ClassInvalid); !strings.Contains(e.Message, "config.webhookURL") || strings.Contains(e.Message, "password") {
			t.Errorf("%s: %v", address, e)
		}
	}
}

// Another shop stands behind the address, and the app is installed there too:
// nothing that was meant for the first is written to it.
func TestAnotherShopAtTheAddressGetsNothing(t *testing.T) {
	t.Parallel()
	first := stockShop(t, sim.Options{}, "A")
	second := stockShop(t, sim.Options{Number: 1}, "A")
	second.InstallWith(clientID, first.credentials[shopify.KeyClientSecret])
	var moved atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if moved.Load() {
			second.ServeHTTP(w, r)
			return
		}
		first.ServeHTTP(w, r)
	}))
	defer server.Close()
	c := first.open(t, func(s *driver.Settings) { s.Endpoint = server.URL })
	before, err := c.Account(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	is(t, written(t, c, set("A", 9, 10)), "Accepted")
	moved.Store(true)
	for range 3 {
		_, err := c.WriteIntents(t.Context(), []driver.Intent{set("A", 5, 10), price("A", 1)})
		if e := failure(t, err, driver.ClassTransient); e.Reason != driver.ReasonOtherAccount {
			t.Errorf("got %v, want OtherAccount", e)
		}
	}
	if after, err := c.Account(t.Context()); err != nil || after.ID == before.ID || after.ID == "" {
		t.Errorf("the account is %+v (%v), was %+v", after, err, before)
	}
	second.has(t, map[string]int64{"A": 10})
	moved.Store(false)
	is(t, written(t, c, set("A", 8, 9)), "Accepted")
	first.has(t, map[string]int64{"A": 8})
}
