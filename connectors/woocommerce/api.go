package woocommerce

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// maxAnswer bounds an answer: a hundred products with all that plugins add to
// them stay far below it.
const maxAnswer = 64 << 20

// root is where the API begins below the address of the site.
const root = "/wp-json/wc/v3"

// api sends requests to one shop.
type api struct {
	endpoint    *url.URL
	http        *http.Client
	key, secret string
}

// call is one request.
type call struct {
	// what is said in errors, such as "read listings".
	what string
	// method is GET where it is empty.
	method string
	// path below the API's root.
	path  string
	query url.Values
	body  any
}

// reply is what an answer says beside its body.
type reply struct {
	// total is the length of the list that the answer is a page of, -1 for none.
	total int
	// now is the clock of the shop, zero if it did not tell.
	now time.Time
}

// do sends the request and decodes the answer into out. Whatever is no GET may
// change the shop.
func (a *api) do(ctx context.Context, k call, out any) (reply, error) {
	write := k.method != "" && k.method != http.MethodGet
	request, err := a.request(ctx, k)
	if err != nil {
		return reply{}, err
	}
	// A POST is never sent twice by net/http on its own: GetBody is only used
	// before anything was written.
	response, err := a.http.Do(request)
	if err != nil {
		return reply{}, driver.TransportError(k.what, write, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return reply{}, driver.TransportError(k.what, write, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return reply{}, classify(k.what, write, response.StatusCode, response.Header, text)
	}
	if len(text) > maxAnswer {
		return reply{}, badAnswer(k.what, write, "the answer is larger than 64 MiB")
	}
	if err := json.Unmarshal(text, out); err != nil {
		return reply{}, badAnswer(k.what, write, "the answer is not the JSON of WooCommerce's REST API")
	}
	return replyOf(response.Header), nil
}

// request builds a call, and signs it.
func (a *api) request(ctx context.Context, k call) (*http.Request, error) {
	var payload io.Reader
	if k.body != nil {
		text, err := json.Marshal(k.body)
		if err != nil {
			return nil, &driver.Error{Class: driver.ClassInvalid, Op: k.what, Reason: "InvalidRequest", Err: err}
		}
		payload = bytes.NewReader(text)
	}
	target := a.endpoint.String() + root + k.path
	if len(k.query) > 0 {
		// PHP reads a + as a space too, but the signature is made of %20.
		target += "?" + strings.ReplaceAll(k.query.Encode(), "+", "%20")
	}
	method := k.method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, target, payload)
	if err != nil {
		return nil, &driver.Error{Class: driver.ClassInvalid, Op: k.what, Reason: "InvalidEndpoint", Err: errNotURL}
	}
	request.Header.Set("Accept", "application/json")
	if k.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	a.authorize(request)
	return request, nil
}

func replyOf(header http.Header) reply {
	r := reply{total: -1}
	if total, err := strconv.Atoi(header.Get("X-Wp-Total")); err == nil {
		r.total = total
	}
	if now, err := http.ParseTime(header.Get("Date")); err == nil {
		r.now = now
	}
	return r
}

// badAnswer is the error of a 2xx answer that says nothing.
func badAnswer(what string, write bool, message string) *driver.Error {
	e := &driver.Error{Class: driver.ClassTransient, Op: what, Reason: reasonBadAnswer, Message: message}
	if write {
		e.Class = driver.ClassUnknown
	}
	return e
}
