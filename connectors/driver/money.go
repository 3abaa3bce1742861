package driver

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/bojanz/currency"
)

// Money is an amount in the minor unit of its currency: 1999 EUR cents are
// 19.99 EUR, 500 JPY are 500. The exponent of a currency comes from
// github.com/bojanz/currency, which follows CLDR and ISO 4217.
type Money struct {
	// Minor is the amount in minor units.
	Minor int64 `json:"minor"`
	// Currency is the ISO 4217 code in upper case.
	Currency string `json:"currency"`
}

// ErrMoney is wrapped by every error of ParseMoney.
var ErrMoney = errors.New("not an amount of money")

// Digits returns the number of decimals of a currency, and whether the
// currency is known.
func Digits(code string) (int, bool) {
	digits, ok := currency.GetDigits(code)
	return int(digits), ok
}

// ParseMoney reads a decimal number such as "19.99" in the given currency.
// More decimals than the currency has are refused, unless they are zeros.
func ParseMoney(decimal, code string) (Money, error) {
	digits, ok := Digits(code)
	if !ok {
		return Money{}, fmt.Errorf("%w: %q is not an ISO 4217 currency", ErrMoney, code)
	}
	amount, err := currency.NewAmount(strings.TrimSpace(decimal), code)
	if err != nil {
		return Money{}, fmt.Errorf("%w: %q", ErrMoney, decimal)
	}
	rounded := amount.RoundTo(uint8(digits), currency.RoundHalfEven)
	if !amount.Equal(rounded) {
		return Money{}, fmt.Errorf("%w: %q has more than %d decimals of %s", ErrMoney, decimal, digits, code)
	}
	minor, err := rounded.Int64()
	if err != nil {
		return Money{}, fmt.Errorf("%w: %q is too large", ErrMoney, decimal)
	}
	return Money{Minor: minor, Currency: code}, nil
}

// Decimal returns the amount as a decimal number such as "19.99", with the
// decimals of the currency.
func (m Money) Decimal() string {
	digits, _ := Digits(m.Currency)
	if digits == 0 {
		return fmt.Sprint(m.Minor)
	}
	scale := int64(math.Pow10(digits))
	sign, units, rest := "", m.Minor/scale, m.Minor%scale
	if m.Minor < 0 {
		sign, units, rest = "-", -units, -rest
	}
	return fmt.Sprintf("%s%d.%0*d", sign, units, digits, rest)
}

// String returns the amount and its currency, such as "19.99 EUR".
func (m Money) String() string { return m.Decimal() + " " + m.Currency }
