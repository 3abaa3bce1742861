package shops

import (
	"context"
	"net/http"
	"sync"
)

// MedusaAPI is what merchants and shoppers do in a Medusa shop, wherever the
// shop runs. Its methods may be called concurrently.
type MedusaAPI struct {
	url, username, password string

	mu    sync.Mutex
	admin *rest // logged in; nil before the first call
	store *medusaStore
}

// NewMedusaAPI returns the API of a shop at an address without path, for its
// administrator.
func NewMedusaAPI(url, username, password string) *MedusaAPI {
	return &MedusaAPI{url: url, username: username, password: password}
}

// moveTo forgets what was known of the shop at the address before.
func (m *MedusaAPI) moveTo(url string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.url, m.admin, m.store = url, nil, nil
}

// URL is the server's address, without path.
func (m *MedusaAPI) URL() string { return m.url }

// Username is the administrator's address.
func (m *MedusaAPI) Username() string { return m.username }

// Password is the administrator's password.
func (m *MedusaAPI) Password() string { return m.password }

// Login proves the administrator's credentials and opens a new session. Other
// actions log in by themselves.
func (m *MedusaAPI) Login(ctx context.Context) error {
	var out struct {
		Token string `json:"token"`
	}
	err := newREST(m.URL(), http.Header{}).do(ctx, http.MethodPost, "/auth/user/emailpass",
		map[string]string{"email": m.username, "password": m.password}, &out)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.admin = newREST(m.URL(), http.Header{"Authorization": {"Bearer " + out.Token}})
	return nil
}

// call sends a request to the Admin API as the administrator.
func (m *MedusaAPI) call(ctx context.Context, method, path string, body, out any) error {
	m.mu.Lock()
	admin := m.admin
	m.mu.Unlock()
	if admin == nil {
		if err := m.Login(ctx); err != nil {
			return err
		}
		return m.call(ctx, method, path, body, out)
	}
	return admin.do(ctx, method, path, body, out)
}
