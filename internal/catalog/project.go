package catalog

import (
	"fmt"

	"selaras.dev/selaras/connectors/driver"
)

// Project returns what a channel should show for an item under its rules. It
// depends on nothing else.
//
// The error says why the price cannot be projected, with the SKU, the field
// and what to write instead; the other groups are set all the same.
func Project(item Item, rules *Rules) (Desired, error) {
	desired := Desired{SKU: item.SKU}
	if item.Removed {
		desired.Absent = true
		return desired, nil
	}
	if rules.Content {
		desired.Content = item.Content
	}
	if rules.Stock && item.ATS != nil {
		available := Available(*item.ATS, rules.SafetyStock, rules.MaxQuantity)
		if part, ok := item.Allotted.Of(rules.Channel.Name); ok {
			available = Available(part.Show, 0, rules.MaxQuantity)
		}
		desired.Available = &available
	}
	if rules.Price && item.Price != nil {
		asked, err := price(&item, rules)
		if err != nil {
			return desired, fmt.Errorf("price of %s on channel %s: %w", item.SKU, rules.Channel.Name, err)
		}
		desired.Price = asked
	}
	return desired, nil
}

// Available returns what buyers of a channel should see under the policy
// Shared: ats less the safety stock, at most maxQuantity, never below zero.
func Available(ats, safetyStock int64, maxQuantity *int64) int64 {
	available := ats - safetyStock
	if maxQuantity != nil {
		available = min(available, *maxQuantity)
	}
	return max(0, available)
}

// maxStoredQuantity is what a channel stores at most when its driver does not
// say it.
const maxStoredQuantity = 1<<31 - 1

// StockValue returns the quantity to write so that buyers see desired: on a
// channel that counts the goods on the shelf, the units reserved there, as
// last read, are added. limit is the largest quantity that the channel stores,
// 0 for 2^31-1.
func StockValue(desired, reserved int64, basis driver.StockBasis, limit int64) int64 {
	if limit <= 0 {
		limit = maxStoredQuantity
	}
	value := desired
	if basis == driver.BasisOnHand {
		value += max(0, reserved)
	}
	return max(0, min(value, limit))
}
