// Package catalogsync reconciles CatalogSyncs: it follows their references,
// refuses what the channels cannot do, hands the configuration to the
// workloads, keeps the namespace's catalog worker and folds the reports into
// the status.
package catalogsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/announce"
	"selaras.dev/selaras/controllers/children"
	"selaras.dev/selaras/controllers/conditions"
	"selaras.dev/selaras/controllers/dataplane"
	"selaras.dev/selaras/controllers/faults"
	"selaras.dev/selaras/controllers/hold"
	"selaras.dev/selaras/controllers/hubsecret"
	"selaras.dev/selaras/controllers/podtrouble"
	"selaras.dev/selaras/controllers/workloadpod"
	"selaras.dev/selaras/internal/hub"
)

// +kubebuilder:rbac:groups=selaras.dev,resources=catalogsyncs,verbs=get;list;watch
// +kubebuilder:rbac:groups=selaras.dev,resources=catalogsyncs/status,verbs=get;patch;update
// +kubebuilder:rbac:groups=selaras.dev,resources=catalogsyncs/finalizers,verbs=update
// +kubebuilder:rbac:groups=selaras.dev,resources=channels,verbs=get;list;watch

// Reconciler reconciles CatalogSyncs.
type Reconciler struct {
	Client   client.Client
	Recorder events.EventRecorder
	Plane    *dataplane.Plane
	Children *children.Applier
	Secrets  *hubsecret.Maker
	// Validate is the pure validator of specs: an empty reason when there is
	// nothing wrong.
	Validate func(*selarasv1alpha1.CatalogSync) (reason, message string)
	// WorkloadImage, HubURL and Trust are installation-wide (see
	// controllers/channel).
	WorkloadImage, HubURL, Trust string

	validated verdicts
}

// Reconcile brings one CatalogSync a step nearer to its spec. Every exit has
// written the status it found.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (result ctrl.Result, err error) {
	sync := &selarasv1alpha1.CatalogSync{}
	if err := r.Client.Get(ctx, request.NamespacedName, sync); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, r.Plane.DeleteSync(ctx, request.Namespace, request.Name)
		}
		return ctrl.Result{}, err
	}
	if !sync.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // nothing of ours holds it back
	}
	if sync.Spec.Suspend {
		return r.reconcileSuspended(ctx, sync)
	}
	before := sync.DeepCopy()

	in := inputs{sync: sync, now: time.Now()}
	defer func() {
		in.hub = r.Plane.HubAvailable(sync.Namespace)
		computeStatus(in, &sync.Status)
		if patchErr := r.patchStatus(ctx, before, sync); patchErr != nil {
			err = errors.Join(err, patchErr)
		}
		announce.Changes(r.Recorder, sync, before.Status.Conditions, sync.Status.Conditions, announced...)
		if err != nil {
			result = ctrl.Result{}
		}
	}()

	namespace, err := r.observe(ctx, &in)
	if err != nil {
		in.failure = faults.Of(err)
		return ctrl.Result{}, err
	}
	if in.resolution.problem != nil {
		// What needs a new spec must not go on by the old one: two syncs of
		// one field group would undo each other.
		return ctrl.Result{}, r.Plane.DeleteSync(ctx, sync.Namespace, sync.Name)
	}
	for _, phase := range []func(context.Context, *inputs, *surroundings) error{
		r.reconcileHub,
		r.reconcileWorker,
		r.reconcileConfig,
	} {
		if err := phase(ctx, &in, namespace); err != nil {
			in.failure = faults.Of(err)
			return ctrl.Result{}, err
		}
	}
	if next := nextDeadline(in); !next.IsZero() {
		result.RequeueAfter = max(time.Second, next.Sub(in.now)+time.Second)
	}
	return result, nil
}

