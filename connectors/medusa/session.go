package medusa

import (
	"context"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// session holds the token of one login. Only one login is under way at a time;
// the others wait for its token.
type session struct {
	email, password string
	// gate holds the ticket while nobody is logging in.
	gate chan ticket
}

// ticket is a token and when it was given out; the zero ticket is none.
type ticket struct {
	token string
	since time.Time
}

func newSession(email, password string) *session {
	s := &session{email: email, password: password, gate: make(chan ticket, 1)}
	s.gate <- ticket{}
	return s
}

// token returns the token of the session, logging in when there is none or it
// is old.
func (s *session) token(ctx context.Context, a *api) (string, error) {
	var current ticket
	select {
	case current = <-s.gate:
	case <-ctx.Done():
		return "", driver.TransportError("log in", false, ctx.Err())
	}
	if current.token != "" && time.Since(current.since) < sessionAge {
		s.gate <- current
		return current.token, nil
	}
	next, err := s.login(ctx, a)
	s.gate <- next
	return next.token, err
}

// drop forgets the token, unless another one has taken its place.
func (s *session) drop(token string) {
	current := <-s.gate
	if current.token == token {
		current = ticket{}
	}
	s.gate <- current
}

// login returns a new ticket, or none and the reason.
func (s *session) login(ctx context.Context, a *api) (ticket, error) {
	const what = "log in"
	since := time.Now()
	var answer struct {
		Token string `json:"token"`
	}
	err := a.send(driver.WithOperation(ctx, driver.OpAccount), call{
		what: what, path: "/auth/user/emailpass", body: map[string]string{"email": s.email, "password": s.password},
	}, "", &answer)
	if err != nil {
		return ticket{}, badCredentials(err)
	}
	if answer.Token == "" {
		// The server wants another step, such as a second factor.
		return ticket{}, invalid(what, reasonNotMedusa, "the server gave no token for e-mail and password")
	}
	return ticket{token: answer.Token, since: since}, nil
}

// badCredentials gives a refused login its own reason. The message of the
// server could repeat the address and is left out.
func badCredentials(err error) error {
	if e, ok := err.(*driver.Error); ok && e.Class == driver.ClassUnauthorized { //nolint:errorlint // made by send, never wrapped
		e.Reason, e.Message = reasonBadCredentials, "the server refused e-mail and password"
	}
	return err
}

// login proves the credentials with a new session.
func (a *api) login(ctx context.Context) error {
	var old ticket
	select {
	case old = <-a.session.gate:
	case <-ctx.Done():
		return driver.TransportError("log in", false, ctx.Err())
	}
	next, err := a.session.login(ctx, a)
	if err != nil && driver.ClassOf(err) != driver.ClassUnauthorized {
		next = old
	}
	a.session.gate <- next
	return err
}
