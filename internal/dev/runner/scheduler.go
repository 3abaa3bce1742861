package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Retries of what failed start after retryFirst and slow down to retryMost.
const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
)

// scheduler binds pods that wait for a node to the only one there is.
type scheduler struct {
	runner *Runner
	queue  workqueue.TypedRateLimitingInterface[types.NamespacedName]
}

func newScheduler(r *Runner) *scheduler {
	return &scheduler{
		runner: r,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](retryFirst, retryMost)),
	}
}

func (s *scheduler) podChanged(object any) {
	pod, ok := object.(*corev1.Pod)
	if ok && pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil {
		s.queue.Add(types.NamespacedName(cache.MetaObjectToName(pod)))
	}
}

func (s *scheduler) run(ctx context.Context) {
	context.AfterFunc(ctx, s.queue.ShutDown)
	for {
		name, down := s.queue.Get()
		if down {
			return
		}
		if err := s.schedule(ctx, name); err != nil && ctx.Err() == nil {
			s.runner.log.Debug("a pod was not bound, trying again", "pod", name.String(), "error", err)
			s.queue.AddRateLimited(name)
		} else {
			s.queue.Forget(name)
		}
		s.queue.Done(name)
	}
}

func (s *scheduler) schedule(ctx context.Context, name types.NamespacedName) error {
	pod, err := s.runner.pods.Pods(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil ||
		pod.Spec.SchedulerName != corev1.DefaultSchedulerName || len(pod.Spec.SchedulingGates) > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	if err := s.claimsBound(ctx, pod); err != nil {
		return err
	}
	node, err := s.runner.client.CoreV1().Nodes().Get(ctx, NodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for key, want := range pod.Spec.NodeSelector {
		if node.Labels[key] != want {
			return s.unschedulable(ctx, pod, fmt.Sprintf("node %s does not have label %s=%s of the pod's nodeSelector", NodeName, key, want))
		}
	}
	if node.Spec.Unschedulable {
		return s.unschedulable(ctx, pod, fmt.Sprintf("node %s is cordoned", NodeName))
	}
	err = s.runner.client.CoreV1().Pods(pod.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: NodeName},
	}, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // deleted, or bound already
	}
	return err
}

// errUnbound delays a pod whose volume is being made; nobody need hear of it.
var errUnbound = errors.New("the pod has unbound PersistentVolumeClaims")

// claimsBound waits for the pod's claims as the scheduler of a cluster does.
func (s *scheduler) claimsBound(ctx context.Context, pod *corev1.Pod) error {
	for i := range pod.Spec.Volumes {
		source := pod.Spec.Volumes[i].PersistentVolumeClaim
		if source == nil {
			continue
		}
		claim, err := s.runner.client.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, source.ClaimName, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return s.unschedulable(ctx, pod, fmt.Sprintf("persistentvolumeclaim %q not found", source.ClaimName))
		}
		if err != nil {
			return err
		}
		if claim.Status.Phase != corev1.ClaimBound {
			return errUnbound
		}
	}
	return nil
}

// unschedulable says in the pod's status why it waits, and asks for a retry.
func (s *scheduler) unschedulable(ctx context.Context, pod *corev1.Pod, message string) error {
	changed := pod.DeepCopy()
	if setCondition(&changed.Status, corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message,
	}) {
		if _, err := s.runner.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{}); err != nil {
			return err
		}
		s.runner.events.Event(pod, corev1.EventTypeWarning, "FailedScheduling", message)
	}
	return errors.New(message)
}
