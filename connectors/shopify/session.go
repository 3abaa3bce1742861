package shopify

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// session holds the access token. Only one is asked for at a time; who needs it
// meanwhile waits for it.
type session struct {
	clientID, clientSecret string
	// fixed is the token of an app that knows no grant; empty for the others.
	fixed string
	// gate holds the ticket while nobody asks for a token.
	gate chan ticket
}

// ticket is a token and until when it is used; the zero ticket is none.
type ticket struct {
	token string
	until time.Time
}

const (
	// A token lasts for a day, and is renewed well before its end.
	tokenAge    = 24 * time.Hour
	tokenMargin = 10 * time.Minute
)

func newSession(credentials map[string]string) *session {
	s := &session{
		clientID: credentials[KeyClientID], clientSecret: credentials[KeyClientSecret],
		fixed: credentials[KeyAccessToken], gate: make(chan ticket, 1),
	}
	s.gate <- ticket{}
	return s
}

// token returns the token, asking for one when there is none or it is old.
func (s *session) token(ctx context.Context, a *api) (string, error) {
	if s.fixed != "" {
		return s.fixed, nil
	}
	current, err := s.take(ctx)
	if err != nil {
		return "", err
	}
	if current.token != "" && time.Now().Before(current.until) {
		s.gate <- current
		return current.token, nil
	}
	next, err := s.ask(ctx, a)
	if err == nil {
		_, err = a.recognise(ctx, next.token)
	}
	if err != nil {
		next = ticket{}
	}
	s.gate <- next
	return next.token, err
}

// renew proves id and secret with a new token, and says whose shop it is. The
// token of another shop than before is used for nothing else.
func (s *session) renew(ctx context.Context, a *api) (shopID string, err error) {
	if s.fixed != "" {
		return a.recognise(ctx, s.fixed)
	}
	old, err := s.take(ctx)
	if err != nil {
		return "", err
	}
	next, err := s.ask(ctx, a)
	if err == nil {
		shopID, err = a.recognise(ctx, next.token)
	}
	switch {
	case err == nil:
	case driver.ClassOf(err) == driver.ClassUnauthorized, otherAccount(err):
		next = ticket{}
	default:
		next = old
	}
	s.gate <- next
	return shopID, err
}

// drop forgets the token, unless another one has taken its place, and says
// whether a new one can be had.
func (s *session) drop(token string) bool {
	if s.fixed != "" {
		return false
	}
	current := <-s.gate
	if current.token == token {
		current = ticket{}
	}
	s.gate <- current
	return true
}

func (s *session) take(ctx context.Context) (ticket, error) {
	select {
	case current := <-s.gate:
		return current, nil
	case <-ctx.Done():
		return ticket{}, driver.TransportError("get an access token", false, ctx.Err())
	}
}

// ask asks for a token by the client credentials grant (RFC 6749, 4.4). What
// the server says of a refusal is left out: it could repeat what was sent.
func (s *session) ask(ctx context.Context, a *api) (ticket, error) {
	const what = "get an access token"
	ctx = driver.WithOperation(ctx, driver.OpAccount)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.clientID}, "client_secret": {s.clientSecret}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.endpoint.String()+"/admin/oauth/access_token", strings.NewReader(form.Encode()))
	if err != nil {
		return ticket{}, &driver.Error{Class: driver.ClassInvalid, Op: what, Reason: "InvalidEndpoint", Err: errNotURL}
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	status, header, text, err := a.fetch(request, what, false)
	switch {
	case err != nil:
		return ticket{}, err
	case status == http.StatusBadRequest, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return ticket{}, &driver.Error{
			Class: driver.ClassUnauthorized, Op: what, Reason: reasonBadCredentials,
			Message: "the shop refused client id and secret, or the app is not installed in it",
		}
	case status != http.StatusOK:
		return ticket{}, classifyStatus(what, false, status, header)
	}
	var answer struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Token == "" {
		return ticket{}, &driver.Error{Class: driver.ClassTransient, Op: what, Reason: reasonBadAnswer, Message: "the answer holds no access token; the endpoint must be the address of a Shopify shop"}
	}
	age := time.Duration(answer.Expires) * time.Second
	if age <= 0 || age > tokenAge {
		age = tokenAge
	}
	return ticket{token: answer.Token, until: time.Now().Add(age - min(tokenMargin, age/2))}, nil
}
