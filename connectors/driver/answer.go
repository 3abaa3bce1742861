package driver

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxMessage is the most bytes of a message in an error or outcome.
const MaxMessage = 512

// ClipMessage bounds a message of a channel to what an outcome may carry.
func ClipMessage(message string) string {
	message = strings.ToValidUTF8(message, "?")
	if len(message) <= MaxMessage {
		return message
	}
	cut := MaxMessage - len("…")
	for cut > 0 && message[cut]&0xC0 == 0x80 {
		cut--
	}
	return message[:cut] + "…"
}

// RetryAfter reads the header of that name in both of its forms (RFC 9110,
// 10.2.3); zero when it is absent or past.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// OutcomeOf tells as an outcome of items what hit a call that was made for
// them alone.
func OutcomeOf(err error) Outcome {
	o := Outcome{Kind: Failed}
	var e *Error
	if !errors.As(err, &e) {
		return o
	}
	o.Reason, o.Message, o.RetryAfter = e.Reason, ClipMessage(e.Message), e.RetryAfter
	switch e.Class {
	case ClassThrottled:
		o.Kind = Throttled
	case ClassUnknown:
		o.Kind = Unknown
	case ClassBatchRejected:
		o.Kind = Rejected
	case ClassInvalid, ClassUnauthorized, ClassTransient, ClassTLS:
	}
	return o
}

// WithoutRedirects is the client, except that it follows no redirect: the
// credentials would go wherever it points.
func WithoutRedirects(client *http.Client) *http.Client {
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// EncodeCursor writes a position of a driver as an opaque cursor. The position
// is a struct that encoding/json can write.
func EncodeCursor(position any) Cursor {
	text, err := json.Marshal(position)
	if err != nil {
		// Positions are structs of numbers, strings and times.
		panic(err)
	}
	return Cursor(base64.RawURLEncoding.EncodeToString(text))
}

// DecodeCursor reads a position; the empty cursor leaves it as it is. The
// error is of class Invalid: the cursor is not one of this driver.
func DecodeCursor(op string, cursor Cursor, position any) error {
	if cursor == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(string(cursor))
	if err == nil {
		err = json.Unmarshal(text, position)
	}
	if err != nil {
		return &Error{Class: ClassInvalid, Op: op, Reason: "InvalidCursor", Message: "the cursor is not one of this driver; start from the empty one"}
	}
	return nil
}
