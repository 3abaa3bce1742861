//go:build medusa

// Medusa's packages take minutes to install, so its tests against a real server
// have a build tag and a make target of their own: make test-medusa.

package medusa_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"selaras.dev/selaras/connectors/conformance"
	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/medusa"
	"selaras.dev/selaras/internal/shops"
	testshops "selaras.dev/selaras/test/shops"
)

const webhookSecret = "whsec_c2VsYXJhcyBjb25mb3JtYW5jZSBzdWl0ZQ=="

// The suite against a real Medusa server with 1,200 variants on PostgreSQL.
func TestMedusaConformsToTheContract(t *testing.T) {
	database := testshops.StartPostgres(t)
	m := testshops.StartMedusa(t, shops.MedusaOptions{Catalogue: shops.Large, Postgres: database})
	conformance.Run(t, suiteShop(t, m, database))
}

func suiteShop(t *testing.T, m *shops.Medusa, database *shops.Postgres) conformance.Shop {
	t.Helper()
	accounts, products := 0, 0
	return conformance.Shop{
		Driver: medusa.New(),
		Settings: driver.Settings{
			Endpoint:    m.URL(),
			Currency:    "EUR",
			Credentials: credentials(m.Username(), m.Password()),
		},
		SKUs:       func(ctx context.Context) ([]string, error) { return skus(ctx, m) },
		Show:       func(ctx context.Context, sku string) (conformance.Shown, error) { return show(ctx, m, sku) },
		Currencies: []string{"USD", "IDR", "JPY", "BHD", "KWD"},
		Add: func(ctx context.Context, item conformance.Item) error {
			// A product outlives its last variant, and its handle is made of its name.
			products++
			return m.CreateProducts(ctx, shops.MedusaProduct{Name: fmt.Sprintf("Product %d", products), Variants: []shops.MedusaVariant{{
				SKU: item.SKU, Title: item.Title, OnHand: int(item.OnHand),
				Prices: map[string]string{strings.ToLower(item.Price.Currency): item.Price.Decimal()},
			}}})
		},
		SetPrice: func(ctx context.Context, sku string, price driver.Money) error {
			return m.SetPrice(ctx, sku, strings.ToLower(price.Currency), price.Decimal())
		},
		SetStock: func(ctx context.Context, sku string, onHand int64) error { return m.SetStock(ctx, sku, int(onHand)) },
		SetTitle: m.SetTitle,
		Delete:   m.DeleteVariant,
		PlaceOrder: func(ctx context.Context, lines ...conformance.Line) (string, error) {
			order, err := m.PlaceOrder(ctx, shopLines(lines)...)
			return order.Code, err
		},
		Fulfil: func(ctx context.Context, order string, lines ...conformance.Line) error {
			return m.Fulfill(ctx, order, shopLines(lines)...)
		},
		Cancel: func(ctx context.Context, order string, lines ...conformance.Line) error {
			return cancel(ctx, m, order, shopLines(lines))
		},
		OpenCart: func(ctx context.Context, line conformance.Line) error {
			return m.OpenCart(ctx, shopLines([]conformance.Line{line})...)
		},
		Personal: []string{"customer.test", "Shopper", "Main Street", "Vienna"},
		Freeze:   m.Freeze,
		Thaw:     m.Thaw,
		Limited: func(t testing.TB) string {
			return testshops.StartNginxLimiter(t, shops.LimiterOptions{Upstream: m.URL(), Rate: 4, Burst: 8, Timeout: 5 * time.Second}).URL()
		},
		StopDatabase:  database.Stop,
		StartDatabase: database.Start,
		NewAccount: func(ctx context.Context) (map[string]string, error) {
			accounts++
			c := credentials(fmt.Sprintf("connector-%d@shop.test", accounts), fmt.Sprintf("first secret %d", accounts))
			return c, m.CreateUser(ctx, c[medusa.KeyEmail], c[medusa.KeyPassword])
		},
		// Medusa changes a password by e-mail only; an administrator makes the
		// user anew.
		Rotate: func(ctx context.Context, old map[string]string) (map[string]string, error) {
			c := maps.Clone(old)
			c[medusa.KeyPassword] += " rotated"
			if err := m.DeleteUser(ctx, c[medusa.KeyEmail]); err != nil {
				return nil, err
			}
			return c, m.CreateUser(ctx, c[medusa.KeyEmail], c[medusa.KeyPassword])
		},
		// No Revoke: Medusa does not end the tokens of a user that is deleted.
		SendWebhooks: func(url string) error { return m.SetWebhook(url, webhookSecret) },
		SignWebhook:  func(body []byte) http.Header { return sign(t, body) },
	}
}

func credentials(email, password string) map[string]string {
	return map[string]string{
		medusa.KeyEmail: email, medusa.KeyPassword: password, medusa.KeyWebhookSecret: webhookSecret,
	}
}

func skus(ctx context.Context, m *shops.Medusa) ([]string, error) {
	listings, err := m.Listings(ctx)
	var all []string
	for _, l := range listings {
		all = append(all, l.SKU)
	}
	return all, err
}

func show(ctx context.Context, m *shops.Medusa, sku string) (conformance.Shown, error) {
	l, err := m.Listing(ctx, sku)
	if err != nil {
		return conformance.Shown{}, err
	}
	shown := conformance.Shown{Title: l.Title, Enabled: l.Published, OnHand: int64(l.OnHand), Prices: map[string]int64{}}
	for code, amount := range l.Prices {
		money, err := driver.ParseMoney(amount, strings.ToUpper(code))
		if err != nil {
			return shown, err
		}
		shown.Prices[money.Currency] = money.Minor
	}
	return shown, nil
}

// cancel takes units from an order that is not sent, and returns those of one
// that is.
func cancel(ctx context.Context, m *shops.Medusa, id string, lines []shops.Line) error {
	order, err := m.Order(ctx, id)
	if err != nil {
		return err
	}
	for _, l := range order.Lines {
		if len(lines) > 0 && l.SKU == lines[0].SKU && l.Fulfilled == l.Quantity {
			return m.Return(ctx, id, lines...)
		}
	}
	return m.CancelOrder(ctx, id, lines...)
}

func shopLines(lines []conformance.Line) []shops.Line {
	var all []shops.Line
	for _, l := range lines {
		all = append(all, shops.Line{SKU: l.SKU, Quantity: int(l.Units)})
	}
	return all
}

func sign(t *testing.T, body []byte) http.Header {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	const id = "msg_conformance"
	now := time.Now()
	signature, err := w.Sign(id, now, body)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return h
}
