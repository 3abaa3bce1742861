package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"selaras.dev/selaras/internal/dev/process"
)

// startErrorCode is the exit code that runtimes report for what never started.
const startErrorCode = 128

// container keeps one container running by its restart policy. run is its only
// goroutine besides the probes that run starts.
type container struct {
	pod    *podWorker
	spec   *corev1.Container
	policy corev1.RestartPolicy

	stopOnce sync.Once
	stopping chan struct{} // closed by stop
	killOnce sync.Once
	killed   chan struct{} // closed by kill
	done     chan struct{} // closed when run returns
	retry    chan struct{} // something it waits for may be there now

	mu     sync.Mutex
	status corev1.ContainerStatus
	grace  time.Duration
}

// newContainer continues where the status in the API says an earlier run of
// the cluster was, or starts afresh when there is none.
func newContainer(pod *podWorker, spec *corev1.Container, policy corev1.RestartPolicy, before *corev1.ContainerStatus) *container {
	no := false
	c := &container{
		pod: pod, spec: spec, policy: policy,
		stopping: make(chan struct{}), killed: make(chan struct{}), done: make(chan struct{}),
		retry:  make(chan struct{}, 1),
		status: corev1.ContainerStatus{Name: spec.Name, Image: spec.Image, Started: &no},
	}
	c.status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	if before == nil {
		return c
	}
	c.status.RestartCount = before.RestartCount
	c.status.LastTerminationState = before.LastTerminationState
	switch {
	case before.State.Running != nil:
		c.status.LastTerminationState = corev1.ContainerState{Terminated: lost(before)}
	case before.State.Terminated != nil:
		c.status.LastTerminationState = before.State
		if !restarts(policy, int(before.State.Terminated.ExitCode)) {
			c.status.State = before.State
		}
	}
	if c.status.LastTerminationState.Terminated != nil && c.status.State.Terminated == nil {
		c.status.RestartCount++
	}
	return c
}

// lost is the end of a container that nobody watched.
func lost(before *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{
		ExitCode: 255, Reason: "Unknown", Message: "the development cluster was stopped",
		StartedAt: before.State.Running.StartedAt, FinishedAt: metav1.Now(), ContainerID: before.ContainerID,
	}
}

// state is the container's status, and whether it will not run again.
func (c *container) state() (status corev1.ContainerStatus, ended bool) {
	select {
	case <-c.done:
		ended = true
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.status.DeepCopy(), ended
}

func (c *container) update(change func(status *corev1.ContainerStatus)) {
	c.mu.Lock()
	change(&c.status)
	c.mu.Unlock()
	c.pod.nudge()
}

// retryNow wakes a container that waits for its configuration.
func (c *container) retryNow() {
	select {
	case c.retry <- struct{}{}:
	default:
	}
}

// stop ends the container within grace and returns when it has ended.
func (c *container) stop(grace time.Duration) {
	c.stopOnce.Do(func() {
		c.mu.Lock()
		c.grace = grace
		c.mu.Unlock()
		close(c.stopping)
	})
	<-c.done
}

// kill cuts short a grace period that is running.
func (c *container) kill() { c.killOnce.Do(func() { close(c.killed) }) }

// run starts the container, again and again by its policy, until stop.
func (c *container) run() {
	defer close(c.done)
	if status, _ := c.state(); status.State.Terminated != nil {
		return // it had completed in an earlier run of the cluster
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-c.stopping:
		case <-c.done:
		}
		cancel()
	}()
	for crashes := 0; ; crashes++ {
		started := time.Now()
		terminated, ok := c.once(ctx)
		if !ok {
			return // stopped before it started
		}
		c.update(func(status *corev1.ContainerStatus) {
			no := false
			status.State = corev1.ContainerState{Terminated: terminated}
			status.Ready, status.Started = false, &no
		})
		if ctx.Err() != nil || !restarts(c.policy, int(terminated.ExitCode)) {
			return
		}
		if time.Since(started) >= c.pod.runner.options.Backoff.ResetAfter {
			crashes = 0
		}
		if !c.backOff(ctx, crashes, terminated) {
			return
		}
	}
}

// backOff waits before a restart; false means that the container was stopped.
func (c *container) backOff(ctx context.Context, crashes int, last *corev1.ContainerStateTerminated) bool {
	delay := c.pod.runner.options.Backoff.delay(crashes)
	if delay > 0 {
		message := fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", delay, c.spec.Name, c.pod.name)
		c.event(corev1.EventTypeWarning, "BackOff", message)
		c.update(func(status *corev1.ContainerStatus) {
			status.LastTerminationState = corev1.ContainerState{Terminated: last}
			status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: message}}
		})
		if !sleep(ctx, delay) {
			return false
		}
	}
	c.update(func(status *corev1.ContainerStatus) {
		status.LastTerminationState = corev1.ContainerState{Terminated: last}
		status.RestartCount++
	})
	return true
}

