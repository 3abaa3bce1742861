package vendure

import (
	"testing"

	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
)

func TestAmountsAreStoredWithTheShopsDecimals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		money     driver.Money
		precision int
		stored    int64
		ok        bool
	}{
		{driver.Money{Minor: 1999, Currency: "EUR"}, 2, 1999, true},
		{driver.Money{Minor: 500, Currency: "JPY"}, 2, 50000, true},
		{driver.Money{Minor: 1500000, Currency: "IDR"}, 2, 1500000, true},
		{driver.Money{Minor: 1230, Currency: "BHD"}, 2, 123, true},
		{driver.Money{Minor: 1234, Currency: "BHD"}, 2, 0, false},
		{driver.Money{Minor: 1234, Currency: "BHD"}, 3, 1234, true},
		{driver.Money{Minor: 1999, Currency: "EUR"}, 4, 199900, true},
		{driver.Money{Minor: 500, Currency: "JPY"}, 0, 500, true},
		{driver.Money{Minor: 1999, Currency: "EUR"}, 0, 0, false},
		{driver.Money{Minor: -1, Currency: "EUR"}, 2, 0, false},
		{driver.Money{Minor: 1 << 60, Currency: "JPY"}, 2, 0, false},
		{driver.Money{Minor: 1 << 60, Currency: "EUR"}, 2, 0, false},
		{driver.Money{Minor: 1, Currency: "ZZZ"}, 2, 0, false},
	} {
		stored, err := toStored(c.money, c.precision)
		if (err == nil) != c.ok || stored != c.stored {
			t.Errorf("toStored(%d %s, %d) = %d, %v; want %d, %v", c.money.Minor, c.money.Currency, c.precision, stored, err, c.stored, c.ok)
		}
	}
}

func TestAmountsWithTooManyDecimalsAreNoPrices(t *testing.T) {
	t.Parallel()
	if m, ok := fromStored(50050, "JPY", 2); ok {
		t.Errorf("500.50 JPY became %v", m)
	}
	if m, ok := fromStored(50000, "JPY", 2); !ok || m.Minor != 500 {
		t.Errorf("500.00 JPY became %v, %v", m, ok)
	}
}

func TestStoredAmountsReadBackAsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		money := driver.Money{
			Minor:    rapid.Int64Range(0, 1e12).Draw(t, "minor"),
			Currency: rapid.SampledFrom([]string{"EUR", "JPY", "IDR", "BHD", "CLF"}).Draw(t, "currency"),
		}
		precision := rapid.IntRange(0, 4).Draw(t, "precision")
		stored, err := toStored(money, precision)
		if err != nil {
			return
		}
		back, ok := fromStored(stored, money.Currency, precision)
		if !ok || back != money {
			t.Fatalf("%v became %v", money, back)
		}
	})
}
