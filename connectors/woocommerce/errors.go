package woocommerce

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"selaras.dev/selaras/connectors/driver"
)

// apiError is an error of WordPress or WooCommerce: the body of an answer, or
// the part of one that is about an item of a batch.
type apiError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Status int `json:"status"`
	} `json:"data"`
}

// UnmarshalJSON takes data that is no object for none: WordPress leaves it null
// or a list where an error has none.
func (e *apiError) UnmarshalJSON(text []byte) error {
	var told struct {
		Code    json.RawMessage `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return err
	}
	e.Message = told.Message
	_ = json.Unmarshal(told.Code, &e.Code) // older plugins have numbers
	_ = json.Unmarshal(told.Data, &e.Data)
	return nil
}

// The reasons of this driver's errors and outcomes; a bounded set.
const (
	reasonAltered         = "AlteredByShop"
	reasonBadAnswer       = "BadAnswer"
	reasonBadCredentials  = "BadCredentials"
	reasonDuplicate       = "DuplicateSKU"
	reasonForbidden       = "PermissionMissing"
	reasonHTTPStatus      = "HTTPStatus"
	reasonInvalidPrice    = "InvalidPrice"
	reasonInvalidQuantity = "InvalidQuantity"
	reasonKeyTaken        = "ProductKeyTaken"
	reasonNoAnswer        = "NoAnswer"
	reasonNotWooCommerce  = "NotAWooCommerceShop"
	reasonOptionsDiffer   = "OptionsDiffer"
	reasonProductDiffers  = "ProductDiffers"
	reasonRefused         = "RefusedByShop"
	reasonShopFailed      = "ShopFailed"
	reasonSignature       = "SignatureRefused"
	reasonStockNotTracked = "StockNotTracked"
	reasonThrottled       = "TooManyRequests"
	reasonTooLarge        = "BatchTooLarge"
	reasonUnknownItem     = "UnknownItem"
)

// Codes of WordPress and WooCommerce.
const (
	codeNoRoute       = "rest_no_route"
	codeAuthenticate  = "woocommerce_rest_authentication_error"
	codeInvalidSKU    = "product_invalid_sku"
	codeNotCreated    = "woocommerce_rest_product_not_created"
	codeBatchTooLarge = "woocommerce_rest_request_entity_too_large"
)

func invalid(op, reason, message string) *driver.Error {
	return &driver.Error{Class: driver.ClassInvalid, Op: op, Reason: reason, Message: driver.ClipMessage(message)}
}

// classify turns an answer that is not 2xx into an error.
func classify(op string, write bool, status int, header http.Header, body []byte) *driver.Error {
	var told apiError
	ofWordPress := json.Unmarshal(body, &told) == nil && told.Code != ""
	e := &driver.Error{Op: op, Reason: reasonHTTPStatus, Message: "the answer was HTTP " + strconv.Itoa(status)}
	if ofWordPress {
		e.Message = driver.ClipMessage(told.Message)
	}
	blame := driver.ClassInvalid
	if write {
		blame = driver.ClassBatchRejected
	}
	switch {
	case status == http.StatusTooManyRequests,
		status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
		// Hosts and their caches limit in front of the shop; a shop that is being
		// updated answers 503 with the time it takes.
		e.Class, e.Reason = driver.ClassThrottled, reasonThrottled
		e.RetryAfter = driver.RetryAfter(header, time.Now())
	case status == http.StatusUnauthorized && isReplay(told):
		e.Class, e.Reason = driver.ClassTransient, reasonSignature
	case status == http.StatusUnauthorized:
		e.Class, e.Reason = driver.ClassUnauthorized, reasonBadCredentials
	case status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		e.Class, e.Reason = driver.ClassUnauthorized, reasonForbidden
	case told.Code == codeNoRoute:
		e.Class, e.Reason = driver.ClassInvalid, reasonNotWooCommerce
		e.Message += "; WooCommerce 5.8 or newer must be active"
	case told.Code == codeBatchTooLarge, status == http.StatusRequestEntityTooLarge && write:
		e.Class, e.Reason = blame, reasonTooLarge
	case ofWordPress && status == http.StatusNotFound:
		e.Class, e.Reason = blame, reasonUnknownItem
	case ofWordPress && status >= 400 && status < 500:
		e.Class, e.Reason = blame, reasonRefused
	case status >= 500, status == http.StatusRequestTimeout:
		e.Class = driver.ClassTransient
		if ofWordPress {
			// What WordPress says of a fault of PHP is a page of HTML.
			e.Reason, e.Message = reasonShopFailed, "the shop failed: "+told.Code
		}
		if write {
			e.Class = driver.ClassUnknown
		}
	default:
		e.Class, e.Reason = driver.ClassInvalid, reasonNotWooCommerce
		e.Message += "; the endpoint must be the address of a WordPress site, with permalinks other than plain"
	}
	return e
}

// isReplay says that a signed request was taken for a repeated one: a client
// sends a reading again when a connection broke under it.
func isReplay(told apiError) bool {
	return told.Code == codeAuthenticate && strings.Contains(strings.ToLower(told.Message), "nonce")
}

// rejection is the outcome of an item of a batch that was refused by itself.
func rejection(told apiError) driver.Outcome {
	o := driver.Outcome{Kind: driver.Rejected, Reason: reasonRefused, Message: driver.ClipMessage(told.Message)}
	if o.Message == "" {
		o.Message = told.Code
	}
	switch {
	case told.Code == codeInvalidSKU, told.Code == codeNotCreated && strings.Contains(told.Message, "SKU"):
		o.Reason = reasonDuplicate
	case strings.HasSuffix(told.Code, "_invalid_id"):
		o.Reason = reasonUnknownItem
	case told.Data.Status == http.StatusUnauthorized, told.Data.Status == http.StatusForbidden:
		o.Reason = reasonForbidden
	case told.Data.Status >= 500:
		o.Kind, o.Reason = driver.Failed, reasonShopFailed
	}
	return o
}

func rejected(reason, message string) driver.Outcome {
	return driver.Outcome{Kind: driver.Rejected, Reason: reason, Message: driver.ClipMessage(message)}
}

// hasReason says that the error is one of this driver for the reason.
func hasReason(err error, reason string) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Reason == reason
}

// isRejection says that nothing was applied because of what was sent.
func isRejection(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Class == driver.ClassBatchRejected
}
