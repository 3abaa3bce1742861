package runner

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// followPoll is how often a followed log is looked at for more.
const followPoll = 200 * time.Millisecond

// LogPath is the log of one start of a container: restart is the container's
// restart count at that time.
func (r *Runner) LogPath(pod *corev1.Pod, container string, restart int) string {
	return filepath.Join(r.podLogs(pod), fmt.Sprintf("%s.%d.log", container, restart))
}

// podLogs is the directory of a pod's logs.
func (r *Runner) podLogs(pod *corev1.Pod) string {
	return filepath.Join(r.logsDir(), fmt.Sprintf("%s_%s_%s", pod.Namespace, pod.Name, pod.UID))
}

// logServer answers the API server's request for a container's log, so that
// `kubectl logs` works. It lets in who holds a certificate of the cluster's
// authority: the API server and the administrator.
type logServer struct {
	runner *Runner
	server *http.Server
	port   int
	ended  chan struct{}
}

func startLogServer(r *Runner) (*logServer, error) {
	certificate, key, err := r.options.Certificate()
	if err != nil {
		return nil, fmt.Errorf("make the node's certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("use the node's certificate: %w", err)
	}
	authority, err := os.ReadFile(r.options.AuthorityFile)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's authority: %w", err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", r.options.AuthorityFile)
	}
	listener, err := net.Listen("tcp", nodeAddress+":0")
	if err != nil {
		return nil, fmt.Errorf("listen for log requests: %w", err)
	}
	s := &logServer{runner: r, port: listener.Addr().(*net.TCPAddr).Port, ended: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", s.serve)
	s.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: requestLimit,
		TLSConfig: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{pair},
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    clients,
		},
	}
	go func() {
		defer close(s.ended)
		if err := s.server.ServeTLS(listener, "", ""); err != nil && !errors.Is(err, http.ErrServerClosed) {
			r.log.Warn("the log server ended", "error", err)
		}
	}()
	return s, nil
}

func (s *logServer) close() {
	_ = s.server.Close()
	<-s.ended
}

func (s *logServer) serve(response http.ResponseWriter, request *http.Request) {
	pod, err := s.runner.pods.Pods(request.PathValue("namespace")).Get(request.PathValue("pod"))
	if err != nil {
		http.Error(response, err.Error(), http.StatusNotFound)
		return
	}
	name := request.PathValue("container")
	status := findStatus(append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...), name)
	if status == nil {
		http.Error(response, fmt.Sprintf("container %q of pod %q has not started", name, pod.Name), http.StatusBadRequest)
		return
	}
	restart := int(status.RestartCount)
	query := request.URL.Query()
	if query.Get("previous") == "true" {
		restart--
	}
	file, err := os.Open(s.runner.LogPath(pod, name, restart))
	if err != nil {
		http.Error(response, fmt.Sprintf("container %q of pod %q has no such log", name, pod.Name), http.StatusNotFound)
		return
	}
	defer func() { _ = file.Close() }()
	if lines, err := strconv.Atoi(query.Get("tailLines")); err == nil {
		if err := seekLines(file, lines); err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	response.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.Copy(response, file)
	if query.Get("follow") == "true" {
		s.follow(request.Context(), response, file, func() bool { return s.alive(request, restart) })
	}
}

// alive tells whether the log of that start may still grow.
func (s *logServer) alive(request *http.Request, restart int) bool {
	pod, err := s.runner.pods.Pods(request.PathValue("namespace")).Get(request.PathValue("pod"))
	if err != nil {
		return false
	}
	status := findStatus(append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...), request.PathValue("container"))
	return status != nil && int(status.RestartCount) == restart && status.State.Running != nil
}

// follow copies what is appended until the container has ended or the reader
// goes away.
func (s *logServer) follow(ctx context.Context, response http.ResponseWriter, file *os.File, alive func() bool) {
	flusher := http.NewResponseController(response)
	for {
		last := !alive()
		if _, err := io.Copy(response, file); err != nil || last {
			return
		}
		if flusher.Flush() != nil || !sleep(ctx, followPoll) {
			return
		}
	}
}

// seekLines moves to the start of the last lines of a file.
func seekLines(file *os.File, lines int) error {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || lines <= 0 {
		return err
	}
	const block = 4096
	buffer := make([]byte, block)
	for position := end; position > 0; {
		size := min(int64(block), position)
		position -= size
		if _, err := file.ReadAt(buffer[:size], position); err != nil {
			return err
		}
		for i := size - 1; i >= 0; i-- {
			if buffer[i] == '\n' && position+i != end-1 {
				if lines--; lines == 0 {
					_, err := file.Seek(position+i+1, io.SeekStart)
					return err
				}
			}
		}
	}
	_, err = file.Seek(0, io.SeekStart)
	return err
}
