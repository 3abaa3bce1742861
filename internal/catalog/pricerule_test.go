package catalog_test

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

func priced(t tester, price driver.Money, currency, rule, roundTo, floor string) (driver.Money, error) {
	t.Helper()
	compiled, err := catalog.CompilePriceRule(rule, roundTo, floor)
	if err != nil {
		t.Fatalf("compile %q: %v", rule, err)
	}
	ats := int64(7)
	item := catalog.Item{SKU: "A", Price: &price, ATS: &ats, Content: &driver.Content{
		Product: driver.Product{Key: "mug"}, Title: "Red mug", Enabled: true, Options: []driver.Option{{Name: "Size", Value: "L"}},
	}}
	desired, err := catalog.Project(item, &catalog.Rules{
		Price: true, Currency: currency, PriceRule: compiled,
		Channel: catalog.ChannelScope{Name: "market", Currency: currency, Labels: map[string]string{"country": "id"}},
	})
	if err != nil {
		return driver.Money{}, err
	}
	return *desired.Price, nil
}

func TestPriceRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		price, currency      string
		rule, roundTo, floor string
		want                 string
	}{
		{"19.99", "EUR", "", "", "", "19.99"},
		{"19.99", "EUR", "item.price * 1.05", "", "", "20.99"}, // 20.9895
		{"1.10", "EUR", "item.price * 1.05", "", "", "1.16"},   // 1.155, half away from zero
		{"0.30", "EUR", "item.price * 1.15", "", "", "0.35"},   // 0.345
		{"1.00", "EUR", "item.price + 0.1 + 0.2", "", "", "1.30"},
		{"10.00", "EUR", "item.price / 3", "", "", "3.33"},
		{"1000", "JPY", "item.price * 1.0005", "", "", "1001"}, // 1000.5
		{"1.234", "BHD", "item.price * 1.1", "", "", "1.357"},
		{"20000", "IDR", "item.price * 1.05", "500", "", "21000.00"},
		{"20249", "IDR", "item.price", "500", "", "20000.00"},
		{"20250", "IDR", "item.price", "500", "", "20500.00"},
		{"9.97", "EUR", "", "0.05", "", "9.95"},
		{"9.99", "EUR", "item.price * 0.5", "", "7.00", "7.00"},
		{"9.99", "EUR", "item.price * 0.5", "", "item.price * 0.801", "8.01"}, // 8.00199: never below
		{"9.99", "EUR", "item.price * 0.5", "0.50", "7.10", "7.50"},
		{"9.99", "EUR", `item.options.Size == "L" ? item.price + 1 : item.price`, "", "", "10.99"},
		{"9.99", "EUR", `item.options["Size"] in ["XL", "L"] && item.title.startsWith("Red") && item.enabled ? 5 : 6`, "", "", "5.00"},
		{"9.99", "EUR", `has(item.options.Colour) || "Colour" in item.options ? 1 : 2`, "", "", "2.00"},
		{"9.99", "EUR", `channel.labels.country == "id" && channel.name != item.sku && item.product == "mug" ? max(item.price, 12) : 0`, "", "", "12.00"},
		{"9.99", "EUR", `item.stockKnown && item.ats < 8 ? item.price * 2 : item.price`, "", "", "19.98"},
		{"9.99", "EUR", `-item.price + 20`, "", "", "10.01"},
		{"9.99", "EUR", `ceil(item.price) - 0.01`, "", "", "9.99"},
		{"9.49", "EUR", `floor(item.price) + round(0.5) + min(1, 2)`, "", "", "11.00"},
		{"0.00", "EUR", `item.price`, "", "", "0.00"},
	} {
		price, err := driver.ParseMoney(c.price, c.currency)
		if err != nil {
			t.Fatal(err)
		}
		got, err := priced(t, price, c.currency, c.rule, c.roundTo, c.floor)
		if err != nil || got.Decimal() != c.want {
			t.Errorf("%s %s by %q to %q above %q is %s, %v; want %s", c.price, c.currency, c.rule, c.roundTo, c.floor, got, err, c.want)
		}
	}
}

