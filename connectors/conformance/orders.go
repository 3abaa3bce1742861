package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"selaras.dev/selaras/connectors/driver"
)

func (s *suite) orderCases() []testCase {
	orders := s.has(driver.CanReadOrders)
	sell := needs{"orders", s.shop.PlaceOrder != nil}
	fulfil, cancel := needs{"fulfilments", s.shop.Fulfil != nil}, needs{"cancellations", s.shop.Cancel != nil}
	return []testCase{
		{"OrdersExplainTheStockAtEveryStep", []needs{orders, sell, fulfil, cancel}, orderSteps},
		{"OrdersThatEndedWhileNobodyLookedAreReported", []needs{orders, sell, fulfil}, orderEndsUnseen},
		{"AnInterruptedFirstReadingOfOrdersLosesNone", []needs{orders, sell, fulfil}, firstReadingInterrupted},
		{"AnOrderPageThatWasNotKeptComesAgain", []needs{orders, sell}, orderPageAgain},
		{"TheEmptyOrderCursorReturnsAllOpenOrders", []needs{orders, sell, fulfil}, openOrders},
		{"OpenCartsAreNoOrders", []needs{orders, {"open carts", s.shop.OpenCart != nil}}, cartsAreNoOrders},
	}
}

// orders polls orders, a round at a time, and keeps the newest state of each.
type orderPoll struct {
	c      *client
	cursor driver.Cursor
	orders map[string]driver.Order
	// returned counts the orders of the last round.
	returned int
}

func (c *client) orders() *orderPoll { return &orderPoll{c: c, orders: map[string]driver.Order{}} }

func (p *orderPoll) round(t testing.TB, ctx context.Context) {
	t.Helper()
	p.returned = 0
	for {
		page, err := p.c.Connection.(driver.OrderReader).ReadOrders(ctx, p.cursor, 5)
		if err != nil {
			t.Fatalf("ReadOrders: %v", err)
		}
		p.keep(t, page)
		if !page.More {
			return
		}
	}
}

// keep keeps a page, as a connector does when its facts are durable.
func (p *orderPoll) keep(t testing.TB, page driver.OrderPage) {
	t.Helper()
	if page.Next == "" {
		t.Fatal("ReadOrders returned no cursor")
	}
	p.returned += len(page.Orders)
	for _, o := range page.Orders {
		p.orders[o.ID] = o
		p.c.s.checkOrder(t, o)
	}
	p.cursor = page.Next
}

