package woocommerce

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// authorize says whose request it is. Over HTTPS the key and its secret go along;
// over plain HTTP, where anybody could read them, the request is signed instead
// (OAuth 1.0a without a token, RFC 5849): WooCommerce takes nothing else there.
func (a *api) authorize(request *http.Request) {
	if request.URL.Scheme == "https" {
		request.SetBasicAuth(a.key, a.secret)
		return
	}
	request.Header.Set("Authorization", oauthHeader(request, a.key, a.secret, rand.Text(), time.Now()))
}

// oauthHeader signs the request: method, address and query, not its body. The
// address must be the one that the site knows as its own.
func oauthHeader(request *http.Request, key, secret, nonce string, now time.Time) string {
	oauth := map[string]string{
		"oauth_consumer_key":     key,
		"oauth_nonce":            nonce,
		"oauth_signature_method": "HMAC-SHA256",
		"oauth_timestamp":        strconv.FormatInt(now.Unix(), 10),
		"oauth_version":          "1.0",
	}
	mac := hmac.New(sha256.New, []byte(secret+"&"))
	_, _ = mac.Write([]byte(signatureBase(request, oauth)))
	oauth["oauth_signature"] = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	fields := make([]string, 0, len(oauth))
	for name, value := range oauth {
		fields = append(fields, name+`="`+escape(value)+`"`)
	}
	slices.Sort(fields)
	return "OAuth " + strings.Join(fields, ", ")
}

// signatureBase is the text that is signed (RFC 5849, 3.4.1).
func signatureBase(request *http.Request, oauth map[string]string) string {
	var pairs []string
	for name, value := range oauth {
		pairs = append(pairs, escape(name)+"="+escape(value))
	}
	for name, values := range request.URL.Query() {
		for _, value := range values {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	slices.Sort(pairs)
	address := url.URL{Scheme: request.URL.Scheme, Host: request.URL.Host, Path: request.URL.Path, RawPath: request.URL.RawPath}
	return request.Method + "&" + escape(address.String()) + "&" + escape(strings.Join(pairs, "&"))
}

// escape is the percent-encoding of RFC 3986, which knows no +.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
