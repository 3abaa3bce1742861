package runner

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"selaras.dev/selaras/internal/dev/process"
)

// The kinds of probes, as events name them.
const (
	startup   = "Startup"
	readiness = "Readiness"
	liveness  = "Liveness"
)

// earlyProbe is the interval of startup and readiness probes until the first
// success.
const earlyProbe = 250 * time.Millisecond

// maxProbeOutput is how much of an answer or of a command's output is read.
const maxProbeOutput = 10 << 10

// probeAll runs the container's probes until ctx ends: the startup probe first,
// then readiness and liveness. fail ends the container with the reason.
func (c *container) probeAll(ctx context.Context, fail context.CancelCauseFunc) {
	if probe := c.spec.StartupProbe; probe != nil {
		if !c.awaitStartup(ctx, probe, fail) {
			return
		}
		c.update(func(status *corev1.ContainerStatus) {
			yes := true
			status.Started, status.Ready = &yes, c.spec.ReadinessProbe == nil
		})
	}
	var probes sync.WaitGroup
	if probe := c.spec.ReadinessProbe; probe != nil {
		probes.Go(func() {
			c.probe(ctx, readiness, probe, func(ok bool) bool {
				c.update(func(status *corev1.ContainerStatus) { status.Ready = ok })
				return true
			})
		})
	}
	if probe := c.spec.LivenessProbe; probe != nil {
		probes.Go(func() {
			c.probe(ctx, liveness, probe, func(ok bool) bool {
				if !ok {
					fail(fmt.Errorf("Container %s failed liveness probe, will be restarted", c.spec.Name)) //nolint:staticcheck // a kubelet's words
				}
				return ok
			})
		})
	}
	probes.Wait()
}

// awaitStartup returns true once the startup probe succeeded.
func (c *container) awaitStartup(ctx context.Context, probe *corev1.Probe, fail context.CancelCauseFunc) bool {
	started := false
	c.probe(ctx, startup, probe, func(ok bool) bool {
		started = ok
		if !ok {
			fail(fmt.Errorf("Container %s failed startup probe, will be restarted", c.spec.Name)) //nolint:staticcheck // a kubelet's words
		}
		return false
	})
	return started
}

// probe checks every period and calls decided whenever the thresholds are met;
// it ends with ctx or when decided returns false. Until the first success a
// startup or readiness probe looks more often than its period, for whoever
// waits in front of it; failures count once a period all the same.
func (c *container) probe(ctx context.Context, kind string, probe *corev1.Probe, decided func(ok bool) (more bool)) {
	if !sleep(ctx, seconds(probe.InitialDelaySeconds)) {
		return
	}
	period := max(seconds(probe.PeriodSeconds), time.Second)
	interval := period
	if kind != liveness {
		interval = min(period, earlyProbe)
	}
	successes, failures := int32(0), int32(0)
	var counted time.Time // when a failure was last counted
	for {
		err := c.check(ctx, probe)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			successes, failures, interval = successes+1, 0, period
			if successes >= max(probe.SuccessThreshold, 1) && !decided(true) {
				return
			}
		case interval == period || time.Since(counted) >= period:
			successes, failures, counted = 0, failures+1, time.Now()
			c.event(corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe failed: %v", kind, err))
			if failures >= max(probe.FailureThreshold, 1) && !decided(false) {
				return
			}
		}
		if !sleep(ctx, interval) {
			return
		}
	}
}

func seconds(value int32) time.Duration { return time.Duration(value) * time.Second }

// check runs the probe once.
func (c *container) check(ctx context.Context, probe *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, max(seconds(probe.TimeoutSeconds), time.Second))
	defer cancel()
	switch {
	case probe.HTTPGet != nil:
		return c.httpGet(ctx, probe.HTTPGet)
	case probe.TCPSocket != nil:
		return c.tcpSocket(ctx, probe.TCPSocket)
	case probe.Exec != nil:
		return c.exec(ctx, probe.Exec)
	}
	return errors.New("this kind of probe is not supported in the development cluster")
}

