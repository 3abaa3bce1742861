package shopify

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"selaras.dev/selaras/connectors/driver"
)

func TestNumbersAndRefs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"gid://shopify/ProductVariant/51488052412722":                   "51488052412722",
		"gid://shopify/InventoryLevel/152183308594?inventory_item_id=5": "152183308594",
		"7": "7", "": "", "gid://shopify/Product/": "", "x7": "", "7e3": "", "-7": "",
	} {
		if got := number(id); got != want {
			t.Errorf("number(%q) = %q, want %q", id, got, want)
		}
	}
	for ref, want := range map[driver.Ref][2]string{
		"7": {"", "7"}, "p7": {"p", "7"}, "i7": {"i", "7"}, "": {"", ""}, "1:1": {"", ""}, "x7": {"", ""}, "px": {"p", ""},
	} {
		if letter, n := splitRef(ref); letter != want[0] || n != want[1] {
			t.Errorf("splitRef(%q) = %q, %q; want %q", ref, letter, n, want)
		}
	}
}

func TestAnErrorNamesItsItem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		field []string
		n     int
		ok    bool
	}{
		{[]string{"input", "quantities", "3", "changeFromQuantity"}, 3, true},
		{[]string{"quantities", "0"}, 0, true},
		{[]string{"input", "reason"}, 0, false},
		{[]string{"input", "quantities"}, 0, false},
		{[]string{"input", "quantities", "x"}, 0, false},
		{[]string{"input", "quantities", "-1"}, -1, false},
		{nil, 0, false},
	} {
		if n, ok := (userError{Field: c.field}).item("quantities"); ok != c.ok || ok && n != c.n {
			t.Errorf("%v: %d, %v", c.field, n, ok)
		}
	}
}

func costOf(requested, maximum, available, restore float64) *queryCost {
	c := &queryCost{Requested: requested}
	c.Throttle.Maximum, c.Throttle.Available, c.Throttle.Restore = maximum, available, restore
	return c
}

func TestTheBucketKeepsBackWhatWouldBeRefused(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	b := newBucket()
	take := func(kind string) time.Duration {
		points, wait := b.reserve(kind, now)
		if wait == 0 {
			b.settle(kind, points, nil, now)
		}
		return wait
	}
	if take("a") != 0 {
		t.Error("a request was kept back although nothing is known")
	}
	points, _ := b.reserve("a", now)
	b.settle("a", points, costOf(50, 100, 40, 10), now)
	if wait := take("a"); wait < time.Second || wait > 1100*time.Millisecond {
		t.Errorf("10 points are missing at 10 a second: wait %s", wait)
	}
	if take("b") != 0 {
		t.Error("a request of another kind was kept back")
	}
	now = now.Add(2 * time.Second)
	first, wait := b.reserve("a", now)
	if wait != 0 || first != 50 {
		t.Errorf("60 points are there: reserved %v, wait %s", first, wait)
	}
	if _, wait := b.reserve("a", now); wait == 0 {
		t.Error("the points of a request under way were given to another")
	}
	b.settle("a", first, nil, now)
	if _, wait := b.reserve("a", now); wait != 0 {
		t.Errorf("a request without answer keeps its points: wait %s", wait)
	}
	// More than the bucket holds is sent when it is full: it is the shop's to say.
	full := newBucket()
	full.settle("much", 0, costOf(500, 100, 100, 10), now)
	if _, wait := full.reserve("much", now); wait != 0 {
		t.Errorf("wait %s for a request that never fits", wait)
	}
}

// Whatever answers say, a wait is bounded and the points under way come back.
func TestTheBucketNeverWaitsForLong(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, now := newBucket(), time.Unix(1_700_000_000, 0)
		number := rapid.Float64Range(-10, 5000)
		for range rapid.IntRange(1, 30).Draw(t, "requests") {
			kind := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "kind")
			points, wait := b.reserve(kind, now)
			if wait < 0 || wait > maxRestoring {
				t.Fatalf("wait %s", wait)
			}
			if wait == 0 {
				b.settle(kind, points, costOf(number.Draw(t, "cost"), number.Draw(t, "maximum"), number.Draw(t, "available"), number.Draw(t, "restore")), now)
			}
			if b.out != 0 {
				t.Fatalf("%v points are under way and nothing is", b.out)
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "pause")) * time.Millisecond)
		}
	})
}

func TestAKeyIsOfAWriteUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	a, seen := newAttempts(), map[string]bool{}
	for range 5 {
		first, again := a.begin([]byte("x")), a.begin([]byte("x"))
		if first.key() != again.key() || !form.MatchString(first.key()) || seen[first.key()] {
			t.Errorf("keys %s and %s", first.key(), again.key())
		}
		seen[first.key()] = true
		// An answer that comes twice is one.
		a.end(first)
		a.end(again)
	}
	if a.begin([]byte("y")).key() == newAttempts().begin([]byte("x")).key() {
		t.Error("two writes have one key")
	}
}

func TestSearchesQuoteTheirValues(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{`A-1`: `"A-1"`, `a "b" \c`: `"a \"b\" \\c"`, `x OR y:*`: `"x OR y:*"`} {
		if got := quote(value); got != want {
			t.Errorf("quote(%s) = %s, want %s", value, got, want)
		}
	}
}

// Whatever a shop answers of an order, its lines are such that can be.
func FuzzOrder(f *testing.F) {
	f.Add([]byte(`{"id":"gid://shopify/Order/1","lineItems":{"nodes":[{"id":"gid://shopify/LineItem/2","sku":"A","quantity":3,"currentQuantity":1,"unfulfilledQuantity":1}]}}`), []byte(`[{"lineItem":{"id":"gid://shopify/LineItem/2"},"quantity":1,"restockType":"CANCEL"}]`))
	f.Add([]byte(`{"cancelledAt":"2026-11-22T10:00:00Z","lineItems":{"nodes":[{"sku":"A","quantity":3,"unfulfilledQuantity":9}]}}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, order, refunds []byte) {
		var o vendorOrder
		if json.Unmarshal(order, &o) != nil || json.Unmarshal(refunds, &o.refunded) != nil {
			return
		}
		_ = o.open()
		for _, l := range o.order().Lines {
			if l.Ordered <= 0 || l.Cancelled < 0 || l.Fulfilled < 0 || l.Returned < 0 || l.Cancelled+l.Fulfilled > l.Ordered || l.Returned > l.Fulfilled {
				t.Errorf("the line cannot be: %+v", l)
			}
		}
	})
}

// Whatever a shop answers of a variant, it is a listing.
func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"id":"gid://shopify/ProductVariant/1","sku":"A","title":"S","price":"19.99","selectedOptions":[{"name":"Size","value":"S"}],"metafield":{"value":"x"},"product":{"handle":"a","publishedOnPublication":true},"inventoryItem":{"tracked":true,"inventoryLevel":{"quantities":[{"name":"available","quantity":3}]}}}`))
	f.Add([]byte(`{"price":"1e99","inventoryItem":{"tracked":true}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var v variant
		if json.Unmarshal(text, &v) != nil {
			return
		}
		c := &connection{known: newMemory()}
		for _, l := range c.listings([]variant{v}, &shop{currency: "USD"}) {
			if l.Price != nil && l.Price.Currency != "USD" {
				t.Errorf("got %+v", l)
			}
		}
	})
}

// What stands in errors may be a list or a text.
func FuzzErrors(f *testing.F) {
	for _, text := range []string{`"[API] Invalid"`, `[{"message":"x","extensions":{"code":"THROTTLED"}}]`, `null`, `{"base":["x"]}`, `[1]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var errs graphqlErrors
		if json.Unmarshal(text, &errs) != nil {
			return
		}
		for _, e := range errs {
			if got := classify("try", true, e); got.Class == "" || got.Reason == "" {
				t.Errorf("%s: %+v", text, got)
			}
		}
	})
}
