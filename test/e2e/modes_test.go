//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/metrics"
)

// A Channel that is paused reads and does not write, one that is stopped runs
// nothing, and one that is deleted with Delist sells nothing afterwards.
func TestChannelStates(t *testing.T) {
	t.Parallel()
	p := cluster.newPlace(t)
	var web, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", products("state", 4, 30)...) },
		func() { till = p.vendure(t, "till", product{"only-here", 555, 5}) },
	)
	p.channel(t, "web", web, nil)
	channel := p.channel(t, "till", till, func(s *selarasv1alpha1.ChannelSpec) { s.DeletionPolicy = selarasv1alpha1.DeletionDelist })
	sync := p.sync(t, "main", "web", "till")
	p.inSync(t, sync)
	within(t, soon, "the fill", showing(till, "state-0", shown{1000, 30}))
	to := func(state selarasv1alpha1.ChannelState) {
		change(t, p.world, channel, func(c *selarasv1alpha1.Channel) { c.Spec.State = state })
	}

	environment.Test(t, features.New("a channel").
		Assess("that is paused reads and does not write", step(func(t *testing.T) {
			to(selarasv1alpha1.ChannelPaused)
			p.shows(t, channel, selarasv1alpha1.ConditionReady, "True/Succeeded", "paused")
			writes := p.writes(t, "till")
			do(t, web.setPrice(t.Context(), "state-0", 1111))
			_, err := till.order(t.Context(), "state-1", 3)
			do(t, err)
			// The order is read and told to the source: the connector is at work.
			within(t, soon, "the order", showing(web, "state-1", shown{1001, 27}))
			p.shows(t, sync, selarasv1alpha1.ConditionInSync, "False/Pending", "")
			within(t, soon, "the price in the paused shop", showing(till, "state-0", shown{1000, 30}))
			if now := p.writes(t, "till"); now != writes {
				t.Errorf("the connector of a paused Channel has made %v writes", now-writes)
			}
		})).
		Assess("that runs again writes what it missed", step(func(t *testing.T) {
			to(selarasv1alpha1.ChannelRunning)
			within(t, soon, "the price", showing(till, "state-0", shown{1111, 30}))
			p.inSync(t, sync)
		})).
		Assess("that is stopped runs nothing", step(func(t *testing.T) {
			to(selarasv1alpha1.ChannelStopped)
			p.shows(t, channel, selarasv1alpha1.ConditionReady, "True/Stopped", "")
			p.shows(t, channel, selarasv1alpha1.ConditionDeployed, "False/Stopped", "")
			within(t, soon, "the end of the connector", func(ctx context.Context) error {
				left, err := p.lives(ctx, p.namespace, instance("till-connector"))
				if err == nil && len(left) > 0 {
					err = fmt.Errorf("there still is %v", left)
				}
				return err
			})
			do(t, web.setPrice(t.Context(), "state-0", 1222))
			_, err := till.order(t.Context(), "state-2", 2)
			do(t, err)
		})).
		Assess("that runs again has lost nothing", step(func(t *testing.T) {
			to(selarasv1alpha1.ChannelRunning)
			p.ready(t, channel)
			within(t, soon, "the price", showing(till, "state-0", shown{1222, 30}))
			within(t, soon, "the order", showing(web, "state-2", shown{1002, 28}))
			p.inSync(t, sync)
		})).
		Assess("that is deleted with Delist sells nothing of ours any more", step(func(t *testing.T) {
			do(t, p.get(t.Context(), channel))
			if len(channel.Finalizers) != 1 || channel.Finalizers[0] != selarasv1alpha1.DelistFinalizer {
				t.Errorf("finalizers are %v, want %s alone", channel.Finalizers, selarasv1alpha1.DelistFinalizer)
			}
			do(t, p.kube.Delete(t.Context(), channel))
			do(t, p.awaitGone(t.Context(), channel, soon))
			p.told(t, channel, "Normal", selarasv1alpha1.ReasonDelisted)
			within(t, soon, "what is for sale", func(ctx context.Context) error {
				seen, err := till.shown(ctx)
				if err == nil && (len(seen) != 1 || seen["only-here"] != shown{555, 5}) {
					err = fmt.Errorf("for sale is %v, want nothing but only-here", seen)
				}
				return err
			})
			within(t, soon, "the end of the connector", func(ctx context.Context) error {
				err := p.get(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "till-connector"}})
				if apierrors.IsNotFound(err) {
					return nil
				}
				return fmt.Errorf("its Deployment is still there: %w", err)
			})
		})).
		Feature())
}

