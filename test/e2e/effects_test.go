package e2e

import (
	"strings"
	"testing"
	"time"
)

// instant is second n of a made-up day.
func instant(n int) time.Time { return time.Unix(int64(1_000_000+n), 0) }

// asked are changes to the numbers at seconds 0, 10, 20, …, each answered
// after a second.
func asked(numbers ...int64) []effect {
	var made []effect
	for i, n := range numbers {
		made = append(made, effect{n, instant(10 * i), instant(10*i + 1)})
	}
	return made
}

// looks are what a shop showed at seconds 5, 15, 25, ….
func looks(shop, sku string, each func(int64) shown, values ...int64) []sighting {
	var made []sighting
	for i, v := range values {
		made = append(made, sighting{shop, sku, each(v), instant(10*i + 5), instant(10*i + 6)})
	}
	return made
}

func price(v int64) shown     { return shown{price: v} }
func available(v int64) shown { return shown{available: int(v)} }

func prices(sightings ...int64) history {
	return history{prices: map[string][]effect{"A": asked(100, 101, 102, 103)}, seen: looks("till", "A", price, sightings...)}
}

// sold is a history of ten units of which 2 and 3 are sold, at seconds 10 and 20.
func sold(sightings ...int64) history {
	return history{
		sales: map[string][]effect{"A": asked(0, 2, 3)}, onHand: map[string]int{"A": 10},
		seen: looks("till", "A", available, sightings...),
	}
}

func unanswered(h history, effects map[string][]effect) history {
	last := &effects["A"][len(effects["A"])-1]
	last.ended = time.Time{}
	return h
}

func TestCheckerFindsSeededFaults(t *testing.T) {
	open := prices(100, 101, 102, 103)
	openLost := prices(100, 101, 101, 102)
	openSale, openSaleLost, openSaleDoubled := sold(10, 8, 5), sold(10, 8, 8), sold(10, 8, 5, 3)
	for name, test := range map[string]struct {
		history history
		want    string // the first words of the faults, sorted; none is no fault
	}{
		"prices in order":                      {prices(100, 101, 102, 103), ""},
		"prices coalesced":                     {prices(100, 100, 102, 103), ""},
		"a price late":                         {prices(100, 100, 100, 101, 103), ""},
		"the last price lost":                  {prices(100, 101, 102, 102), "lost"},
		"an older price after a newer":         {prices(100, 101, 102, 101, 103), "reordered"},
		"an older price at the end":            {prices(100, 101, 102, 103, 102), "lost reordered"},
		"a price that nobody set":              {prices(100, 7, 102, 103), "invented"},
		"a price before it was set":            {prices(100, 101, 103, 103), "invented"},
		"an unanswered price that was made":    {unanswered(open, open.prices), ""},
		"an unanswered price that was not":     {unanswered(openLost, openLost.prices), ""},
		"stock in order":                       {history{stocks: map[string][]effect{"A": asked(500, 501)}, seen: looks("till", "A", available, 500, 501)}, ""},
		"the last stock lost":                  {history{stocks: map[string][]effect{"A": asked(500, 501)}, seen: looks("till", "A", available, 500, 500)}, "lost"},
		"orders counted once":                  {sold(10, 8, 5), ""},
		"orders counted late":                  {sold(10, 10, 8, 5), ""},
		"an order lost":                        {sold(10, 8, 8), "lost"},
		"an order counted twice for a moment":  {sold(10, 6, 5), "doubled"},
		"an order counted twice":               {sold(10, 8, 3), "doubled doubled"},
		"more than there ever was":             {sold(10, 12, 5), "invented"},
		"an unanswered order that was made":    {unanswered(openSale, openSale.sales), ""},
		"an unanswered order that was not":     {unanswered(openSaleLost, openSaleLost.sales), ""},
		"an unanswered order that counts two":  {unanswered(openSaleDoubled, openSaleDoubled.sales), "doubled doubled"},
		"two shops, one of which lost a price": {history{prices: map[string][]effect{"A": asked(100, 101)}, seen: append(looks("till", "A", price, 100, 101), looks("market", "A", price, 100, 100)...)}, "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			var kinds []string
			for _, fault := range test.history.check() {
				kind, _, _ := strings.Cut(fault, ":")
				kinds = append(kinds, kind)
			}
			got := strings.Join(kinds, " ")
			if got != test.want {
				t.Errorf("found %q, want %q: %v", got, test.want, test.history.check())
			}
		})
	}
}
