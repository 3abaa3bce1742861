package driver_test

import (
	"net/url"
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

func TestOnePlaceHasOneAddress(t *testing.T) {
	t.Parallel()
	for want, ways := range map[string][]string{
		"shop.example.com/admin-api": {
			"https://shop.example.com/admin-api", "http://shop.example.com/admin-api/", "https://Shop.Example.COM:443/admin-api",
			"http://shop.example.com:80/admin-api//", "https://shop.example.com./admin-api",
		},
		"shop.example.com:8443/admin-api": {"https://shop.example.com:8443/admin-api/"},
		"shop.example.com":                {"https://shop.example.com/", "https://shop.example.com"},
		"[2001:db8::1]:3000":              {"http://[2001:DB8::1]:3000/"},
		"[2001:db8::1]":                   {"http://[2001:db8::1]:80"},
	} {
		for _, way := range ways {
			u, err := url.Parse(way)
			if err != nil {
				t.Fatal(err)
			}
			if got := driver.Address(u); got != want {
				t.Errorf("%s is at %s, want %s", way, got, want)
			}
		}
	}
}
