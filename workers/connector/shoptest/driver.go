package shoptest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"selaras.dev/selaras/connectors/driver"
)

// Driver returns a driver for shops with these habits, of channel type
// "simulated". Its only credential is "token", which may be absent if the shop
// takes any.
func Driver(o Options) driver.Driver { return simulated{o} }

type simulated struct{ o Options }

// Describe implements driver.Driver.
func (d simulated) Describe() driver.Description {
	return driver.Description{
		Type: "simulated", Version: "1.0.0", Title: "Simulated shop",
		ConfigSchema: json.RawMessage(`{"type":"object","additionalProperties":false}`),
		Credentials:  []driver.CredentialKey{{Name: "token", Optional: d.o.Token == "", Description: "what the shop wants to see"}},
		Capabilities: []driver.Capability{driver.CanWriteContent, driver.CanWritePrice, driver.CanWriteStock},
		Traits:       d.o.Traits,
	}
}

// Open implements driver.Driver.
func (d simulated) Open(_ context.Context, s driver.Settings) (driver.Connection, error) {
	if s.Endpoint == "" {
		return nil, &driver.Error{Class: driver.ClassInvalid, Op: "open", Reason: "NoEndpoint", Message: "spec.endpoint is empty"}
	}
	secret := d.o.Secret
	if secret == "" {
		secret = "secret"
	}
	c := conn{http: s.HTTP, endpoint: s.Endpoint, token: s.Credentials["token"], secret: secret}
	switch {
	case d.o.NoCreate && d.o.NoRemove && d.o.NoOrders:
		return c, nil
	case d.o.NoCreate && d.o.NoRemove:
		return struct {
			conn
			orders
		}{c, orders{c}}, nil
	case d.o.NoOrders:
		return struct {
			conn
			creator
			remover
		}{c, creator{c}, remover{c}}, nil
	case d.o.NoCreate:
		return struct {
			conn
			remover
			orders
		}{c, remover{c}, orders{c}}, nil
	case d.o.NoRemove:
		return struct {
			conn
			creator
			orders
		}{c, creator{c}, orders{c}}, nil
	}
	return struct {
		conn
		creator
		remover
		orders
	}{c, creator{c}, remover{c}, orders{c}}, nil
}

// conn is what every simulated shop can do.
type conn struct {
	http                    *http.Client
	endpoint, token, secret string
}

type (
	creator struct{ c conn }
	remover struct{ c conn }
	orders  struct{ c conn }
)

