package woocommerce

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // WooCommerce takes HMAC-SHA1 too
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// timestampAge is how old a signed request may be.
const timestampAge = 15 * time.Minute

func unauthorized(message string) error {
	return refuse(http.StatusUnauthorized, "woocommerce_rest_authentication_error", message)
}

// authenticate finds out whose request it is, and whether it may do that. A key
// in plain sight is taken over TLS only: over plain HTTP it is passed over, as
// if there were none.
func (s *Shop) authenticate(q *request) error {
	k, err := s.keyOf(q)
	if err != nil {
		return err
	}
	if k == nil {
		return refuse(http.StatusUnauthorized, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
	}
	if q.Method != http.MethodGet && q.Method != http.MethodHead && !k.writes {
		return unauthorized("The API key provided does not have write permissions.")
	}
	return nil
}

func (s *Shop) keyOf(q *request) (*key, error) {
	if q.TLS == nil {
		return s.signedKey(q)
	}
	name, secret, ok := q.BasicAuth()
	if !ok {
		name, secret = q.query.Get("consumer_key"), q.query.Get("consumer_secret")
	}
	k := s.keys[name]
	if k == nil {
		return nil, nil
	}
	if !hmac.Equal([]byte(k.secret), []byte(secret)) {
		return nil, unauthorized("Consumer secret is invalid.")
	}
	return k, nil
}

// signedKey checks a signed request (RFC 5849 without a token).
func (s *Shop) signedKey(q *request) (*key, error) {
	params := map[string][]string{}
	for name, values := range q.query {
		params[name] = values
	}
	if header, ok := strings.CutPrefix(q.Header.Get("Authorization"), "OAuth "); ok {
		for field := range strings.SplitSeq(header, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			if text, err := url.PathUnescape(strings.Trim(value, `"`)); err == nil {
				params[name] = []string{text}
			}
		}
	}
	get := func(name string) string {
		if len(params[name]) == 0 {
			return ""
		}
		return params[name][0]
	}
	if get("oauth_consumer_key") == "" {
		return nil, nil
	}
	for _, name := range []string{"oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method"} {
		if get(name) == "" {
			return nil, unauthorized("Missing OAuth parameter " + name)
		}
	}
	k := s.keys[get("oauth_consumer_key")]
	if k == nil {
		return nil, unauthorized("Consumer key is invalid.")
	}
	signature := get("oauth_signature")
	delete(params, "oauth_signature")
	if want, ok := sign(q.Method, s.home(q.Request)+q.URL.EscapedPath(), params, get("oauth_signature_method"), k.secret); !ok {
		return nil, unauthorized("Invalid signature - signature method is invalid.")
	} else if !hmac.Equal([]byte(want), []byte(signature)) {
		return nil, unauthorized("Invalid signature - provided signature does not match.")
	}
	return k, s.checkNonce(get("oauth_consumer_key"), get("oauth_nonce"), get("oauth_timestamp"))
}

func sign(method, address string, params map[string][]string, algorithm, secret string) (string, bool) {
	algorithms := map[string]func() hash.Hash{"HMAC-SHA1": sha1.New, "HMAC-SHA256": sha256.New}
	if algorithms[algorithm] == nil {
		return "", false
	}
	var pairs []string
	for name, values := range params {
		for _, value := range values {
			pairs = append(pairs, rawurlencode(name)+"="+rawurlencode(value))
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(algorithms[algorithm], []byte(secret+"&"))
	_, _ = mac.Write([]byte(method + "&" + rawurlencode(address) + "&" + rawurlencode(strings.Join(pairs, "&"))))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)), true
}

// rawurlencode is PHP's.
func rawurlencode(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// checkNonce lets each nonce of a key through once, while its time is near.
func (s *Shop) checkNonce(name, nonce, timestamp string) error {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if age := s.clock().Sub(time.Unix(seconds, 0)).Abs(); err != nil || age > timestampAge {
		return unauthorized("Invalid timestamp.")
	}
	used := name + " " + nonce
	if s.nonces[used] {
		return unauthorized("Invalid nonce - nonce has already been used.")
	}
	s.nonces[used] = true
	return nil
}
