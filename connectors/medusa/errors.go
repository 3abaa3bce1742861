package medusa

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// apiError is the body of an answer that is an error.
type apiError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// The reasons of this driver's errors and outcomes; a bounded set.
const (
	reasonBadAnswer       = "BadAnswer"
	reasonBadCredentials  = "BadCredentials"
	reasonConflict        = "Conflict"
	reasonForbidden       = "PermissionMissing"
	reasonHTTPStatus      = "HTTPStatus"
	reasonNotLoggedIn     = "NotLoggedIn"
	reasonNotMedusa       = "NotAMedusaServer"
	reasonRefused         = "RefusedByShop"
	reasonShopFailed      = "ShopFailed"
	reasonThrottled       = "TooManyRequests"
	reasonUnknownItem     = "UnknownItem"
	reasonInvalidQuantity = "InvalidQuantity"
	reasonInvalidPrice    = "InvalidPrice"
)

func invalid(op, reason, message string) *driver.Error {
	return &driver.Error{Class: driver.ClassInvalid, Op: op, Reason: reason, Message: driver.ClipMessage(message)}
}

// classify turns an answer that is not 2xx into an error.
func classify(op string, write bool, status int, header http.Header, body []byte) *driver.Error {
	var told apiError
	ofMedusa := json.Unmarshal(body, &told) == nil && told.Message != ""
	e := &driver.Error{Op: op, Reason: reasonHTTPStatus, Message: "the answer was HTTP " + strconv.Itoa(status)}
	if ofMedusa {
		e.Message = driver.ClipMessage(told.Message)
	}
	blame := driver.ClassInvalid
	if write {
		blame = driver.ClassBatchRejected
	}
	switch {
	case status == http.StatusTooManyRequests,
		status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
		e.Class, e.Reason = driver.ClassThrottled, reasonThrottled
		e.RetryAfter = driver.RetryAfter(header, time.Now())
	case status == http.StatusUnauthorized:
		e.Class, e.Reason = driver.ClassUnauthorized, reasonNotLoggedIn
	case status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		e.Class, e.Reason = driver.ClassUnauthorized, reasonForbidden
	case status == http.StatusConflict:
		// A workflow that met another one has undone what it did.
		e.Class, e.Reason = driver.ClassTransient, reasonConflict
	case ofMedusa && status == http.StatusNotFound:
		e.Class, e.Reason = blame, reasonUnknownItem
	case ofMedusa && status < http.StatusInternalServerError, status == http.StatusRequestEntityTooLarge && write:
		e.Class, e.Reason = blame, reasonRefused
	case status == http.StatusServiceUnavailable:
		e.Class = driver.ClassTransient
	case status >= http.StatusInternalServerError, status == http.StatusRequestTimeout:
		// A workflow is several transactions: where one fails, the others are
		// undone, or were about to be.
		e.Class = driver.ClassTransient
		if ofMedusa {
			e.Reason = reasonShopFailed
		}
		if write {
			e.Class = driver.ClassUnknown
		}
	default:
		e.Class, e.Reason = driver.ClassInvalid, reasonNotMedusa
		e.Message += "; the endpoint must be a Medusa server"
	}
	return e
}

func rejected(reason, message string) driver.Outcome {
	return driver.Outcome{Kind: driver.Rejected, Reason: reason, Message: driver.ClipMessage(message)}
}

// isRejection says that nothing was applied because of what was sent.
func isRejection(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Class == driver.ClassBatchRejected
}
