package runner

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func running() corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

func waiting(crashed bool) corev1.ContainerStatus {
	status := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}}
	if crashed {
		status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1}
	}
	return status
}

func exited(code int32) corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}}
}

// The phase follows the API's rules for every restart policy.
func TestPhaseFollowsTheAPI(t *testing.T) {
	t.Parallel()
	const always, onFailure, never = corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever
	for _, test := range []struct {
		name       string
		policy     corev1.RestartPolicy
		init       []corev1.ContainerStatus
		containers []corev1.ContainerStatus
		ended      bool
		want       corev1.PodPhase
	}{
		{"nothing started", always, nil, []corev1.ContainerStatus{waiting(false)}, false, corev1.PodPending},
		{"one runs", always, nil, []corev1.ContainerStatus{running(), waiting(false)}, false, corev1.PodRunning},
		{"crash loop", always, nil, []corev1.ContainerStatus{waiting(true)}, false, corev1.PodRunning},
		{"about to restart", always, nil, []corev1.ContainerStatus{exited(0)}, false, corev1.PodRunning},
		{"restart on failure", onFailure, nil, []corev1.ContainerStatus{exited(1)}, false, corev1.PodRunning},
		{"done", onFailure, nil, []corev1.ContainerStatus{exited(0)}, false, corev1.PodSucceeded},
		{"one still runs", never, nil, []corev1.ContainerStatus{exited(0), running()}, false, corev1.PodRunning},
		{"all done", never, nil, []corev1.ContainerStatus{exited(0), exited(0)}, false, corev1.PodSucceeded},
		{"one failed", never, nil, []corev1.ContainerStatus{exited(0), exited(1)}, false, corev1.PodFailed},
		{"init failed", never, []corev1.ContainerStatus{exited(1)}, []corev1.ContainerStatus{waiting(false)}, false, corev1.PodFailed},
		{"init retried", always, []corev1.ContainerStatus{exited(1)}, []corev1.ContainerStatus{waiting(false)}, false, corev1.PodPending},
		{"deleted", always, nil, []corev1.ContainerStatus{exited(143)}, true, corev1.PodFailed},
		{"deleted, ended well", always, nil, []corev1.ContainerStatus{exited(0)}, true, corev1.PodSucceeded},
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: test.policy, InitContainers: make([]corev1.Container, len(test.init))}}
		status := &corev1.PodStatus{InitContainerStatuses: test.init, ContainerStatuses: test.containers}
		if got := phaseOf(pod, status, test.ended); got != test.want {
			t.Errorf("%s: phase %s, want %s", test.name, got, test.want)
		}
	}
}
