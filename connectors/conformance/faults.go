package conformance

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

func (s *suite) faultCases() []testCase {
	freeze := needs{"freeze", s.shop.Freeze != nil && s.shop.Thaw != nil}
	limited := needs{"a rate limiter in front", s.shop.Limited != nil}
	price := s.has(driver.CanWritePrice)
	return []testCase{
		{"TooManyCallsAreThrottled", []needs{limited, price}, throttled},
		{"AFrozenShopLeavesWritesUnknownAndReadsTransient", []needs{freeze, price}, frozen},
		{"AGatewayTimeoutLeavesAWriteUnknown", []needs{freeze, limited, price}, gatewayTimeout},
		{"ADatabaseOutageIsTransient", []needs{{"a database to stop", s.shop.StopDatabase != nil}, price}, databaseDown},
	}
}

// addressCases need no shop: what stands at the address is none, or another.
func (s *suite) addressCases() []testCase {
	return []testCase{
		{"AShopThatIsDownIsTransient", nil, shopDown},
		{"ACertificateThatIsNotTrustedIsTLS", nil, untrusted},
		{"AnswersThatAreNoAnswersAreErrors", nil, hostileAnswers},
		{"ACancelledCallEnds", nil, cancelled},
	}
}

func throttled(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "LIMIT")
	c := s.open(t, withEndpoint(s.shop.Limited(t)))
	var seen *driver.Error
	for range 200 {
		if _, err := c.get(ctx, sku); err != nil {
			seen = c.failure(t, err, driver.ClassThrottled)
			break
		}
	}
	if seen == nil {
		t.Fatal("200 calls at once were never throttled")
	}
	if seen.RetryAfter <= 0 {
		t.Errorf("the shop's Retry-After is not told: %+v", seen)
	}
	price := s.money(616)
	for {
		_, err := c.write(ctx, driver.Intent{Key: driver.Key{SKU: sku}, Price: &price})
		if err == nil {
			break
		}
		wait := c.failure(t, err, driver.ClassThrottled).RetryAfter
		timer := time.NewTimer(max(wait, 100*time.Millisecond))
		<-timer.C
	}
	if l := s.open(t).listing(t, ctx, sku); *l.Price != price {
		t.Errorf("after the wait: price %v, want %v", l.Price, price)
	}
}

// The request was sent and nothing came back: nobody knows.
func frozen(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "FROZEN")
	c := s.open(t)
	l := c.listing(t, ctx, sku)
	price := s.money(717)
	intent := driver.Intent{Key: driver.Key{SKU: sku, Ref: l.Ref}, Price: &price}
	if _, err := c.write(ctx, intent); err != nil {
		t.Fatalf("before the freeze: %v", err)
	}
	price = s.money(718)
	thaw := true
	defer func() {
		if thaw {
			s.shop.Thaw()
		}
	}()
	// A shop that is awake may take its time: only the frozen one is not waited
	// for.
	c.transport.onWrite(func() {
		s.shop.Freeze()
		c.transport.waitAtMost(700 * time.Millisecond)
	})
	_, writeErr := c.write(ctx, intent)
	_, readErr := c.get(ctx, sku)
	_, accountErr := c.Account(ctx)
	s.shop.Thaw()
	thaw = false
	c.failed(t, readErr, driver.ClassTransient)
	c.failed(t, writeErr, driver.ClassUnknown)
	c.failed(t, accountErr, driver.ClassTransient)
	// The late write lands or does not; a newer one, repeated until it is read
	// back, is what remains.
	newer := s.money(719)
	fresh := s.open(t)
	eventually(t, "the newer value is read back", func() (bool, string) {
		if _, err := fresh.write(ctx, driver.Intent{Key: driver.Key{SKU: sku, Ref: l.Ref}, Price: &newer}); err != nil {
			return false, err.Error()
		}
		got := fresh.listing(t, ctx, sku)
		return *got.Price == newer, got.Price.String()
	})
}

func gatewayTimeout(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "GATEWAY")
	endpoint := s.shop.Limited(t)
	c := s.open(t, withEndpoint(endpoint))
	l := c.listing(t, ctx, sku)
	price := s.money(818)
	c.transport.onWrite(s.shop.Freeze)
	_, writeErr := c.write(ctx, driver.Intent{Key: driver.Key{SKU: sku, Ref: l.Ref}, Price: &price})
	_, readErr := c.get(ctx, sku)
	s.shop.Thaw()
	c.failed(t, writeErr, driver.ClassUnknown)
	c.failed(t, readErr, driver.ClassTransient)
	eventually(t, "the shop answers again", func() (bool, string) {
		_, err := c.get(ctx, sku)
		return err == nil, fmt.Sprint(err)
	})
}

