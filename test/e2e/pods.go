package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// life tells one life of a container from another.
type life struct {
	pod      types.UID
	restarts int32
}

// lives are the containers of the pods with the labels, as pod/container.
func (w *world) lives(ctx context.Context, namespace string, labels map[string]string) (map[string]life, error) {
	var pods corev1.PodList
	if err := w.kube.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(labels)); err != nil {
		return nil, err
	}
	found := map[string]life{}
	for _, pod := range pods.Items {
		for _, c := range pod.Status.ContainerStatuses {
			found[pod.Name+"/"+c.Name] = life{pod.UID, c.RestartCount}
		}
	}
	return found, nil
}

// workloads are the containers of all connectors and workers of the place.
func (p *place) workloads(t *testing.T) map[string]life {
	t.Helper()
	found, err := p.lives(t.Context(), p.namespace, map[string]string{"app.kubernetes.io/managed-by": "selaras"})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sameWorkloads fails when a connector or worker was restarted or replaced
// since (I7).
func (p *place) sameWorkloads(t *testing.T, before map[string]life) {
	t.Helper()
	if now := p.workloads(t); !maps.Equal(before, now) {
		t.Errorf("connectors and workers of %s were %v and are %v: something restarted them", p.namespace, before, now)
	}
}

// onlyPod is the one pod with the labels that is not about to end.
func (w *world) onlyPod(t *testing.T, namespace string, labels map[string]string) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	within(t, soon, fmt.Sprintf("the pod of %v in %s", labels, namespace), func(ctx context.Context) error {
		var pods corev1.PodList
		if err := w.kube.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(labels)); err != nil {
			return err
		}
		live := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
		if len(live) != 1 {
			return fmt.Errorf("there are %d pods, want 1", len(live))
		}
		if why := podTrouble(&live[0]); why != "" {
			return fmt.Errorf("%s: %s", live[0].Name, why)
		}
		found = &live[0]
		return nil
	})
	return found
}

// kill ends the pod with the labels without notice, as the loss of its machine
// does, and waits for its successor.
func (w *world) kill(t *testing.T, namespace string, labels map[string]string) {
	t.Helper()
	pod := w.onlyPod(t, namespace, labels)
	if err := w.kube.Delete(t.Context(), pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID}); err != nil {
		t.Fatalf("killing %s: %v", pod.Name, err)
	}
	w.successor(t, pod, labels)
}

// evict asks for the end of the pod with the labels as a drain does, and waits
// for its successor.
func (w *world) evict(t *testing.T, namespace string, labels map[string]string) {
	t.Helper()
	pod := w.onlyPod(t, namespace, labels)
	err := w.clientset.PolicyV1().Evictions(namespace).Evict(t.Context(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: pod.Name},
	})
	if err != nil {
		t.Fatalf("evicting %s: %v", pod.Name, err)
	}
	w.successor(t, pod, labels)
}

// successor waits until another pod is ready in a pod's place.
func (w *world) successor(t *testing.T, gone *corev1.Pod, labels map[string]string) {
	t.Helper()
	within(t, soon, "successor of "+gone.Name, func(context.Context) error {
		if w.onlyPod(t, gone.Namespace, labels).UID == gone.UID {
			return fmt.Errorf("%s is still there", gone.Name)
		}
		return nil
	})
}

// rolled waits until every connector and worker of the place runs an image in
// pods that were not there before.
func (p *place) rolled(t *testing.T, before map[string]life, image string) {
	t.Helper()
	within(t, soon, "the new pods", func(ctx context.Context) error {
		var pods corev1.PodList
		if err := p.kube.List(ctx, &pods, client.InNamespace(p.namespace), client.MatchingLabels{"app.kubernetes.io/managed-by": "selaras"}); err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if got := pod.Spec.Containers[0].Image; got != image {
				return fmt.Errorf("%s runs %s, want %s", pod.Name, got, image)
			}
			if why := podTrouble(&pod); why != "" {
				return fmt.Errorf("%s: %s", pod.Name, why)
			}
		}
		if len(pods.Items) != len(before) {
			return fmt.Errorf("there are %d pods, want %d", len(pods.Items), len(before))
		}
		return nil
	})
}
