package vendure

import (
	"net/http"
	"regexp"
	"strconv"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// graphqlError is one element of errors[] of an answer.
type graphqlError struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"`
	Extensions struct {
		Code string `json:"code"`
	} `json:"extensions"`
}

// The reasons of this driver's errors and outcomes; a bounded set.
const (
	reasonBadAnswer       = "BadAnswer"
	reasonBadCredentials  = "BadCredentials"
	reasonDatabase        = "ShopFailed"
	reasonDuplicate       = "DuplicateSKU"
	reasonForbidden       = "PermissionMissing"
	reasonHTTPStatus      = "HTTPStatus"
	reasonInterrupted     = "Interrupted"
	reasonNotAdminAPI     = "NotAnAdminAPI"
	reasonQuery           = "QueryNotUnderstood"
	reasonRefused         = "RefusedByShop"
	reasonThrottled       = "TooManyRequests"
	reasonUnknownChannel  = "UnknownChannelToken"
	reasonUnknownItem     = "UnknownItem"
	reasonInvalidQuantity = "InvalidQuantity"
	reasonInvalidPrice    = "InvalidPrice"
)

func invalid(op, reason, message string) *driver.Error {
	return &driver.Error{Class: driver.ClassInvalid, Op: op, Reason: reason, Message: driver.ClipMessage(message)}
}

// interrupted matches what database clients say when the connection broke
// under a statement: if that statement was the COMMIT, it may have been done.
var interrupted = regexp.MustCompile(`(?i)connection (terminated|ended|closed|lost|reset|was closed|is closed)|terminating connection|server closed the connection|ECONNRESET|EPIPE|socket hang up|PROTOCOL_CONNECTION_LOST`)

// outOfRange matches what databases say of a number that does not fit.
var outOfRange = regexp.MustCompile(`(?i)out of range`)

// classify turns the errors of an answer into one error. The first decides:
// Vendure runs the one operation of a request in one transaction, so there is
// one cause.
func classify(op string, write bool, errs []graphqlError) *driver.Error {
	first := errs[0]
	e := &driver.Error{Op: op, Message: driver.ClipMessage(first.Message)}
	blame := driver.ClassInvalid
	if write {
		blame = driver.ClassBatchRejected
	}
	switch first.Extensions.Code {
	case "FORBIDDEN", "UNAUTHORIZED":
		e.Class, e.Reason = driver.ClassUnauthorized, reasonForbidden
	case "CHANNEL_NOT_FOUND":
		// The message repeats the token, which is no secret, but no use either.
		e.Class, e.Reason = driver.ClassInvalid, reasonUnknownChannel
		e.Message = "the shop has no channel with config.channelToken"
	case "ENTITY_NOT_FOUND":
		e.Class, e.Reason = blame, reasonUnknownItem
	case "USER_INPUT_ERROR", "BAD_USER_INPUT", "ILLEGAL_OPERATION":
		e.Class, e.Reason = blame, reasonRefused
	case "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "BAD_REQUEST":
		e.Class, e.Reason = driver.ClassInvalid, reasonQuery
	case "", "INTERNAL_SERVER_ERROR":
		switch {
		case outOfRange.MatchString(first.Message):
			e.Class, e.Reason = blame, reasonRefused
		case write && interrupted.MatchString(first.Message):
			e.Class, e.Reason = driver.ClassUnknown, reasonInterrupted
		default:
			e.Class, e.Reason = driver.ClassTransient, reasonDatabase
		}
	default:
		e.Class, e.Reason = driver.ClassTransient, reasonRefused
	}
	if write && len(first.Path) > 1 {
		// The mutation itself was done; reading its result back failed.
		e.Class, e.Reason = driver.ClassUnknown, reasonInterrupted
	}
	return e
}

// fieldError is an error of one field of an operation, by its alias.
type fieldError struct {
	field string
	err   *driver.Error
}

func (e *fieldError) Error() string { return e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// inField adds the field to what the shop said of it.
func inField(said graphqlError, e *driver.Error) error {
	if len(said.Path) > 0 {
		if field, ok := said.Path[0].(string); ok {
			return &fieldError{field: field, err: e}
		}
	}
	return e
}

// classifyStatus turns an answer that is no GraphQL answer into an error.
func classifyStatus(op string, write bool, status int, header http.Header) *driver.Error {
	e := &driver.Error{Op: op, Reason: reasonHTTPStatus, Message: "the answer was HTTP " + strconv.Itoa(status)}
	switch {
	case status == http.StatusTooManyRequests,
		status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
		e.Class, e.Reason = driver.ClassThrottled, reasonThrottled
		e.RetryAfter = driver.RetryAfter(header, time.Now())
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		e.Class, e.Reason = driver.ClassUnauthorized, reasonForbidden
	case status == http.StatusServiceUnavailable:
		e.Class = driver.ClassTransient
	case status >= 500, status == http.StatusRequestTimeout:
		e.Class = driver.ClassTransient
		if write {
			e.Class = driver.ClassUnknown
		}
	case status == http.StatusRequestEntityTooLarge && write:
		e.Class = driver.ClassBatchRejected
	case status >= 300:
		e.Class, e.Reason = driver.ClassInvalid, reasonNotAdminAPI
		e.Message += "; the endpoint must be a Vendure Admin API"
	default:
		e.Class, e.Reason = driver.ClassTransient, reasonBadAnswer
		e.Message += " without a GraphQL answer; the endpoint must be a Vendure Admin API"
		if write {
			e.Class = driver.ClassUnknown
		}
	}
	return e
}
