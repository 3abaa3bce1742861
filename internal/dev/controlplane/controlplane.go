package controlplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"selaras.dev/selaras/internal/dev/process"
)

const (
	startTimeout = 2 * time.Minute
	stopGrace    = 15 * time.Second
	pollInterval = 100 * time.Millisecond
	// maxSocketPath is what the kernel leaves for a Unix socket's path.
	maxSocketPath = 100
)

// Options say where a control plane lives.
type Options struct {
	// Binaries is the directory of etcd, kube-apiserver and
	// kube-controller-manager (hack/controlplane/install.sh --print-dir).
	Binaries string
	// DataDir keeps etcd's data, keys, logs and the kubeconfig; made when absent.
	DataDir string
	// Logger may be nil.
	Logger *slog.Logger
}

// ControlPlane is a running Kubernetes API.
type ControlPlane struct {
	options    Options
	log        *slog.Logger
	run        string
	pki        string
	kubeconfig string
	config     *rest.Config
	authority  *authority
	network    *Network
	lock       *os.File

	components []component // in the order of their start
	stopping   chan struct{}
	done       chan struct{}
	failure    error
	stopOnce   sync.Once
	watchers   sync.WaitGroup
	failOnce   sync.Once
}

type component struct {
	name    string
	process *process.Process
	log     string
}

// Start starts the three programs and returns when the API answers and the
// controllers work. When it fails, what was started is stopped, and the error
// ends with the last lines of the failed program's log.
func Start(ctx context.Context, options Options) (_ *ControlPlane, err error) {
	log := options.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	options.DataDir, err = filepath.Abs(options.DataDir)
	if err != nil {
		return nil, fmt.Errorf("find the data directory %s: %w", options.DataDir, err)
	}
	c := &ControlPlane{
		options:  options,
		log:      log,
		pki:      filepath.Join(options.DataDir, "pki"),
		stopping: make(chan struct{}),
		done:     make(chan struct{}),
	}
	defer func() {
		if err != nil {
			c.Stop()
		}
	}()
	for _, dir := range []string{options.DataDir, c.pki, c.logDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the data directory: %w", err)
		}
	}
	if err := c.claim(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.start(ctx, "etcd", etcdArgs(options.DataDir, c.run)); err != nil {
		return nil, err
	}
	if err := c.startAPIServer(ctx); err != nil {
		return nil, err
	}
	if err := c.startControllerManager(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// claim takes the data directory and a network for this process alone.
func (c *ControlPlane) claim() error {
	lock, err := os.OpenFile(filepath.Join(c.options.DataDir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return fmt.Errorf("another development cluster runs on %s: stop it or choose another data directory (%w)", c.options.DataDir, err)
	}
	c.lock = lock
	if c.network, err = claimNetwork(c.options.DataDir); err != nil {
		return err
	}
	c.run, err = runDir(c.options.DataDir)
	return err
}

// runDir is the directory of the sockets: in the data directory where the
// kernel's limit on socket paths allows it.
func runDir(dataDir string) (string, error) {
	dir := filepath.Join(dataDir, "run")
	if len(etcdSocket(dir)) > maxSocketPath {
		return os.MkdirTemp("", "selaras-dev-")
	}
	if err := os.RemoveAll(dir); err != nil { // sockets of a run that was killed
		return "", fmt.Errorf("clear %s: %w", dir, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the directory for sockets: %w", err)
	}
	return dir, nil
}

func (c *ControlPlane) logDir() string {
	return filepath.Join(c.options.DataDir, "logs", "control-plane")
}

// start starts one program and watches over it.
func (c *ControlPlane) start(ctx context.Context, name string, args []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path := filepath.Join(c.options.Binaries, name)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("find %s: %w (hack/controlplane/install.sh installs it and prints the directory)", name, err)
	}
	logPath := filepath.Join(c.logDir(), name+".log")
	output, err := os.Create(logPath)
	if err != nil {
		return fmt.Errorf("make a log for %s: %w", name, err)
	}
	defer func() { _ = output.Close() }()
	started, err := process.Start(process.Command{Path: path, Args: args, Dir: c.options.DataDir, Output: output})
	if err != nil {
		return err
	}
	part := component{name: name, process: started, log: logPath}
	c.components = append(c.components, part)
	c.watchers.Go(func() { c.watch(part) })
	return nil
}

// watch ends the control plane when a program ends that was not asked to.
func (c *ControlPlane) watch(part component) {
	select {
	case <-c.stopping:
		return
	case <-part.process.Done():
	}
	select {
	case <-c.stopping:
	default:
		c.failOnce.Do(func() {
			c.failure = fmt.Errorf("%s %s; its log %s ends with:\n%s", part.name, part.process.Exit(), part.log, process.Tail(part.log))
			close(c.done)
		})
	}
}

func (c *ControlPlane) startAPIServer(ctx context.Context) error {
	var err error
	if c.authority, err = loadAuthority(c.pki); err != nil {
		return err
	}
	if _, err := loadKey(filepath.Join(c.pki, serviceAccountName)); err != nil {
		return err
	}
	serving, err := c.authority.serving("kube-apiserver",
		[]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		[]net.IP{net.IPv4(127, 0, 0, 1), c.network.Services().Addr().Next().AsSlice()})
	if err != nil {
		return err
	}
	if err := serving.write(c.pki, servingName); err != nil {
		return err
	}
	node, err := c.authority.client("kube-apiserver-kubelet-client", "system:masters")
	if err != nil {
		return err
	}
	if err := node.write(c.pki, nodeClientName); err != nil {
		return err
	}
	port, err := c.choosePort()
	if err != nil {
		return err
	}
	server := fmt.Sprintf("https://127.0.0.1:%d", port)
	admin, err := c.authority.client("selaras-dev-admin", "system:masters")
	if err != nil {
		return err
	}
	c.kubeconfig = filepath.Join(c.options.DataDir, "kubeconfig")
	if err := writeKubeconfig(c.kubeconfig, server, c.authority.pem, admin); err != nil {
		return err
	}
	if c.config, err = clientcmd.BuildConfigFromFlags("", c.kubeconfig); err != nil {
		return fmt.Errorf("read back %s: %w", c.kubeconfig, err)
	}
	c.config.QPS = -1 // nobody else is to be protected from this client
	if err := c.start(ctx, "kube-apiserver", apiServerArgs(c.run, c.pki, port, c.network.Services())); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return fmt.Errorf("make a client for %s: %w", server, err)
	}
	return c.until(ctx, "the API server to be ready", func(ctx context.Context) (bool, error) {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Timeout(5 * time.Second).DoRaw(ctx)
		return err == nil, nil
	})
}

func (c *ControlPlane) startControllerManager(ctx context.Context) error {
	manager, err := c.authority.client("selaras-dev-controller-manager", "system:masters")
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(c.pki, "controller-manager.kubeconfig")
	if err := writeKubeconfig(kubeconfig, c.config.Host, c.authority.pem, manager); err != nil {
		return err
	}
	if err := c.start(ctx, "kube-controller-manager", controllerManagerArgs(kubeconfig, c.pki)); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		return fmt.Errorf("make a client for %s: %w", c.config.Host, err)
	}
	// Pods need both; that they are there shows that the controllers work.
	return c.until(ctx, "the controllers to work", func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			_, err = client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		}
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// until polls a condition; it gives up when a program ends or ctx does.
func (c *ControlPlane) until(ctx context.Context, what string, condition wait.ConditionWithContextFunc) error {
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		select {
		case <-c.done:
			return false, c.failure
		default:
			return condition(ctx)
		}
	})
	if err == nil {
		return nil
	}
	last := c.components[len(c.components)-1]
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("wait for %s: %w; the log %s ends with:\n%s", what, err, last.log, process.Tail(last.log))
	}
	return fmt.Errorf("wait for %s: %w", what, err)
}

