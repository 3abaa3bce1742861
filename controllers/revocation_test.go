package controllers_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/hub"
)

type channelType = selarasv1alpha1.Channel

// credentials waits for the hub credentials that a Channel's Deployment mounts
// and that other than the given ones.
func credentials(t *testing.T, channel *selarasv1alpha1.Channel, other []byte) []byte {
	t.Helper()
	var found []byte
	eventually(t, func() error {
		var deployment appsv1.Deployment
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: channel.Namespace, Name: channel.Name + "-connector"}, &deployment); err != nil {
			return err
		}
		var secret corev1.Secret
		key := client.ObjectKey{Namespace: channel.Namespace, Name: deployment.Spec.Template.Spec.Volumes[0].Secret.SecretName}
		if err := kube.Get(t.Context(), key, &secret); err != nil {
			return err
		}
		if found = secret.Data["user.creds"]; string(found) == string(other) {
			return fmt.Errorf("Secret %s holds the former credentials", key.Name)
		}
		return nil
	})
	return found
}

// wantRevoked waits until an open connection has ended, and that the
// credentials open none.
func wantRevoked(t *testing.T, url string, open *hub.Space, creds []byte) {
	t.Helper()
	eventually(t, func() error {
		if open.Connected() {
			return fmt.Errorf("the connection with the former credentials is open")
		}
		return nil
	})
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if dialHub(t, url, creds).WaitConnected(short) == nil {
		t.Error("the former credentials open a connection")
	}
}

// I9: the credentials of a deleted Channel are worthless, those of its
// successor and of its neighbours are not.
func TestCredentialsEndWithTheirChannel(t *testing.T) {
	t.Parallel()
	i := install(t, 0)
	i.operate(time.Hour)
	namespace := newNamespace(t)
	channel, neighbour := i.channel(namespace, "webshop"), i.channel(namespace, "till")
	create(t, channel, neighbour)
	former := credentials(t, channel, nil)
	open, beside := dialHub(t, i.server.URL(), former), dialHub(t, i.server.URL(), credentials(t, neighbour, nil))
	stateFacts(t, open, "webshop", 1)

	if err := kube.Delete(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	wantRevoked(t, i.server.URL(), open, former)
	stateFacts(t, beside, "till", 1)

	// There is no garbage collector here: the Deployment goes by hand.
	if err := kube.Delete(t.Context(), get(t, &appsv1.Deployment{}, namespace, "webshop-connector")); err != nil {
		t.Fatal(err)
	}
	heir := i.channel(namespace, "webshop")
	for _, child := range []client.Object{&corev1.Service{}, &corev1.ServiceAccount{}} {
		if err := kube.Delete(t.Context(), get(t, child, namespace, "webshop-connector")); err != nil {
			t.Fatal(err)
		}
	}
	create(t, heir)
	eventually(t, func() error {
		if get(t, heir, namespace, "webshop"); heir.Status.HubCredentials == "" {
			return fmt.Errorf("no credentials were made: %+v", heir.Status.Conditions)
		}
		return nil
	})
	var secret corev1.Secret
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: heir.Status.HubCredentials}, &secret); err != nil {
		t.Fatal(err)
	}
	stateFacts(t, dialHub(t, i.server.URL(), secret.Data["user.creds"]), "webshop", 1)
}

// A Channel that is deleted while no operator runs is noticed by the next.
func TestCredentialsOfAChannelThatWentUnseenAreRevoked(t *testing.T) {
	t.Parallel()
	i := install(t, 0)
	stop := i.operate(time.Second)
	namespace := newNamespace(t)
	channel, neighbour := i.channel(namespace, "webshop"), i.channel(namespace, "till")
	create(t, channel, neighbour)
	former := credentials(t, channel, nil)
	credentials(t, neighbour, nil)
	open := dialHub(t, i.server.URL(), former)
	stateFacts(t, open, "webshop", 1)
	stop()
	if err := kube.Delete(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	i.operate(time.Second)
	wantRevoked(t, i.server.URL(), open, former)
}
