package shops

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// CreateUser adds a user of the admin, as an invitation does.
func (m *MedusaAPI) CreateUser(ctx context.Context, email, password string) error {
	var invited struct {
		Invite identified `json:"invite"`
	}
	if err := m.post(ctx, "/admin/invites", map[string]any{"email": email}, &invited); err != nil {
		return err
	}
	var registered struct {
		Token string `json:"token"`
	}
	err := newREST(m.URL(), http.Header{}).do(ctx, http.MethodPost, "/auth/user/emailpass/register",
		map[string]string{"email": email, "password": password}, &registered)
	if err != nil {
		return err
	}
	return newREST(m.URL(), http.Header{"Authorization": {"Bearer " + registered.Token}}).do(ctx, http.MethodPost,
		"/admin/invites/accept?token="+url.QueryEscape(invited.Invite.Token),
		map[string]string{"first_name": "Shop", "last_name": "Keeper"}, nil)
}

// DeleteUser takes a user away. Tokens given out to the user work on until they
// expire.
func (m *MedusaAPI) DeleteUser(ctx context.Context, email string) error {
	var found struct {
		Users []identified `json:"users"`
	}
	if err := m.call(ctx, http.MethodGet, "/admin/users?email="+url.QueryEscape(email), nil, &found); err != nil {
		return err
	}
	if len(found.Users) != 1 {
		return fmt.Errorf("shops: %s has %d users %q", m.URL(), len(found.Users), email)
	}
	return m.call(ctx, http.MethodDelete, "/admin/users/"+found.Users[0].ID, nil, nil)
}
