package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// The environment that `make e2e` sets.
const (
	envKubeconfig = "KUBECONFIG"
	// envImage is the image of operator, hub and workloads.
	envImage = "SELARAS_IMAGE"
	// envNextImage is the same program under another name, for upgrades.
	envNextImage = "SELARAS_NEXT_IMAGE"
	// envShopsImage is the image of hack/e2e/shops-image.sh.
	envShopsImage = "SELARAS_SHOPS_IMAGE"
	// envNetworkPolicy is "enforced" where something in the cluster enforces
	// NetworkPolicies.
	envNetworkPolicy = "SELARAS_NETWORK_POLICY"
	// envArtifacts is the directory for what is kept of failed cases.
	envArtifacts = "SELARAS_E2E_ARTIFACTS"
)

// world is the cluster that the suite runs on, with Selaras in it.
type world struct {
	config    *rest.Config
	kube      client.Client
	clientset *kubernetes.Clientset

	image, nextImage, shopsImage string
	policyEnforced               bool
	artifacts                    string

	mu      sync.Mutex
	figures []figure
}

// figure is how long something took.
type figure struct {
	what string
	took time.Duration
}

// connect reads the environment and finds the cluster.
func connect() (*world, error) {
	w := &world{policyEnforced: os.Getenv(envNetworkPolicy) == "enforced", artifacts: os.Getenv(envArtifacts)}
	var missing []error
	for name, to := range map[string]*string{envImage: &w.image, envNextImage: &w.nextImage, envShopsImage: &w.shopsImage} {
		if *to = os.Getenv(name); *to == "" {
			missing = append(missing, fmt.Errorf("%s is not set: `make e2e` sets it", name))
		}
	}
	kubeconfig := os.Getenv(envKubeconfig)
	if kubeconfig == "" {
		missing = append(missing, fmt.Errorf("%s is not set: the suite changes a whole cluster and does not guess which", envKubeconfig))
	}
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	if w.artifacts == "" {
		w.artifacts = filepath.Join(os.TempDir(), "selaras-e2e-"+time.Now().Format("20060102-150405"))
	}
	var err error
	if w.config, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return nil, fmt.Errorf("reading %s: %w", kubeconfig, err)
	}
	w.config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), selarasv1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	if w.kube, err = client.New(w.config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	if w.clientset, err = kubernetes.NewForConfig(w.config); err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return w, nil
}

// took notes a figure for the end of the run.
func (w *world) took(what string, begun time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.figures = append(w.figures, figure{what, time.Since(begun)})
}

// printFigures prints how long everything took, in the order of ending.
func (w *world) printFigures() {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Println("e2e: figures")
	for _, f := range w.figures {
		fmt.Printf("e2e: %7.1f s  %s\n", f.took.Seconds(), f.what)
	}
}

// lookEvery is how often a wait looks again: seldom enough to leave two busy
// cores to their work.
const lookEvery = 250 * time.Millisecond

// await calls check until it returns nil, and returns what it said last when
// that does not happen in time.
func await(ctx context.Context, most time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		// A check that was cut off by the bound has nothing to tell.
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", most, last)
		}
	}
}
