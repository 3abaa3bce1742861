package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers"
	"selaras.dev/selaras/controllers/workloadpod"
)

// The leader's lease, as Flux has it: a hiccup of the API server costs no
// leadership, a dead leader is followed within the minute.
const (
	leaseDuration = 35 * time.Second
	renewDeadline = 30 * time.Second
	retryPeriod   = 5 * time.Second
)

func operatorCommand() *cobra.Command {
	var (
		options     controllers.Options
		metricsAddr string
		probeAddr   string
		leaderElect bool
		leaderSpace string
		keysSecret  string
	)
	command := &cobra.Command{
		Use:   "operator",
		Short: "Reconcile Channels and CatalogSyncs",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			restConfig, err := ctrl.GetConfig()
			if err != nil {
				return fmt.Errorf("finding the Kubernetes API (in a pod, or by KUBECONFIG): %w", err)
			}
			restConfig.QPS = -1 // the API server's priority and fairness rules instead
			scheme, err := newScheme()
			if err != nil {
				return err
			}
			if err := ensureHubKeys(ctx, restConfig, keysSecret, options.HubKeysDir); err != nil {
				return err
			}
			mgr, err := ctrl.NewManager(restConfig, manager.Options{
				Scheme:                        scheme,
				Metrics:                       metricsserver.Options{BindAddress: metricsAddr},
				HealthProbeBindAddress:        probeAddr,
				LeaderElection:                leaderElect,
				LeaderElectionID:              "operator.selaras.dev",
				LeaderElectionNamespace:       leaderSpace,
				LeaderElectionReleaseOnCancel: true,
				LeaseDuration:                 ptr(leaseDuration),
				RenewDeadline:                 ptr(renewDeadline),
				RetryPeriod:                   ptr(retryPeriod),
				Cache:                         cacheOptions(options.Namespaces),
				Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}},
			})
			if err != nil {
				return fmt.Errorf("making the manager: %w", err)
			}
			if err := mgr.AddHealthzCheck("healthz", healthz.Ping); err != nil {
				return err
			}
			if err := mgr.AddReadyzCheck("readyz", healthz.Ping); err != nil {
				return err
			}
			options.Log = slog.Default()
			if err := controllers.Setup(ctx, mgr, options); err != nil {
				return err
			}
			return mgr.Start(ctx)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.HubURL, "hub-url", "nats://127.0.0.1:4222", "address of the hub, for the operator and its workloads")
	flags.StringVar(&options.HubKeysDir, "hub-keys-dir", "", "directory with the hub's operator keys, made by `selaras hub keys` or by --hub-keys-secret")
	flags.StringVar(&keysSecret, "hub-keys-secret", "", "namespace/name of the Secret mounted at --hub-keys-dir; made with new keys when it does not exist")
	flags.StringVar(&options.WorkloadImage, "workload-image", "", "image of connectors and workers")
	flags.Int64Var(&options.HubNamespaceBytes, "hub-namespace-bytes", 2<<30, "storage of one namespace on the hub, in bytes")
	flags.IntVar(&options.HubReplicas, "hub-replicas", 1, "copies of everything on the hub: 1 on a single server, 3 on a cluster")
	flags.DurationVar(&options.RetainDeleted, "retain-deleted", 7*24*time.Hour, "how long the hub keeps the data of a namespace whose last Channel and CatalogSync were deleted, for a successor")
	flags.IntVar(&options.Concurrency, "concurrency", 10, "resources of one kind reconciled at once")
	flags.StringVar(&metricsAddr, "metrics-bind-address", ":8080", "address of /metrics")
	flags.StringVar(&probeAddr, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	flags.BoolVar(&leaderElect, "leader-elect", false, "let one of several operators work")
	flags.StringVar(&leaderSpace, "leader-election-namespace", "", "namespace of the lease; by default the operator's own")
	flags.StringSliceVar(&options.Namespaces, "namespaces", nil, "namespaces to watch; by default all")
	return command
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the types of Kubernetes: %w", err)
	}
	if err := selarasv1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the types of Selaras: %w", err)
	}
	return scheme, nil
}

// cacheOptions keeps in memory only what the operator made, beside its own
// kinds and the namespaces.
func cacheOptions(namespaces []string) cache.Options {
	ours := labels.SelectorFromSet(labels.Set{workloadpod.LabelManagedBy: workloadpod.ManagedBy})
	options := cache.Options{
		ByObject:         map[client.Object]cache.ByObject{&corev1.Pod{}: {Label: ours}},
		DefaultTransform: cache.TransformStripManagedFields(),
	}
	if len(namespaces) > 0 {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options
}

func ptr[T any](v T) *T { return &v }
