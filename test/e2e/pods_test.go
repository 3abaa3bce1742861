//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

// I9: what Selaras runs is admitted where the restricted Pod Security Standard
// is enforced, and pods that need nothing of the Kubernetes API get nothing.
func TestPodsArePoor(t *testing.T) {
	t.Parallel()
	p := cluster.newPlace(t)
	var web, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", products("poor", 2, 5)...) },
		func() { till = p.vendure(t, "till") },
	)
	p.channel(t, "web", web, nil)
	p.channel(t, "till", till, nil)
	p.inSync(t, p.sync(t, "main", "web", "till"))

	environment.Test(t, features.New("pods").
		Assess("the system namespace is restricted too", step(func(t *testing.T) {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: systemNamespace}}
			if err := p.get(t.Context(), namespace); err != nil {
				t.Fatal(err)
			}
			if got := namespace.Labels["pod-security.kubernetes.io/enforce"]; got != "restricted" {
				t.Errorf("%s enforces %q, want restricted", systemNamespace, got)
			}
		})).
		Assess("connectors, worker and hub hold no token", step(func(t *testing.T) {
			for _, namespace := range []string{p.namespace, systemNamespace} {
				p.withoutToken(t, namespace)
			}
		})).
		Assess("the API server does not know a pod without a token", step(func(t *testing.T) {
			check := p.checkPod(t, "caller", nil)
			code := p.curl(t, check, "--insecure", "https://kubernetes.default.svc/api/v1/namespaces/"+p.namespace+"/secrets")
			if code != "401" && code != "403" { // 403 where the API server gives strangers a name without rights
				t.Errorf("the API server answered %s, want 401 or 403", code)
			}
			t.Logf("the API server answered %s", code)
		})).
		Assess("a stranger does not reach the hub", step(func(t *testing.T) { p.strangerRefused(t) })).
		Feature())
}

// withoutToken fails for every pod of Selaras, but the operator's, that has a
// service account token, mounted by itself or by projection.
func (p *place) withoutToken(t *testing.T, namespace string) {
	t.Helper()
	var pods corev1.PodList
	if err := p.kube.List(t.Context(), &pods, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/name": "selaras"}); err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, pod := range pods.Items {
		if pod.Labels["app.kubernetes.io/component"] == "operator" {
			continue
		}
		looked++
		for _, v := range pod.Spec.Volumes {
			if v.Projected != nil && slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool { return s.ServiceAccountToken != nil }) {
				t.Errorf("%s/%s has a service account token in volume %s", namespace, pod.Name, v.Name)
			}
		}
		if auto := pod.Spec.AutomountServiceAccountToken; auto == nil || *auto {
			t.Errorf("%s/%s asks for a service account token", namespace, pod.Name)
		}
	}
	if looked == 0 {
		t.Errorf("namespace %s has no pods to look at", namespace)
	}
}

// checkPod starts a pod of the shops' image, which has curl, that does nothing.
func (p *place) checkPod(t *testing.T, name string, labels map[string]string) *corev1.Pod {
	t.Helper()
	pod := shopPod(p.shopsImage, "idle", name, nil)
	pod.Namespace, pod.Labels = p.namespace, labels
	pod.Spec.Containers[0].StartupProbe = nil
	p.create(t, pod)
	within(t, soon, "start of pod "+name, func(ctx context.Context) error {
		if err := p.get(ctx, pod); err != nil {
			return err
		}
		if why := podTrouble(pod); why != "" {
			return fmt.Errorf("%s", why)
		}
		return nil
	})
	return pod
}

// curl calls an address from a pod and returns the status code of the answer,
// or 000 when there was none.
func (p *place) curl(t *testing.T, from *corev1.Pod, args ...string) string {
	t.Helper()
	command := append([]string{"curl", "--silent", "--max-time", "10", "--output", "/dev/null", "--write-out", "%{http_code}"}, args...)
	out, err := p.exec(t.Context(), from.Namespace, from.Name, "shop", command...)
	if err != nil && !strings.HasPrefix(out, "000") {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)[:3]
}

// strangerRefused fails when a pod without the label of Selaras can open a
// connection to the hub, where policies are enforced.
func (p *place) strangerRefused(t *testing.T) {
	t.Helper()
	if !p.policyEnforced {
		t.Log("NetworkPolicy: not enforced here")
		return
	}
	stranger := p.checkPod(t, "stranger", nil)
	hub := fmt.Sprintf("selaras-hub.%s.svc", systemNamespace)
	dial := func(port string) error {
		_, err := p.exec(t.Context(), p.namespace, stranger.Name, "shop", "timeout", "5", "bash", "-c", "</dev/tcp/"+hub+"/"+port)
		return err
	}
	if err := dial("4222"); err == nil {
		t.Error("a pod without the label of Selaras reached the hub")
	}
}
