package conformance

import (
	"fmt"
	"math"
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

func (s *suite) stockCases() []testCase {
	stock := s.has(driver.CanWriteStock)
	return []testCase{
		{"ZeroAndMaximumQuantitiesAreStored", []needs{stock}, extremeQuantities},
		{"ImpossibleQuantitiesAreRejectedAlone", []needs{stock}, impossibleQuantities},
	}
}

func (s *suite) moneyCases() []testCase {
	price := s.has(driver.CanWritePrice)
	return []testCase{
		{"PricesKeepTheirDecimals", []needs{price, {"further currencies", len(s.shop.Currencies) > 0}}, currencies},
		{"AnotherCurrencyIsRejected", []needs{price}, anotherCurrency},
	}
}

func (s *suite) maxQuantity() int64 {
	if most := s.description.Traits.MaxQuantity; most > 0 {
		return most
	}
	return math.MaxInt32
}

func extremeQuantities(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	sku := s.add(t, ctx, "QTY")
	for _, units := range []int64{0, s.maxQuantity(), 1, 0} {
		l := c.listing(t, ctx, sku)
		outcomes, err := c.write(ctx, driver.Intent{Key: driver.Key{SKU: sku, Ref: l.Ref}, Stock: s.stockWrite(units, l)})
		if err != nil {
			t.Fatal(err)
		}
		c.taken(t, outcomes[0])
		if got := c.levels(t, ctx, sku); got.OnHand != units {
			t.Errorf("%s, want %d on hand", got, units)
		}
	}
}

func impossibleQuantities(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	bad, good := s.add(t, ctx, "QTY"), s.add(t, ctx, "QTY")
	for n, units := range []int64{-1, s.maxQuantity() + 1, math.MinInt64, math.MaxInt64} {
		outcomes, err := c.write(ctx,
			driver.Intent{Key: driver.Key{SKU: bad}, Stock: &driver.StockWrite{Quantity: units}},
			driver.Intent{Key: driver.Key{SKU: good}, Stock: s.stockWrite(int64(n), c.listing(t, ctx, good))},
		)
		if err != nil {
			t.Fatal(err)
		}
		if outcomes[0].Kind != driver.Rejected || outcomes[0].Reason == "" {
			t.Errorf("%d units: %+v, want Rejected", units, outcomes[0])
		}
		c.taken(t, outcomes[1])
		if got := c.levels(t, ctx, bad); got.OnHand != 40 {
			t.Errorf("after %d units were rejected: %s, want 40 on hand", units, got)
		}
	}
}

// A price is stored as it is written, or refused: never rounded, never taken
// for a hundred times as much.
func currencies(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "CUR")
	for _, code := range s.shop.Currencies {
		digits, ok := driver.Digits(code)
		if !ok {
			t.Fatalf("%s is no currency", code)
		}
		c := s.open(t, withCurrency(code))
		stored := 0
		for _, minor := range []int64{0, 1, 10, 1990, 1234567, 100000000} {
			price := driver.Money{Minor: minor, Currency: code}
			outcomes, err := c.write(ctx, driver.Intent{Key: driver.Key{SKU: sku}, Price: &price})
			if err != nil {
				t.Fatalf("%s (%d decimals): %v", price, digits, err)
			}
			if outcomes[0].Kind == driver.Rejected {
				t.Logf("%s is refused: %s", price, outcomes[0].Message)
				continue
			}
			c.taken(t, outcomes[0])
			stored++
			if l := c.listing(t, ctx, sku); l.Price == nil || *l.Price != price {
				t.Errorf("wrote %s, read %v", price, l.Price)
			}
			shown, err := s.shop.Show(ctx, sku)
			if err != nil {
				t.Fatal(err)
			}
			if shown.Prices[code] != minor {
				t.Errorf("wrote %s, the shop stores %s", price, driver.Money{Minor: shown.Prices[code], Currency: code})
			}
		}
		if stored < 4 {
			t.Errorf("%s: only %d of 6 prices could be stored", code, stored)
		}
	}
	if l := s.open(t).listing(t, ctx, sku); *l.Price != s.money(1999) {
		t.Errorf("the price in %s became %v", s.shop.Settings.Currency, l.Price)
	}
}

func anotherCurrency(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	sku := s.add(t, ctx, "CUR")
	for _, price := range []driver.Money{{Minor: 5, Currency: "CHF"}, {Minor: 5, Currency: "ZZZ"}, {Minor: 5}, s.money(-1)} {
		outcomes, err := c.write(ctx, driver.Intent{Key: driver.Key{SKU: sku}, Price: &price})
		if err != nil {
			t.Fatal(err)
		}
		if outcomes[0].Kind != driver.Rejected {
			t.Errorf("%s: %+v, want Rejected", fmt.Sprint(price.Minor, price.Currency), outcomes[0])
		}
	}
	if l := c.listing(t, ctx, sku); *l.Price != s.money(1999) {
		t.Errorf("the price became %v", l.Price)
	}
}
