//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

const (
	leaseName = "operator.selaras.dev"
	// succession bounds the time until another operator leads after the leader
	// is gone without a word: its lease of 35 s, and the start of controllers.
	succession = 60 * time.Second
)

// Of two operators one works. When it is killed the other goes on within the
// time of the lease: it deploys what is new and acts on what is changed, and
// nothing is made twice.
func TestTwoOperators(t *testing.T) {
	p := cluster.newPlace(t)
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: operatorName}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
		defer cancel()
		if err := cluster.install(ctx, cluster.image, cluster.image); err != nil {
			t.Errorf("going back to one operator: %v", err)
		}
	})
	change(t, p.world, deployment, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr(int32(2)) })
	within(t, soon, "the second operator", p.operatorReady)
	nobody := &shop{kind: "vendure", endpoint: "http://nobody." + shopsNamespace + ".svc:3000/admin-api",
		credentials: map[string]string{"username": "nobody", "password": "nothing"}}
	first := p.channel(t, "first", nobody, nil)
	p.deployed(t, first, "")

	goesOn := func(t *testing.T, lose func(*testing.T, *corev1.Pod), name string) {
		t.Helper()
		leader := p.leader(t)
		begun := time.Now()
		lose(t, leader)
		change(t, p.world, first, func(c *selarasv1alpha1.Channel) {
			c.Spec.Connector = &selarasv1alpha1.Connector{PodTemplate: &selarasv1alpha1.PodTemplate{Labels: map[string]string{"e2e": name}}}
		})
		fresh := p.channel(t, name, nobody, nil)
		within(t, succession-time.Since(begun), "the work of another operator", func(ctx context.Context) error {
			return errors.Join(p.isDeployed(ctx, first, name), p.isDeployed(ctx, fresh, ""))
		})
		t.Logf("another operator had done the work %s after the end of the leader", time.Since(begun).Round(100*time.Millisecond))
		p.leadsNow(t, leader)
		within(t, soon, "two operators", p.operatorReady)
		p.noTwins(t)
	}
	environment.Test(t, features.New("two operators").
		Assess("the leader's process is killed", step(func(t *testing.T) {
			goesOn(t, func(t *testing.T, pod *corev1.Pod) { p.signalProcesses(t, pod) }, "second")
		})).
		Assess("the leader is deleted without notice", step(func(t *testing.T) {
			goesOn(t, func(t *testing.T, pod *corev1.Pod) {
				do(t, p.kube.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
			}, "third")
		})).
		Assess("the leader is evicted", step(func(t *testing.T) {
			goesOn(t, func(t *testing.T, pod *corev1.Pod) { do(t, p.kube.Delete(t.Context(), pod)) }, "fourth")
		})).
		Feature())
}

// leader is the pod of the operator that holds the lease.
func (w *world) leader(t *testing.T) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	within(t, succession, "a leader", func(ctx context.Context) error {
		name, err := w.leaderName(ctx)
		if err != nil {
			return err
		}
		if err := w.kube.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: name}, pod); err != nil {
			return fmt.Errorf("the lease is held by %s: %w", name, err)
		}
		if why := podTrouble(pod); why != "" {
			return fmt.Errorf("the lease is held by %s: %s", name, why)
		}
		return nil
	})
	return pod
}

func (w *world) leaderName(ctx context.Context) (string, error) {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: leaseName}}
	if err := w.get(ctx, lease); err != nil {
		return "", err
	}
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return "", fmt.Errorf("nobody holds lease %s", leaseName)
	}
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return name, nil
}

// leadsNow waits until the lease says that another pod than before, or the same
// one in a new life, leads.
func (w *world) leadsNow(t *testing.T, before *corev1.Pod) {
	t.Helper()
	within(t, succession, "another leader", func(context.Context) error {
		// One that is evicted works until it is told to stop.
		now := w.leader(t)
		if now.UID == before.UID && now.Status.ContainerStatuses[0].RestartCount == before.Status.ContainerStatuses[0].RestartCount {
			return fmt.Errorf("%s leads as if it had never been gone", now.Name)
		}
		return nil
	})
}

// deployed waits until isDeployed has nothing to say.
func (p *place) deployed(t *testing.T, channel *selarasv1alpha1.Channel, label string) {
	t.Helper()
	within(t, soon, "deployment of "+channel.Name, func(ctx context.Context) error { return p.isDeployed(ctx, channel, label) })
}

// isDeployed says what a Channel's Deployment lacks of the newest spec, and its
// status of saying so.
func (p *place) isDeployed(ctx context.Context, channel *selarasv1alpha1.Channel, label string) error {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: channel.Name + "-connector"}}
	if err := p.get(ctx, d); err != nil {
		return err
	}
	if got := d.Spec.Template.Labels["e2e"]; got != label {
		return fmt.Errorf("the pods of %s are labelled %q, want %q", d.Name, got, label)
	}
	if err := p.get(ctx, channel); err != nil {
		return err
	}
	if channel.Status.ObservedGeneration != channel.Generation {
		return fmt.Errorf("status of %s is of generation %d, want %d", channel.Name, channel.Status.ObservedGeneration, channel.Generation)
	}
	return nil
}

// noTwins fails when a Channel has not exactly one of each child.
func (p *place) noTwins(t *testing.T) {
	t.Helper()
	var channels selarasv1alpha1.ChannelList
	do(t, p.kube.List(t.Context(), &channels, client.InNamespace(p.namespace)))
	made := map[string]int{}
	for _, object := range p.everything(t) {
		for _, owner := range object.GetOwnerReferences() {
			if owner.Kind == "Channel" {
				made[fmt.Sprintf("%s: %T", owner.Name, object)]++
			}
		}
	}
	for _, channel := range channels.Items {
		for _, kind := range []string{"*v1.Deployment", "*v1.Service", "*v1.Secret", "*v1.NetworkPolicy"} {
			if n := made[channel.Name+": "+kind]; n != 1 {
				t.Errorf("Channel %s has %d of %s, want 1; all: %v", channel.Name, n, kind, made)
			}
		}
	}
}
