package runner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podWorker brings one pod to what its object says, and its object's status to
// what is. All methods but nudge run in the worker's own goroutine.
type podWorker struct {
	runner          *Runner
	uid             types.UID
	namespace, name string
	dir             string
	wake            chan struct{}

	address    string
	mounted    bool
	tokens     tokenCache
	mountError string
	warned     bool
	containers map[string]*container
	tasks      sync.WaitGroup

	mu    sync.Mutex
	known podView
}

// podView is what the containers' goroutines read of the pod: the object with
// the pod's own address, and the local paths of its volumes by name.
type podView struct {
	pod     *corev1.Pod
	volumes map[string]string
}

func newPodWorker(r *Runner, pod *corev1.Pod) *podWorker {
	return &podWorker{
		runner:     r,
		uid:        pod.UID,
		namespace:  pod.Namespace,
		name:       pod.Name,
		dir:        filepath.Join(r.podsDir(), string(pod.UID)),
		wake:       make(chan struct{}, 1),
		tokens:     tokenCache{},
		containers: map[string]*container{},
	}
}

// nudge asks the worker to look again, soon.
func (w *podWorker) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run works until the pod is gone or ctx ends; then the processes have ended too.
func (w *podWorker) run(ctx context.Context) {
	defer w.runner.addresses.release(string(w.uid))
	for {
		pod := w.current()
		retry := retryMost
		switch {
		case ctx.Err() != nil:
			w.stopContainers(w.graceOf())
			return
		case pod == nil:
			w.stopContainers(0)
			w.remove()
			return
		case pod.DeletionTimestamp != nil:
			if w.terminate(ctx, pod) {
				w.remove()
				return
			}
		default:
			retry = w.sync(ctx, pod)
		}
		timer := time.NewTimer(retry)
		select {
		case <-w.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// current is the pod's object, or nil when it is gone from the API.
func (w *podWorker) current() *corev1.Pod {
	pod, err := w.runner.pods.Pods(w.namespace).Get(w.name)
	if err != nil || pod.UID != w.uid {
		return nil
	}
	return pod
}

// view is the pod as last seen.
func (w *podWorker) view() podView {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known
}

func (w *podWorker) setView(view podView) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = view
}

// sync does what can be done now and returns when to look again at the latest.
func (w *podWorker) sync(ctx context.Context, pod *corev1.Pod) time.Duration {
	if len(w.containers) == 0 && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed) {
		return retryMost
	}
	retry := retryMost
	if err := w.prepare(ctx, pod); err != nil {
		retry = time.Second
		if message := err.Error(); message != w.mountError {
			w.mountError = message
			w.runner.events.Event(pod, corev1.EventTypeWarning, "FailedMount", message)
		}
	} else {
		w.mountError = ""
	}
	if w.mounted {
		w.advance(pod)
	}
	if err := w.report(ctx, pod, false); err != nil {
		retry = retryFirst
		w.runner.log.Debug("a pod's status was not written, trying again", "pod", w.namespace+"/"+w.name, "error", err)
	}
	return retry
}

// prepare gives the pod its address and directories and refreshes its volumes.
func (w *podWorker) prepare(ctx context.Context, pod *corev1.Pod) error {
	if w.address == "" {
		address, err := w.runner.addresses.take(string(w.uid), w.namespace+"/"+w.name, pod.Status.PodIP)
		if err != nil {
			return err
		}
		w.address = address
		for _, dir := range []string{w.home(), w.temp(), w.runner.podLogs(pod)} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return fmt.Errorf("make the pod's directories: %w", err)
			}
		}
	}
	if !w.warned {
		w.warned = true
		for _, feature := range unsupported(pod) {
			w.runner.events.Eventf(pod, corev1.EventTypeWarning, "NotSupported", "%s has no effect in the development cluster", feature)
		}
	}
	known := pod.DeepCopy()
	known.Status.PodIP, known.Status.HostIP = w.address, nodeAddress
	w.setView(podView{pod: known, volumes: w.view().volumes})
	volumes, err := w.mount(ctx, known)
	if err != nil {
		return err
	}
	w.setView(podView{pod: known, volumes: volumes})
	w.mounted = true
	for _, c := range w.containers {
		c.retryNow()
	}
	return nil
}

// unsupported names the features of a pod that a user would miss silently.
func unsupported(pod *corev1.Pod) []string {
	var features []string
	for i := range pod.Spec.Containers {
		container := &pod.Spec.Containers[i]
		if container.Lifecycle != nil && container.Lifecycle.PostStart != nil {
			features = append(features, "postStart of container "+container.Name)
		}
		for _, mount := range container.VolumeMounts {
			if mount.SubPathExpr != "" {
				features = append(features, "subPathExpr of container "+container.Name)
			}
		}
	}
	if pod.Spec.ActiveDeadlineSeconds != nil {
		features = append(features, "activeDeadlineSeconds")
	}
	return features
}

