package catalog

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"selaras.dev/selaras/connectors/driver"
)

// price returns what the channel should ask for the item.
func price(item *Item, rules *Rules) (*driver.Money, error) {
	from, to := item.Price.Currency, rules.Currency
	if to == "" {
		to = from
	}
	rule := rules.PriceRule
	if rule == nil {
		if from != to {
			return nil, currencyError(from, to)
		}
		same := *item.Price
		return &same, nil
	}
	if from != to && !rule.converts() {
		return nil, currencyError(from, to)
	}
	digits, ok := driver.Digits(to)
	if !ok {
		return nil, fmt.Errorf("%q is not an ISO 4217 currency; set spec.currency of the Channel", to)
	}
	step := apd.New(1, int32(-digits))
	if rule.roundTo != nil {
		step = rule.roundTo
		if !multiple(step, apd.New(1, int32(-digits))) {
			return nil, fmt.Errorf("price.roundTo: %s cannot be paid in %s, which has %d decimals; write a multiple of %s",
				step.Text('f'), to, digits, apd.New(1, int32(-digits)).Text('f'))
		}
	}
	amount, err := rule.amount(item, &rules.Channel)
	if err != nil {
		return nil, err
	}
	amount, err = nearest(amount, step, apd.RoundHalfUp)
	if err != nil {
		return nil, fmt.Errorf("price.rule: %w", err)
	}
	if rule.floor != nil {
		floor, err := rule.floor.evaluate(item, &rules.Channel)
		if err != nil {
			return nil, fmt.Errorf("price.floor: %w", err)
		}
		if amount.Cmp(floor) < 0 {
			if amount, err = nearest(floor, step, apd.RoundCeiling); err != nil {
				return nil, fmt.Errorf("price.floor: %w", err)
			}
		}
	}
	if amount.Sign() < 0 {
		return nil, fmt.Errorf("price.rule: the price would be %s %s; write a rule that is never negative, or a floor", amount.Text('f'), to)
	}
	minor := new(apd.Decimal).Set(amount)
	minor.Exponent += int32(digits)
	units, err := minor.Int64()
	if err != nil {
		return nil, fmt.Errorf("price.rule: the price %s %s is too large", amount.Text('f'), to)
	}
	return &driver.Money{Minor: units, Currency: to}, nil
}

// converts says whether the rule takes care of prices in other currencies:
// what reads the price reads its currency, too.
func (r *PriceRule) converts() bool {
	if r.rule == nil || r.rule.readsPrice && !r.rule.readsCurrency {
		return false
	}
	return r.floor == nil || !r.floor.readsPrice || r.floor.readsCurrency
}

func (r *PriceRule) amount(item *Item, channel *ChannelScope) (*apd.Decimal, error) {
	if r.rule == nil {
		digits, _ := driver.Digits(item.Price.Currency)
		return apd.New(item.Price.Minor, int32(-digits)), nil
	}
	amount, err := r.rule.evaluate(item, channel)
	if err != nil {
		return nil, fmt.Errorf("price.rule: %w", err)
	}
	return amount, nil
}

func currencyError(from, to string) error {
	return fmt.Errorf(`%w: the source asks %s and the channel sells in %s; write a price rule that converts, such as item.currency == "%s" ? item.price * 1.00 : item.price with the rate in place of 1.00`,
		ErrCurrency, from, to, from)
}

var errTooManyDigits = errors.New("the number has too many digits to be a price")

// nearest returns the multiple of step that the rounding mode picks.
func nearest(amount, step *apd.Decimal, mode apd.Rounder) (*apd.Decimal, error) {
	// The quotient is rounded once: whole part and remainder are exact.
	whole, rest := new(apd.Decimal), new(apd.Decimal)
	wide := *exact
	wide.Traps = apd.DefaultTraps
	if _, err := wide.QuoInteger(whole, amount, step); err != nil {
		return nil, errTooManyDigits
	}
	if _, err := wide.Rem(rest, amount, step); err != nil {
		return nil, errTooManyDigits
	}
	if !rest.IsZero() && away(rest, step, mode) {
		one := apd.New(1, 0)
		if rest.Negative {
			one.Negative = true
		}
		if _, err := exact.Add(whole, whole, one); err != nil {
			return nil, errTooManyDigits
		}
	}
	result := new(apd.Decimal)
	if _, err := exact.Mul(result, whole, step); err != nil {
		return nil, errTooManyDigits
	}
	return result, nil
}

// away says whether a remainder takes the result one step away from zero.
func away(rest, step *apd.Decimal, mode apd.Rounder) bool {
	if mode == apd.RoundCeiling {
		return !rest.Negative
	}
	twice := new(apd.Decimal)
	if _, err := exact.Mul(twice, rest, apd.New(2, 0)); err != nil {
		// More digits than can be doubled exactly: no tie then, compare a half.
		half := new(apd.Decimal)
		_, _ = quotient.Quo(half, step, apd.New(2, 0))
		return new(apd.Decimal).Abs(rest).Cmp(half) >= 0
	}
	return twice.Abs(twice).Cmp(step) >= 0
}

func multiple(amount, step *apd.Decimal) bool {
	rest := new(apd.Decimal)
	_, err := exact.Rem(rest, amount, step)
	return err == nil && rest.IsZero()
}