func (s *suite) checkOrder(t testing.TB, o driver.Order) {
	t.Helper()
	if o.ID == "" || o.PlacedAt.IsZero() || o.ChangedAt.IsZero() || len(o.Lines) == 0 {
		t.Errorf("the order is not complete: %+v", o)
	}
	for _, l := range o.Lines {
		if l.ID == "" || l.Ordered <= 0 || l.Cancelled < 0 || l.Fulfilled < 0 || l.Returned < 0 ||
			l.Cancelled+l.Fulfilled > l.Ordered || l.Returned > l.Fulfilled {
			t.Errorf("the line cannot be: %+v", l)
		}
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range s.shop.Personal {
		if strings.Contains(string(text), word) {
			t.Errorf("the order holds personal data (%q)", word)
		}
	}
}

// of sums the lines of a SKU over all orders.
func (p *orderPoll) of(sku string) driver.OrderLine {
	sum := driver.OrderLine{SKU: sku}
	for _, o := range p.orders {
		for _, l := range o.Lines {
			if l.SKU == sku {
				sum.Ordered += l.Ordered
				sum.Cancelled += l.Cancelled
				sum.Fulfilled += l.Fulfilled
				sum.Returned += l.Returned
			}
		}
	}
	return sum
}

// The ledger's arithmetic: whatever happens to orders, the shop's own stock is
// the first stock and the lines.
func orderSteps(t *testing.T, s *suite) {
	ctx := s.context(t)
	c := s.open(t)
	a, b := s.add(t, ctx, "SOLD"), s.add(t, ctx, "SOLD")
	p := c.orders()
	p.round(t, ctx)
	var order string
	place := func() (err error) {
		order, err = s.shop.PlaceOrder(ctx, Line{a, 5}, Line{b, 3})
		return err
	}
	for _, step := range []struct {
		name         string
		do           func() error
		wantA, wantB [2]int64 // Cancelled, Fulfilled
		parted       bool
	}{
		{"placed", place, [2]int64{0, 0}, [2]int64{0, 0}, false},
		{"one cancelled", func() error { return s.shop.Cancel(ctx, order, Line{b, 1}) }, [2]int64{0, 0}, [2]int64{1, 0}, false},
		{"two sent", func() error { return s.shop.Fulfil(ctx, order, Line{a, 2}) }, [2]int64{0, 2}, [2]int64{1, 0}, true},
		{"one more sent", func() error { return s.shop.Fulfil(ctx, order, Line{a, 1}) }, [2]int64{0, 3}, [2]int64{1, 0}, true},
		{"the other line sent", func() error { return s.shop.Fulfil(ctx, order, Line{b, 2}) }, [2]int64{0, 3}, [2]int64{1, 2}, true},
		{"all sent", func() error { return s.shop.Fulfil(ctx, order) }, [2]int64{0, 5}, [2]int64{1, 2}, false},
	} {
		if step.parted && s.shop.FulfilsWhole {
			continue
		}
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		eventually(t, step.name, func() (bool, string) {
			p.round(t, ctx)
			la, lb := p.of(a), p.of(b)
			return la.Ordered == 5 && lb.Ordered == 3 &&
				step.wantA == [2]int64{la.Cancelled, la.Fulfilled} && step.wantB == [2]int64{lb.Cancelled, lb.Fulfilled}, fmt.Sprintf("%+v %+v", la, lb)
		})
		p.explains(t, ctx, step.name, a)
		p.explains(t, ctx, step.name, b)
	}
	// Units that were sent come back: the shop puts them on the shelf.
	if err := s.shop.Cancel(ctx, order, Line{a, 2}); err != nil {
		t.Fatalf("returning: %v", err)
	}
	eventually(t, "two returned", func() (bool, string) {
		p.round(t, ctx)
		l := p.of(a)
		return l.Returned == 2 && l.Fulfilled == 5, fmt.Sprintf("%+v", l)
	})
	p.explains(t, ctx, "two returned", a)
	if got, err := s.shop.Show(ctx, a); err != nil || got.OnHand != 37 {
		t.Errorf("the shop stores %+v (%v), want 37 on hand", got, err)
	}
	c.onlyUnder(t, driver.OpOrders, driver.OpRead, driver.OpAccount)
}

// explains checks that the SKU's stock is what the lines make of the first.
func (p *orderPoll) explains(t testing.TB, ctx context.Context, step, sku string) {
	t.Helper()
	l := p.of(sku)
	if p.c.s.description.Traits.StockBasis == driver.BasisAvailable {
		if got := p.c.levels(t, ctx, sku); got.Available != firstStock-l.Ordered+l.Cancelled+l.Returned {
			t.Errorf("%s: %s is %s, but its lines say %+v", step, sku, got, l)
		}
		return
	}
	want := levels{OnHand: firstStock - l.Fulfilled + l.Returned, Reserved: l.Ordered - l.Cancelled - l.Fulfilled}
	want.Available = want.OnHand - want.Reserved
	if got := p.c.levels(t, ctx, sku); got != want {
		t.Errorf("%s: %s is %s, but its lines say %s (%+v)", step, sku, got, want, l)
	}
}

// The connector is down while an order is fulfilled to its end.
func orderEndsUnseen(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "UNSEEN")
	p := s.open(t).orders()
	p.round(t, ctx)
	first, err := s.shop.PlaceOrder(ctx, Line{sku, 4})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the order is seen", func() (bool, string) {
		p.round(t, ctx)
		return p.of(sku).Ordered == 4, fmt.Sprint(p.orders)
	})
	if !s.shop.FulfilsWhole {
		if err := s.shop.Fulfil(ctx, first, Line{sku, 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.shop.Fulfil(ctx, first); err != nil {
		t.Fatal(err)
	}
	second, err := s.shop.PlaceOrder(ctx, Line{sku, 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.shop.Fulfil(ctx, second); err != nil {
		t.Fatal(err)
	}
	restarted := s.open(t).orders()
	restarted.cursor = p.cursor
	eventually(t, "a new process learns how the orders ended", func() (bool, string) {
		restarted.round(t, ctx)
		return restarted.of(sku).Fulfilled == 6, fmt.Sprint(restarted.orders)
	})
	restarted.explains(t, ctx, "after the restart", sku)
}

// The connector dies within the first reading, and an order that it has kept as
// open ends before it is back.
func firstReadingInterrupted(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "FIRST")
	var first string
	for n := range 7 {
		order, err := s.shop.PlaceOrder(ctx, Line{sku, 1})
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first = order
		}
	}
	p := s.open(t).orders()
	for p.of(sku).Ordered == 0 {
		page, err := p.c.Connection.(driver.OrderReader).ReadOrders(ctx, p.cursor, 2)
		if err != nil {
			t.Fatal(err)
		}
		p.keep(t, page)
		if !page.More {
			break
		}
	}
	if err := s.shop.Fulfil(ctx, first); err != nil {
		t.Fatal(err)
	}
	p.c = s.open(t)
	eventually(t, "all orders and how they ended are known", func() (bool, string) {
		p.round(t, ctx)
		l := p.of(sku)
		return l.Ordered == 7 && l.Fulfilled == 1, fmt.Sprintf("%+v", l)
	})
	p.explains(t, ctx, "after the restart", sku)
}

// I3: a cursor moves only after the fact is durable, so the page before it
// must be there again.
func orderPageAgain(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "KEPT")
	p := s.open(t).orders()
	p.round(t, ctx)
	cursor := p.cursor
	if _, err := s.shop.PlaceOrder(ctx, Line{sku, 2}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		eventually(t, "the order comes from the same cursor", func() (bool, string) {
			again := p.c.orders()
			again.cursor = cursor
			again.round(t, ctx)
			return again.of(sku).Ordered == 2, fmt.Sprint(again.orders)
		})
	}
}

func openOrders(t *testing.T, s *suite) {
	ctx := s.context(t)
	open, sent := s.add(t, ctx, "OPEN"), s.add(t, ctx, "SENT")
	for range 7 {
		if _, err := s.shop.PlaceOrder(ctx, Line{open, 1}); err != nil {
			t.Fatal(err)
		}
	}
	order, err := s.shop.PlaceOrder(ctx, Line{sent, 1}, Line{open, 1})
	if err != nil {
		t.Fatal(err)
	}
	var gone int64
	if !s.shop.FulfilsWhole {
		if err := s.shop.Fulfil(ctx, order, Line{sent, 1}); err != nil {
			t.Fatal(err)
		}
		gone = 1
	}
	p := s.open(t).orders()
	p.round(t, ctx)
	if l := p.of(open); l.Ordered != 8 || l.Fulfilled != 0 {
		t.Errorf("got %+v of the open orders, want 8 ordered", l)
	}
	if l := p.of(sent); l.Ordered != 1 || l.Fulfilled != gone {
		t.Errorf("got %+v of the order that is sent in part", l)
	}
	// Nothing happens: rounds become empty, and do not repeat all that is open.
	eventually(t, "rounds are quiet", func() (bool, string) {
		p.round(t, ctx)
		return p.returned == 0, fmt.Sprintf("%d orders returned", p.returned)
	})
}

func cartsAreNoOrders(t *testing.T, s *suite) {
	ctx := s.context(t)
	sku := s.add(t, ctx, "CART")
	p := s.open(t).orders()
	p.round(t, ctx)
	if err := s.shop.OpenCart(ctx, Line{sku, 3}); err != nil {
		t.Fatal(err)
	}
	p.round(t, ctx)
	p.round(t, ctx)
	if l := p.of(sku); l.Ordered != 0 {
		t.Errorf("an open cart was returned as an order: %+v", l)
	}
}
