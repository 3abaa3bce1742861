package medusa

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"selaras.dev/selaras/connectors/driver"
)

// maxSafe is the largest number of minor units that Medusa, a JavaScript
// program, keeps exact as a decimal.
const maxSafe = 1<<53 - 1

// price is one price of a variant: an amount in major units, for a currency and
// possibly for a region, a group of customers or a number of units only. Prices
// of price lists are not among them.
type price struct {
	ID       string            `json:"id,omitempty"`
	Amount   json.Number       `json:"amount"`
	Currency string            `json:"currency_code"`
	Min      *json.Number      `json:"min_quantity,omitempty"`
	Max      *json.Number      `json:"max_quantity,omitempty"`
	Rules    map[string]string `json:"rules,omitempty"`
}

const regionRule = "region_id"

// isFor says that the price is that of the currency, or that of the region, and
// depends on nothing else.
func (p price) isFor(currency, region string) bool {
	if !strings.EqualFold(p.Currency, currency) || p.Min != nil || p.Max != nil {
		return false
	}
	if region == "" {
		return len(p.Rules) == 0
	}
	return len(p.Rules) == 1 && p.Rules[regionRule] == region
}

// shown is the amount that buyers are asked for: the price of the region where
// there is one, else that of the currency.
func (v variant) shown(currency, region string) (string, bool) {
	for _, scope := range slices.Compact([]string{region, ""}) {
		for _, p := range v.Prices {
			if p.isFor(currency, scope) {
				return p.Amount.String(), true
			}
		}
	}
	return "", false
}

// priceList is the variant's full list of prices with the one of the region or
// currency changed: what is not in a list that is sent is deleted.
func (v variant) priceList(m driver.Money, region string) []price {
	list := slices.Clone(v.Prices)
	found := false
	for i, p := range list {
		if p.isFor(m.Currency, region) {
			list[i].Amount = json.Number(m.Decimal())
			found = true
		}
	}
	if found {
		return list
	}
	return append(list, newPrice(m, region))
}

func newPrice(m driver.Money, region string) price {
	p := price{Amount: json.Number(m.Decimal()), Currency: strings.ToLower(m.Currency)}
	if region != "" {
		p.Rules = map[string]string{regionRule: region}
	}
	return p
}

// checkPrice says why a price cannot be stored.
func checkPrice(m driver.Money, currency string) error {
	switch {
	case m.Currency != currency:
		return fmt.Errorf("the channel's currency is %s, not %q", currency, m.Currency)
	case m.Minor < 0:
		return fmt.Errorf("a price cannot be negative: %s", m)
	case m.Minor > maxSafe:
		return fmt.Errorf("%s is larger than the shop can store", m)
	}
	return nil
}

// quantity is a number that Medusa writes as a number or, in some answers, as
// a text.
type quantity int64

// UnmarshalJSON implements json.Unmarshaler. Parts of units are cut off.
func (q *quantity) UnmarshalJSON(text []byte) error {
	var n json.Number
	switch {
	case string(text) == "null":
		return nil
	case len(text) > 0 && text[0] == '"':
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
		n = json.Number(s)
	default:
		n = json.Number(text)
	}
	if i, err := n.Int64(); err == nil {
		*q = quantity(i)
		return nil
	}
	f, err := n.Float64()
	if err != nil {
		return fmt.Errorf("not a quantity: %s", n)
	}
	*q = quantity(f)
	return nil
}