func (c conn) call(ctx context.Context, what string, write bool, req request) (answer, error) {
	op := string(driver.OperationOf(ctx))
	path := "/" + op
	if what != "" {
		path += "/" + what
	}
	body, err := json.Marshal(req)
	if err != nil {
		return answer{}, &driver.Error{Class: driver.ClassInvalid, Op: op, Err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, &driver.Error{Class: driver.ClassInvalid, Op: op, Err: err}
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(r)
	if err != nil {
		return answer{}, driver.TransportError(op, write, err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return answer{}, &driver.Error{Class: driver.ClassUnauthorized, Op: op, Reason: "Unauthorized"}
	case resp.StatusCode == http.StatusTooManyRequests:
		return answer{}, &driver.Error{Class: driver.ClassThrottled, Op: op, Reason: "TooManyCalls"}
	case resp.StatusCode == http.StatusUnprocessableEntity:
		return answer{}, &driver.Error{Class: driver.ClassBatchRejected, Op: op, Reason: "Refused", Message: "an item cannot be taken"}
	case resp.StatusCode != http.StatusOK:
		return answer{}, &driver.Error{Class: driver.ClassTransient, Op: op, Reason: "Status" + strconv.Itoa(resp.StatusCode)}
	}
	var a answer
	data, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err != nil {
		return answer{}, driver.TransportError(op, write, err)
	}
	return a, nil
}

// Account implements driver.Connection.
func (c conn) Account(ctx context.Context) (driver.Account, error) {
	a, err := c.call(ctx, "", false, request{})
	if err != nil {
		return driver.Account{}, err
	}
	return driver.Account{ID: "simulated:" + c.endpoint + "#" + a.Mark, Shop: a.Mark, Name: "Simulated shop"}, nil
}

// Close implements driver.Connection.
func (c conn) Close() error { return nil }

// ReadPage implements driver.ListingReader.
func (c conn) ReadPage(ctx context.Context, after driver.Cursor, limit int) (driver.ListingPage, error) {
	n, _ := strconv.ParseInt(string(after), 10, 64) // empty is the first page
	a, err := c.call(ctx, "page", false, request{After: n, Limit: limit})
	page := driver.ListingPage{Listings: a.Listings, Total: a.Total}
	if a.More {
		page.Next = cursor(a.Next)
	}
	return page, err
}

// ReadListings implements driver.ListingGetter.
func (c conn) ReadListings(ctx context.Context, keys []driver.Key) ([]driver.Listing, error) {
	a, err := c.call(ctx, "", false, request{SKUs: skus(keys)})
	return a.Listings, err
}

// ReadChanges implements driver.ChangeReader.
func (c conn) ReadChanges(ctx context.Context, after driver.Cursor, limit int) (driver.ChangePage, error) {
	n := int64(-1)
	if after != "" {
		n, _ = strconv.ParseInt(string(after), 10, 64) // our own making
	}
	a, err := c.call(ctx, "", false, request{After: n, Limit: limit})
	return driver.ChangePage{Listings: a.Listings, Next: cursor(a.Next), More: a.More}, err
}

// WriteIntents implements driver.IntentWriter.
func (c conn) WriteIntents(ctx context.Context, intents []driver.Intent) ([]driver.Outcome, error) {
	a, err := c.call(ctx, "", true, request{Intents: intents})
	return a.Outcomes, err
}

// CreateListings implements driver.ListingCreator.
func (x creator) CreateListings(ctx context.Context, intents []driver.Intent) ([]driver.Outcome, error) {
	return x.c.WriteIntents(ctx, intents)
}

// RemoveListings implements driver.ListingRemover.
func (x remover) RemoveListings(ctx context.Context, keys []driver.Key) ([]driver.Outcome, error) {
	a, err := x.c.call(ctx, "", true, request{SKUs: skus(keys)})
	return a.Outcomes, err
}

// ReadOrders implements driver.OrderReader.
func (x orders) ReadOrders(ctx context.Context, after driver.Cursor, limit int) (driver.OrderPage, error) {
	req := request{Limit: limit, Open: after == ""}
	req.After, _ = strconv.ParseInt(string(after), 10, 64) // our own making
	a, err := x.c.call(ctx, "", false, req)
	return driver.OrderPage{Orders: a.Orders, Next: cursor(a.Next), More: a.More}, err
}

// ReceiveWebhook implements driver.WebhookReceiver: the body is a JSON list of
// signals, signed in the header X-Signature.
func (c conn) ReceiveWebhook(_ context.Context, d driver.Delivery) ([]driver.Signal, error) {
	if got := http.Header(d.Header).Get("X-Signature"); got != sign(c.secret, d.Body) {
		return nil, &driver.Error{Class: driver.ClassUnauthorized, Op: "receive a webhook", Reason: "Signature"}
	}
	var signals []driver.Signal
	if err := json.Unmarshal(d.Body, &signals); err != nil {
		return nil, &driver.Error{Class: driver.ClassInvalid, Op: "receive a webhook", Reason: "Malformed", Err: errors.New("not a list of signals")}
	}
	return signals, nil
}

func cursor(n int64) driver.Cursor { return driver.Cursor(strconv.FormatInt(n, 10)) }

func skus(keys []driver.Key) []string {
	out := make([]string, len(keys))
	for i := range keys {
		out[i] = keys[i].SKU
	}
	return out
}
