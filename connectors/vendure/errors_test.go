package vendure

import (
	"net/http"
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

func graphql(message, code string, path ...any) []graphqlError {
	e := graphqlError{Message: message, Path: path}
	e.Extensions.Code = code
	return []graphqlError{e}
}

// The messages are those a real server gave.
func TestErrorsInAnswersAreClassified(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		errs        []graphqlError
		read, write driver.Class
	}{
		{"no session", graphql("You are not currently authorized to perform this action", "FORBIDDEN"), driver.ClassUnauthorized, driver.ClassUnauthorized},
		{"gone item", graphql(`No ProductVariant with the id "99999" could be found`, "ENTITY_NOT_FOUND", "updateProductVariants"), driver.ClassInvalid, driver.ClassBatchRejected},
		{"refused value", graphql("stockOnHand cannot be a negative value", "USER_INPUT_ERROR", "updateProductVariants"), driver.ClassInvalid, driver.ClassBatchRejected},
		{"refused variable", graphql(`Variable "$c" got invalid value`, "BAD_USER_INPUT"), driver.ClassInvalid, driver.ClassBatchRejected},
		{"number too large", graphql(`value "10000000000" is out of range for type integer`, "", "updateProductVariants"), driver.ClassInvalid, driver.ClassBatchRejected},
		{"unknown field", graphql(`Cannot query field "x"`, "GRAPHQL_VALIDATION_FAILED"), driver.ClassInvalid, driver.ClassInvalid},
		{"deadlock", graphql("deadlock detected", "", "updateProductVariants"), driver.ClassTransient, driver.ClassTransient},
		{"database down", graphql("connect ECONNREFUSED 127.0.0.1:5432", ""), driver.ClassTransient, driver.ClassTransient},
		{"database lost under a statement", graphql("Connection terminated unexpectedly", "", "updateProductVariants"), driver.ClassTransient, driver.ClassUnknown},
		{"internal error", graphql("something", "INTERNAL_SERVER_ERROR", "updateProductVariants"), driver.ClassTransient, driver.ClassTransient},
		{"the answer could not be read after the commit", graphql("connect ECONNREFUSED", "", "updateProductVariants", 0, "stockLevels"), driver.ClassTransient, driver.ClassUnknown},
		{"a code of a plugin", graphql("no", "SOMETHING_ELSE"), driver.ClassTransient, driver.ClassTransient},
	} {
		if got := classify("x", false, c.errs); got.Class != c.read {
			t.Errorf("%s, reading: %s, want %s", c.name, got.Class, c.read)
		}
		if got := classify("x", true, c.errs); got.Class != c.write {
			t.Errorf("%s, writing: %s, want %s", c.name, got.Class, c.write)
		}
	}
}

func TestStatusesOfProxiesAreClassified(t *testing.T) {
	t.Parallel()
	retry := http.Header{"Retry-After": {"7"}}
	for _, c := range []struct {
		status      int
		header      http.Header
		read, write driver.Class
	}{
		{200, nil, driver.ClassTransient, driver.ClassUnknown},
		{301, nil, driver.ClassInvalid, driver.ClassInvalid},
		{401, nil, driver.ClassUnauthorized, driver.ClassUnauthorized},
		{403, nil, driver.ClassUnauthorized, driver.ClassUnauthorized},
		{404, nil, driver.ClassInvalid, driver.ClassInvalid},
		{408, nil, driver.ClassTransient, driver.ClassUnknown},
		{413, nil, driver.ClassInvalid, driver.ClassBatchRejected},
		{429, nil, driver.ClassThrottled, driver.ClassThrottled},
		{500, nil, driver.ClassTransient, driver.ClassUnknown},
		{502, nil, driver.ClassTransient, driver.ClassUnknown},
		{503, nil, driver.ClassTransient, driver.ClassTransient},
		{503, retry, driver.ClassThrottled, driver.ClassThrottled},
		{504, nil, driver.ClassTransient, driver.ClassUnknown},
	} {
		if got := classifyStatus("x", false, c.status, c.header); got.Class != c.read {
			t.Errorf("%d, reading: %s, want %s", c.status, got.Class, c.read)
		}
		if got := classifyStatus("x", true, c.status, c.header); got.Class != c.write {
			t.Errorf("%d, writing: %s, want %s", c.status, got.Class, c.write)
		}
	}
}
