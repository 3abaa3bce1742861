package shops

// VendureAPI is what merchants and shoppers do in a Vendure shop, wherever the
// shop runs. Its methods may be called concurrently.
type VendureAPI struct {
	url, username, password string
	admin                   *graphql
}

// NewVendureAPI returns the API of a shop at an address without path, for its
// superadmin.
func NewVendureAPI(url, username, password string) *VendureAPI {
	return &VendureAPI{url: url, username: username, password: password, admin: newGraphQL(url + "/admin-api")}
}

// URL is the shop's address, without path.
func (v *VendureAPI) URL() string { return v.url }

// AdminURL is the address of the Admin API.
func (v *VendureAPI) AdminURL() string { return v.url + "/admin-api" }

// ShopURL is the address of the Shop API, which shoppers use.
func (v *VendureAPI) ShopURL() string { return v.url + "/shop-api" }

// Username is the superadmin's name.
func (v *VendureAPI) Username() string { return v.username }

// Password is the superadmin's password.
func (v *VendureAPI) Password() string { return v.password }
