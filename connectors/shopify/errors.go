package shopify

import (
	"encoding/json"
	"net/http"
	"slices"
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

// graphqlErrors are the errors of an answer. Where Shopify does not come to
// GraphQL, it says them as one text.
type graphqlErrors []graphqlError

// UnmarshalJSON implements json.Unmarshaler.
func (g *graphqlErrors) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]graphqlError)(g))
	}
	var said string
	if string(text) != "null" && json.Unmarshal(text, &said) == nil {
		*g = graphqlErrors{{Message: said}}
	}
	return nil
}

// The reasons of this driver's errors and outcomes; a bounded set.
const (
	reasonBadAnswer       = "BadAnswer"
	reasonBadCredentials  = "BadCredentials"
	reasonDuplicate       = "DuplicateSKU"
	reasonForbidden       = "PermissionMissing"
	reasonHTTPStatus      = "HTTPStatus"
	reasonNotShopify      = "NotAShopifyShop"
	reasonOptionsDiffer   = "OptionsDiffer"
	reasonQuery           = "QueryNotUnderstood"
	reasonRefused         = "RefusedByShop"
	reasonShopFailed      = "ShopFailed"
	reasonShopUnavailable = "ShopUnavailable"
	reasonThrottled       = "TooManyRequests"
	reasonTokenRefused    = "TokenRefused"
	reasonTooCostly       = "TooCostly"
	reasonUnknownItem     = "UnknownItem"
	reasonInvalidQuantity = "InvalidQuantity"
	reasonInvalidPrice    = "InvalidPrice"
	reasonNotTracked      = "StockNotTracked"
)

func invalid(op, reason, message string) *driver.Error {
	return &driver.Error{Class: driver.ClassInvalid, Op: op, Reason: reason, Message: driver.ClipMessage(message)}
}

func rejected(reason, message string) driver.Outcome {
	return driver.Outcome{Kind: driver.Rejected, Reason: reason, Message: driver.ClipMessage(message)}
}

const codeThrottled = "THROTTLED"

// throttled says that the bucket did not hold enough points: nothing was done.
func throttled(errs []graphqlError) bool {
	return slices.ContainsFunc(errs, func(e graphqlError) bool { return e.Extensions.Code == codeThrottled })
}

// minThrottle is the wait where the shop does not say how long.
const minThrottle = time.Second

func throttledError(op string, cost *queryCost, header http.Header) *driver.Error {
	e := &driver.Error{Class: driver.ClassThrottled, Op: op, Reason: reasonThrottled, Message: "the shop asked for fewer requests", RetryAfter: driver.RetryAfter(header, time.Now())}
	if cost != nil {
		e.RetryAfter = max(e.RetryAfter, cost.wait())
	}
	if e.RetryAfter <= 0 {
		e.RetryAfter = minThrottle
	}
	return e
}

// classify turns an error of a GraphQL answer into one of a driver. It comes
// before a mutation was carried out, unless the shop itself failed.
func classify(op string, write bool, said graphqlError) *driver.Error {
	e := &driver.Error{Op: op, Message: driver.ClipMessage(said.Message)}
	switch said.Extensions.Code {
	case codeThrottled:
		return throttledError(op, nil, nil)
	case "ACCESS_DENIED":
		e.Class, e.Reason = driver.ClassUnauthorized, reasonForbidden
	case "SHOP_INACTIVE":
		e.Class, e.Reason = driver.ClassTransient, reasonShopUnavailable
	case "MAX_COST_EXCEEDED":
		e.Class, e.Reason = driver.ClassInvalid, reasonTooCostly
		if write {
			e.Class = driver.ClassBatchRejected
		}
	case "", "INTERNAL_SERVER_ERROR", "TIMEOUT":
		e.Class, e.Reason = driver.ClassTransient, reasonShopFailed
		if write {
			e.Class = driver.ClassUnknown
		}
	default:
		// The query is wrong, or a value of it is of another type.
		e.Class, e.Reason = driver.ClassInvalid, reasonQuery
		if write {
			e.Class = driver.ClassBatchRejected
		}
	}
	return e
}

// classifyStatus turns an answer that is no GraphQL answer into an error.
func classifyStatus(op string, write bool, status int, header http.Header) *driver.Error {
	e := &driver.Error{Op: op, Reason: reasonHTTPStatus, Message: "the answer was HTTP " + strconv.Itoa(status)}
	switch {
	case status == http.StatusTooManyRequests, status == securityRejection,
		status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
		return throttledError(op, nil, header)
	case status == http.StatusUnauthorized:
		e.Class, e.Reason = driver.ClassUnauthorized, reasonTokenRefused
	case status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		e.Class, e.Reason = driver.ClassUnauthorized, reasonForbidden
	case status == http.StatusPaymentRequired, status == http.StatusLocked:
		e.Class, e.Reason = driver.ClassTransient, reasonShopUnavailable
		e.Message += ": the shop is frozen or locked"
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
		e.Class, e.Reason = driver.ClassInvalid, reasonNotShopify
		e.Message += "; the endpoint must be the address of a Shopify shop"
	default:
		e = badAnswer(operation{what: op, write: write}, nil)
	}
	return e
}

// securityRejection is Shopify's own status for requests that look like an
// attack; it takes them again later.
const securityRejection = 430

// isRejection says that the shop refused what was asked, and did nothing.
func isRejection(err error) bool {
	return err != nil && driver.ClassOf(err) == driver.ClassBatchRejected
}

// userError is an error that a mutation answers about its input.
type userError struct {
	Field   []string `json:"field"`
	Message string   `json:"message"`
	Code    string   `json:"code"`
}

// item is the index of the list that the field path leads into, such as 3 of
// input.quantities.3.quantity.
func (u userError) item(list string) (int, bool) {
	for i, name := range u.Field {
		if name == list && i+1 < len(u.Field) {
			n, err := strconv.Atoi(u.Field[i+1])
			return n, err == nil && n >= 0
		}
	}
	return 0, false
}
