package vendure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"selaras.dev/selaras/connectors/driver"
)

// maxAnswer bounds an answer: a page of the largest size is far below it.
const maxAnswer = 64 << 20

// api sends GraphQL operations to one Admin API.
type api struct {
	endpoint     *url.URL
	channelToken string
	http         *http.Client
	session      *session
	// shop is the one that the first session was of.
	shop atomic.Pointer[identity]
}

// operation is one GraphQL request.
type operation struct {
	// what is said in errors, such as "read listings".
	what      string
	query     string
	variables map[string]any
	// write says that the request may change the shop.
	write bool
	// language is the languageCode in which content is answered; empty for the
	// channel's default.
	language string
}

// do runs the operation and decodes data into out. A session that has ended
// is renewed once.
func (a *api) do(ctx context.Context, o operation, out any) error {
	token, err := a.session.token(ctx, a)
	if err != nil {
		return err
	}
	err = a.send(ctx, o, token, out)
	var e *driver.Error
	if !errors.As(err, &e) || e.Class != driver.ClassUnauthorized {
		return err
	}
	// FORBIDDEN is all that Vendure says of an unknown session too.
	a.session.drop(token)
	if token, err = a.session.token(ctx, a); err != nil {
		return err
	}
	return a.send(ctx, o, token, out)
}

// send makes one request with the token.
func (a *api) send(ctx context.Context, o operation, token string, out any) error {
	response, err := a.post(ctx, o, token)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(response.data, out); err != nil {
		class := driver.ClassTransient
		if o.write {
			class = driver.ClassUnknown
		}
		return &driver.Error{Class: class, Op: o.what, Reason: reasonBadAnswer, Err: err}
	}
	return nil
}

// answer is a GraphQL answer without errors.
type answer struct {
	data   json.RawMessage
	header http.Header
}

func (a *api) post(ctx context.Context, o operation, token string) (*answer, error) {
	body, err := json.Marshal(map[string]any{"query": o.query, "variables": o.variables})
	if err != nil {
		return nil, &driver.Error{Class: driver.ClassInvalid, Op: o.what, Reason: reasonQuery, Err: err}
	}
	target := *a.endpoint
	if o.language != "" {
		query := target.Query()
		query.Set("languageCode", o.language)
		target.RawQuery = query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, &driver.Error{Class: driver.ClassInvalid, Op: o.what, Reason: "InvalidEndpoint", Err: errNotURL}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if a.channelToken != "" {
		request.Header.Set("vendure-token", a.channelToken)
	}
	// A POST is never sent twice by net/http on its own: GetBody is only used
	// before anything was written.
	response, err := a.http.Do(request)
	if err != nil {
		return nil, driver.TransportError(o.what, o.write, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, driver.TransportError(o.what, o.write, err)
	}
	if len(text) > maxAnswer {
		return nil, &driver.Error{Class: driver.ClassInvalid, Op: o.what, Reason: reasonBadAnswer, Message: "the answer is larger than 64 MiB"}
	}
	var decoded struct {
		Data   json.RawMessage `json:"data"`
		Errors []graphqlError  `json:"errors"`
	}
	if err := json.Unmarshal(text, &decoded); err != nil || (decoded.Errors == nil && decoded.Data == nil) {
		return nil, classifyStatus(o.what, o.write, response.StatusCode, response.Header)
	}
	if len(decoded.Errors) > 0 {
		return nil, inField(decoded.Errors[0], classify(o.what, o.write, decoded.Errors))
	}
	if response.StatusCode != http.StatusOK {
		return nil, classifyStatus(o.what, o.write, response.StatusCode, response.Header)
	}
	return &answer{data: decoded.Data, header: response.Header}, nil
}
