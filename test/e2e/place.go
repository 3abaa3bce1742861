package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

const (
	// soon bounds the wait for what a report, a reconciliation or a few writes
	// to a shop bring; the start of a pod is within it on a machine that is busy.
	soon = 90 * time.Second
	// goneWithin bounds the end of a namespace with everything in it.
	goneWithin = time.Minute
)

// restricted makes the API server refuse every pod that does not meet the
// restricted Pod Security Standard.
var restricted = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}

// place is the namespace of one case, with what the case makes in it. It ends
// with the test; what is needed to explain a failure is written to files first.
type place struct {
	*world
	namespace string

	mu    sync.Mutex
	shops []client.Object // pods and Services
}

// newPlace makes a namespace named after the test that enforces the restricted
// Pod Security Standard.
func (w *world) newPlace(t *testing.T) *place {
	t.Helper()
	begun := time.Now()
	p := &place{world: w, namespace: namespaceFor(t)}
	p.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace, Labels: restricted}})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", w.collect(t.Name(), p.namespace, systemNamespace, shopsNamespace))
		}
		p.end(t)
		p.close(t)
		w.took(t.Name(), begun)
	})
	return p
}

// closing makes objects of the shops end with the place, after its namespace:
// until then connectors call them.
func (p *place) closing(objects ...client.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shops = append(p.shops, objects...)
}

// namespaceFor is unique over repetitions of a test (-count).
func namespaceFor(t *testing.T) string {
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(strings.TrimPrefix(t.Name(), "Test")))
	return fmt.Sprintf("%s-%s", strings.TrimRight(name[:min(len(name), 40)], "-"), shortID())
}

// end deletes the namespace and waits until it is gone. The shops stay.
func (p *place) end(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), goneWithin+10*time.Second)
	defer cancel()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}
	if err := p.kube.Delete(ctx, namespace); err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("deleting namespace %s: %v", p.namespace, err)
	}
	if err := p.awaitGone(ctx, namespace, goneWithin); err != nil {
		t.Errorf("namespace %s: %v; what it says: %s", p.namespace, err, inWords(namespace.Status))
	}
}

// close closes the shops.
func (p *place) close(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), goneWithin)
	defer cancel()
	for _, object := range p.shops {
		if err := p.kube.Delete(ctx, object, client.GracePeriodSeconds(0)); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("closing the shop %s: %v", object.GetName(), err)
		}
	}
}

// inWords is a status as people read it.
func inWords(status any) string {
	text, err := json.Marshal(status)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// awaitGone waits until an object is not there any more.
func (w *world) awaitGone(ctx context.Context, object client.Object, most time.Duration) error {
	return await(ctx, most, func(ctx context.Context) error {
		err := w.kube.Get(ctx, client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%T %s is still there, finalizers %v", object, object.GetName(), object.GetFinalizers())
		}
		return err
	})
}

// create creates objects.
func (w *world) create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := w.kube.Create(t.Context(), object); err != nil {
			t.Fatalf("creating %T %s: %v", object, object.GetName(), err)
		}
	}
}

// change patches an object as a user would.
func change[T client.Object](t *testing.T, w *world, object T, mutate func(T)) {
	t.Helper()
	if err := w.kube.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	before := object.DeepCopyObject().(client.Object)
	mutate(object)
	if err := w.kube.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatalf("changing %T %s: %v", object, object.GetName(), err)
	}
}

// secret makes or changes the Secret that channel expects.
func (p *place) secret(t *testing.T, channel string, values map[string]string) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: channel + "-credentials"}, StringData: values}
	err := p.kube.Create(t.Context(), secret)
	if apierrors.IsAlreadyExists(err) {
		change(t, p.world, secret, func(s *corev1.Secret) { s.StringData = values })
		return
	}
	if err != nil {
		t.Fatalf("creating the Secret of %s: %v", channel, err)
	}
}

// channel makes a Channel, and a Secret with the right credentials, for a shop;
// otherwise, which may be nil, changes its spec first.
func (p *place) channel(t *testing.T, name string, s *shop, otherwise func(*selarasv1alpha1.ChannelSpec)) *selarasv1alpha1.Channel {
	t.Helper()
	p.secret(t, name, s.credentials)
	channel := p.makeChannel(name, s)
	if otherwise != nil {
		otherwise(&channel.Spec)
	}
	p.create(t, channel)
	return channel
}

