package podtrouble

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func waiting(reason, message string) *corev1.Pod {
	return &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "connector", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	}}}}
}

func TestTroubleIsToldInKubernetesOwnWords(t *testing.T) {
	t.Parallel()
	crashing := waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container=connector pod=web-7f9c-x2")
	crashing.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Message: "no hub"}
	unschedulable := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available"}}}}
	going := waiting("ImagePullBackOff", "no such image")
	going.DeletionTimestamp = &metav1.Time{}
	going.DeletionTimestamp.Time = going.DeletionTimestamp.AddDate(2026, 0, 0)
	for _, c := range []struct {
		name            string
		pod             *corev1.Pod
		reason, message string
	}{
		{"image", waiting("ImagePullBackOff", "no such image"), "ImagePullBackOff", "container connector: no such image"},
		{"crash", crashing, "CrashLoopBackOff", "exit code 1: no hub"},
		{"scheduling", unschedulable, "Unschedulable", "0/3 nodes"},
		{"being created", waiting("ContainerCreating", ""), "", ""},
		{"going", going, "", ""},
		{"a reason that no condition may hold", waiting("not a reason!", "x"), "PodFailing", "x"},
	} {
		reason, message := ofPod(c.pod)
		if reason != c.reason || !strings.Contains(message, c.message) {
			t.Errorf("%s: got %q %q, want %q and %q in it", c.name, reason, message, c.reason, c.message)
		}
	}
}

// A generated name would change the condition with every new pod (I7).
func TestTroubleNamesNoPod(t *testing.T) {
	t.Parallel()
	if _, message := ofPod(waiting("CrashLoopBackOff", "restarting failed container in pod web-7f9c-x2")); strings.Contains(message, "web-7f9c") {
		t.Errorf("the message %q names a pod", message)
	}
}
