//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/e2e-framework/pkg/features"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/metrics"
)

// amid makes a step happen between changes of a prober.
func amid(prober *prober, what func(t *testing.T)) features.Func {
	return step(func(t *testing.T) {
		prober.awaitChanges(t, 10)
		what(t)
		prober.awaitChanges(t, 10)
	})
}

// I1, I2, I3: the processes of connectors and worker are killed in their
// containers amid changes; what they had stored is there when they come back.
func TestProcessesKilledAmidChanges(t *testing.T) {
	t.Parallel()
	p, prober := probedPlace(t)
	killed := func(labels map[string]string) features.Func {
		return amid(prober, func(t *testing.T) { p.killOnlyProcesses(t, p.namespace, labels) })
	}
	environment.Test(t, features.New("processes killed").
		Assess("the source's connector", killed(instance("web-connector"))).
		Assess("the target's connector", killed(instance("till-connector"))).
		Assess("the worker", killed(component("catalog"))).
		Assess("nothing is lost, doubled or reordered", step(prober.finish)).
		Feature())
}

// I1, I2, I3, I7: operator and hub are killed and evicted amid changes, and
// restart neither connectors nor worker.
func TestOperatorAndHubLostAmidChanges(t *testing.T) {
	p, prober := probedPlace(t)
	before := p.workloads(t)
	lost := func(lose func(*world, *testing.T, string, map[string]string), name string) features.Func {
		return amid(prober, func(t *testing.T) { lose(p.world, t, systemNamespace, component(name)) })
	}
	environment.Test(t, features.New("operator and hub").
		Assess("the operator's process is killed", lost((*world).killOnlyProcesses, "operator")).
		Assess("the operator is evicted", lost((*world).evict, "operator")).
		Assess("the hub's process is killed", lost((*world).killOnlyProcesses, "hub")).
		Assess("the hub is evicted", lost((*world).evict, "hub")).
		Assess("a change of spec is still acted on", step(func(t *testing.T) { p.obeys(t, "till") })).
		Assess("nothing is lost, doubled or reordered", step(prober.finish)).
		Assess("no workload was restarted", step(func(t *testing.T) { p.sameWorkloads(t, before) })).
		Feature())
}

// I1, I2, I3: a node is drained of all that Selaras runs there, amid changes.
func TestNodeDrainedAmidChanges(t *testing.T) {
	hub := cluster.onlyPod(t, systemNamespace, component("hub"))
	if len(cluster.otherNodes(t, hub.Spec.NodeName)) == 0 {
		fmt.Println("e2e: no node can be drained here: NODES=3 makes a cluster where one can")
		return
	}
	p, prober := probedPlace(t)
	environment.Test(t, features.New("a drained node").
		Assess("its pods start elsewhere", amid(prober, func(t *testing.T) { p.drain(t, hub.Spec.NodeName) })).
		Assess("nothing is lost, doubled or reordered", step(prober.finish)).
		Feature())
}

// drain evicts what Selaras runs on a node, one pod after the other, and waits
// for each successor on another node.
func (p *place) drain(t *testing.T, node string) {
	t.Helper()
	p.cordon(t, node)
	parts := []struct {
		namespace string
		labels    map[string]string
	}{
		{p.namespace, instance("web-connector")}, {p.namespace, instance("till-connector")}, {p.namespace, component("catalog")},
		{systemNamespace, component("operator")}, {systemNamespace, component("hub")},
	}
	evicted := 0
	for _, part := range parts {
		if p.onlyPod(t, part.namespace, part.labels).Spec.NodeName != node {
			continue
		}
		p.evict(t, part.namespace, part.labels)
		evicted++
		if now := p.onlyPod(t, part.namespace, part.labels).Spec.NodeName; now == node {
			t.Errorf("the successor of %v started on the drained node", part.labels)
		}
	}
	if evicted == 0 {
		t.Errorf("node %s had nothing to evict", node)
	}
}

// obeys changes something harmless in the spec of a Channel and waits until the
// connector runs by it.
func (p *place) obeys(t *testing.T, name string) {
	t.Helper()
	channel := p.existing(name)
	change(t, p.world, channel, func(c *selarasv1alpha1.Channel) {
		c.Spec.RateLimit.Burst++
	})
	p.ready(t, channel)
}

// A target that is down for a minute, and one that is frozen, amid changes: the
// lag grows and Ready stays; nothing is lost (I1, I2, I3).
func TestShopAwayAmidChanges(t *testing.T) {
	t.Parallel()
	p, prober := probedPlace(t)
	till := prober.targets[0]
	away := func(leave, comeBack func(*testing.T), lasting time.Duration) features.Func {
		return amid(prober, func(t *testing.T) {
			leave(t)
			p.lagGrows(t, "till", lasting)
			p.shows(t, p.existing("till"), selarasv1alpha1.ConditionReady, "True/", "")
			comeBack(t)
			p.shows(t, p.existing("till"), selarasv1alpha1.ConditionConnected, "True/", "")
		})
	}
	environment.Test(t, features.New("a shop").
		Assess("is down for a minute", away(till.stop, till.start, time.Minute)).
		Assess("is frozen", away(till.freeze, till.thaw, 15*time.Second)).
		Assess("nothing is lost, doubled or reordered", step(prober.finish)).
		Assess("metrics say that all is in sync again", step(func(t *testing.T) {
			within(t, soon, "metrics", func(ctx context.Context) error { return p.lagSeries(ctx, "main", 9, "till") })
		})).
		Feature())
}

// lagGrows waits until the worker tells that a change has waited for so long.
func (p *place) lagGrows(t *testing.T, channel string, to time.Duration) {
	t.Helper()
	labels := map[string]string{"namespace": p.namespace, "catalogsync": "main", "channel": channel, "cause": "change"}
	within(t, to+soon, "lag of "+channel, func(ctx context.Context) error {
		worker, err := p.workerMetrics(ctx)
		if err != nil {
			return err
		}
		lag, err := worker.one(metrics.SyncLag.Name, labels)
		if err == nil && lag < to.Seconds() {
			err = fmt.Errorf("it is %.1f s, want %s", lag, to)
		}
		return err
	})
}

// existing names a Channel of the place.
func (p *place) existing(name string) *selarasv1alpha1.Channel {
	channel := &selarasv1alpha1.Channel{}
	channel.Namespace, channel.Name = p.namespace, name
	return channel
}
