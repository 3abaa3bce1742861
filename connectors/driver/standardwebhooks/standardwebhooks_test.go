package standardwebhooks

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
)

// The example that the specification's libraries test themselves by.
const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	body      = `{"test": 2432232314}`
	id        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	timestamp = "1614265330"
	signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var sent = time.Unix(1614265330, 0)

func delivery(change func(http.Header)) driver.Delivery {
	header := http.Header{}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", timestamp)
	header.Set("webhook-signature", signature)
	if change != nil {
		change(header)
	}
	return driver.Delivery{Header: header, Body: []byte(body)}
}

func verifier(t testing.TB, secret string) Verifier {
	t.Helper()
	v, err := New(secret)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestThePublishedExampleIsTaken(t *testing.T) {
	t.Parallel()
	for _, written := range []string{secret, strings.TrimPrefix(secret, "whsec_"), secret + "\n"} {
		if err := verifier(t, written).Verify(delivery(nil), sent); err != nil {
			t.Errorf("with the secret %q: %v", written, err)
		}
	}
}

// A sender that rotates its secret signs with the old one and the new one, and
// may sign by another scheme too.
func TestOneOfSeveralSignaturesIsEnough(t *testing.T) {
	t.Parallel()
	other := "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
	for text, taken := range map[string]bool{
		signature:                        true,
		other + " " + signature:          true,
		signature + " " + other:          true,
		"v1a,c2lnbmF0dXJl  " + signature: true,
		other:                            false,
		strings.Replace(signature, "v1", "v2", 1): false,
		strings.TrimPrefix(signature, "v1,"):      false,
		"v1,":                                     false,
		"v1":                                      false,
		",":                                       false,
		signature + "," + signature:               false,
	} {
		err := verifier(t, secret).Verify(delivery(func(h http.Header) { h.Set("webhook-signature", text) }), sent)
		if (err == nil) != taken {
			t.Errorf("%q: %v, want taken %v", text, err, taken)
		}
	}
}

func TestTheTimestampMayBeOffByTheTolerance(t *testing.T) {
	t.Parallel()
	for off, taken := range map[time.Duration]bool{
		0: true, Tolerance: true, -Tolerance: true, Tolerance + time.Second: false, -Tolerance - time.Second: false, 24 * time.Hour: false,
	} {
		if err := verifier(t, secret).Verify(delivery(nil), sent.Add(off)); (err == nil) != taken {
			t.Errorf("%s later: %v, want taken %v", off, err, taken)
		}
	}
}

func TestWhatIsMissingOrNoNumberIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(http.Header){
		"no id":              func(h http.Header) { h.Del("webhook-id") },
		"no timestamp":       func(h http.Header) { h.Del("webhook-timestamp") },
		"no signature":       func(h http.Header) { h.Del("webhook-signature") },
		"a written time":     func(h http.Header) { h.Set("webhook-timestamp", "2021-02-25T15:02:10Z") },
		"a padded timestamp": func(h http.Header) { h.Set("webhook-timestamp", "0"+timestamp) },
		"a huge timestamp":   func(h http.Header) { h.Set("webhook-timestamp", "99999999999999999999") },
		"another timestamp":  func(h http.Header) { h.Set("webhook-timestamp", "1614265331") },
		"another id":         func(h http.Header) { h.Set("webhook-id", id+"x") },
		"all":                func(h http.Header) { clear(h) },
	} {
		err := verifier(t, secret).Verify(delivery(change), sent)
		if err == nil || driver.ClassOf(err) != driver.ClassUnauthorized {
			t.Errorf("%s: %v, want Unauthorized", name, err)
		}
	}
}

// Whatever is changed in a delivery, it is refused.
func TestAChangedBodyIsRefused(t *testing.T) {
	t.Parallel()
	v := verifier(t, secret)
	rapid.Check(t, func(t *rapid.T) {
		d := delivery(nil)
		d.Body = rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		if err := v.Verify(d, sent); (err == nil) != (string(d.Body) == body) {
			t.Fatalf("%q: %v", d.Body, err)
		}
	})
}

func TestALargeBodyIsInvalid(t *testing.T) {
	t.Parallel()
	d := delivery(nil)
	d.Body = make([]byte, MaxBody+1)
	if err := verifier(t, secret).Verify(d, sent); err == nil || driver.ClassOf(err) != driver.ClassInvalid {
		t.Errorf("got %v, want Invalid", err)
	}
}

// Everybody knows the empty key.
func TestWithoutASecretEveryDeliveryIsRefused(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]Verifier{"the zero Verifier": {}, "the empty secret": verifier(t, ""), "spaces": verifier(t, " \n")} {
		err := v.Verify(delivery(nil), sent)
		var e *driver.Error
		if !errors.As(err, &e) || e.Class != driver.ClassUnauthorized || e.Reason != "WebhookSecretMissing" {
			t.Errorf("%s: %v, want WebhookSecretMissing", name, err)
		}
	}
}

func TestSecretsThatAreNoneAreRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	short := base64.StdEncoding.EncodeToString(make([]byte, minKey-1))
	for _, text := range []string{"whsec_", "whsec_" + short, short, "whsec_not*base64*at*all*and*long*enough", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if _, err := New(text); !errors.Is(err, ErrSecret) || strings.Contains(err.Error(), text) && text != "whsec_" {
			t.Errorf("%q: %v, want ErrSecret", text, err)
		}
	}
}
