package shopify

import (
	"fmt"
	"net/http"
	"net/url"
)

// app is one that may be installed in the shop.
type app struct {
	id, secret string
	installed  bool
	tokens     map[string]bool
}

// Install installs an app and returns its client secret.
func (s *Shop) Install(clientID string) string {
	s.mu.Lock()
	secret := fmt.Sprintf("shpss_%s_%d", clientID, s.newID())
	s.mu.Unlock()
	s.InstallWith(clientID, secret)
	return secret
}

// InstallWith installs an app that has a client secret already: one app may be
// installed in several shops.
func (s *Shop) InstallWith(clientID, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps[clientID] = &app{id: clientID, secret: secret, installed: true, tokens: map[string]bool{}}
}

// FixedToken makes a token of the app that does not end, as apps made in the
// shop's own admin have.
func (s *Shop) FixedToken(clientID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newToken(s.apps[clientID])
}

// Rotate gives the app another client secret. Its tokens end with the old one.
func (s *Shop) Rotate(clientID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[clientID]
	a.secret, a.tokens = fmt.Sprintf("shpss_%s_%d", clientID, s.newID()), map[string]bool{}
	return a.secret
}

// Uninstall takes the app out of the shop: its tokens end, and none are given.
func (s *Shop) Uninstall(clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[clientID]
	a.installed, a.tokens = false, map[string]bool{}
}

// EndTokens ends all tokens, as their age does.
func (s *Shop) EndTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		a.tokens = map[string]bool{}
	}
}

func (s *Shop) newToken(a *app) string {
	token := fmt.Sprintf("shpat_%s_%d", a.id, s.newID())
	a.tokens[token] = true
	return token
}

// appOf is the app that the token is of, nil for none.
func (s *Shop) appOf(token string) *app {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		if a.installed && a.tokens[token] {
			return a
		}
	}
	return nil
}

// serveToken is the client credentials grant.
func (s *Shop) serveToken(w http.ResponseWriter, r *http.Request, body []byte) {
	fault, broken := s.meet("token", nil)
	if failed(w, fault, broken) {
		return
	}
	if fault.Lose || fault.Late {
		<-r.Context().Done()
		return
	}
	form, err := url.ParseQuery(string(body))
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[form.Get("client_id")]
	switch {
	case err != nil || form.Get("grant_type") != "client_credentials":
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
	case a == nil:
		answer(w, http.StatusBadRequest, map[string]any{"error": "application_cannot_be_found"})
	case form.Get("client_secret") != a.secret:
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_client"})
	case !a.installed:
		answer(w, http.StatusBadRequest, map[string]any{"error": "shop_not_permitted"})
	default:
		answer(w, http.StatusOK, map[string]any{"access_token": s.newToken(a), "scope": "write_products,write_inventory,read_orders", "expires_in": 86399})
	}
}