// reconcileSuspended leaves everything as it is but for an emergency stop.
func (r *Reconciler) reconcileSuspended(ctx context.Context, sync *selarasv1alpha1.CatalogSync) (ctrl.Result, error) {
	before := sync.DeepCopy()
	held, err := hold.On(ctx, r.Client, sync)
	if err == nil && sync.Status.ChannelCount != nil { // else nobody was ever told of it
		err = r.Plane.HoldSync(ctx, sync.Namespace, sync.Name, held)
	}
	conditions.Suspend(&sync.Status.Conditions, sync.Generation)
	sync.Status.ObservedGeneration = sync.Generation
	if err := errors.Join(err, r.patchStatus(ctx, before, sync)); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: hold.UntilEnd(held)}, nil
}

// surroundings is the namespace of a sync.
type surroundings struct {
	namespace *corev1.Namespace
	syncs     []*selarasv1alpha1.CatalogSync // oldest first, those that are not going
}

// observe reads what the sync depends on: its namespace, Channels, elders, the
// worker and all reports.
func (r *Reconciler) observe(ctx context.Context, in *inputs) (*surroundings, error) {
	sync := in.sync
	around := &surroundings{namespace: &corev1.Namespace{}}
	if err := r.Client.Get(ctx, types.NamespacedName{Name: sync.Namespace}, around.namespace); err != nil {
		return nil, fmt.Errorf("reading namespace %s: %w", sync.Namespace, err)
	}
	in.hold = hold.InForce(in.now, sync.Annotations, around.namespace.Annotations)

	var syncs selarasv1alpha1.CatalogSyncList
	if err := r.Client.List(ctx, &syncs, client.InNamespace(sync.Namespace)); err != nil {
		return nil, fmt.Errorf("reading the CatalogSyncs of namespace %s: %w", sync.Namespace, err)
	}
	for i := range syncs.Items {
		if syncs.Items[i].DeletionTimestamp.IsZero() {
			around.syncs = append(around.syncs, &syncs.Items[i])
		}
	}
	byAge(around.syncs)
	var elders []*selarasv1alpha1.CatalogSync
	for _, other := range around.syncs {
		if other.UID == sync.UID {
			break
		}
		elders = append(elders, other)
	}

	var list selarasv1alpha1.ChannelList
	if err := r.Client.List(ctx, &list, client.InNamespace(sync.Namespace)); err != nil {
		return nil, fmt.Errorf("reading the Channels of namespace %s: %w", sync.Namespace, err)
	}
	channels := make([]*selarasv1alpha1.Channel, 0, len(list.Items))
	for i := range list.Items {
		// One that is being delisted is served until it is gone: its connector
		// knows by its syncs what it keeps.
		channel := &list.Items[i]
		if channel.DeletionTimestamp.IsZero() || controllerutil.ContainsFinalizer(channel, selarasv1alpha1.DelistFinalizer) {
			channels = append(channels, channel)
		}
	}
	in.resolution = resolve(sync, channels, elders, r.valid)

	in.catalog.CatalogReport, in.catalog.live = r.Plane.CatalogReport(sync.Namespace)
	in.channels = map[string]channelReport{}
	names := []string{sync.Spec.Source.Channel}
	for _, channel := range in.resolution.targets {
		names = append(names, channel.Name)
	}
	for _, name := range names {
		report, live := r.Plane.ChannelReport(sync.Namespace, name)
		in.channels[name] = channelReport{report, live}
	}
	return around, r.observeWorker(ctx, in)
}

func (r *Reconciler) observeWorker(ctx context.Context, in *inputs) error {
	worker := &appsv1.Deployment{}
	key := types.NamespacedName{Namespace: in.sync.Namespace, Name: workerName}
	if err := r.Client.Get(ctx, key, worker); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("reading Deployment %s: %w", key, err)
	}
	in.worker = worker
	if worker.Status.AvailableReplicas > 0 {
		return nil
	}
	reason, message, err := podtrouble.Find(ctx, r.Client, worker, workloadpod.Labels(component, workerName))
	if reason != "" {
		in.podReason = faults.New(reason, message)
	}
	return err
}

