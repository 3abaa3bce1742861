package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// history is what a prober did and saw. Times are of this process alone.
type history struct {
	// prices and stocks are the numbers that were given to a SKU in the source,
	// in that order, the first being what it had at the beginning.
	prices, stocks map[string][]effect
	// sales are units ordered, in any shop, by SKU.
	sales map[string][]effect
	// onHand is what SKUs that are only sold had at the beginning.
	onHand map[string]int
	seen   []sighting
}

// effect is a change that a shop was asked for: it may be seen from begun on,
// and was accepted at ended, or not at all when that is zero (an answer that
// did not come leaves it open whether the change was made).
type effect struct {
	number       int64
	begun, ended time.Time
}

// sighting is what a shop showed of a SKU in a look that lasted from begun to
// ended.
type sighting struct {
	shop, sku    string
	shown        shown
	begun, ended time.Time
}

// check finds lost, reordered, doubled and invented effects. The last sighting
// of every shop and SKU must be after the system had time to settle.
func (h history) check() []string {
	var faults []string
	for key, seen := range bySKU(h.seen) {
		if numbers, ok := h.prices[key.sku]; ok {
			faults = append(faults, checkNumbers(key, "price", numbers, seen, func(s shown) int64 { return s.price })...)
		}
		if numbers, ok := h.stocks[key.sku]; ok {
			faults = append(faults, checkNumbers(key, "stock", numbers, seen, func(s shown) int64 { return int64(s.available) })...)
		}
		if sales, ok := h.sales[key.sku]; ok {
			faults = append(faults, checkSales(key, h.onHand[key.sku], sales, seen)...)
		}
	}
	slices.Sort(faults)
	return faults
}

type listingKey struct{ shop, sku string }

func bySKU(all []sighting) map[listingKey][]sighting {
	grouped := map[listingKey][]sighting{}
	for _, s := range all {
		key := listingKey{s.shop, s.sku}
		grouped[key] = append(grouped[key], s)
	}
	for _, seen := range grouped {
		slices.SortStableFunc(seen, func(a, b sighting) int { return a.begun.Compare(b.begun) })
	}
	return grouped
}

// checkNumbers holds what was seen against numbers that only grow: every value
// was asked for before it was seen, none is followed by an older one, and the
// newest is the last.
func checkNumbers(at listingKey, what string, asked []effect, seen []sighting, value func(shown) int64) []string {
	var faults []string
	newest, newestAt := int64(0), time.Time{}
	for i, s := range seen {
		v := value(s.shown)
		known := slices.IndexFunc(asked, func(e effect) bool { return e.number == v })
		switch {
		case known < 0:
			faults = append(faults, fmt.Sprintf("invented: %s showed %s %d of %s, which nobody set", at.shop, what, v, at.sku))
		case asked[known].begun.After(s.ended):
			faults = append(faults, fmt.Sprintf("invented: %s showed %s %d of %s before it was set", at.shop, what, v, at.sku))
		case i > 0 && v < newest:
			faults = append(faults, fmt.Sprintf("reordered: %s showed %s %d of %s at %s, after %d at %s",
				at.shop, what, v, at.sku, clock(s.ended), newest, clock(newestAt)))
		}
		if v > newest {
			newest, newestAt = v, s.ended
		}
	}
	return append(faults, checkLast(at, what, asked, value(seen[len(seen)-1].shown))...)
}

// checkLast says whether the value at the end is the newest that was accepted,
// or a later one that was never answered.
func checkLast(at listingKey, what string, asked []effect, last int64) []string {
	accepted := slices.DeleteFunc(slices.Clone(asked), func(e effect) bool { return e.ended.IsZero() })
	want := slices.MaxFunc(accepted, func(a, b effect) int { return cmp.Compare(a.number, b.number) }).number
	open := slices.ContainsFunc(asked, func(e effect) bool { return e.ended.IsZero() && e.number == last && last > want })
	if last == want || open {
		return nil
	}
	return []string{fmt.Sprintf("lost: %s shows %s %d of %s at the end, want %d", at.shop, what, last, at.sku, want)}
}

// checkSales holds what was available against what was sold: never less than
// if every order counted once, never more than at the beginning, and at the
// end exactly what is left.
func checkSales(at listingKey, onHand int, sales []effect, seen []sighting) []string {
	var faults []string
	for _, s := range seen {
		most := sum(sales, func(e effect) bool { return !e.begun.After(s.ended) })
		if s.shown.available < onHand-most {
			faults = append(faults, fmt.Sprintf("doubled: %s showed %d of %s at %s, when of %d at most %d were sold",
				at.shop, s.shown.available, at.sku, clock(s.ended), onHand, most))
		}
		if s.shown.available > onHand {
			faults = append(faults, fmt.Sprintf("invented: %s showed %d of %s at %s; there never were more than %d",
				at.shop, s.shown.available, at.sku, clock(s.ended), onHand))
		}
	}
	sold := sum(sales, func(e effect) bool { return !e.ended.IsZero() })
	open := sum(sales, func(e effect) bool { return e.ended.IsZero() })
	last := seen[len(seen)-1].shown.available
	if last > onHand-sold {
		faults = append(faults, fmt.Sprintf("lost: %s shows %d of %s at the end, want %d: %d of %d were sold", at.shop, last, at.sku, onHand-sold, sold, onHand))
	}
	if last < onHand-sold-open {
		faults = append(faults, fmt.Sprintf("doubled: %s shows %d of %s at the end, want %d: %d of %d were sold", at.shop, last, at.sku, onHand-sold, sold, onHand))
	}
	return faults
}

func sum(effects []effect, which func(effect) bool) int {
	total := 0
	for _, e := range effects {
		if which(e) {
			total += int(e.number)
		}
	}
	return total
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
