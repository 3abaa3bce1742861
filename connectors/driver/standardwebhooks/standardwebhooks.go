// Package standardwebhooks verifies deliveries that are signed after the
// Standard Webhooks specification (https://www.standardwebhooks.com), with its
// symmetric scheme v1: HMAC-SHA256 over "id.timestamp.body".
package standardwebhooks

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// The headers of a delivery.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

const (
	// SecretKey is the customary key of the signing secret in a channel's
	// Secret.
	SecretKey = "webhookSecret"
	// Tolerance is how far a delivery's timestamp may be off, either way: what
	// is older may be a replay.
	Tolerance = 5 * time.Minute
	// MaxBody bounds a body. Deliveries say where to look and little else.
	MaxBody = 1 << 20
	// minKey is the shortest key that the specification allows, in bytes.
	minKey = 24

	secretPrefix = "whsec_"
	scheme       = "v1"
)

// ErrSecret is the error of New.
var ErrSecret = fmt.Errorf("a webhook secret is %s and the base64 of at least %d bytes", secretPrefix, minKey)

// Verifier verifies deliveries by one secret. The zero Verifier has none and
// refuses every delivery.
type Verifier struct{ key []byte }

// New returns the Verifier of a secret, "whsec_" and base64; the prefix may be
// missing, as some senders show it so. The empty secret is that of the zero
// Verifier.
func New(secret string) (Verifier, error) {
	secret = strings.TrimSpace(secret)
	if secret == "" {
		return Verifier{}, nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) < minKey {
		// What base64 says of the text would show a part of it.
		return Verifier{}, ErrSecret
	}
	return Verifier{key: key}, nil
}

// Verify checks a delivery that arrived at the time now. Errors are of class
// Unauthorized, and Invalid where the body is larger than MaxBody.
func (v Verifier) Verify(delivery driver.Delivery, now time.Time) error {
	const op = "receive webhook"
	if len(v.key) == 0 {
		return &driver.Error{Class: driver.ClassUnauthorized, Op: op, Reason: "WebhookSecretMissing", Message: "the Secret has no key " + SecretKey}
	}
	if len(delivery.Body) > MaxBody {
		return &driver.Error{Class: driver.ClassInvalid, Op: op, Reason: "BodyTooLarge", Message: "the body is larger than 1 MiB"}
	}
	if err := v.verify(delivery, now); err != nil {
		return &driver.Error{Class: driver.ClassUnauthorized, Op: op, Reason: "BadSignature", Err: err}
	}
	return nil
}

func (v Verifier) verify(delivery driver.Delivery, now time.Time) error {
	header := http.Header(delivery.Header)
	id, timestamp, signatures := header.Get(HeaderID), header.Get(HeaderTimestamp), header.Get(HeaderSignature)
	if id == "" || timestamp == "" || signatures == "" {
		return fmt.Errorf("a delivery has the headers %s, %s and %s", HeaderID, HeaderTimestamp, HeaderSignature)
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("the header %s is a number of seconds", HeaderTimestamp)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return fmt.Errorf("the timestamp is more than %s off: clocks differ, or the delivery is a repeated one", Tolerance)
	}
	mac := hmac.New(sha256.New, v.key)
	_, _ = mac.Write(bytes.Join([][]byte{[]byte(id), []byte(timestamp), delivery.Body}, []byte(".")))
	want := mac.Sum(nil)
	// While a sender rotates its secret, it signs with both.
	for signature := range strings.FieldsSeq(signatures) {
		if text, ok := strings.CutPrefix(signature, scheme+","); ok && matches(text, want) {
			return nil
		}
	}
	return errors.New("no signature is one of this secret")
}

func matches(signature string, want []byte) bool {
	got, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && hmac.Equal(got, want)
}