// A CatalogSync that observes reports what differs and writes nothing; going to
// Enforce and back is safe at any time.
func TestSyncModes(t *testing.T) {
	t.Parallel()
	p := cluster.newPlace(t)
	var web, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", products("mode", 4, 30)...) },
		func() { till = p.vendure(t, "till", product{"mode-0", 4444, 7}, product{"mode-1", 1001, 30}) },
	)
	p.channel(t, "web", web, nil)
	p.channel(t, "till", till, nil)
	sync := p.makeSync("main", "web", "till")
	sync.Spec.Mode = selarasv1alpha1.ModeObserve
	p.create(t, sync)
	to := func(mode selarasv1alpha1.SyncMode) {
		change(t, p.world, sync, func(c *selarasv1alpha1.CatalogSync) { c.Spec.Mode = mode })
	}

	environment.Test(t, features.New("a sync").
		Assess("that observes reports and does not write", step(func(t *testing.T) {
			p.shows(t, sync, selarasv1alpha1.ConditionReady, "True/", "")
			within(t, soon, "what is reported of till", func(ctx context.Context) error { return p.reports(ctx, sync, 1, 3) })
			p.unwritten(t, till, map[string]shown{"mode-0": {4444, 7}, "mode-1": {1001, 30}})
		})).
		Assess("that enforces fills", step(func(t *testing.T) {
			to(selarasv1alpha1.ModeEnforce)
			p.inSync(t, sync)
			within(t, soon, "the fill", same(web, till))
		})).
		Assess("that observes again leaves a change unwritten", step(func(t *testing.T) {
			to(selarasv1alpha1.ModeObserve)
			p.ready(t, sync)
			writes := p.writes(t, "till")
			do(t, web.setPrice(t.Context(), "mode-3", 3333))
			within(t, soon, "what is reported of till", func(ctx context.Context) error { return p.reports(ctx, sync, 3, 1) })
			if now := p.writes(t, "till"); now != writes {
				t.Errorf("the connector of an observed channel has made %v writes", now-writes)
			}
			within(t, soon, "the price", showing(till, "mode-3", shown{1003, 30}))
		})).
		Assess("that enforces again writes it", step(func(t *testing.T) {
			to(selarasv1alpha1.ModeEnforce)
			within(t, soon, "the price", showing(till, "mode-3", shown{3333, 30}))
			p.inSync(t, sync)
		})).
		Feature())
}

// reports says in what the status of a sync that observes differs from so many
// items of till that are as they should be and so many that are not.
func (p *place) reports(ctx context.Context, sync *selarasv1alpha1.CatalogSync, right, wrong int64) error {
	if err := p.get(ctx, sync); err != nil {
		return err
	}
	for _, c := range sync.Status.Channels {
		if c.Name == "till" && c.InSync == right && c.Drifted == wrong && c.Pending == 0 && c.Failed == 0 {
			return nil
		}
	}
	return fmt.Errorf("status has %+v, want till with %d in sync and %d drifted; conditions are %+v", sync.Status.Channels, right, wrong, sync.Status.Conditions)
}

// unwritten fails when a shop shows anything but what it did, or its connector
// ever wrote.
func (p *place) unwritten(t *testing.T, s *shop, want map[string]shown) {
	t.Helper()
	if err := differences(s.name, s.look(t), want); err != nil {
		t.Error(err)
	}
	if n := p.writes(t, s.name); n != 0 {
		t.Errorf("its connector has made %v writes", n)
	}
}

// writes counts the calls by which the connector of a Channel, named as its
// shop, changed the shop since it started.
func (p *place) writes(t *testing.T, channel string) float64 {
	t.Helper()
	scraped, err := p.connectorMetrics(t.Context(), channel)
	do(t, err)
	var n float64
	for _, operation := range []string{"write", "create", "remove"} {
		for _, value := range scraped.series(metrics.APIRequests.Name, map[string]string{"operation": operation}) {
			n += value
		}
	}
	return n
}

// do fails at once on an error of what a case only does.
func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
