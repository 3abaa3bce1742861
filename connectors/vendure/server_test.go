package vendure

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/shops"
	testshops "selaras.dev/selaras/test/shops"
)

// counter counts logins and other requests.
type counter struct {
	mu             sync.Mutex
	logins, others int
	// beforeCreate is called once, before the next request that creates products.
	beforeCreate func()
}

func (n *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	if strings.Contains(string(body), "mutation Login") {
		n.logins++
	} else {
		n.others++
	}
	var before func()
	if strings.Contains(string(body), "createProduct(") {
		before, n.beforeCreate = n.beforeCreate, nil
	}
	n.mu.Unlock()
	if before != nil {
		before()
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(strings.NewReader(string(body)))
	return http.DefaultTransport.RoundTrip(again)
}

func openReal(t *testing.T, v *shops.Vendure, change func(*driver.Settings)) (*connection, *counter) {
	t.Helper()
	n := &counter{}
	settings := driver.Settings{
		Endpoint: v.AdminURL(), Currency: "USD",
		Credentials: map[string]string{KeyUsername: v.Username(), KeyPassword: v.Password()},
		HTTP:        &http.Client{Transport: n, Timeout: requestTimeout},
	}
	if change != nil {
		change(&settings)
	}
	c, err := New().Open(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*connection), n
}

// What the suite for all drivers cannot know of Vendure.
func TestVendureServer(t *testing.T) {
	t.Parallel()
	v := testshops.StartVendure(t, shops.VendureOptions{})
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)

	t.Run("ASessionThatEndedIsRenewedOnceForAll", func(t *testing.T) {
		c, n := openReal(t, v, nil)
		if _, err := c.Account(ctx); err != nil {
			t.Fatal(err)
		}
		<-c.api.session.gate
		c.api.session.gate <- "a session that the server does not know"
		n.logins = 0
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := c.ReadPage(ctx, "", 5); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n.logins != 1 {
			t.Errorf("8 calls with an ended session logged in %d times, want once", n.logins)
		}
	})

	t.Run("ARefusedLoginIsNotRepeatedWithinACall", func(t *testing.T) {
		c, n := openReal(t, v, func(s *driver.Settings) { s.Credentials[KeyPassword] = "wrong" })
		_, err := c.ReadPage(ctx, "", 5)
		if driver.ClassOf(err) != driver.ClassUnauthorized {
			t.Errorf("got %v, want class Unauthorized", err)
		}
		if n.logins != 1 || n.others != 0 {
			t.Errorf("%d logins and %d other requests, want one login", n.logins, n.others)
		}
	})

	t.Run("SettingsThatDoNotFitTheShopAreInvalid", func(t *testing.T) {
		for reason, change := range map[string]func(*driver.Settings){
			reasonUnknownChannel:    func(s *driver.Settings) { s.Config = json.RawMessage(`{"channelToken":"nope"}`) },
			"StockLocationNotFound": func(s *driver.Settings) { s.Config = json.RawMessage(`{"stockLocation":"Moon"}`) },
			"LocaleNotAvailable":    func(s *driver.Settings) { s.Locale = "id-ID" },
			"CurrencyNotAvailable":  func(s *driver.Settings) { s.Currency = "CHF" },
		} {
			c, _ := openReal(t, v, change)
			_, err := c.Account(ctx)
			var e *driver.Error
			if !errors.As(err, &e) || e.Class != driver.ClassInvalid || e.Reason != reason {
				t.Errorf("got %v, want %s", err, reason)
			}
		}
	})

	t.Run("SettingsMayNameChannelLocationAndLocale", func(t *testing.T) {
		config, err := json.Marshal(Config{ChannelToken: v.ChannelToken(), StockLocation: "Default Stock Location", TaxCategory: "Reduced Tax"})
		if err != nil {
			t.Fatal(err)
		}
		c, _ := openReal(t, v, func(s *driver.Settings) { s.Config, s.Locale = config, "en-GB" })
		if _, err := c.Account(ctx); err != nil {
			t.Fatal(err)
		}
		price := driver.Money{Minor: 100, Currency: "USD"}
		outcomes, err := c.CreateListings(ctx, []driver.Intent{{
			Key: driver.Key{SKU: "TAXED"}, Price: &price, Stock: &driver.StockWrite{Quantity: 1},
			Content: &driver.Content{Product: driver.Product{Key: "taxed", Title: "Taxed"}, Title: "Taxed", Enabled: true},
		}})
		if err != nil || outcomes[0].Kind != driver.Verified {
			t.Errorf("got %+v, %v", outcomes, err)
		}
	})

	t.Run("AListingIsNotCreatedInACurrencyThatIsNotTheShopsOwn", func(t *testing.T) {
		c, _ := openReal(t, v, func(s *driver.Settings) { s.Currency = "EUR" })
		price := driver.Money{Minor: 100, Currency: "EUR"}
		outcomes, err := c.CreateListings(ctx, []driver.Intent{{
			Key: driver.Key{SKU: "FREE"}, Price: &price, Stock: &driver.StockWrite{Quantity: 1},
			Content: &driver.Content{Product: driver.Product{Key: "free", Title: "Free"}, Title: "Free", Enabled: true},
		}})
		if err != nil || outcomes[0].Kind != driver.Rejected || outcomes[0].Reason != "CurrencyNotDefault" {
			t.Errorf("got %+v, %v; want Rejected", outcomes, err)
		}
	})

	t.Run("ARenamedProductIsAChangeOfItsVariants", func(t *testing.T) {
		c, _ := openReal(t, v, nil)
		found, err := c.ReadListings(ctx, []driver.Key{{SKU: "L2201308"}, {SKU: "L2201508"}})
		if err != nil || len(found) != 2 {
			t.Fatalf("got %v, %v", found, err)
		}
		page, err := c.ReadChanges(ctx, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		content := found[0].Content
		content.Product.Title = "Laptop, renamed"
		outcomes, err := c.WriteIntents(ctx, []driver.Intent{{Key: driver.Key{SKU: found[0].SKU, Ref: found[0].Ref}, Content: &content}})
		if err != nil || outcomes[0].Kind != driver.Verified {
			t.Fatalf("got %+v, %v", outcomes, err)
		}
		renamed := map[string]bool{}
		for more := true; more; more = page.More {
			if page, err = c.ReadChanges(ctx, page.Next, 100); err != nil {
				t.Fatal(err)
			}
			for _, l := range page.Listings {
				renamed[l.SKU] = l.Content.Product.Title == "Laptop, renamed"
			}
		}
		for _, l := range found {
			if !renamed[l.SKU] {
				t.Errorf("%s did not come with its product's new name", l.SKU)
			}
		}
	})

	// Selaras follows the shop's own stock, even where the shop counts a unit
	// twice: cancelling a unit of a line that is sent in part releases it and
	// puts one back.
	t.Run("LinesFollowTheStockThroughModificationsAndCancellations", func(t *testing.T) {
		c, _ := openReal(t, v, nil)
		a, err := v.CreateProduct(ctx, shops.NewProduct{SKU: "LINES-A", Name: "A", Price: 500, OnHand: 30})
		if err != nil {
			t.Fatal(err)
		}
		b, err := v.CreateProduct(ctx, shops.NewProduct{SKU: "LINES-B", Name: "B", Price: 500, OnHand: 30})
		if err != nil {
			t.Fatal(err)
		}
		order, err := v.PlaceOrder(ctx, shops.Line{SKU: a.SKU, Quantity: 6})
		if err != nil {
			t.Fatal(err)
		}
		var cursor driver.Cursor
		for _, step := range []struct {
			name   string
			do     func() error
			closed bool // nothing is left to ship
		}{
			{"placed", func() error { return nil }, false},
			{"paid", func() error { return v.SettlePayment(ctx, order.Code) }, false},
			{"another SKU added", func() error { return v.AddOrderLine(ctx, order.Code, shops.Line{SKU: b.SKU, Quantity: 4}) }, false},
			{"a line raised", func() error { return v.AddOrderLine(ctx, order.Code, shops.Line{SKU: a.SKU, Quantity: 2}) }, false},
			{"one cancelled", func() error { return v.CancelOrder(ctx, order.Code, shops.Line{SKU: a.SKU, Quantity: 1}) }, false},
			{"three sent", func() error { return v.Fulfill(ctx, order.Code, shops.Line{SKU: a.SKU, Quantity: 3}) }, false},
			{"one of the line sent in part cancelled", func() error { return v.CancelOrder(ctx, order.Code, shops.Line{SKU: a.SKU, Quantity: 1}) }, false},
			{"all sent", func() error { return v.Fulfill(ctx, order.Code) }, true},
			{"two returned", func() error { return v.CancelOrder(ctx, order.Code, shops.Line{SKU: b.SKU, Quantity: 2}) }, true},
		} {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			lines := map[string]driver.OrderLine{}
			var closed bool
			// From the beginning each time, and on from the last round.
			for _, from := range []driver.Cursor{"", cursor} {
				for more := true; more; {
					page, err := c.ReadOrders(ctx, from, 100)
					if err != nil {
						t.Fatal(err)
					}
					for _, o := range page.Orders {
						if o.Number == order.Code {
							closed = o.Closed
						}
						for _, l := range o.Lines {
							lines[l.SKU] = l
						}
					}
					from, more = page.Next, page.More
				}
				cursor = from
			}
			if closed != step.closed {
				t.Errorf("%s: closed %v, want %v", step.name, closed, step.closed)
			}
			for _, sku := range []string{a.SKU, b.SKU} {
				shown, err := v.Listing(ctx, sku)
				if err != nil {
					t.Fatal(err)
				}
				l := lines[sku]
				if onHand, allocated := 30-l.Fulfilled+l.Returned, l.Ordered-l.Cancelled-l.Fulfilled; onHand != int64(shown.OnHand) || allocated != int64(shown.Allocated) {
					t.Errorf("%s, %s: the lines say %d on hand and %d allocated (%+v), the shop %d and %d", step.name, sku, onHand, allocated, l, shown.OnHand, shown.Allocated)
				}
			}
		}
	})

	t.Run("ARoleWithTheDocumentedPermissionsIsEnough", func(t *testing.T) {
		root, _ := openReal(t, v, nil)
		var role struct {
			CreateRole struct {
				ID string `json:"id"`
			} `json:"createRole"`
		}
		err := root.api.do(ctx, operation{what: "create role", write: true, query: `mutation($i: CreateRoleInput!) { createRole(input: $i) { id } }`, variables: map[string]any{
			"i": map[string]any{"code": "selaras", "description": "Selaras", "permissions": documentedPermissions},
		}}, &role)
		if err != nil {
			t.Fatal(err)
		}
		var made struct{}
		err = root.api.do(ctx, operation{what: "create administrator", write: true, query: `mutation($i: CreateAdministratorInput!) { createAdministrator(input: $i) { id } }`, variables: map[string]any{
			"i": map[string]any{"firstName": "S", "lastName": "C", "emailAddress": "selaras@shop.test", "password": "least privilege", "roleIds": []string{role.CreateRole.ID}},
		}}, &made)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := openReal(t, v, func(s *driver.Settings) {
			s.Credentials = map[string]string{KeyUsername: "selaras@shop.test", KeyPassword: "least privilege"}
			s.Config = json.RawMessage(`{"taxCategory":"Standard Tax"}`)
		})
		if _, err := c.Account(ctx); err != nil {
			t.Error(err)
		}
		if _, err := c.ReadPage(ctx, "", 5); err != nil {
			t.Error(err)
		}
		page, err := c.ReadChanges(ctx, "", 5)
		if err != nil {
			t.Error(err)
		}
		for range 2 {
			if page, err = c.ReadChanges(ctx, page.Next, 5); err != nil {
				t.Error(err)
			}
		}
		var cursor driver.Cursor
		for range 4 {
			orders, err := c.ReadOrders(ctx, cursor, 5)
			if err != nil {
				t.Error(err)
			}
			cursor = orders.Next
		}
		price := driver.Money{Minor: 100, Currency: "USD"}
		intent := driver.Intent{
			Key: driver.Key{SKU: "LEAST"}, Price: &price, Stock: &driver.StockWrite{Quantity: 1},
			Content: &driver.Content{
				Product: driver.Product{Key: "least", Title: "Least"}, Title: "Least", Enabled: true,
				Options: []driver.Option{{Name: "Size", Value: "L"}},
			},
		}
		outcomes, err := c.CreateListings(ctx, []driver.Intent{intent})
		if err != nil || outcomes[0].Kind != driver.Verified {
			t.Errorf("create: %+v, %v", outcomes, err)
		}
		intent.Content.Product.Title = "Less"
		outcomes, err = c.WriteIntents(ctx, []driver.Intent{intent})
		if err != nil || outcomes[0].Kind != driver.Verified {
			t.Errorf("write: %+v, %v", outcomes, err)
		}
		if outcomes, err := c.RemoveListings(ctx, []driver.Key{{SKU: "LEAST"}}); err != nil || outcomes[0].Kind != driver.Verified {
			t.Errorf("remove: %+v, %v", outcomes, err)
		}
	})
}

// documentedPermissions are those that docs/channels/vendure.md asks for.
var documentedPermissions = []string{
	"ReadCatalog", "CreateCatalog", "UpdateCatalog", "DeleteCatalog", "ReadStockLocation", "ReadTaxCategory", "ReadOrder",
}
