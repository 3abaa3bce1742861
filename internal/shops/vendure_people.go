package shops

import (
	"context"
	"fmt"
)

// CreateAdministrator adds a person, or a connector, with all rights.
func (v *VendureAPI) CreateAdministrator(ctx context.Context, username, password string) error {
	var roles struct {
		Roles struct {
			Items []struct {
				ID   string `json:"id"`
				Code string `json:"code"`
			} `json:"items"`
		} `json:"roles"`
	}
	if err := v.call(ctx, `{ roles { items { id code } } }`, nil, &roles); err != nil {
		return err
	}
	role := ""
	for _, r := range roles.Roles.Items {
		if r.Code == "__super_admin_role__" {
			role = r.ID
		}
	}
	return v.call(ctx, `mutation($i: CreateAdministratorInput!) { createAdministrator(input: $i) { id } }`,
		map[string]any{"i": map[string]any{
			"firstName": "Selaras", "lastName": "Connector", "emailAddress": username,
			"password": password, "roleIds": []string{role},
		}}, nil)
}

// SetAdministratorPassword gives an administrator a new password. Sessions that
// are open stay valid, as Vendure does it.
func (v *VendureAPI) SetAdministratorPassword(ctx context.Context, username, password string) error {
	id, err := v.administrator(ctx, username)
	if err != nil {
		return err
	}
	return v.call(ctx, `mutation($i: UpdateAdministratorInput!) { updateAdministrator(input: $i) { id } }`,
		map[string]any{"i": map[string]any{"id": id, "password": password}}, nil)
}

// DeleteAdministrator takes an administrator's access away; open sessions end.
func (v *VendureAPI) DeleteAdministrator(ctx context.Context, username string) error {
	id, err := v.administrator(ctx, username)
	if err != nil {
		return err
	}
	return v.call(ctx, `mutation($id: ID!) { deleteAdministrator(id: $id) { result } }`,
		map[string]any{"id": id}, nil)
}

func (v *VendureAPI) administrator(ctx context.Context, username string) (id string, err error) {
	var out struct {
		Administrators struct {
			Items []struct {
				ID           string `json:"id"`
				EmailAddress string `json:"emailAddress"`
			} `json:"items"`
		} `json:"administrators"`
	}
	err = v.call(ctx, `query($o: AdministratorListOptions) { administrators(options: $o) { items { id emailAddress } } }`,
		map[string]any{"o": map[string]any{"filter": map[string]any{"emailAddress": map[string]string{"eq": username}}}}, &out)
	if err != nil {
		return "", err
	}
	if len(out.Administrators.Items) == 0 {
		return "", fmt.Errorf("shops: %s has no administrator %s", v.URL(), username)
	}
	return out.Administrators.Items[0].ID, nil
}
