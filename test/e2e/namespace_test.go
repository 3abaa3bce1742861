//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// A namespace is deleted with everything in it, while it works. It ends within
// a minute; a Channel with Delist does not keep it, its listings stay for sale,
// and an event says so.
func TestNamespaceDeletedAtWork(t *testing.T) {
	t.Parallel()
	p := cluster.newPlace(t)
	var web, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", products("gone", 4, 20)...) },
		func() { till = p.vendure(t, "till") },
	)
	p.channel(t, "web", web, nil)
	p.channel(t, "till", till, func(s *selarasv1alpha1.ChannelSpec) { s.DeletionPolicy = selarasv1alpha1.DeletionDelist })
	p.inSync(t, p.sync(t, "main", "web", "till"))
	within(t, soon, "the fill", same(web, till))

	environment.Test(t, features.New("a namespace").
		Assess("ends within a minute", step(func(t *testing.T) { p.end(t) })).
		Assess("leaves the listings, and says so", step(func(t *testing.T) {
			p.toldOfNamespace(t, selarasv1alpha1.ReasonOrphaned, "till")
			if err := differences(till.name, till.look(t), web.look(t)); err != nil {
				t.Error(err)
			}
		})).
		Feature())
}

// toldOfNamespace waits for an event about the namespace of the place, which is
// kept in the namespace default because the one that ends takes none.
func (p *place) toldOfNamespace(t *testing.T, reason, says string) {
	t.Helper()
	within(t, soon, "events about namespace "+p.namespace, func(ctx context.Context) error {
		var list eventsv1.EventList
		if err := p.kube.List(ctx, &list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
			return err
		}
		var seen []string
		for _, e := range list.Items {
			if e.Regarding.Kind != "Namespace" || e.Regarding.Name != p.namespace {
				continue
			}
			if e.Reason == reason && strings.Contains(e.Note, says) {
				return nil
			}
			seen = append(seen, e.Type+"/"+e.Reason+": "+e.Note)
		}
		return fmt.Errorf("there is no event %s about %s, only %q", reason, says, seen)
	})
}

// Three namespaces whose resources and their children are deleted in any order
// before and while the namespace goes: each ends within a minute. No shop
// answers these Channels, so that nothing of them is ever in order.
func TestNamespacesDeletedInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, round := range []string{"first", "second", "third"} {
		t.Run(round, func(t *testing.T) {
			t.Parallel()
			p := cluster.newPlace(t)
			p.crowd(t)
			everything := p.everything(t)
			rand.Shuffle(len(everything), func(i, j int) { everything[i], everything[j] = everything[j], everything[i] })
			before := rand.IntN(len(everything) + 1)
			var order []string
			for i, object := range everything {
				if i == before {
					order = append(order, "the namespace")
					do(t, p.kube.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}))
				}
				order = append(order, fmt.Sprintf("%T %s", object, object.GetName()))
				do(t, client.IgnoreNotFound(p.kube.Delete(t.Context(), object, client.PropagationPolicy(metav1.DeletePropagationBackground))))
			}
			t.Logf("deleted in this order: %s", strings.Join(order, ", "))
			p.end(t)
		})
	}
}

// crowd makes Channels of every deletion policy and state, with storage and
// without, and CatalogSyncs between them, and waits until they are deployed.
func (p *place) crowd(t *testing.T) {
	t.Helper()
	nobody := &shop{kind: "vendure", endpoint: "http://nobody." + shopsNamespace + ".svc:3000/admin-api",
		credentials: map[string]string{"username": "nobody", "password": "nothing"}}
	web := p.channel(t, "web", nobody, nil)
	till := p.channel(t, "till", nobody, func(s *selarasv1alpha1.ChannelSpec) { s.DeletionPolicy = selarasv1alpha1.DeletionDelist })
	p.channel(t, "stopped", nobody, func(s *selarasv1alpha1.ChannelSpec) {
		s.DeletionPolicy, s.State = selarasv1alpha1.DeletionDelist, selarasv1alpha1.ChannelStopped
	})
	p.sync(t, "main", "web", "till")
	second := p.makeSync("second", "web", "stopped")
	second.Spec.Mode = selarasv1alpha1.ModeObserve
	p.create(t, second)
	p.shows(t, web, selarasv1alpha1.ConditionDeployed, "True/", "")
	p.shows(t, till, selarasv1alpha1.ConditionDeployed, "True/", "")
	p.onlyPod(t, p.namespace, component("catalog"))
}

// everything lists what Selaras and the test made in the place.
func (p *place) everything(t *testing.T) []client.Object {
	t.Helper()
	var all []client.Object
	for _, list := range []client.ObjectList{
		&selarasv1alpha1.ChannelList{}, &selarasv1alpha1.CatalogSyncList{}, &appsv1.DeploymentList{}, &corev1.PodList{},
		&corev1.SecretList{}, &corev1.ServiceList{}, &networkingv1.NetworkPolicyList{},
	} {
		do(t, p.kube.List(t.Context(), list, client.InNamespace(p.namespace)))
		switch l := list.(type) {
		case *selarasv1alpha1.ChannelList:
			all = append(all, pointers(l.Items)...)
		case *selarasv1alpha1.CatalogSyncList:
			all = append(all, pointers(l.Items)...)
		case *appsv1.DeploymentList:
			all = append(all, pointers(l.Items)...)
		case *corev1.PodList:
			all = append(all, pointers(l.Items)...)
		case *corev1.SecretList:
			all = append(all, pointers(l.Items)...)
		case *corev1.ServiceList:
			all = append(all, pointers(l.Items)...)
		case *networkingv1.NetworkPolicyList:
			all = append(all, pointers(l.Items)...)
		}
	}
	return all
}

// pointers turns the items of a list into objects.
func pointers[T any, P interface {
	*T
	client.Object
}](items []T) []client.Object {
	objects := make([]client.Object, len(items))
	for i := range items {
		objects[i] = P(&items[i])
	}
	return objects
}
