// Package controllers is the control plane: it puts the controllers of all
// kinds together with what they share.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/connectors"
	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/controllers/catalogsync"
	"selaras.dev/selaras/controllers/channel"
	"selaras.dev/selaras/controllers/children"
	"selaras.dev/selaras/controllers/dataplane"
	"selaras.dev/selaras/controllers/hubsecret"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/validation"
	"selaras.dev/selaras/internal/workload"
)

// Options are the operator's own settings.
type Options struct {
	// HubURL is the hub's address, for the operator and for its workloads.
	HubURL string
	// HubKeysDir holds the keys that sign accounts and users of the hub.
	HubKeysDir string
	// HubNamespaceBytes is the storage of one namespace on the hub.
	HubNamespaceBytes int64
	// HubReplicas of every stream: 1 on a single server, 3 on a cluster.
	HubReplicas int
	// RetainDeleted is how long the hub's data of a namespace is kept after
	// the last Channel and CatalogSync of it are gone.
	RetainDeleted time.Duration
	// Namespaces that are watched; none means all.
	Namespaces []string
	// WorkloadImage is the image of connectors and workers.
	WorkloadImage string
	// Concurrency is how many resources of one kind are reconciled at once.
	Concurrency int
	// Metrics is where the operator's own series are registered; nil is the
	// manager's.
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Retries of a resource whose reconcile failed.
const (
	minBackoff = 750 * time.Millisecond
	maxBackoff = 15 * time.Minute
	// reconcileTimeout ends a reconcile that hangs.
	reconcileTimeout = time.Minute
)

// Setup registers the controllers of all kinds with the manager.
func Setup(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if options.WorkloadImage == "" {
		return errors.New("--workload-image is not set: name the image of connectors and workers, as the installation does")
	}
	keys, err := hub.LoadKeys(options.HubKeysDir)
	if err != nil {
		return fmt.Errorf("reading the hub's keys (--hub-keys-dir): %w", err)
	}
	authority, err := hub.NewAuthority(hub.AuthorityOptions{URL: options.HubURL, Keys: keys, Logger: options.Log})
	if err != nil {
		return fmt.Errorf("preparing to sign for the hub: %w", err)
	}
	plane := dataplane.New(authority, dataplane.Options{
		Limits: hub.Limits{MaxBytes: options.HubNamespaceBytes, Replicas: options.HubReplicas},
		Retain: options.RetainDeleted, Census: census(mgr.GetClient(), options.Namespaces), Log: options.Log,
	})
	if err := mgr.Add(plane); err != nil {
		return err
	}
	// Credentials are made anew when the keys that sign them are others.
	trust := keys.Trust().OperatorJWT
	applier := &children.Applier{Client: mgr.GetClient()}
	secrets := &hubsecret.Maker{Client: mgr.GetClient(), Plane: plane}
	validator := validation.New(connectors.Drivers())

	channels := &channel.Reconciler{
		Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder("selaras-channel"),
		Plane: plane, Children: applier, Secrets: secrets,
		Validate: func(channel *selarasv1alpha1.Channel) (reason, message string) {
			return validation.Verdict(validator.Channel(channel))
		},
		ValidateReported: func(channel *selarasv1alpha1.Channel, says workload.DriverReport) (reason, message string) {
			return validation.Verdict(validator.Reported(channel, description(says)))
		},
		WorkloadImage: options.WorkloadImage, HubURL: options.HubURL, Trust: trust,
	}
	if err := channels.SetupWithManager(ctx, mgr, controllerOptions(options)); err != nil {
		return fmt.Errorf("setting up the Channel controller: %w", err)
	}
	syncs := &catalogsync.Reconciler{
		Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder("selaras-catalogsync"),
		Plane: plane, Children: applier, Secrets: secrets,
		Validate: func(sync *selarasv1alpha1.CatalogSync) (reason, message string) {
			return validation.Verdict(validator.CatalogSync(sync))
		},
		WorkloadImage: options.WorkloadImage, HubURL: options.HubURL, Trust: trust,
	}
	if err := syncs.SetupWithManager(ctx, mgr, controllerOptions(options)); err != nil {
		return fmt.Errorf("setting up the CatalogSync controller: %w", err)
	}
	registry := options.Metrics
	if registry == nil {
		registry = metrics.Registry
	}
	for _, collector := range []prometheus.Collector{channel.NewCollector(mgr.GetClient(), plane), catalogsync.NewCollector(mgr.GetClient(), plane)} {
		if err := registry.Register(collector); err != nil {
			return fmt.Errorf("registering the operator's metrics: %w", err)
		}
	}
	return nil
}

// description is what a connector reports of its driver, as far as it goes.
func description(says workload.DriverReport) driver.Description {
	d := driver.Description{Type: says.Type, Version: says.Version, ConfigSchema: says.ConfigSchema}
	for _, name := range says.Capabilities {
		d.Capabilities = append(d.Capabilities, driver.Capability(name))
	}
	return d
}

func controllerOptions(options Options) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: max(1, options.Concurrency),
		ReconciliationTimeout:   reconcileTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](minBackoff, maxBackoff),
	}
}
