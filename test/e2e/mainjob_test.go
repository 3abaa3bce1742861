//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/features"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/metrics"
)

// The main job: the catalog of one shop is kept the same on a shop of another
// make and on one of the same make, and stock is one for all three.
func TestMainJob(t *testing.T) {
	t.Parallel()
	p := cluster.newPlace(t)
	var web, market, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", products("main", 8, 50)...) },
		func() { market = p.medusa(t, "market") },
		func() { till = p.vendure(t, "till") },
	)
	var source *selarasv1alpha1.Channel
	var sync *selarasv1alpha1.CatalogSync
	// everywhere waits until a SKU is the same thing to buy in all three.
	everywhere := func(t *testing.T, sku string, want shown) {
		t.Helper()
		for _, s := range []*shop{web, market, till} {
			took := within(t, soon, sku+" in "+s.name, showing(s, sku, want))
			t.Logf("%s: %s", s.name, took)
		}
	}
	do := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	job := features.New("a catalog on three shops").
		Assess("the empty shops are filled", step(func(t *testing.T) {
			source = p.channel(t, "web", web, nil)
			p.ready(t, source, p.channel(t, "market", market, nil), p.channel(t, "till", till, nil))
			sync = p.sync(t, "main", "web", "market", "till")
			p.inSync(t, sync)
			within(t, soon, "the fill", same(web, market, till))
		})).
		Assess("status counts every item on every channel", step(func(t *testing.T) {
			within(t, soon, "status of main", func(ctx context.Context) error { return p.counts(ctx, sync, 8, "market", "till", "web") })
		})).
		Assess("a price", step(func(t *testing.T) {
			do(t, web.setPrice(t.Context(), "main-0", 4321))
			everywhere(t, "main-0", shown{4321, 50})
		})).
		Assess("a count of stock", step(func(t *testing.T) {
			do(t, web.setStock(t.Context(), "main-1", 17))
			everywhere(t, "main-1", shown{1001, 17})
		})).
		Assess("a new product", step(func(t *testing.T) {
			do(t, web.sell(t.Context(), product{"main-new", 777, 5}))
			everywhere(t, "main-new", shown{777, 5})
		})).
		Assess("a removed product", step(func(t *testing.T) {
			do(t, web.remove(t.Context(), "main-2"))
			// What is gone is seen when everything is compared: at spec.resync, or when asked for.
			change(t, p.world, source, func(c *selarasv1alpha1.Channel) {
				c.Annotations = map[string]string{selarasv1alpha1.RequestedAtAnnotation: "now"}
			})
			within(t, soon, "the removal", same(web, market, till))
		})).
		Assess("an order in each shop", step(func(t *testing.T) {
			for i, s := range []*shop{web, market, till} {
				_, err := s.order(t.Context(), "main-3", i+1)
				do(t, err)
				everywhere(t, "main-3", shown{1003, 50 - (i+1)*(i+2)/2})
			}
		})).
		Assess("an order taken back", step(func(t *testing.T) {
			order, err := market.order(t.Context(), "main-4", 4)
			do(t, err)
			everywhere(t, "main-4", shown{1004, 46})
			do(t, market.cancel(t.Context(), order))
			everywhere(t, "main-4", shown{1004, 50})
		})).
		Assess("status and metrics say that all is in sync", step(func(t *testing.T) {
			p.inSync(t, sync)
			within(t, soon, "metrics", func(ctx context.Context) error { return p.lagSeries(ctx, "main", 8, "market", "till", "web") })
		})).
		Feature()
	environment.Test(t, job)
}

// counts says in what a sync's status differs from n items in sync on every
// channel, the source included: its stock is kept too.
func (p *place) counts(ctx context.Context, sync *selarasv1alpha1.CatalogSync, n int64, channels ...string) error {
	if err := p.get(ctx, sync); err != nil {
		return err
	}
	s := sync.Status
	if s.Items == nil || *s.Items != n || len(s.Channels) != len(channels) {
		return fmt.Errorf("status is %s, want %d items on %v", inWords(s), n, channels)
	}
	for _, c := range s.Channels {
		if c.InSync != n || c.Pending != 0 || c.Failed != 0 || c.Drifted != 0 {
			return fmt.Errorf("channel %s is %+v, want %d in sync and nothing else", c.Name, c, n)
		}
	}
	return nil
}

// lagSeries says in what the metrics differ from those of a sync with n items
// in sync: the lag is told, by the worker and by the operator, and nothing is
// pending.
func (p *place) lagSeries(ctx context.Context, sync string, n float64, channels ...string) error {
	worker, err := p.workerMetrics(ctx)
	if err != nil {
		return err
	}
	operator, err := p.operatorMetrics(ctx)
	if err != nil {
		return err
	}
	for from, scraped := range map[string]scraped{"worker": worker, "operator": operator} {
		for _, channel := range channels {
			labels := map[string]string{"namespace": p.namespace, "catalogsync": sync, "channel": channel}
			if err := scraped.inSync(labels, n); err != nil {
				return fmt.Errorf("%s: %w", from, err)
			}
		}
	}
	for _, channel := range channels {
		connector, err := p.connectorMetrics(ctx, channel)
		if err != nil {
			return err
		}
		up, err := connector.one(metrics.ChannelUp.Name, map[string]string{"namespace": p.namespace, "channel": channel})
		if err != nil || up != 1 {
			return fmt.Errorf("connector of %s: up is %v: %w", channel, up, err)
		}
	}
	return nil
}

// inSync says what the series with the labels lack of n items in sync.
func (s scraped) inSync(labels map[string]string, n float64) error {
	with := func(name, value string) map[string]string {
		all := map[string]string{name: value}
		for k, v := range labels {
			all[k] = v
		}
		return all
	}
	lag, err := s.one(metrics.SyncLag.Name, with("cause", "change"))
	if err != nil {
		return err
	}
	if pending := s.series(metrics.SyncOldestPending.Name, labels); lag != 0 || len(pending) != 0 {
		return fmt.Errorf("%v: lag is %v s and the oldest pending are of %v, want 0 and none", labels, lag, pending)
	}
	items, err := s.one(metrics.SyncItems.Name, with("state", "in_sync"))
	if err == nil && items != n {
		err = fmt.Errorf("%v: %v items are in sync, want %v", labels, items, n)
	}
	return err
}
