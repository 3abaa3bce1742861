package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
)

// forward makes a port of a pod reachable from here until the test ends, at
// the address that it returns. A connection that breaks is made anew at the
// same address.
func (w *world) forward(t *testing.T, namespace, pod string, port int) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	t.Cleanup(func() {
		stop()
		<-ended
	})
	local, done, err := w.forwardOnce(ctx, namespace, pod, 0, port)
	if err != nil {
		close(ended)
		t.Fatalf("forwarding port %d of %s/%s: %v", port, namespace, pod, err)
	}
	go func() {
		defer close(ended)
		for {
			<-done // how it ended does not matter: it is made anew
			for {
				if ctx.Err() != nil {
					return
				}
				if _, done, err = w.forwardOnce(ctx, namespace, pod, local, port); err == nil {
					break
				}
				select {
				case <-time.After(lookEvery):
				case <-ctx.Done():
				}
			}
		}
	}()
	return fmt.Sprintf("http://127.0.0.1:%d", local)
}

// forwardOnce forwards until the connection breaks or the context ends; local
// 0 is any free port.
func (w *world) forwardOnce(ctx context.Context, namespace, pod string, local, port int) (_ int, done <-chan struct{}, _ error) {
	url := w.clientset.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	dialer, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, w.config)
	if err != nil {
		return 0, nil, err
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	f, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, []string{"127.0.0.1"},
		[]string{fmt.Sprintf("%d:%d", local, port)}, ready, io.Discard, io.Discard)
	if err != nil {
		return 0, nil, err
	}
	var failed error
	go func() {
		defer close(ended)
		failed = f.ForwardPorts()
	}()
	select {
	case <-ready:
	case <-ended:
		return 0, nil, fmt.Errorf("it ended at once: %w", failed)
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
	ports, err := f.GetPorts()
	if err != nil {
		return 0, nil, err
	}
	return int(ports[0].Local), ended, nil
}

// exec runs a command in a container and returns what it printed.
func (w *world) exec(ctx context.Context, namespace, pod, container string, command ...string) (string, error) {
	request := w.clientset.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(w.config, "GET", request.URL().String())
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &out}); err != nil {
		return out.String(), fmt.Errorf("%s in %s/%s: %w: %s", strings.Join(command, " "), namespace, pod, err, strings.TrimSpace(out.String()))
	}
	return out.String(), nil
}
