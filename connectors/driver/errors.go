package driver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Class says what a caller can do about an error (DESIGN §8).
type Class string

// The classes of error.
const (
	// ClassInvalid: the settings or the request cannot be right; no retry.
	ClassInvalid Class = "Invalid"
	// ClassUnauthorized: the credentials were refused.
	ClassUnauthorized Class = "Unauthorized"
	// ClassThrottled: too many calls; RetryAfter where the channel says it.
	ClassThrottled Class = "Throttled"
	// ClassTransient: nothing was done; a later try may succeed.
	ClassTransient Class = "Transient"
	// ClassUnknown: a write was sent and its fate is not known.
	ClassUnknown Class = "Unknown"
	// ClassBatchRejected: nothing of the batch was applied, because of an item
	// that the channel does not point out.
	ClassBatchRejected Class = "BatchRejected"
	// ClassTLS: the channel's certificate was not accepted.
	ClassTLS Class = "TLS"
)

// ReasonOtherAccount is the reason of a ClassTransient error by which a
// connection says that the channel answers for another account than it was
// opened on: another shop stands behind the endpoint. Nothing was sent to it.
const ReasonOtherAccount = "OtherAccount"

// ReasonStale is the reason of a Failed outcome by which a CompareAndSet channel
// says that it does not store StockWrite.Previous any more. Nothing was written;
// the listing must be read before it is written again.
const ReasonStale = "Stale"

// Error is an error of a driver: what was tried on what, why it failed, and
// what can be done about it.
type Error struct {
	Class Class
	// Op is what was tried, such as "read listings".
	Op string
	// Reason is a short CamelCase code, bounded in number.
	Reason string
	// Message is the channel's own message, no secrets.
	Message string
	// RetryAfter is set with ClassThrottled where the channel says it.
	RetryAfter time.Duration
	// Err is the cause, if there is one.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s", e.Op, e.Class)
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of an error of a driver; Transient for any other.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return ClassTransient
}

// TransportError classifies the error of an HTTP round trip. A write (any
// request that may change the channel) whose request may have left is
// Unknown; one that certainly did not is Transient.
func TransportError(op string, write bool, err error) *Error {
	e := &Error{Class: ClassTransient, Op: op, Reason: "Unreachable", Err: bare(err)}
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		dial         *net.OpError
		throttled    *Error
	)
	switch {
	case errors.As(err, &throttled):
		return throttled
	case errors.As(err, &verification), errors.As(err, &authority), errors.As(err, &hostname):
		e.Class, e.Reason = ClassTLS, "CertificateNotTrusted"
	case errors.As(err, &dial) && dial.Op == "dial":
		// The connection was never made: nothing was sent.
	case write:
		e.Class, e.Reason = ClassUnknown, "NoAnswer"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		e.Reason = "Timeout"
	}
	return e
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// bare takes the URL out of an error: a query may hold a signature or token.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