// delay is the wait before the restart after the given number of earlier crashes.
func (b Backoff) delay(crashes int) time.Duration {
	if crashes == 0 {
		return 0
	}
	delay := b.Initial
	for range crashes - 1 {
		if delay >= b.Max {
			break
		}
		delay *= 2
	}
	return min(delay, b.Max)
}

// sleep waits; false means that ctx ended first.
func sleep(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// once runs the program to its end; false means stopped before it was started.
func (c *container) once(ctx context.Context) (*corev1.ContainerStateTerminated, bool) {
	command, ok := c.configure(ctx)
	if !ok {
		return nil, false
	}
	began := metav1.Now()
	status, _ := c.state()
	output, err := c.openLog(int(status.RestartCount))
	var running *process.Process
	if err == nil {
		command.Output = output
		running, err = process.Start(command)
		_ = output.Close()
	}
	if err != nil {
		c.event(corev1.EventTypeWarning, "Failed", "Error: "+err.Error())
		return &corev1.ContainerStateTerminated{
			ExitCode: startErrorCode, Reason: "StartError", Message: err.Error(), StartedAt: began, FinishedAt: metav1.Now(),
		}, true
	}
	id := fmt.Sprintf("process://%d-%d", running.PID(), running.Started().UnixNano())
	c.event(corev1.EventTypeNormal, "Started", "Started container "+c.spec.Name)
	c.update(func(status *corev1.ContainerStatus) {
		yes := c.spec.StartupProbe == nil
		status.ContainerID, status.ImageID = id, "process://"+command.Path
		status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(running.Started())}}
		status.Started, status.Ready = &yes, yes && c.spec.ReadinessProbe == nil
	})
	c.supervise(ctx, running)
	exit := running.Exit()
	terminated := &corev1.ContainerStateTerminated{
		ExitCode: int32(exit.Code), Signal: int32(exit.Signal), Reason: "Error",
		StartedAt: metav1.NewTime(running.Started()), FinishedAt: metav1.NewTime(exit.Time), ContainerID: id,
	}
	if exit.Code == 0 {
		terminated.Reason = "Completed"
	} else if c.spec.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError {
		terminated.Message = process.Tail(c.logPath(int(status.RestartCount)))
	}
	return terminated, true
}

// supervise returns when the process has ended, by itself, by a failed probe or
// by stop.
func (c *container) supervise(ctx context.Context, running *process.Process) {
	probing, cancel := context.WithCancelCause(ctx)
	var probes sync.WaitGroup
	probes.Go(func() { c.probeAll(probing, cancel) })
	select {
	case <-running.Done():
	case <-probing.Done():
		grace := c.pod.graceOf()
		if ctx.Err() != nil {
			c.mu.Lock()
			grace = c.grace
			c.mu.Unlock()
		} else {
			c.event(corev1.EventTypeNormal, "Killing", context.Cause(probing).Error())
		}
		c.end(running, grace)
	}
	cancel(nil)
	probes.Wait()
}

// end runs the preStop hook and stops the process, both within grace.
func (c *container) end(running *process.Process, grace time.Duration) {
	deadline := time.Now().Add(grace)
	if hook := c.spec.Lifecycle; hook != nil && hook.PreStop != nil && grace > 0 {
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		if err := c.preStop(ctx, hook.PreStop); err != nil {
			c.event(corev1.EventTypeWarning, "FailedPreStopHook", err.Error())
		}
		cancel()
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		running.Stop(time.Until(deadline))
	}()
	select {
	case <-stopped:
	case <-c.killed:
		running.Stop(0)
		<-stopped
	}
}

func (c *container) event(kind, reason, message string) {
	if pod := c.pod.view().pod; pod != nil {
		c.pod.runner.events.Event(pod, kind, reason, message)
	}
}

// openLog makes the log of this start; the one before stays, older ones go.
func (c *container) openLog(restart int) (*os.File, error) {
	if err := os.Remove(c.logPath(restart - 2)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove an old log: %w", err)
	}
	file, err := os.OpenFile(c.logPath(restart), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the container's log: %w", err)
	}
	return file, nil
}

func (c *container) logPath(restart int) string {
	return c.pod.runner.LogPath(c.pod.view().pod, c.spec.Name, restart)
}