// choosePort takes the port of the last run when it is free, so that exported
// kubeconfigs stay right, or any free one.
func (c *ControlPlane) choosePort() (int, error) {
	path := filepath.Join(c.options.DataDir, "port")
	if recorded, err := os.ReadFile(path); err == nil {
		if port, err := strconv.Atoi(strings.TrimSpace(string(recorded))); err == nil {
			if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				return port, listener.Close()
			}
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port for the API server: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return 0, fmt.Errorf("find a free port for the API server: %w", err)
	}
	return port, writePrivate(path, []byte(strconv.Itoa(port)+"\n"))
}

// Config is the administrator's client configuration.
func (c *ControlPlane) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *ControlPlane) Kubeconfig() string { return c.kubeconfig }

// Network is the cluster's loopback network.
func (c *ControlPlane) Network() *Network { return c.network }

// AuthorityFile is the PEM file of the certificate authority.
func (c *ControlPlane) AuthorityFile() string { return filepath.Join(c.pki, "ca.crt") }

// NodeCertificate makes a serving certificate that the API server trusts when
// it asks a node for logs. Both results are PEM.
func (c *ControlPlane) NodeCertificate(name string, address net.IP) (certificate, key []byte, err error) {
	pair, err := c.authority.serving(name, []string{name}, []net.IP{address})
	return pair.certificate, pair.key, err
}

// Done is closed when a program has ended by itself; Err then says which.
func (c *ControlPlane) Done() <-chan struct{} { return c.done }

// Err is why Done is closed.
func (c *ControlPlane) Err() error { return c.failure }

// Stop ends the programs in the reverse order of their start and releases the
// data directory. It returns when all have ended; more calls do nothing.
func (c *ControlPlane) Stop() {
	c.stopOnce.Do(func() {
		close(c.stopping)
		for i := len(c.components) - 1; i >= 0; i-- {
			c.components[i].process.Stop(stopGrace)
			c.log.Debug("stopped", "component", c.components[i].name, "exit", c.components[i].process.Exit().String())
		}
		c.watchers.Wait()
		if c.run != "" {
			if err := os.RemoveAll(c.run); err != nil {
				c.log.Warn("remove the directory for sockets", "error", err)
			}
		}
		if c.network != nil {
			c.network.release()
		}
		if c.lock != nil {
			_ = c.lock.Close()
		}
	})
}