// makeChannel builds the Channel of a shop.
func (p *place) makeChannel(name string, s *shop) *selarasv1alpha1.Channel {
	return &selarasv1alpha1.Channel{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name},
		Spec: selarasv1alpha1.ChannelSpec{
			Type: s.kind, Endpoint: s.endpoint, Currency: currency,
			CredentialsRef: &selarasv1alpha1.SecretReference{Name: name + "-credentials"},
			Polling:        &selarasv1alpha1.Polling{Interval: &metav1.Duration{Duration: time.Second}},
			RateLimit:      &selarasv1alpha1.RateLimit{RequestsPerSecond: "50", Burst: 50},
		},
	}
}

// sync makes a CatalogSync that keeps everything of the source on the targets.
func (p *place) sync(t *testing.T, name, source string, targets ...string) *selarasv1alpha1.CatalogSync {
	t.Helper()
	sync := p.makeSync(name, source, targets...)
	p.create(t, sync)
	return sync
}

// makeSync builds a CatalogSync that keeps everything of the source on the
// targets.
func (p *place) makeSync(name, source string, targets ...string) *selarasv1alpha1.CatalogSync {
	return &selarasv1alpha1.CatalogSync{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name},
		Spec: selarasv1alpha1.CatalogSyncSpec{
			Mode: selarasv1alpha1.ModeEnforce, Source: selarasv1alpha1.CatalogSource{Channel: source},
			Channels: selarasv1alpha1.ChannelSelection{Names: targets},
		},
	}
}

// within waits until check finds nothing wrong any more, and fails with what
// it found last.
func within(t *testing.T, most time.Duration, what string, check func(context.Context) error) time.Duration {
	t.Helper()
	begun := time.Now()
	if err := await(t.Context(), most, check); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return time.Since(begun)
}

func conditionsOf(object client.Object) []metav1.Condition {
	switch o := object.(type) {
	case *selarasv1alpha1.Channel:
		return o.Status.Conditions
	case *selarasv1alpha1.CatalogSync:
		return o.Status.Conditions
	}
	return nil
}

// shows waits until a condition of the newest generation is "Status/Reason",
// or "Status/" for any reason, and its message holds what it should.
func (w *world) shows(t *testing.T, object client.Object, kind, want, says string) {
	t.Helper()
	within(t, soon, fmt.Sprintf("%s of %s", kind, object.GetName()), func(ctx context.Context) error {
		if err := w.kube.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		c := meta.FindStatusCondition(conditionsOf(object), kind)
		if c == nil || !strings.HasPrefix(string(c.Status)+"/"+c.Reason, want) || c.ObservedGeneration != object.GetGeneration() || !strings.Contains(c.Message, says) {
			return fmt.Errorf("%s is %s, want %s of generation %d that says %q; all: %s", kind, inWords(c), want, object.GetGeneration(), says, inWords(conditionsOf(object)))
		}
		return nil
	})
}

// ready waits until objects are Ready and nothing of them is stalled.
func (w *world) ready(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		w.shows(t, object, selarasv1alpha1.ConditionReady, "True/Succeeded", "")
		w.shows(t, object, selarasv1alpha1.ConditionStalled, "False/", "")
	}
}

// inSync waits until a CatalogSync is Ready and in sync, and its counts say so.
func (w *world) inSync(t *testing.T, sync *selarasv1alpha1.CatalogSync) {
	t.Helper()
	w.ready(t, sync)
	within(t, soon, "sync of "+sync.Name, func(ctx context.Context) error {
		if err := w.kube.Get(ctx, client.ObjectKeyFromObject(sync), sync); err != nil {
			return err
		}
		s := sync.Status
		if !meta.IsStatusConditionTrue(s.Conditions, selarasv1alpha1.ConditionInSync) || !zero(s.Pending) || !zero(s.Failed) || s.OldestPendingTime != nil {
			return fmt.Errorf("status is %s", inWords(s))
		}
		return nil
	})
}

func zero(n *int64) bool { return n != nil && *n == 0 }

// told waits for an event of a type (Warning or Normal) and reason about an
// object.
func (w *world) told(t *testing.T, object client.Object, kind, reason string) {
	t.Helper()
	within(t, soon, "events of "+object.GetName(), func(ctx context.Context) error {
		var list eventsv1.EventList
		if err := w.kube.List(ctx, &list, client.InNamespace(object.GetNamespace())); err != nil {
			return err
		}
		var seen []string
		for _, e := range list.Items {
			if e.Regarding.Name != object.GetName() {
				continue
			}
			seen = append(seen, e.Type+"/"+e.Reason)
		}
		if !slices.Contains(seen, kind+"/"+reason) {
			return fmt.Errorf("there is no event %s/%s, only %v", kind, reason, seen)
		}
		return nil
	})
}

// get reads an object anew.
func (w *world) get(ctx context.Context, object client.Object) error {
	return w.kube.Get(ctx, client.ObjectKeyFromObject(object), object)
}
