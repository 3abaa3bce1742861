package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
)

// tunnelTimeout bounds how long a way to a pod takes to be there.
const tunnelTimeout = 15 * time.Second

// forward makes a port of a pod reachable from here until the test ends, at
// the address that it returns. Every connection has a tunnel of its own: one
// that breaks, or cannot be made for a while, takes no other with it, and the
// address stays.
func (w *world) forward(t *testing.T, namespace, pod string, port int) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening for port %d of %s/%s: %v", port, namespace, pod, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var open sync.WaitGroup
	open.Go(func() {
		for {
			local, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			open.Go(func() { w.carry(ctx, local, namespace, pod, port) })
		}
	})
	t.Cleanup(func() {
		stop()
		_ = listener.Close()
		open.Wait()
	})
	return "http://" + listener.Addr().String()
}

// carry carries one connection to a pod and ends with it, or with the context.
// What failed is seen by the caller as a connection that ended.
func (w *world) carry(ctx context.Context, local net.Conn, namespace, pod string, port int) {
	defer func() { _ = local.Close() }()
	tunnel, err := w.tunnel(ctx, namespace, pod)
	if err != nil {
		return
	}
	defer func() { _ = tunnel.Close() }()
	data, err := streams(tunnel, port)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, func() { _ = tunnel.Close() })()
	var sending sync.WaitGroup
	sending.Go(func() {
		_, _ = io.Copy(data, local)
		_ = data.Close()
	})
	_, _ = io.Copy(local, data)
	_ = local.Close()
	_ = tunnel.Close()
	sending.Wait()
}

// streams opens the two streams of the port-forward protocol and returns that of
// the data. What comes on the other one is an error, after which the data ends.
func streams(tunnel httpstream.Connection, port int) (httpstream.Stream, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	failure, err := tunnel.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	if err := failure.Close(); err != nil {
		return nil, err
	}
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	return tunnel.CreateStream(headers)
}

// tunnel connects to a pod.
func (w *world) tunnel(ctx context.Context, namespace, pod string) (httpstream.Connection, error) {
	url := w.clientset.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	dialer, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, w.config)
	if err != nil {
		return nil, err
	}
	type dialed struct {
		tunnel httpstream.Connection
		err    error
	}
	answer := make(chan dialed, 1)
	go func() { // the dialer knows no context
		tunnel, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		answer <- dialed{tunnel, err}
	}()
	ctx, cancel := context.WithTimeout(ctx, tunnelTimeout)
	defer cancel()
	select {
	case d := <-answer:
		return d.tunnel, d.err
	case <-ctx.Done():
		go func() {
			if late := <-answer; late.err == nil {
				_ = late.tunnel.Close()
			}
		}()
		return nil, fmt.Errorf("a tunnel to %s/%s: %w", namespace, pod, ctx.Err())
	}
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