func databaseDown(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "DATABASE")
	c := s.open(t)
	l := c.listing(t, ctx, sku)
	price := s.money(919)
	intent := driver.Intent{Key: driver.Key{SKU: sku, Ref: l.Ref}, Price: &price}
	s.shop.StopDatabase()
	_, readErr := c.get(ctx, sku)
	_, writeErr := c.write(ctx, intent)
	_, accountErr := c.Account(ctx)
	_, freshErr := s.open(t).get(ctx, sku)
	if err := s.shop.StartDatabase(ctx); err != nil {
		t.Fatal(err)
	}
	c.failed(t, readErr, driver.ClassTransient)
	c.failed(t, writeErr, driver.ClassTransient, driver.ClassUnknown)
	c.failed(t, accountErr, driver.ClassTransient)
	c.failed(t, freshErr, driver.ClassTransient)
	eventually(t, "the shop recovers by itself", func() (bool, string) {
		outcomes, err := c.write(ctx, intent)
		return err == nil && (outcomes[0].Kind == driver.Verified || outcomes[0].Kind == driver.Accepted), fmt.Sprint(outcomes, err)
	})
	if got := c.listing(t, ctx, sku); *got.Price != price {
		t.Errorf("after the outage: %v, want %v", got.Price, price)
	}
}

// shopDown: nothing was sent, so a write is not Unknown.
func shopDown(t *testing.T, s *suite) {
	ctx := s.context(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c := s.open(t, withEndpoint("http://"+address))
	for name, err := range c.everything(ctx) {
		if err == nil {
			t.Errorf("%s worked without a shop", name)
			continue
		}
		c.failed(t, err, driver.ClassTransient)
	}
}

// everything calls every capability once and returns the errors.
func (c *client) everything(ctx context.Context) map[string]error {
	_, account := c.Account(ctx)
	errs := map[string]error{"Account": account}
	key := driver.Key{SKU: "ANY", Ref: "1:1"}
	price := c.s.money(1)
	intent := driver.Intent{
		Key: key, Price: &price, Stock: &driver.StockWrite{Quantity: 1},
		Content: &driver.Content{Product: driver.Product{Key: "any", Title: "Any"}, Title: "Any"},
	}
	if r, ok := c.Connection.(driver.ListingReader); ok {
		_, errs["ReadPage"] = r.ReadPage(ctx, "", 10)
	}
	if r, ok := c.Connection.(driver.ListingGetter); ok {
		_, errs["ReadListings"] = r.ReadListings(ctx, []driver.Key{key})
	}
	if r, ok := c.Connection.(driver.ChangeReader); ok {
		_, errs["ReadChanges"] = r.ReadChanges(ctx, "", 10)
	}
	if r, ok := c.Connection.(driver.OrderReader); ok {
		_, errs["ReadOrders"] = r.ReadOrders(ctx, "", 10)
	}
	if w, ok := c.Connection.(driver.IntentWriter); ok {
		_, errs["WriteIntents"] = w.WriteIntents(ctx, []driver.Intent{intent})
	}
	if w, ok := c.Connection.(driver.ListingCreator); ok {
		_, errs["CreateListings"] = w.CreateListings(ctx, []driver.Intent{intent})
	}
	if w, ok := c.Connection.(driver.ListingRemover); ok {
		_, errs["RemoveListings"] = w.RemoveListings(ctx, []driver.Key{key})
	}
	return errs
}

func untrusted(t *testing.T, s *suite) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c := s.open(t, withEndpoint(server.URL))
	for _, err := range c.everything(s.context(t)) {
		c.failed(t, err, driver.ClassTLS)
	}
}

// Whatever stands at the address, a driver answers with an error of a class
// and does not fall over.
func hostileAnswers(t *testing.T, s *suite) {
	ctx := s.context(t)
	for name, answer := range map[string]http.HandlerFunc{
		"HTML":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello</html>")) },
		"nothing":   func(http.ResponseWriter, *http.Request) {},
		"a string":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`"hello"`)) },
		"an object": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) },
		"null":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"data":null,"errors":null}`)) },
		"not found": http.NotFound,
		"a redirect to itself": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		},
		"a failure": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"a cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"data":`))
		},
	} {
		server := httptest.NewServer(answer)
		c := s.open(t, withEndpoint(server.URL))
		for call, err := range c.everything(ctx) {
			if err == nil {
				t.Errorf("%s of a server that answers %s worked", call, name)
				continue
			}
			c.failed(t, err, driver.ClassTransient, driver.ClassUnknown, driver.ClassInvalid, driver.ClassUnauthorized)
		}
		server.Close()
	}
}

func cancelled(t *testing.T, s *suite) {
	ctx, cancel := context.WithCancel(s.context(t))
	c := s.open(t)
	cancel()
	for call, err := range c.everything(ctx) {
		if err == nil {
			t.Errorf("%s went on under a cancelled context", call)
			continue
		}
		c.failed(t, err, driver.ClassTransient, driver.ClassUnknown)
	}
}