// valid is the pure validator with a memory: a spec is compiled once.
func (r *Reconciler) valid(sync *selarasv1alpha1.CatalogSync) *problem {
	return r.validated.of(sync, func() *problem {
		if reason, message := r.Validate(sync); reason != "" {
			return faults.New(reason, message)
		}
		return nil
	})
}

// reconcileHub makes the namespace's account on the hub.
func (r *Reconciler) reconcileHub(ctx context.Context, in *inputs, _ *surroundings) error {
	if err := r.Plane.Ensure(ctx, in.sync.Namespace); err != nil {
		return faults.OnHub(err)
	}
	return nil
}

// reconcileWorker keeps the namespace's one catalog worker, owned by every
// sync it serves.
func (r *Reconciler) reconcileWorker(ctx context.Context, in *inputs, around *surroundings) error {
	namespace := in.sync.Namespace
	key := types.NamespacedName{Namespace: namespace, Name: workerName}
	uids := make([]types.UID, 0, len(around.syncs))
	for _, sync := range around.syncs {
		uids = append(uids, sync.UID)
	}
	apply := func(live client.Object, intent runtime.ApplyConfiguration) error {
		return r.Children.Apply(ctx, uids, live, key, intent)
	}
	if err := apply(&corev1.ServiceAccount{}, makeServiceAccount(namespace, around.syncs)); err != nil {
		return err
	}
	if err := apply(&corev1.Service{}, makeService(namespace, around.syncs)); err != nil {
		return err
	}
	if err := apply(&networkingv1.NetworkPolicy{}, makeNetworkPolicy(namespace, around.syncs)); err != nil {
		return err
	}
	secret := hubSecretName(string(around.namespace.UID), r.Trust)
	if err := apply(&appsv1.Deployment{}, makeDeployment(namespace, around.syncs, deploymentParams{image: r.WorkloadImage, hubURL: r.HubURL, hubSecret: secret})); err != nil {
		return err
	}
	return r.reconcileWorkerSecret(ctx, in, secret)
}

// reconcileWorkerSecret makes the worker's hub credentials, once the Deployment
// that owns them is seen.
func (r *Reconciler) reconcileWorkerSecret(ctx context.Context, in *inputs, name string) error {
	if in.worker == nil {
		return nil
	}
	return r.Secrets.Ensure(ctx, hubsecret.Want{
		Key:      types.NamespacedName{Namespace: in.sync.Namespace, Name: name},
		Workload: hub.Workload{Kind: hub.Catalog},
		Served:   in.worker.Status.AvailableReplicas > 0,
		Make:     func(credentials []byte) *corev1.Secret { return makeHubSecret(name, credentials, in.worker) },
	})
}

// reconcileConfig hands the workloads what they run by.
func (r *Reconciler) reconcileConfig(ctx context.Context, in *inputs, _ *surroundings) error {
	if in.resolution.source == nil {
		return nil // nothing can run without it; a watch tells when it comes
	}
	if err := r.Plane.PutSyncConfig(ctx, in.sync.Namespace, syncConfig(in.resolution, in.hold)); err != nil {
		return faults.OnHub(err)
	}
	return nil
}

func (r *Reconciler) patchStatus(ctx context.Context, before, after *selarasv1alpha1.CatalogSync) error {
	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, after, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of CatalogSync %s/%s: %w", after.Namespace, after.Name, err)
	}
	return nil
}

// announced are the conditions whose changes are worth an event.
var announced = []string{
	selarasv1alpha1.ConditionReady, selarasv1alpha1.ConditionStalled, selarasv1alpha1.ConditionSourceReady,
	selarasv1alpha1.ConditionChannelsReady, selarasv1alpha1.ConditionLagWithinTarget, selarasv1alpha1.ConditionDriftFree,
	selarasv1alpha1.ConditionHubAvailable,
}