func TestPricesAreNeverOffByACent(t *testing.T) {
	t.Parallel()
	half := big.NewRat(1, 2)
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{"EUR", "JPY", "BHD"}).Draw(t, "currency")
		digits, _ := driver.Digits(currency)
		minor := rapid.Int64Range(0, 1_000_000_000_00).Draw(t, "minor")
		factor := fmt.Sprintf("%d.%04d", rapid.IntRange(0, 20).Draw(t, "units"), rapid.IntRange(0, 9999).Draw(t, "decimals"))
		plus := fmt.Sprintf("%d.%03d", rapid.IntRange(0, 20).Draw(t, "plus"), rapid.IntRange(0, 999).Draw(t, "plus decimals"))
		got, err := priced(t, driver.Money{Minor: minor, Currency: currency}, currency, "item.price * "+factor+" + "+plus, "", "")
		if err != nil {
			t.Fatalf("price: %v", err)
		}
		scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
		f, _ := new(big.Rat).SetString(factor)
		p, _ := new(big.Rat).SetString(plus)
		exact := new(big.Rat).Quo(new(big.Rat).SetInt64(minor), scale)
		exact.Mul(exact.Add(exact.Mul(exact, f), p), scale)
		exact.Add(exact, half) // half away from zero, for what is not negative
		want := new(big.Int).Quo(exact.Num(), exact.Denom()).Int64()
		if got.Minor != want {
			t.Fatalf("%d %s * %s + %s is %d, want %d", minor, currency, factor, plus, got.Minor, want)
		}
	})
}

func TestRoundedPricesAreTheNearestMultipleAndNeverBelowTheFloor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64Range(0, 1_000_000).Draw(t, "minor")
		step := rapid.Int64Range(1, 5000).Draw(t, "step")
		floor := rapid.Int64Range(0, 1_000_000).Draw(t, "floor")
		euros := func(n int64) string { return driver.Money{Minor: n, Currency: "EUR"}.Decimal() }
		got, err := priced(t, driver.Money{Minor: minor, Currency: "EUR"}, "EUR", "", euros(step), euros(floor))
		if err != nil {
			t.Fatalf("price: %v", err)
		}
		want := (2*minor + step) / (2 * step) * step
		if want < floor {
			want = (floor + step - 1) / step * step
		}
		if got.Minor != want {
			t.Fatalf("%d to %d above %d is %d, want %d", minor, step, floor, got.Minor, want)
		}
	})
}

func TestBrokenRulesSayWhereAndWhatToWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, roundTo, floor string
		field                string
		line, column         int
		says                 string
	}{
		{"item.price *", "", "", "rule", 1, 13, "Syntax error"},
		{"item.price\n  * item.cost", "", "", "rule", 2, 5, "item has no such field; it has item.sku"},
		{"price * 2", "", "", "rule", 1, 1, "price is not known"},
		{`item.price * "2"`, "", "", "rule", 1, 12, "no matching overload"},
		{`item.title`, "", "", "rule", 1, 1, "the value is a string; write an expression whose value is a number"},
		{"item.price * 1.1234567890123456", "", "", "rule", 1, 14, "more than 15 digits"},
		{"[1,2].map(x, x * 2)", "", "", "rule", 1, 10, "map is not known"},
		{strings.Repeat("1+", 2000) + "1", "", "", "rule", 0, 0, "size"},
		{"", "0", "", "roundTo", 0, 0, "not above zero"},
		{"", "-1", "", "roundTo", 0, 0, "not above zero"},
		{"", "1e3", "", "roundTo", 0, 0, "write a decimal number"},
		{"", "", "item.price +", "floor", 1, 13, "Syntax error"},
	} {
		_, err := catalog.CompilePriceRule(c.rule, c.roundTo, c.floor)
		var broken *catalog.RuleError
		if !errors.As(err, &broken) {
			t.Errorf("%.40q: got %v", c.rule, err)
			continue
		}
		if broken.Field != c.field || c.line != 0 && (broken.Line != c.line || broken.Column != c.column) || !strings.Contains(broken.Message, c.says) {
			t.Errorf("%.40q: got %v; want %s at %d:%d saying %q", c.rule, broken, c.field, c.line, c.column, c.says)
		}
	}
	if rule, err := catalog.CompilePriceRule(" ", "", "\n"); rule != nil || err != nil {
		t.Errorf("no rule compiled to %v, %v", rule, err)
	}
}

