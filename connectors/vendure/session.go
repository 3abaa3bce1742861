package vendure

import (
	"context"
	"encoding/json"

	"selaras.dev/selaras/connectors/driver"
)

// session holds the bearer token of one login. Only one login is under way at
// a time; the others wait for its token.
type session struct {
	username, password string
	// gate holds the token while nobody is logging in.
	gate chan string
}

func newSession(username, password string) *session {
	s := &session{username: username, password: password, gate: make(chan string, 1)}
	s.gate <- ""
	return s
}

// token returns the token of the session, logging in when there is none.
func (s *session) token(ctx context.Context, a *api) (string, error) {
	select {
	case token := <-s.gate:
		if token != "" {
			s.gate <- token
			return token, nil
		}
	case <-ctx.Done():
		return "", driver.TransportError("log in", false, ctx.Err())
	}
	token, err := s.login(ctx, a)
	if err == nil {
		if _, err = a.recognise(ctx, token); err != nil {
			a.end(ctx, token)
			token = ""
		}
	}
	s.gate <- token
	return token, err
}

// drop forgets the token, unless another one has taken its place.
func (s *session) drop(token string) {
	current := <-s.gate
	if current == token {
		current = ""
	}
	s.gate <- current
}

const loginMutation = `mutation Login($username: String!, $password: String!) {
  login(username: $username, password: $password) {
    __typename
    ... on ErrorResult { errorCode message }
  }
}`

// login returns a new token, or the empty string and the reason.
func (s *session) login(ctx context.Context, a *api) (string, error) {
	const what = "log in"
	response, err := a.post(driver.WithOperation(ctx, driver.OpAccount), operation{
		what:      what,
		query:     loginMutation,
		variables: map[string]any{"username": s.username, "password": s.password},
	}, "")
	if err != nil {
		return "", err
	}
	var data struct {
		Login struct {
			Typename  string `json:"__typename"`
			ErrorCode string `json:"errorCode"`
			Message   string `json:"message"`
		} `json:"login"`
	}
	if err := json.Unmarshal(response.data, &data); err != nil {
		return "", &driver.Error{Class: driver.ClassTransient, Op: what, Reason: reasonBadAnswer, Err: err}
	}
	if data.Login.Typename != "CurrentUser" {
		return "", &driver.Error{Class: driver.ClassUnauthorized, Op: what, Reason: reasonBadCredentials, Message: driver.ClipMessage(data.Login.Message)}
	}
	token := response.header.Get("vendure-auth-token")
	if token == "" {
		return "", invalid(what, "BearerTokensDisabled", "the shop gives out no bearer tokens: add 'bearer' to authOptions.tokenMethod of its configuration")
	}
	return token, nil
}

// login proves the credentials with a new session, ends the old one, and says
// whose shop it is. The session of another shop than before is used for nothing
// else.
func (a *api) login(ctx context.Context) (identity, error) {
	var old string
	select {
	case old = <-a.session.gate:
	case <-ctx.Done():
		return identity{}, driver.TransportError("log in", false, ctx.Err())
	}
	token, err := a.session.login(ctx, a)
	var who identity
	if err == nil {
		if who, err = a.recognise(ctx, token); err != nil {
			a.end(ctx, token)
			token = ""
		}
	}
	if err != nil && driver.ClassOf(err) != driver.ClassUnauthorized && !otherAccount(err) {
		token = old
	}
	a.session.gate <- token
	if token != old {
		a.end(ctx, old)
	}
	return who, err
}

// logout ends the session, if there is one.
func (a *api) logout(ctx context.Context) {
	token := <-a.session.gate
	a.session.gate <- ""
	a.end(ctx, token)
}

// end ends a session; a failure leaves it to expire.
func (a *api) end(ctx context.Context, token string) {
	if token == "" {
		return
	}
	_, _ = a.post(driver.WithOperation(ctx, driver.OpAccount), operation{what: "log out", query: `mutation Logout { logout { success } }`}, token)
}
