package vendure

import (
	"fmt"
	"math"

	"selaras.dev/selaras/connectors/driver"
)

// maxInt32 is the largest number of GraphQL's Int, in which stock is counted.
const maxInt32 = math.MaxInt32

// maxSafe is the largest integer that Vendure, a JavaScript program, keeps
// exact; its Money scalar is such a number.
const maxSafe = 1<<53 - 1

// Vendure stores every amount as an integer with the same number of decimals,
// MoneyStrategy.precision (2 unless the shop sets another), whatever the
// currency: 19.99 EUR are 1999, 500 JPY are 50000, and 1.234 BHD cannot be
// stored with two decimals.

// toStored converts an amount to the shop's integer.
func toStored(m driver.Money, precision int) (int64, error) {
	digits, ok := driver.Digits(m.Currency)
	if !ok {
		return 0, fmt.Errorf("%q is not an ISO 4217 currency", m.Currency)
	}
	if m.Minor < 0 {
		return 0, fmt.Errorf("a price cannot be negative: %s", m)
	}
	stored, exact := rescale(m.Minor, digits, precision)
	if !exact {
		return 0, fmt.Errorf("the shop stores %d decimals (MoneyStrategy.precision), too few for %s", precision, m)
	}
	if stored > maxSafe {
		return 0, fmt.Errorf("%s is larger than the shop can store", m)
	}
	return stored, nil
}

// fromStored converts the shop's integer to an amount; false when the amount
// has more decimals than its currency.
func fromStored(stored int64, currency string, precision int) (driver.Money, bool) {
	digits, ok := driver.Digits(currency)
	if !ok {
		return driver.Money{}, false
	}
	minor, exact := rescale(stored, precision, digits)
	return driver.Money{Minor: minor, Currency: currency}, exact
}

// rescale changes the number of decimals of a decimal integer; false when
// digits other than zero would be lost or the number does not fit.
func rescale(n int64, from, to int) (int64, bool) {
	for ; from < to; from++ {
		if n > math.MaxInt64/10 || n < math.MinInt64/10 {
			return 0, false
		}
		n *= 10
	}
	for ; from > to; from-- {
		if n%10 != 0 {
			return 0, false
		}
		n /= 10
	}
	return n, true
}