func TestPricesThatCannotBeAreErrorsThatSayWhy(t *testing.T) {
	t.Parallel()
	euro := driver.Money{Minor: 999, Currency: "EUR"}
	for _, c := range []struct{ currency, rule, roundTo, floor, says string }{
		{"EUR", "item.price - 10", "", "", "never negative"},
		{"EUR", "item.price / (item.price - item.price)", "", "", "division by zero"},
		{"EUR", `item.options.Colour == "x" ? 1 : 2`, "", "", "no such key"},
		{"EUR", "item.price * 999999999999999 * 999999999999", "", "", "too large"},
		{"EUR", "item.price", "0.005", "", "write a multiple of 0.01"},
		{"USD", "", "", "", `write a price rule that converts, such as item.currency == "EUR"`},
		{"USD", "item.price * 1.1", "", "", "write a price rule that converts"},
		{"USD", "", "0.05", "", "write a price rule that converts"},
		{"USD", `item.currency == "EUR" ? item.price * 1.1 : item.price`, "", "item.price * 0.5", "write a price rule that converts"},
	} {
		if got, err := priced(t, euro, c.currency, c.rule, c.roundTo, c.floor); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q gave %v, %v; want %q", c.rule, got, err, c.says)
		}
	}
	got, err := priced(t, euro, "USD", `item.currency == "EUR" ? item.price * 1.1 : item.price`, "", "5")
	if err != nil || got.String() != "10.99 USD" {
		t.Errorf("a rule that converts gave %v, %v", got, err)
	}
}

func TestAPriceErrorLeavesTheOtherGroups(t *testing.T) {
	t.Parallel()
	ats := int64(3)
	desired, err := catalog.Project(
		catalog.Item{SKU: "A", ATS: &ats, Content: content("Red"), Price: &driver.Money{Minor: 1, Currency: "EUR"}},
		&catalog.Rules{Content: true, Price: true, Stock: true, Currency: "USD"})
	if !errors.Is(err, catalog.ErrCurrency) || desired.Price != nil || desired.Content == nil || *desired.Available != 3 {
		t.Errorf("got %+v, %v", desired, err)
	}
}

func TestUnknownStockIsAnErrorOnlyForRulesThatNeedIt(t *testing.T) {
	t.Parallel()
	for rule, ok := range map[string]bool{"item.ats + 1": false, "item.stockKnown ? item.ats : 1": true} {
		compiled, err := catalog.CompilePriceRule(rule, "", "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = catalog.Project(catalog.Item{SKU: "A", Price: &driver.Money{Minor: 1, Currency: "EUR"}}, &catalog.Rules{Price: true, Currency: "EUR", PriceRule: compiled})
		if ok != (err == nil) || !ok && !strings.Contains(err.Error(), "item.ats is not known") {
			t.Errorf("%q gave %v", rule, err)
		}
	}
}

func TestARuleThatCostsTooMuchIsStopped(t *testing.T) {
	t.Parallel()
	compiled, err := catalog.CompilePriceRule(`item.title.matches("(a*)*(a*)*(a*)*(a*)*(a*)*(a*)*b") ? 1 : 2`, "", "")
	if err != nil {
		t.Fatal(err)
	}
	item := catalog.Item{SKU: "A", Price: &driver.Money{Minor: 1, Currency: "EUR"}, Content: &driver.Content{Title: strings.Repeat("a", 1<<20)}}
	if _, err := catalog.Project(item, &catalog.Rules{Price: true, Currency: "EUR", PriceRule: compiled}); err == nil || !strings.Contains(err.Error(), "cost") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkProjectWithRule(b *testing.B) {
	compiled, err := catalog.CompilePriceRule("item.price * 1.05", "0.05", "2.50")
	if err != nil {
		b.Fatal(err)
	}
	item := catalog.Item{SKU: "A", Price: &driver.Money{Minor: 1999, Currency: "EUR"}}
	rules := &catalog.Rules{Price: true, Currency: "EUR", PriceRule: compiled}
	for b.Loop() {
		if _, err := catalog.Project(item, rules); err != nil {
			b.Fatal(err)
		}
	}
}
