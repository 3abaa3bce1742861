package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// nodesNamespace holds the pods that see the processes of their node; no
// standard of pod security is enforced there.
const nodesNamespace = "selaras-e2e-nodes"

// killByContainer sends SIGKILL to all processes of a container, found by its
// id in their control groups.
const killByContainer = `for process in /proc/[0-9]*; do
  if grep -qs "$0" "$process/cgroup"; then kill -KILL "${process#/proc/}" && killed=yes; fi
done
[ -n "${killed:-}" ]`

// killProcesses ends the processes of a pod as the kernel does when memory is
// short, and waits until the pod is ready with new ones. Nothing inside a
// container can kill its first process, so that it is done on its node.
func (w *world) killProcesses(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	before := pod.Status.ContainerStatuses[0]
	w.signalProcesses(t, pod)
	within(t, soon, "restart of "+pod.Name, func(ctx context.Context) error {
		now := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
		if err := w.get(ctx, now); err != nil {
			return err
		}
		if got := now.Status.ContainerStatuses[0].RestartCount; got <= before.RestartCount {
			return fmt.Errorf("it was restarted %d times, as before", got)
		}
		if why := podTrouble(now); why != "" {
			return fmt.Errorf("%s", why)
		}
		return nil
	})
}

// signalProcesses sends SIGKILL to them and waits for nothing.
func (w *world) signalProcesses(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
	hand := w.hand(t, pod.Spec.NodeName)
	if _, err := w.exec(t.Context(), nodesNamespace, hand, "shop", "bash", "-c", killByContainer, id); err != nil {
		t.Fatalf("killing the processes of %s: %v", pod.Name, err)
	}
}

// killOnlyProcesses does it to the one pod with the labels.
func (w *world) killOnlyProcesses(t *testing.T, namespace string, labels map[string]string) {
	t.Helper()
	w.killProcesses(t, w.onlyPod(t, namespace, labels))
}

// hand starts a pod on a node that may signal all of its processes, and
// returns its name. It ends with the test.
func (w *world) hand(t *testing.T, node string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: nodesNamespace}}
	if err := w.kube.Create(t.Context(), namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("creating namespace %s: %v", nodesNamespace, err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: nodesNamespace, Name: "hand-" + shortID()},
		Spec: corev1.PodSpec{
			NodeName: node, HostPID: true, AutomountServiceAccountToken: ptr(false), TerminationGracePeriodSeconds: ptr(int64(0)),
			Containers: []corev1.Container{{
				Name: "shop", Image: w.shopsImage, Args: []string{"idle"},
				SecurityContext: &corev1.SecurityContext{RunAsUser: ptr(int64(0))},
			}},
		},
	}
	w.create(t, pod)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		if err := w.kube.Delete(ctx, pod, client.GracePeriodSeconds(0)); err != nil {
			t.Errorf("ending %s: %v", pod.Name, err)
		}
	})
	within(t, soon, "start of "+pod.Name+" on "+node, func(ctx context.Context) error {
		if err := w.get(ctx, pod); err != nil {
			return err
		}
		if why := podTrouble(pod); why != "" {
			return fmt.Errorf("%s", why)
		}
		return nil
	})
	return pod.Name
}

// otherNodes are the nodes that take pods, but one.
func (w *world) otherNodes(t *testing.T, but string) []string {
	t.Helper()
	var nodes corev1.NodeList
	if err := w.kube.List(t.Context(), &nodes); err != nil {
		t.Fatal(err)
	}
	var others []string
	for _, node := range nodes.Items {
		if node.Name != but && !node.Spec.Unschedulable && len(node.Spec.Taints) == 0 {
			others = append(others, node.Name)
		}
	}
	return others
}

// cordon keeps new pods away from a node until the test ends.
func (w *world) cordon(t *testing.T, name string) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	change(t, w, node, func(n *corev1.Node) { n.Spec.Unschedulable = true })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		before := node.DeepCopy()
		node.Spec.Unschedulable = false
		if err := w.kube.Patch(ctx, node, client.MergeFrom(before)); err != nil {
			t.Errorf("letting pods onto %s again: %v", name, err)
		}
	})
}
