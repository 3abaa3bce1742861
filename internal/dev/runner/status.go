package runner

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// status is the pod's status as a kubelet would report it: made from what the
// containers are, keeping what others own in the object's status. ended says
// that no container will run again.
func (w *podWorker) status(pod *corev1.Pod, ended bool) corev1.PodStatus {
	status := *pod.Status.DeepCopy()
	status.ObservedGeneration = pod.Generation
	status.HostIP = nodeAddress
	status.HostIPs = []corev1.HostIP{{IP: nodeAddress}}
	if w.address != "" {
		status.PodIP = w.address
		status.PodIPs = []corev1.PodIP{{IP: w.address}}
	}
	if status.StartTime == nil {
		now := metav1.Now()
		status.StartTime = &now
	}
	initialized := true
	status.InitContainerStatuses = w.containerStatuses(pod.Spec.InitContainers, pod.Status.InitContainerStatuses, "PodInitializing", ended)
	for i, init := range status.InitContainerStatuses {
		if isSidecar(&pod.Spec.InitContainers[i]) {
			initialized = initialized && isTrue(init.Started)
		} else {
			initialized = initialized && init.State.Terminated != nil && init.State.Terminated.ExitCode == 0
		}
	}
	reason := "ContainerCreating"
	if !initialized && w.mounted {
		reason = "PodInitializing"
	}
	status.ContainerStatuses = w.containerStatuses(pod.Spec.Containers, pod.Status.ContainerStatuses, reason, ended)
	status.Phase = phaseOf(pod, &status, ended)
	setPodConditions(pod, &status, initialized, w.mounted && !ended)
	return status
}

func (w *podWorker) containerStatuses(specs []corev1.Container, old []corev1.ContainerStatus, waiting string, ended bool) []corev1.ContainerStatus {
	var statuses []corev1.ContainerStatus
	for i := range specs {
		spec := &specs[i]
		if c := w.containers[spec.Name]; c != nil {
			status, _ := c.state()
			statuses = append(statuses, status)
			continue
		}
		status := findStatus(old, spec.Name)
		switch {
		case status == nil:
			no := false
			status = &corev1.ContainerStatus{
				Name: spec.Name, Image: spec.Image, Started: &no,
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: waiting}},
			}
		case ended && status.State.Running != nil:
			// It was running in a run of the cluster that ended without a word.
			status.State = corev1.ContainerState{Terminated: lost(status)}
			status.Ready = false
		}
		statuses = append(statuses, *status)
	}
	return statuses
}

func findStatus(statuses []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	at := slices.IndexFunc(statuses, func(status corev1.ContainerStatus) bool { return status.Name == name })
	if at < 0 {
		return nil
	}
	return statuses[at].DeepCopy()
}

// phaseOf is the pod's phase by the rules of the API.
func phaseOf(pod *corev1.Pod, status *corev1.PodStatus, ended bool) corev1.PodPhase {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return pod.Status.Phase
	}
	for i, init := range status.InitContainerStatuses {
		failed := init.State.Terminated != nil && init.State.Terminated.ExitCode != 0
		if failed && !isSidecar(&pod.Spec.InitContainers[i]) && pod.Spec.RestartPolicy == corev1.RestartPolicyNever {
			return corev1.PodFailed
		}
	}
	started, done, failed := false, true, false
	for _, container := range status.ContainerStatuses {
		terminated := container.State.Terminated
		started = started || container.State.Running != nil || terminated != nil || container.LastTerminationState.Terminated != nil
		switch {
		case terminated == nil:
			done = false
		case !ended && restarts(pod.Spec.RestartPolicy, int(terminated.ExitCode)):
			done = false
		default:
			failed = failed || terminated.ExitCode != 0
		}
	}
	switch {
	case done && started && failed:
		return corev1.PodFailed
	case done && started:
		return corev1.PodSucceeded
	case started:
		return corev1.PodRunning
	}
	return corev1.PodPending
}

// restarts tells whether a container that exited so is started again.
func restarts(policy corev1.RestartPolicy, exitCode int) bool {
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return exitCode != 0
	}
	return true
}

func setPodConditions(pod *corev1.Pod, status *corev1.PodStatus, initialized, sandbox bool) {
	ready, completed := true, status.Phase == corev1.PodSucceeded
	for _, container := range status.ContainerStatuses {
		ready = ready && container.Ready
	}
	truth := func(value bool) corev1.ConditionStatus {
		if value {
			return corev1.ConditionTrue
		}
		return corev1.ConditionFalse
	}
	because := func(value bool, reason string) string {
		switch {
		case value:
			return ""
		case completed:
			return "PodCompleted"
		}
		return reason
	}
	gates := true
	for _, gate := range pod.Spec.ReadinessGates {
		gates = gates && slices.ContainsFunc(status.Conditions, func(condition corev1.PodCondition) bool {
			return condition.Type == gate.ConditionType && condition.Status == corev1.ConditionTrue
		})
	}
	gateReason := "ContainersNotReady"
	if ready && !gates {
		gateReason = "ReadinessGatesNotReady"
	}
	for _, condition := range []corev1.PodCondition{
		{Type: corev1.PodReadyToStartContainers, Status: truth(sandbox)},
		{Type: corev1.PodInitialized, Status: truth(initialized), Reason: because(initialized, "ContainersNotInitialized")},
		{Type: corev1.ContainersReady, Status: truth(ready), Reason: because(ready, "ContainersNotReady")},
		{Type: corev1.PodReady, Status: truth(ready && gates), Reason: because(ready && gates, gateReason)},
	} {
		condition.ObservedGeneration = pod.Generation
		setCondition(status, condition)
	}
}

// setCondition puts the condition in place and reports whether it changed; the
// transition time moves only with the status.
func setCondition(status *corev1.PodStatus, condition corev1.PodCondition) bool {
	for i := range status.Conditions {
		old := &status.Conditions[i]
		if old.Type != condition.Type {
			continue
		}
		condition.LastProbeTime, condition.LastTransitionTime = old.LastProbeTime, old.LastTransitionTime
		if old.Status != condition.Status {
			condition.LastTransitionTime = metav1.Now()
		}
		changed := !equality.Semantic.DeepEqual(*old, condition)
		*old = condition
		return changed
	}
	condition.LastTransitionTime = metav1.Now()
	status.Conditions = append(status.Conditions, condition)
	return true
}

// sameStatus compares at the precision of the API, where times have seconds.
func sameStatus(a, b *corev1.PodStatus) bool {
	return equality.Semantic.DeepEqual(roundTimes(a), roundTimes(b))
}

func roundTimes(status *corev1.PodStatus) *corev1.PodStatus {
	rounded := status.DeepCopy()
	round := func(times ...*metav1.Time) {
		for _, at := range times {
			if at != nil {
				*at = metav1.NewTime(at.Rfc3339Copy().UTC())
			}
		}
	}
	round(rounded.StartTime)
	for i := range rounded.Conditions {
		round(&rounded.Conditions[i].LastTransitionTime, &rounded.Conditions[i].LastProbeTime)
	}
	for _, statuses := range [][]corev1.ContainerStatus{rounded.InitContainerStatuses, rounded.ContainerStatuses} {
		for i := range statuses {
			for _, state := range []*corev1.ContainerState{&statuses[i].State, &statuses[i].LastTerminationState} {
				if state.Running != nil {
					round(&state.Running.StartedAt)
				}
				if state.Terminated != nil {
					round(&state.Terminated.StartedAt, &state.Terminated.FinishedAt)
				}
			}
		}
	}
	return rounded
}
