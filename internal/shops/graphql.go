package shops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// requestTimeout bounds one call of a shop's API; a busy machine takes seconds.
const requestTimeout = 60 * time.Second

// transport opens a connection for each call: a shop that is killed, frozen or
// behind a tunnel closes an idle one without a word, and a call that finds that
// out late cannot be told from one that the shop broke off.
var transport = &http.Transport{DisableKeepAlives: true}

// maxAnswer bounds the body that is read of a shop's answer, in bytes.
const maxAnswer = 64 << 20

// errForbidden is Vendure's answer to a call without a valid session.
var errForbidden = errors.New("FORBIDDEN")

// graphql is a session with one of a Vendure server's two APIs.
type graphql struct {
	url  string
	http *http.Client

	mu    sync.Mutex
	token string // of the session; Vendure hands it out in a header
}

func newGraphQL(url string) *graphql {
	return &graphql{url: url, http: &http.Client{Timeout: requestTimeout, Transport: transport}}
}

type graphqlError struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"`
	Extensions struct {
		Code string `json:"code"`
	} `json:"extensions"`
}

// do sends one operation and decodes the data of the answer into out, which may
// be nil. Errors inside an answer with status 200 are errors here.
func (g *graphql) do(ctx context.Context, query string, variables map[string]any, out any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return fmt.Errorf("shops: encoding a call: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("shops: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	g.mu.Lock()
	token := g.token
	g.mu.Unlock()
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := g.http.Do(request)
	if err != nil {
		return fmt.Errorf("shops: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("shops: reading the answer of %s: %w", g.url, err)
	}
	if issued := response.Header.Get("Vendure-Auth-Token"); issued != "" {
		g.mu.Lock()
		g.token = issued
		g.mu.Unlock()
	}
	var envelope struct {
		Data   json.RawMessage `json:"data"`
		Errors []graphqlError  `json:"errors"`
	}
	if err := json.Unmarshal(answer, &envelope); err != nil {
		return fmt.Errorf("shops: %s answered %s with no JSON: %w", g.url, response.Status, err)
	}
	if len(envelope.Errors) > 0 {
		first := envelope.Errors[0]
		if first.Extensions.Code == errForbidden.Error() {
			return fmt.Errorf("shops: %s: %v: %w", g.url, first.Path, errForbidden)
		}
		return fmt.Errorf("shops: %s: %v: %s %s", g.url, first.Path, first.Extensions.Code, first.Message)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(envelope.Data, out); err != nil {
		return fmt.Errorf("shops: unexpected answer of %s: %w", g.url, err)
	}
	return nil
}

// result is what Vendure's mutations answer: either the thing asked for or an
// error as ordinary data.
type result struct {
	Typename  string `json:"__typename"`
	ErrorCode string `json:"errorCode"`
	Message   string `json:"message"`
}

func (r result) err(action string) error {
	if r.ErrorCode == "" {
		return nil
	}
	return &RefusedError{Action: action, Code: r.ErrorCode, Message: r.Message}
}

// resultFields is the selection that fills a [result].
const resultFields = `__typename ... on ErrorResult { errorCode message }`
