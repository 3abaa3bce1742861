package vendure_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"selaras.dev/selaras/connectors/conformance"
	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/connectors/vendure"
	"selaras.dev/selaras/internal/shops"
	testshops "selaras.dev/selaras/test/shops"
)

const webhookSecret = "whsec_c2VsYXJhcyBjb25mb3JtYW5jZSBzdWl0ZQ=="

// The suite against a real Vendure server with 1,200 variants on PostgreSQL.
func TestVendureConformsToTheContract(t *testing.T) {
	t.Parallel()
	database := testshops.StartPostgres(t)
	v := testshops.StartVendure(t, shops.VendureOptions{Catalogue: shops.Large, Postgres: database})
	conformance.Run(t, suiteShop(t, v, database))
}

func suiteShop(t *testing.T, v *shops.Vendure, database *shops.Postgres) conformance.Shop {
	t.Helper()
	accounts := 0
	return conformance.Shop{
		Driver: vendure.New(),
		Settings: driver.Settings{
			Endpoint:    v.AdminURL(),
			Currency:    "USD",
			Credentials: credentials(v.Username(), v.Password()),
		},
		SKUs:             func(ctx context.Context) ([]string, error) { return skus(ctx, v) },
		Show:             func(ctx context.Context, sku string) (conformance.Shown, error) { return show(ctx, v, sku) },
		AllowsDuplicates: true,
		Currencies:       []string{"EUR", "IDR", "JPY", "BHD", "KWD"},
		Add: func(ctx context.Context, item conformance.Item) error {
			_, err := v.CreateProduct(ctx, shops.NewProduct{SKU: item.SKU, Name: item.Title, Price: item.Price.Minor, OnHand: int(item.OnHand)})
			return err
		},
		SetPrice: func(ctx context.Context, sku string, price driver.Money) error {
			return v.SetPrice(ctx, sku, price.Minor)
		},
		SetStock: func(ctx context.Context, sku string, onHand int64) error { return v.SetStock(ctx, sku, int(onHand)) },
		SetTitle: v.SetName,
		Delete:   v.DeleteVariant,
		PlaceOrder: func(ctx context.Context, lines ...conformance.Line) (string, error) {
			order, err := v.PlaceOrder(ctx, shopLines(lines)...)
			if err != nil {
				return "", err
			}
			return order.Code, v.SettlePayment(ctx, order.Code)
		},
		Fulfil: func(ctx context.Context, order string, lines ...conformance.Line) error {
			return v.Fulfill(ctx, order, shopLines(lines)...)
		},
		Cancel: func(ctx context.Context, order string, lines ...conformance.Line) error {
			return v.CancelOrder(ctx, order, shopLines(lines)...)
		},
		OpenCart: func(ctx context.Context, line conformance.Line) error { return openCart(ctx, v, line) },
		Personal: []string{"customer.test", "Shopper", "Main Street", "Vienna"},
		Freeze:   v.Freeze,
		Thaw:     v.Thaw,
		Limited: func(t testing.TB) string {
			return testshops.StartNginxLimiter(t, shops.LimiterOptions{Upstream: v.URL(), Rate: 4, Burst: 8, Timeout: time.Second}).URL()
		},
		StopDatabase:  database.Stop,
		StartDatabase: database.Start,
		NewAccount: func(ctx context.Context) (map[string]string, error) {
			accounts++
			c := credentials(fmt.Sprintf("connector-%d@shop.test", accounts), fmt.Sprintf("first secret %d", accounts))
			return c, v.CreateAdministrator(ctx, c[vendure.KeyUsername], c[vendure.KeyPassword])
		},
		Rotate: func(ctx context.Context, old map[string]string) (map[string]string, error) {
			c := maps.Clone(old)
			c[vendure.KeyPassword] += " rotated"
			return c, v.SetAdministratorPassword(ctx, c[vendure.KeyUsername], c[vendure.KeyPassword])
		},
		Revoke: func(ctx context.Context, c map[string]string) error {
			return v.DeleteAdministrator(ctx, c[vendure.KeyUsername])
		},
		SendWebhooks: func(url string) error { return v.SetWebhook(url, webhookSecret) },
		SignWebhook:  func(body []byte) http.Header { return sign(t, body) },
	}
}

func credentials(username, password string) map[string]string {
	return map[string]string{
		vendure.KeyUsername: username, vendure.KeyPassword: password, vendure.KeyWebhookSecret: webhookSecret,
	}
}

func skus(ctx context.Context, v *shops.Vendure) ([]string, error) {
	listings, err := v.Listings(ctx)
	var all []string
	for _, l := range listings {
		all = append(all, l.SKU)
	}
	return all, err
}

// show converts the shop's hundredths to minor units by the digits of the
// currency alone.
func show(ctx context.Context, v *shops.Vendure, sku string) (conformance.Shown, error) {
	l, err := v.Listing(ctx, sku)
	if err != nil {
		return conformance.Shown{}, err
	}
	shown := conformance.Shown{Title: l.Name, Enabled: l.Enabled, OnHand: int64(l.OnHand), Prices: map[string]int64{}}
	for code, hundredths := range l.Prices {
		decimal := fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100)
		money, err := driver.ParseMoney(decimal, code)
		if err != nil {
			return shown, err
		}
		shown.Prices[code] = money.Minor
	}
	return shown, nil
}

func shopLines(lines []conformance.Line) []shops.Line {
	var all []shops.Line
	for _, l := range lines {
		all = append(all, shops.Line{SKU: l.SKU, Quantity: int(l.Units)})
	}
	return all
}

func openCart(ctx context.Context, v *shops.Vendure, line conformance.Line) error {
	l, err := v.Listing(ctx, line.SKU)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"query":     `mutation($id: ID!, $n: Int!) { addItemToOrder(productVariantId: $id, quantity: $n) { __typename ... on ErrorResult { message } } }`,
		"variables": map[string]any{"id": l.ID, "n": line.Units},
	})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.ShopURL(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if !bytes.Contains(text, []byte(`"__typename":"Order"`)) {
		return fmt.Errorf("adding to a cart: %s", text)
	}
	return nil
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
