//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/metrics"
)

const (
	// heldWithin is the promise of the emergency stop.
	heldWithin = 5 * time.Second
	// heldFor is how long a hold is watched for writes.
	heldFor = 5 * time.Second
)

// The emergency stop on a CatalogSync, a Channel and a Namespace: nothing is
// written from five seconds after it, whatever a GitOps pipeline applies; it is
// told by Ready and by a metric; when it is lifted what waited goes out.
func TestHoldAgainstGitOps(t *testing.T) {
	t.Parallel()
	p := cluster.newPlace(t)
	sells, skus := probed("hold")
	var web, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", sells...) },
		func() { till = p.vendure(t, "till") },
	)
	p.secret(t, "web", web.credentials)
	p.secret(t, "till", till.credentials)
	channel, sync := p.makeChannel("till", till), p.makeSync("main", "web", "till")
	pipeline := p.gitOps(t, p.makeChannel("web", web), channel, sync, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: p.namespace, Labels: restricted},
	})
	p.inSync(t, sync)
	within(t, soon, "the fill", same(web, till))
	prober := probe(t, skus, web, till)

	held := func(object client.Object, tellers ...client.Object) features.Func {
		return step(func(t *testing.T) {
			prober.awaitChanges(t, 10)
			annotated := time.Now()
			change(t, p.world, object, func(o client.Object) {
				o.SetAnnotations(map[string]string{selarasv1alpha1.HoldAnnotation: "forever|wrong prices"})
			})
			p.heldSoon(t, annotated, tellers...)
			at := pipeline.applied()
			p.nothingWritten(t, prober, till)
			within(t, soon, "applications of the same manifests", func(context.Context) error { return pipeline.appliedSince(at, 3) })
			do(t, p.get(t.Context(), object))
			if got := object.GetAnnotations()[selarasv1alpha1.HoldAnnotation]; got == "" {
				t.Fatalf("the pipeline undid the hold: annotations are %v", object.GetAnnotations())
			}
			change(t, p.world, object, func(o client.Object) { o.SetAnnotations(nil) })
			p.released(t, tellers...)
			prober.awaitWritten(t, till)
		})
	}
	environment.Test(t, features.New("a hold").
		Assess("on the CatalogSync", held(sync, sync)).
		Assess("on the Channel", held(channel, channel)).
		Assess("on the Namespace", held(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}, channel, sync)).
		Assess("nothing is lost, doubled or reordered", step(prober.finish)).
		Feature())
}

// heldSoon waits until Ready says that a hold is in force, and the operator's
// metric, not later than promised.
func (p *place) heldSoon(t *testing.T, annotated time.Time, tellers ...client.Object) {
	t.Helper()
	within(t, time.Until(annotated.Add(heldWithin)), "the hold", func(ctx context.Context) error {
		var all []error
		for _, o := range tellers {
			all = append(all, p.heldIs(ctx, o, true))
		}
		return errors.Join(all...)
	})
	t.Logf("told %s after the annotation", time.Since(annotated).Round(10*time.Millisecond))
	select {
	case <-time.After(time.Until(annotated.Add(heldWithin))): // what is promised from then on
	case <-t.Context().Done():
	}
}

// released waits until nobody tells of a hold any more.
func (p *place) released(t *testing.T, tellers ...client.Object) {
	t.Helper()
	for _, o := range tellers {
		within(t, soon, "the end of the hold", func(ctx context.Context) error { return p.heldIs(ctx, o, false) })
	}
}

// heldIs says in what Ready and the metrics differ from a hold that is in
// force or not.
func (p *place) heldIs(ctx context.Context, object client.Object, want bool) error {
	if err := p.get(ctx, object); err != nil {
		return err
	}
	for _, c := range conditionsOf(object) {
		if c.Type != selarasv1alpha1.ConditionReady {
			continue
		}
		if c.Status != metav1.ConditionTrue || strings.Contains(c.Message, "HELD until it is lifted: wrong prices") != want {
			return fmt.Errorf("%s of %s is %+v; held is wanted to be %t", c.Type, object.GetName(), c, want)
		}
	}
	operator, err := p.operatorMetrics(ctx)
	if err != nil {
		return err
	}
	metric, label := metrics.ChannelHeld, "channel"
	if _, ok := object.(*selarasv1alpha1.CatalogSync); ok {
		metric, label = metrics.SyncHeld, "catalogsync"
	}
	value, err := operator.one(metric.Name, map[string]string{"namespace": p.namespace, label: object.GetName()})
	if err == nil && (value == 1) != want {
		err = fmt.Errorf("%s of %s is %v; held is wanted to be %t", metric.Name, object.GetName(), value, want)
	}
	return err
}

