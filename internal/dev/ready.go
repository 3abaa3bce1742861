package dev

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"selaras.dev/selaras/internal/dev/process"
)

const readyPoll = 100 * time.Millisecond

// WaitReady waits until every Deployment and StatefulSet that was applied has
// all its replicas ready. When ctx ends first, or the control plane fails, the
// error says what each pod that is not ready waits for and where its log is.
func (c *Cluster) WaitReady(ctx context.Context) error {
	if len(c.applied) == 0 {
		return nil
	}
	waiting := c.applied[0]
	err := wait.PollUntilContextCancel(ctx, readyPoll, true, func(ctx context.Context) (bool, error) {
		select {
		case <-c.Done():
			return false, c.Err()
		default:
		}
		for _, applied := range c.applied {
			ready, err := c.isReady(ctx, applied)
			if err != nil {
				return false, err
			}
			if !ready {
				waiting = applied
				return false, nil
			}
		}
		return true, nil
	})
	if err == nil {
		return nil
	}
	// ctx has ended: a short one of its own to look at the pods.
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return fmt.Errorf("wait for %s %s/%s: %w\n%s", waiting.kind, waiting.namespace, waiting.name, err, c.Troubles(look, waiting.namespace))
}

// isReady counts the pods themselves: after a restart of the cluster the
// workload's own status is as old as the last run.
func (c *Cluster) isReady(ctx context.Context, w workload) (bool, error) {
	var selector *metav1.LabelSelector
	var replicas, updated int32
	var current bool
	switch w.kind {
	case "Deployment":
		deployment, err := c.client.AppsV1().Deployments(w.namespace).Get(ctx, w.name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		selector, replicas, updated = deployment.Spec.Selector, *deployment.Spec.Replicas, deployment.Status.UpdatedReplicas
		current = deployment.Status.ObservedGeneration >= deployment.Generation
	default:
		set, err := c.client.AppsV1().StatefulSets(w.namespace).Get(ctx, w.name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		selector, replicas, updated = set.Spec.Selector, *set.Spec.Replicas, set.Status.UpdatedReplicas
		current = set.Status.ObservedGeneration >= set.Generation
	}
	if !current || updated != replicas {
		return false, nil
	}
	pods, err := c.client.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(selector)})
	if err != nil {
		return false, err
	}
	ready := int32(0)
	for i := range pods.Items {
		for _, condition := range pods.Items[i].Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue && pods.Items[i].DeletionTimestamp == nil {
				ready++
			}
		}
	}
	return ready == replicas && len(pods.Items) == int(replicas), nil
}

// Troubles describes the pods of a namespace that are not ready: their states
// and the ends of their logs. It is empty when all are ready.
func (c *Cluster) Troubles(ctx context.Context, namespace string) string {
	pods, err := c.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for i := range pods.Items {
		pod := &pods.Items[i]
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			if status.Ready || (status.State.Terminated != nil && status.State.Terminated.ExitCode == 0) {
				continue
			}
			fmt.Fprintf(&out, "pod %s, container %s: %s, %d restarts\n", pod.Name, status.Name, describe(status.State), status.RestartCount)
			path := c.runner.LogPath(pod, status.Name, int(status.RestartCount))
			if end := process.Tail(path); end != "" {
				fmt.Fprintf(&out, "  %s ends with:\n    %s\n", path, strings.ReplaceAll(end, "\n", "\n    "))
			}
		}
	}
	return out.String()
}

func describe(state corev1.ContainerState) string {
	switch {
	case state.Waiting != nil && state.Waiting.Message != "":
		return state.Waiting.Reason + ": " + state.Waiting.Message
	case state.Waiting != nil:
		return state.Waiting.Reason
	case state.Terminated != nil:
		return fmt.Sprintf("%s with code %d", state.Terminated.Reason, state.Terminated.ExitCode)
	}
	return "running, not ready"
}
