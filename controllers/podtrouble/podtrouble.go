// Package podtrouble says in Kubernetes' own words why the pods of a
// Deployment do not come up: quota, image, policy, scheduling, crash.
package podtrouble

import (
	"context"
	"fmt"
	"regexp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Find returns the first trouble, worst first, as a condition's reason and
// message; an empty reason when there is none to be seen.
func Find(ctx context.Context, c client.Client, deployment *appsv1.Deployment, labels map[string]string) (reason, message string, err error) {
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
			return valid(condition.Reason), condition.Message, nil
		}
	}
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(deployment.Namespace), client.MatchingLabels(labels)); err != nil {
		return "", "", fmt.Errorf("reading the pods of Deployment %s/%s: %w", deployment.Namespace, deployment.Name, err)
	}
	for i := range pods.Items {
		if reason, message := ofPod(&pods.Items[i]); reason != "" {
			return reason, message, nil
		}
	}
	return "", "", nil
}

// ofPod is pure: the trouble of one pod. Generated names stay out of it, they
// would change the condition with every new pod.
func ofPod(pod *corev1.Pod) (reason, message string) {
	if !pod.DeletionTimestamp.IsZero() {
		return "", ""
	}
	for _, status := range pod.Status.ContainerStatuses {
		if w := status.State.Waiting; w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			message := w.Message
			if w.Reason == "CrashLoopBackOff" {
				message = "the container ends again and again"
				if last := status.LastTerminationState.Terminated; last != nil {
					message = fmt.Sprintf("the container ends again and again, last with exit code %d: %s", last.ExitCode, last.Message)
				}
			}
			return valid(w.Reason), fmt.Sprintf("container %s: %s", status.Name, message)
		}
		if t := status.State.Terminated; t != nil && t.ExitCode != 0 {
			return valid(t.Reason), fmt.Sprintf("container %s ended with exit code %d: %s", status.Name, t.ExitCode, t.Message)
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return valid(condition.Reason), condition.Message
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return valid(pod.Status.Reason), pod.Status.Message
	}
	return "", ""
}

var reasonPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// valid keeps a foreign reason within what a condition may hold.
func valid(reason string) string {
	if reasonPattern.MatchString(reason) && len(reason) < 256 {
		return reason
	}
	return "PodFailing"
}