// nothingWritten fails when a shop shows anything new of what a prober changes
// in the source while it is watched. Stock is no exception, also when it goes
// down: an emergency stop stops all writing. What buyers take themselves is the
// shop's own.
func (p *place) nothingWritten(t *testing.T, prober *prober, s *shop) {
	t.Helper()
	watched := slices.Concat(prober.skus.prices, prober.skus.stocks)
	before := s.look(t)
	writes := p.writes(t, s.name)
	done := prober.done()
	select {
	case <-time.After(heldFor):
	case <-t.Context().Done():
	}
	after := s.look(t)
	for _, sku := range watched {
		if after[sku] != before[sku] {
			t.Errorf("%s showed %s as %+v and, held, shows it as %+v", s.name, sku, before[sku], after[sku])
		}
	}
	if now := p.writes(t, s.name); now != writes {
		t.Errorf("the connector of a held channel has made %v writes", now-writes)
	}
	prober.awaitChanges(t, 5)
	if prober.done() == done {
		t.Error("nothing was changed meanwhile, so that nothing is proven")
	}
}

// awaitWritten waits until a shop shows a price that is asked for from now on.
func (p *prober) awaitWritten(t *testing.T, s *shop) {
	t.Helper()
	sku := p.skus.prices[0]
	seen := p.source.look(t)
	within(t, soon, "a newer price in "+s.name, func(ctx context.Context) error {
		got, err := s.shown(ctx)
		if err == nil && got[sku].price < seen[sku].price {
			err = fmt.Errorf("%s costs %d, want at least %d", sku, got[sku].price, seen[sku].price)
		}
		return err
	})
}

// pipeline applies the same manifests again and again, as Flux and Argo CD do.
type pipeline struct {
	mu   sync.Mutex
	runs int
	last error
}

// gitOps applies objects, by server-side apply and with force, every second
// until the test ends.
func (p *place) gitOps(t *testing.T, objects ...client.Object) *pipeline {
	t.Helper()
	manifests := make([]*unstructured.Unstructured, 0, len(objects))
	for _, o := range objects {
		manifests = append(manifests, p.manifest(t, o))
	}
	l := &pipeline{}
	run := func(ctx context.Context) error {
		for _, m := range manifests {
			err := p.kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(m.DeepCopy()), client.FieldOwner("gitops"), client.ForceOwnership)
			if err != nil {
				return fmt.Errorf("applying %s %s: %w", m.GetKind(), m.GetName(), err)
			}
		}
		return nil
	}
	do(t, run(t.Context()))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	t.Cleanup(func() { stop(); <-ended })
	go func() {
		defer close(ended)
		for tick := time.NewTicker(time.Second); ; {
			select {
			case <-tick.C:
				l.note(run(ctx))
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	}()
	return l
}

// manifest is what stands in a repository: spec and metadata, nothing else.
func (p *place) manifest(t *testing.T, object client.Object) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	do(t, err)
	kind, err := p.kube.GroupVersionKindFor(object)
	do(t, err)
	m := &unstructured.Unstructured{Object: content}
	m.SetGroupVersionKind(kind)
	unstructured.RemoveNestedField(m.Object, "status")
	unstructured.RemoveNestedField(m.Object, "metadata", "creationTimestamp")
	return m
}

func (l *pipeline) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last = err; err == nil {
		l.runs++
	}
}

func (l *pipeline) applied() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs
}

func (l *pipeline) appliedSince(at, n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs >= at+n {
		return nil
	}
	return errors.Join(fmt.Errorf("%d were made, want %d", l.runs-at, n), l.last)
}
