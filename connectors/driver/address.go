package driver

import (
	"net/url"
	"strings"
)

// Address is where a URL leads, for an Account's ID: one text for the ways in
// which one place is written. Scheme, capitals, the scheme's own port, a final
// dot of the host and slashes at the end make no difference. Two names of one
// host do.
func Address(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		host += ":" + port
	}
	return host + strings.TrimRight(u.Path, "/")
}
