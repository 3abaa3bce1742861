package loop

import (
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// A Secret that is missing, lacks a key, holds a wrong password and is mended:
// the pod is the same throughout.
func badCredentials(t *testing.T, p *place, s badShops) {
	f := newFront(t, s.web, (*httptest.Server).Start)
	channel := p.channel("web", f.adminURL(), nil)
	p.shows(channel, "CredentialsValid", "False/SecretMissing", "spec.credentialsRef")
	p.shows(channel, "Ready", "False/SecretMissing", "")
	p.told(channel, "Warning", "SecretMissing")
	before, _ := p.pod("web")

	secret := p.secret("web", map[string]string{"username": s.web.Username()})
	p.shows(channel, "CredentialsValid", "False/KeyMissing", "password")
	p.told(channel, "Warning", "KeyMissing")

	change(p, secret, func(x *corev1.Secret) { x.StringData = map[string]string{"password": "not the password"} })
	p.shows(channel, "CredentialsValid", "False/Unauthorized", "")
	p.shows(channel, "Ready", "False/Unauthorized", "")
	p.told(channel, "Warning", "Unauthorized")
	if strings.Contains(fmt.Sprintf("%+v", channel.Status), "not the password") {
		t.Errorf("the status repeats the password: %+v", channel.Status)
	}

	change(p, secret, func(x *corev1.Secret) { x.StringData = map[string]string{"password": s.web.Password()} })
	p.shows(channel, "CredentialsValid", "True/Valid", "")
	p.ready(channel)
	p.told(channel, "Normal", "Succeeded")

	// Taken away from a connector that works.
	if err := p.kube.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	p.shows(channel, "CredentialsValid", "False/SecretMissing", "")
	p.shows(channel, "Ready", "True/Succeeded", "")
	p.secret("web", credentials(s.web))
	p.shows(channel, "CredentialsValid", "True/Valid", "")
	p.shows(channel, "Connected", "True/Connected", "")
	p.samePod("web", before)
}

// An address where nobody listens, one that is no Admin API, a shop that goes
// away and one that has moved.
func badEndpoint(t *testing.T, p *place, s badShops) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	p.secret("web", credentials(s.web))
	channel := p.channel("web", nobody+"/admin-api", nil)
	p.shows(channel, "Connected", "False/Unreachable", "connection refused")
	p.shows(channel, "Ready", "False/Unreachable", "")
	p.told(channel, "Warning", "Unreachable")
	before, _ := p.pod("web")

	first, second := newFront(t, s.web, (*httptest.Server).Start), newFront(t, s.web, (*httptest.Server).Start)
	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Endpoint = first.URL + "/elsewhere" })
	p.shows(channel, "Connected", "False/NotAnAdminAPI", "the endpoint must be a Vendure Admin API")
	p.shows(channel, "Ready", "False/NotAnAdminAPI", "")

	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Endpoint = first.adminURL() })
	p.shows(channel, "Connected", "True/Connected", "")
	p.ready(channel)
	first.CloseClientConnections()
	first.Close()
	p.shows(channel, "Connected", "False/Unreachable", "")
	p.shows(channel, "Ready", "True/Succeeded", "") // an outage is not the spec's fault

	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Endpoint = second.adminURL() })
	p.shows(channel, "Connected", "True/Connected", "")
	p.ready(channel)
	p.samePod("web", before)
}

// A certificate that nobody vouches for, a bundle that is none, the right one,
// and a name that the certificate does not bear.
func badTLS(t *testing.T, p *place, s badShops) {
	f := newFront(t, s.web, (*httptest.Server).StartTLS)
	p.secret("web", credentials(s.web))
	channel := p.channel("web", f.adminURL(), nil)
	p.shows(channel, "Connected", "False/TLS", "certificate")
	p.shows(channel, "Ready", "False/TLS", "certificate")
	p.told(channel, "Warning", "TLS")

	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "authorities"}, Data: map[string]string{"ca.crt": "not a certificate"}}
	p.create(bundle)
	change(p, channel, func(c *selarasv1alpha1.Channel) {
		c.Spec.TLS = &selarasv1alpha1.TLS{CABundleRef: &selarasv1alpha1.ConfigMapKeyReference{Name: bundle.Name}}
	})
	p.shows(channel, "Connected", "False/InvalidTLS", "the CA bundle holds no PEM certificate")
	before, _ := p.pod("web")
	right := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}))
	change(p, bundle, func(c *corev1.ConfigMap) { c.Data = map[string]string{"ca.crt": right} })
	p.shows(channel, "Connected", "True/Connected", "")
	p.ready(channel)

	// Broken and mended under a connector that works.
	change(p, bundle, func(c *corev1.ConfigMap) { c.Data = map[string]string{"ca.crt": "broken"} })
	p.shows(channel, "Connected", "False/InvalidTLS", "")
	change(p, bundle, func(c *corev1.ConfigMap) { c.Data = map[string]string{"ca.crt": right} })
	p.shows(channel, "Connected", "True/Connected", "")
	p.ready(channel)

	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.TLS.ServerName = "another.example.net" })
	p.shows(channel, "Connected", "False/TLS", "another.example.net")
	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.TLS.ServerName = "example.com" }) // the certificate's
	p.shows(channel, "Connected", "True/Connected", "")
	p.ready(channel)
	p.samePod("web", before)
}