// preStop runs the hook that precedes SIGTERM.
func (c *container) preStop(ctx context.Context, hook *corev1.LifecycleHandler) error {
	switch {
	case hook.Sleep != nil:
		sleep(ctx, time.Duration(hook.Sleep.Seconds)*time.Second)
		return nil
	case hook.HTTPGet != nil:
		return c.httpGet(ctx, hook.HTTPGet)
	case hook.Exec != nil:
		return c.exec(ctx, hook.Exec)
	}
	return errors.New("this kind of preStop hook is not supported in the development cluster")
}

// probeClient opens a connection a probe and trusts any certificate, as a
// kubelet does.
var probeClient = &http.Client{
	Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // probes ask for health, not for identity
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (c *container) httpGet(ctx context.Context, get *corev1.HTTPGetAction) error {
	port, err := c.port(get.Port)
	if err != nil {
		return err
	}
	host := get.Host
	if host == "" {
		host = c.pod.address
	}
	url := strings.ToLower(string(get.Scheme)) + "://" + net.JoinHostPort(host, port) + "/" + strings.TrimPrefix(get.Path, "/")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	for _, header := range get.HTTPHeaders {
		if strings.EqualFold(header.Name, "Host") {
			request.Host = header.Value
		}
		request.Header.Set(header.Name, header.Value)
	}
	response, err := probeClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxProbeOutput))
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("HTTP probe failed with statuscode: %d: %s", response.StatusCode, bytes.TrimSpace(body))
	}
	return nil
}

func (c *container) tcpSocket(ctx context.Context, socket *corev1.TCPSocketAction) error {
	port, err := c.port(socket.Port)
	if err != nil {
		return err
	}
	host := socket.Host
	if host == "" {
		host = c.pod.address
	}
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	return connection.Close()
}

// exec runs a command with the container's environment and volumes. As in a
// container, it may be the image's own program or a file of a volume.
func (c *container) exec(ctx context.Context, action *corev1.ExecAction) error {
	command, problem := c.resolve()
	if problem != nil {
		return errors.New(problem.message)
	}
	view := c.pod.view()
	mounts, err := view.mounts(c.spec)
	if err != nil {
		return err
	}
	translator := c.translator(mounts)
	image := c.pod.runner.options.Images[c.spec.Image]
	program := action.Command[0]
	if local, inVolume := translator.Path(program); inVolume {
		command.Path = local
	} else if program == image.Entrypoint {
		command.Path = image.Executable
	} else {
		return fmt.Errorf("exec %s: no such file or directory", program)
	}
	command.Args = nil
	for _, text := range action.Command[1:] {
		command.Args = append(command.Args, translator.Text(text))
	}
	output, err := os.CreateTemp(c.pod.temp(), "exec-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(output.Name()) }()
	defer func() { _ = output.Close() }()
	command.Output = output
	running, err := process.Start(command)
	if err != nil {
		return err
	}
	select {
	case <-running.Done():
	case <-ctx.Done():
		running.Stop(0)
		return ctx.Err()
	}
	if exit := running.Exit(); exit.Code != 0 {
		return fmt.Errorf("command %s: %s", exit, process.Tail(output.Name()))
	}
	return nil
}

// port is the number of a port given by number or by the name of a container port.
func (c *container) port(port intstr.IntOrString) (string, error) {
	if port.Type == intstr.Int {
		return strconv.Itoa(port.IntValue()), nil
	}
	for _, named := range c.spec.Ports {
		if named.Name == port.StrVal {
			return strconv.Itoa(int(named.ContainerPort)), nil
		}
	}
	if _, err := strconv.Atoi(port.StrVal); err == nil {
		return port.StrVal, nil
	}
	return "", fmt.Errorf("container %s has no port named %q", c.spec.Name, port.StrVal)
}
