package shops

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// rest is a client of an HTTP API with JSON bodies.
type rest struct {
	url    string
	http   *http.Client
	header http.Header
}

func newREST(url string, header http.Header) *rest {
	return &rest{url: url, http: &http.Client{Timeout: requestTimeout, Transport: transport}, header: header}
}

// do sends body as JSON and decodes the answer into out; both may be nil. An
// answer that is an error is a [RefusedError].
func (r *rest) do(ctx context.Context, method, path string, body, out any) error {
	var payload io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("shops: encoding a call: %w", err)
		}
		payload = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, payload)
	if err != nil {
		return fmt.Errorf("shops: %w", err)
	}
	request.Header = r.header.Clone()
	request.Header.Set("Content-Type", "application/json")
	response, err := r.http.Do(request)
	if err != nil {
		return fmt.Errorf("shops: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("shops: reading the answer of %s: %w", r.url, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		refused := &RefusedError{Action: method + " " + path, Code: response.Status, Message: string(answer)}
		var known struct{ Type, Message string }
		if json.Unmarshal(answer, &known) == nil && known.Type != "" {
			refused.Code, refused.Message = known.Type, known.Message
		}
		return refused
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("shops: unexpected answer to %s %s: %w", method, path, err)
	}
	return nil
}