// advance starts the init containers one after another, then all others.
func (w *podWorker) advance(pod *corev1.Pod) {
	for i := range pod.Spec.InitContainers {
		spec := &pod.Spec.InitContainers[i]
		c := w.ensure(pod, spec, true)
		status, ended := c.state()
		if isSidecar(spec) {
			if !isTrue(status.Started) {
				return
			}
			continue
		}
		if !ended || status.State.Terminated == nil || status.State.Terminated.ExitCode != 0 {
			return
		}
	}
	for i := range pod.Spec.Containers {
		w.ensure(pod, &pod.Spec.Containers[i], false)
	}
}

// ensure starts the container's goroutine once.
func (w *podWorker) ensure(pod *corev1.Pod, spec *corev1.Container, init bool) *container {
	if c := w.containers[spec.Name]; c != nil {
		return c
	}
	statuses := pod.Status.ContainerStatuses
	if init {
		statuses = pod.Status.InitContainerStatuses
	}
	c := newContainer(w, spec.DeepCopy(), policyOf(pod, spec, init), findStatus(statuses, spec.Name))
	w.containers[spec.Name] = c
	w.tasks.Go(func() {
		c.run()
		w.nudge()
	})
	return c
}

func isSidecar(spec *corev1.Container) bool {
	return spec.RestartPolicy != nil && *spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// policyOf is when the container is started again: an init container is done
// once it succeeded.
func policyOf(pod *corev1.Pod, spec *corev1.Container, init bool) corev1.RestartPolicy {
	switch {
	case init && isSidecar(spec):
		return corev1.RestartPolicyAlways
	case init && pod.Spec.RestartPolicy == corev1.RestartPolicyAlways:
		return corev1.RestartPolicyOnFailure
	}
	return pod.Spec.RestartPolicy
}

// report writes the pod's status when it differs from the object's.
func (w *podWorker) report(ctx context.Context, pod *corev1.Pod, ended bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	status := w.status(pod, ended)
	if sameStatus(&pod.Status, &status) {
		return nil
	}
	pods := w.runner.client.CoreV1().Pods(w.namespace)
	changed := pod.DeepCopy()
	changed.Status = status
	_, err := pods.UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) {
		// What was read lags behind the last write: once more on the live object.
		live, getErr := pods.Get(ctx, w.name, metav1.GetOptions{})
		if getErr != nil || live.UID != w.uid {
			return getErr
		}
		live.Status = w.status(live, ended)
		_, err = pods.UpdateStatus(ctx, live, metav1.UpdateOptions{})
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// terminate ends the containers within the grace period of the deletion and
// then lets the API forget the pod. It returns false to be called again.
func (w *podWorker) terminate(ctx context.Context, pod *corev1.Pod) bool {
	var grace time.Duration
	if pod.DeletionGracePeriodSeconds != nil {
		grace = time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
	}
	for name, c := range w.containers {
		if status, ended := c.state(); !ended && status.State.Running != nil {
			w.runner.events.Eventf(pod, corev1.EventTypeNormal, "Killing", "Stopping container %s", name)
		}
	}
	// A forced deletion cuts the grace period short: the object is gone at once.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.stopContainers(grace)
	}()
	for waiting := true; waiting; {
		select {
		case <-ended:
			waiting = false
		case <-w.wake:
			if w.current() == nil {
				for _, c := range w.containers {
					c.kill()
				}
			}
		}
	}
	if err := w.report(ctx, pod, true); err != nil {
		w.runner.log.Debug("a pod's last status was not written", "pod", w.namespace+"/"+w.name, "error", err)
	}
	// A successor of the same name shall find the address free.
	w.runner.addresses.release(string(w.uid))
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	now := int64(0)
	err := w.runner.client.CoreV1().Pods(w.namespace).Delete(ctx, w.name, metav1.DeleteOptions{
		GracePeriodSeconds: &now,
		Preconditions:      &metav1.Preconditions{UID: &w.uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		w.runner.log.Warn("a deleted pod stays in the API, trying again", "pod", w.namespace+"/"+w.name, "error", err)
		return false
	}
	return true
}

// stopContainers ends all containers at once and waits for them.
func (w *podWorker) stopContainers(grace time.Duration) {
	var all sync.WaitGroup
	for _, c := range w.containers {
		all.Go(func() { c.stop(grace) })
	}
	all.Wait()
	w.tasks.Wait()
}

// graceOf is the pod's own grace period.
func (w *podWorker) graceOf() time.Duration {
	pod := w.view().pod
	if pod == nil || pod.Spec.TerminationGracePeriodSeconds == nil {
		return corev1.DefaultTerminationGracePeriodSeconds * time.Second
	}
	return time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second
}

// remove deletes the pod's directories. Its logs stay until the next start, for
// whoever asks why it ended.
func (w *podWorker) remove() {
	if err := os.RemoveAll(w.dir); err != nil {
		w.runner.log.Warn("a pod's directory was not removed", "directory", w.dir, "error", err)
	}
}

func (w *podWorker) home() string { return filepath.Join(w.dir, "home") }
func (w *podWorker) temp() string { return filepath.Join(w.dir, "tmp") }
func isTrue(value *bool) bool     { return value != nil && *value }
