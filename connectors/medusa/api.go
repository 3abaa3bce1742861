package medusa

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"selaras.dev/selaras/connectors/driver"
)

// maxAnswer bounds an answer: a page of the largest size is far below it.
const maxAnswer = 64 << 20

// api sends requests to one Admin API.
type api struct {
	endpoint *url.URL
	http     *http.Client
	session  *session
}

// call is one request.
type call struct {
	// what is said in errors, such as "read listings".
	what string
	// path below the server's address; ids in it are escaped with url.PathEscape.
	path  string
	query url.Values
	// body makes the request a POST; else it is a GET.
	body any
	// write says that the request may change the shop.
	write bool
}

func (k call) method() string {
	if k.body != nil {
		return http.MethodPost
	}
	return http.MethodGet
}

// do sends the request and decodes the answer into out. A session that has
// ended is renewed once.
func (a *api) do(ctx context.Context, k call, out any) error {
	token, err := a.session.token(ctx, a)
	if err != nil {
		return err
	}
	err = a.send(ctx, k, token, out)
	var e *driver.Error
	if !errors.As(err, &e) || e.Reason != reasonNotLoggedIn {
		return err
	}
	a.session.drop(token)
	if token, err = a.session.token(ctx, a); err != nil {
		return err
	}
	return a.send(ctx, k, token, out)
}

// send makes one request with the token.
func (a *api) send(ctx context.Context, k call, token string, out any) error {
	var payload io.Reader
	if k.body != nil {
		text, err := json.Marshal(k.body)
		if err != nil {
			return &driver.Error{Class: driver.ClassInvalid, Op: k.what, Reason: "InvalidRequest", Err: err}
		}
		payload = bytes.NewReader(text)
	}
	target := a.endpoint.String() + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, k.method(), target, payload)
	if err != nil {
		return &driver.Error{Class: driver.ClassInvalid, Op: k.what, Reason: "InvalidEndpoint", Err: errNotURL}
	}
	request.Header.Set("Accept", "application/json")
	if k.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// A POST is never sent twice by net/http on its own: GetBody is only used
	// before anything was written.
	response, err := a.http.Do(request)
	if err != nil {
		return driver.TransportError(k.what, k.write, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return driver.TransportError(k.what, k.write, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return classify(k.what, k.write, response.StatusCode, response.Header, text)
	}
	e := &driver.Error{Class: driver.ClassTransient, Op: k.what, Reason: reasonBadAnswer}
	if k.write {
		e.Class = driver.ClassUnknown
	}
	if len(text) > maxAnswer {
		e.Message = "the answer is larger than 64 MiB"
		return e
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(out); err != nil {
		e.Message, e.Err = "the answer is not the JSON of a Medusa server", err
		return e
	}
	return nil
}
