package shopify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// maxAnswer bounds an answer: a page of the largest size is far below it.
const maxAnswer = 64 << 20

// api sends GraphQL operations to one shop.
type api struct {
	endpoint *url.URL
	http     *http.Client
	session  *session
	bucket   *bucket
	log      *slog.Logger
	// shopID is the shop that the first token was of.
	shopID atomic.Pointer[string]
	// served is told once, when another version answers than was asked for.
	served sync.Once
}

// operation is one GraphQL request.
type operation struct {
	// what is said in errors, such as "read listings".
	what string
	// name is that of the query.
	name, query string
	variables   map[string]any
	// parts are the mutations of the request, where it has several.
	parts int
	// write says that the request may change the shop.
	write bool
}

// kind tells apart requests that do not cost the same.
func (o operation) kind() string { return o.name + strconv.Itoa(o.parts) }

// answer is what came back, errors of single fields included.
type answer struct {
	data   json.RawMessage
	errors []graphqlError
	// at is the shop's own time; zero when it does not tell.
	at time.Time
}

// do runs the operation and decodes data into out. Any error is that of the
// whole operation.
func (a *api) do(ctx context.Context, o operation, out any) (time.Time, error) {
	got, err := a.run(ctx, o)
	if err != nil {
		return time.Time{}, err
	}
	if len(got.errors) > 0 {
		return time.Time{}, classify(o.what, o.write, got.errors[0])
	}
	if err := json.Unmarshal(got.data, out); err != nil {
		return time.Time{}, badAnswer(o, err)
	}
	return got.at, nil
}

// run runs the operation. Errors of fields are in the answer. A token that has
// ended is renewed once.
func (a *api) run(ctx context.Context, o operation) (*answer, error) {
	token, err := a.session.token(ctx, a)
	if err != nil {
		return nil, err
	}
	got, err := a.send(ctx, o, token)
	var e *driver.Error
	if !errors.As(err, &e) || e.Reason != reasonTokenRefused || !a.session.drop(token) {
		return got, err
	}
	if token, err = a.session.token(ctx, a); err != nil {
		return nil, err
	}
	return a.send(ctx, o, token)
}

// send makes one request with the token.
func (a *api) send(ctx context.Context, o operation, token string) (*answer, error) {
	points, wait := a.bucket.reserve(o.kind(), time.Now())
	if wait > 0 {
		return nil, &driver.Error{Class: driver.ClassThrottled, Op: o.what, Reason: reasonThrottled, RetryAfter: wait, Message: "the points of the API's bucket are spent"}
	}
	var cost *queryCost
	defer func() { a.bucket.settle(o.kind(), points, cost, time.Now()) }()
	body, err := json.Marshal(map[string]any{"query": o.query, "variables": o.variables, "operationName": o.name})
	if err != nil {
		return nil, &driver.Error{Class: driver.ClassInvalid, Op: o.what, Reason: reasonQuery, Err: err}
	}
	target := a.endpoint.String() + "/admin/api/" + APIVersion + "/graphql.json"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, &driver.Error{Class: driver.ClassInvalid, Op: o.what, Reason: "InvalidEndpoint", Err: errNotURL}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("X-Shopify-Access-Token", token)
	status, header, text, err := a.fetch(request, o.what, o.write)
	if err != nil {
		return nil, err
	}
	var decoded struct {
		Data       json.RawMessage `json:"data"`
		Errors     graphqlErrors   `json:"errors"`
		Extensions struct {
			Cost *queryCost `json:"cost"`
		} `json:"extensions"`
	}
	if err := json.Unmarshal(text, &decoded); err != nil {
		return nil, classifyStatus(o.what, o.write, status, header)
	}
	cost = decoded.Extensions.Cost
	answered := len(decoded.Data) > 0 && string(decoded.Data) != "null"
	switch {
	case throttled(decoded.Errors):
		return nil, throttledError(o.what, cost, header)
	case status != http.StatusOK:
		return nil, classifyStatus(o.what, o.write, status, header)
	case !answered && len(decoded.Errors) > 0:
		return nil, classify(o.what, o.write, decoded.Errors[0])
	case !answered:
		return nil, badAnswer(o, nil)
	}
	a.checkVersion(header)
	at, _ := http.ParseTime(header.Get("Date")) // zero when it is not there
	return &answer{data: decoded.Data, errors: decoded.Errors, at: at}, nil
}

// fetch makes the request and reads the answer.
func (a *api) fetch(request *http.Request, what string, write bool) (int, http.Header, []byte, error) {
	// A POST is never sent twice by net/http on its own: GetBody is only used
	// before anything was written.
	response, err := a.http.Do(request)
	if err != nil {
		return 0, nil, nil, driver.TransportError(what, write, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, nil, driver.TransportError(what, write, err)
	}
	if len(text) > maxAnswer {
		return 0, nil, nil, badAnswer(operation{what: what, write: write}, errTooLarge)
	}
	return response.StatusCode, response.Header, text, nil
}

var errTooLarge = errors.New("the answer is larger than 64 MiB")

func badAnswer(o operation, err error) *driver.Error {
	e := &driver.Error{Class: driver.ClassTransient, Op: o.what, Reason: reasonBadAnswer, Err: err}
	if o.write {
		e.Class = driver.ClassUnknown
	}
	if err == nil {
		e.Message = "the answer holds no data; the endpoint must be the address of a Shopify shop"
	}
	return e
}

// checkVersion tells once that Shopify answers with another version: it does so
// when the one asked for is not served any more.
func (a *api) checkVersion(header http.Header) {
	got := header.Get("X-Shopify-Api-Version")
	if got == "" || got == APIVersion {
		return
	}
	a.served.Do(func() {
		a.log.Warn("the shop answers with another version of the Admin API than this driver speaks", "asked", APIVersion, "served", got)
	})
}
