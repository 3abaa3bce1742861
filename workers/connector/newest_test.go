package connector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// What changes while the channel is down is written once, in its newest state,
// although rounds of several calls were under way when it went down.
func TestOnlyTheNewestIsWrittenAfterAnOutage(t *testing.T) {
	t.Parallel()
	const items = 100
	o := habits()
	o.NoOrders = true
	o.Traits.WriteBatch, o.Traits.Concurrency = 5, 4
	feed, target := oneTarget(t, o)
	all := func(price int64) []catalog.Item {
		list := make([]catalog.Item, items)
		for i := range list {
			sku, p := fmt.Sprintf("SKU-%03d", i), eur(price)
			list[i] = catalog.Item{SKU: sku, Price: &p}
		}
		return list
	}
	for _, i := range all(100) {
		target.Add(i.SKU, "Thing", eur(100), 0)
	}
	feed.items(all(100)...)
	target.start()
	target.inSync("main", items)

	var down atomic.Bool
	down.Store(true)
	target.Fault(func(driver.Operation, int) shoptest.Fault {
		if down.Load() {
			return shoptest.Fault{Status: http.StatusServiceUnavailable}
		}
		return shoptest.Fault{}
	})
	for price := int64(200); price < 230; price++ {
		feed.items(all(price)...)
		if err := sleepFor(t.Context(), 20); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the last price is known to the target", func() bool {
		e := target.engine.Load()
		for i := range items {
			sku := fmt.Sprintf("SKU-%03d", i)
			var known bool
			e.view(func() {
				want, err := e.routes.project(sku, e.store.readItem)
				known = err == nil && want.price != nil && want.price.Minor == 229
			})
			if !known {
				return false
			}
		}
		return true
	})
	down.Store(false)
	target.inSync("main", items)
	for i := range items {
		sku := fmt.Sprintf("SKU-%03d", i)
		if l, ok := target.Listing(sku); !ok || l.Price.Minor != 229 {
			t.Errorf("%s shows %v, want 229", sku, l.Price)
		}
		if sent := target.Sent(sku); len(sent) != 1 {
			t.Errorf("%s was written %d times, want once: %v", sku, len(sent), sent)
		}
	}
}

// A write does not wait for the end of a pause with a value that grows old.
func TestWriteIsGivenBackWhileTheChannelAsksForSilence(t *testing.T) {
	t.Parallel()
	b := newBudget(time.Now, newMetrics(prometheus.NewRegistry(), "ns", "shop"), func(context.Context, time.Duration) error { return nil })
	b.set(1000, 10, time.Second, http.DefaultTransport)
	b.pause(time.Hour)
	req, err := http.NewRequestWithContext(driver.WithOperation(t.Context(), driver.OpWrite), http.MethodPost, "http://127.0.0.1:1/write", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !neverSent(err) || !errors.Is(err, errSilence) {
		t.Errorf("the write ended with %v, want it back as never sent", err)
	}
}
