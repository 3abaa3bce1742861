package dev

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"selaras.dev/selaras/internal/dev/controlplane"
	"selaras.dev/selaras/internal/dev/runner"
)

// DefaultBackoff restarts crashed containers sooner than a kubelet does: a
// developer waits in front of it.
var DefaultBackoff = runner.Backoff{Initial: time.Second, Max: 30 * time.Second, ResetAfter: time.Minute}

// Options say what the cluster is made of.
type Options struct {
	// Binaries is the directory of etcd, kube-apiserver and
	// kube-controller-manager (hack/controlplane/install.sh --print-dir).
	Binaries string
	// DataDir keeps everything; made when absent, locked while the cluster runs.
	DataDir string
	// Images maps image references, as written in pods, to local programs.
	Images map[string]runner.Image
	// Manifests is YAML applied at every start, such as config.Default().
	Manifests []byte
	// Backoff is DefaultBackoff when zero.
	Backoff runner.Backoff
	// Logger may be nil.
	Logger *slog.Logger
}

// Cluster is a running development cluster.
type Cluster struct {
	options Options
	log     *slog.Logger
	plane   *controlplane.ControlPlane
	runner  *runner.Runner
	client  kubernetes.Interface
	applier *applier
	applied []workload
}

// Start starts the control plane and the runner and applies the manifests. It
// returns when all that is done; WaitReady waits for what was applied. ctx
// bounds the start alone: Stop ends the cluster.
func Start(ctx context.Context, options Options) (_ *Cluster, err error) {
	if options.Backoff == (runner.Backoff{}) {
		options.Backoff = DefaultBackoff
	}
	c := &Cluster{options: options, log: options.Logger}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			c.Stop()
		}
	}()
	c.plane, err = controlplane.Start(ctx, controlplane.Options{
		Binaries: options.Binaries, DataDir: options.DataDir, Logger: c.log,
	})
	if err != nil {
		return nil, fmt.Errorf("start the control plane: %w", err)
	}
	if c.client, err = kubernetes.NewForConfig(c.plane.Config()); err != nil {
		return nil, fmt.Errorf("make a client for the cluster: %w", err)
	}
	if c.applier, err = newApplier(c.plane.Config()); err != nil {
		return nil, err
	}
	if err := runner.EnsureStorageClass(ctx, c.client); err != nil {
		return nil, err
	}
	// Manifests first: pods of an earlier run start with this run's objects.
	if err := c.Apply(ctx, options.Manifests); err != nil {
		return nil, err
	}
	c.runner, err = runner.Start(ctx, runner.Options{
		Config:        c.plane.Config(),
		AuthorityFile: c.plane.AuthorityFile(),
		Certificate: func() ([]byte, []byte, error) {
			return c.plane.NodeCertificate(runner.NodeName, net.IPv4(127, 0, 0, 1))
		},
		DataDir: options.DataDir,
		Images:  options.Images,
		Pods:    c.plane.Network().Pods(),
		Backoff: options.Backoff,
		Logger:  c.log,
	})
	if err != nil {
		return nil, fmt.Errorf("start the runner of pods: %w", err)
	}
	return c, nil
}

// Stop ends every process of the cluster, pods first, and returns when they
// have ended. What the API holds stays for the next start.
func (c *Cluster) Stop() {
	if c.runner != nil {
		c.runner.Stop()
	}
	if c.plane != nil {
		c.plane.Stop()
	}
}

// Config is the administrator's client configuration.
func (c *Cluster) Config() *rest.Config { return c.plane.Config() }

// Kubeconfig is the path of the administrator's kubeconfig (mode 0600).
func (c *Cluster) Kubeconfig() string { return c.plane.Kubeconfig() }

// LogsDir is the directory of the pods' logs (see runner.Runner.LogsDir).
func (c *Cluster) LogsDir() string { return c.runner.LogsDir() }

// Done is closed when a program of the control plane has ended by itself; Err
// then says which and why. The cluster is to be stopped.
func (c *Cluster) Done() <-chan struct{} { return c.plane.Done() }

// Err is why Done is closed.
func (c *Cluster) Err() error { return c.plane.Err() }

// Apply applies manifests (YAML documents) by server-side apply, as
// `kubectl apply --server-side --force-conflicts` does, kinds and namespaces
// first. Deployments and StatefulSets among them are waited for by WaitReady.
func (c *Cluster) Apply(ctx context.Context, manifests []byte) error {
	workloads, err := c.applier.apply(ctx, manifests)
	c.applied = append(c.applied, workloads...)
	return err
}
