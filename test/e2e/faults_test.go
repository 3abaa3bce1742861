//go:build e2e

package e2e

import (
	"context"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/features"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// I1, I2, I3: connector and worker are killed and evicted amid changes, and no
// change is lost, doubled or seen after a newer one.
func TestWorkloadsKilledAmidChanges(t *testing.T) {
	t.Parallel()
	p, prober := probedPlace(t)
	amid := func(what func(t *testing.T)) features.Func {
		return step(func(t *testing.T) {
			prober.awaitChanges(t, 10)
			what(t)
			prober.awaitChanges(t, 10)
		})
	}
	environment.Test(t, features.New("amid changes").
		Assess("the source's connector is killed", amid(func(t *testing.T) { p.kill(t, p.namespace, instance("web-connector")) })).
		Assess("the target's connector is evicted", amid(func(t *testing.T) { p.evict(t, p.namespace, instance("till-connector")) })).
		Assess("the worker is killed", amid(func(t *testing.T) { p.kill(t, p.namespace, component("catalog")) })).
		Assess("the worker is evicted", amid(func(t *testing.T) { p.evict(t, p.namespace, component("catalog")) })).
		Assess("nothing is lost, doubled or reordered", step(prober.finish)).
		Feature())
}

// I7: operator and hub get a new image amid changes; connectors and workers go
// on as they are. Then the new image is given to them too, and they roll.
func TestUpgradeAmidChanges(t *testing.T) {
	p, prober := probedPlace(t)
	before := p.workloads(t)
	prober.awaitChanges(t, 10)
	t.Cleanup(func() {
		if err := cluster.install(context.Background(), cluster.image, cluster.image); err != nil {
			t.Errorf("going back to the image before: %v", err)
		}
	})
	environment.Test(t, features.New("upgrade").
		Assess("of operator and hub restarts no workload", step(func(t *testing.T) {
			if err := cluster.install(t.Context(), cluster.nextImage, cluster.image); err != nil {
				t.Fatal(err)
			}
			prober.awaitChanges(t, 20)
			p.sameWorkloads(t, before)
		})).
		Assess("of the workloads rolls them", step(func(t *testing.T) {
			if err := cluster.install(t.Context(), cluster.nextImage, cluster.nextImage); err != nil {
				t.Fatal(err)
			}
			p.rolled(t, before, cluster.nextImage)
			prober.awaitChanges(t, 20)
		})).
		Assess("nothing is lost, doubled or reordered", step(prober.finish)).
		Feature())
}

// A shop that is away or does not answer is told, keeps Ready, and gets what
// it missed when it is back.
func TestShopAway(t *testing.T) {
	t.Parallel()
	p := cluster.newPlace(t)
	var web, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", products("away", 4, 20)...) },
		func() { till = p.vendure(t, "till") },
	)
	channel := p.channel(t, "till", till, nil)
	p.channel(t, "web", web, nil)
	sync := p.sync(t, "main", "web", "till")
	p.inSync(t, sync)

	away := func(leave, comeBack func(*testing.T), price int64) features.Func {
		return step(func(t *testing.T) {
			leave(t)
			p.shows(t, channel, selarasv1alpha1.ConditionConnected, "False/", "")
			if err := web.setPrice(t.Context(), "away-0", price); err != nil {
				t.Fatal(err)
			}
			p.shows(t, sync, selarasv1alpha1.ConditionInSync, "False/", "")
			p.shows(t, channel, selarasv1alpha1.ConditionReady, "True/", "")
			comeBack(t)
			p.shows(t, channel, selarasv1alpha1.ConditionConnected, "True/", "")
			within(t, soon, "the price", showing(till, "away-0", shown{price, 20}))
			p.inSync(t, sync)
		})
	}
	environment.Test(t, features.New("a shop").
		Assess("is down", away(till.stop, till.start, 2222)).
		Assess("was told", step(func(t *testing.T) { p.told(t, channel, "Warning", selarasv1alpha1.ReasonUnreachable) })).
		Assess("is frozen", away(till.freeze, till.thaw, 3333)).
		Feature())
}

// probedPlace is a place with two shops in sync that a prober changes.
func probedPlace(t *testing.T) (*place, *prober) {
	t.Helper()
	p := cluster.newPlace(t)
	sells, skus := probed("probe")
	var web, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", sells...) },
		func() { till = p.vendure(t, "till") },
	)
	p.channel(t, "web", web, nil)
	p.channel(t, "till", till, nil)
	p.inSync(t, p.sync(t, "main", "web", "till"))
	within(t, soon, "the fill", same(web, till))
	return p, probe(t, skus, web, till)
}
