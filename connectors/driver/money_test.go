package driver

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestParseMoneyUsesTheExponentOfTheCurrency(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		decimal, code string
		minor         int64
		text          string
	}{
		{"19.99", "EUR", 1999, "19.99 EUR"},
		{"19.9", "USD", 1990, "19.90 USD"},
		{"-0.05", "EUR", -5, "-0.05 EUR"},
		{"500", "JPY", 500, "500 JPY"},
		{"500.00", "JPY", 500, "500 JPY"},
		{"1.234", "BHD", 1234, "1.234 BHD"},
		{"15000", "IDR", 1500000, "15000.00 IDR"},
	} {
		m, err := ParseMoney(c.decimal, c.code)
		if err != nil {
			t.Errorf("ParseMoney(%q, %q): %v", c.decimal, c.code, err)
			continue
		}
		if m.Minor != c.minor || m.String() != c.text {
			t.Errorf("ParseMoney(%q, %q) = %d minor, %q; want %d, %q", c.decimal, c.code, m.Minor, m, c.minor, c.text)
		}
	}
}

func TestParseMoneyRefusesWhatIsNoAmount(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"1.999", "EUR"}, {"1.5", "JPY"}, {"abc", "EUR"}, {"", "EUR"}, {"1", "XX1"}, {"99999999999999999999", "EUR"}} {
		if m, err := ParseMoney(c[0], c[1]); !errors.Is(err, ErrMoney) {
			t.Errorf("ParseMoney(%q, %q) = %v, %v; want ErrMoney", c[0], c[1], m, err)
		}
	}
}

func TestMoneyRoundTripsThroughItsDecimal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := Money{
			Minor:    rapid.Int64Range(-1e15, 1e15).Draw(t, "minor"),
			Currency: rapid.SampledFrom([]string{"EUR", "USD", "JPY", "BHD", "IDR", "KWD"}).Draw(t, "currency"),
		}
		back, err := ParseMoney(m.Decimal(), m.Currency)
		if err != nil || back != m {
			t.Fatalf("%v became %v, %v", m, back, err)
		}
	})
}
