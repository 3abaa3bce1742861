// Package channel reconciles Channels: it validates them, deploys one
// connector each, hands it its configuration through the hub and folds its
// reports into the status.
package channel

import (
	"context"
	"errors"
	"fmt"

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
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/validation"
	"selaras.dev/selaras/internal/workload"
)

// +kubebuilder:rbac:groups=selaras.dev,resources=channels,verbs=get;list;watch;patch;update
// +kubebuilder:rbac:groups=selaras.dev,resources=channels/status,verbs=get;patch;update
// +kubebuilder:rbac:groups=selaras.dev,resources=channels/finalizers,verbs=update
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services;serviceaccounts;persistentvolumeclaims,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",resources=pods;namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconciler reconciles Channels.
type Reconciler struct {
	Client   client.Client
	Recorder events.EventRecorder
	Plane    *dataplane.Plane
	Children *children.Applier
	Secrets  *hubsecret.Maker
	// Validate is the pure validator of specs: nil when there is nothing wrong.
	Validate func(*selarasv1alpha1.Channel) (reason, message string)
	// ValidateReported is the same for a Channel with an image of its own, by
	// what that image says of its driver.
	ValidateReported func(*selarasv1alpha1.Channel, workload.DriverReport) (reason, message string)
	// WorkloadImage, HubURL and Trust are installation-wide: the image of
	// connectors, the hub's address as pods see it, and the fingerprint of the
	// keys that sign hub credentials.
	WorkloadImage, HubURL, Trust string
}

// Reconcile brings one Channel a step nearer to its spec. Every exit has
// written the status it found.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (result ctrl.Result, err error) {
	channel := &selarasv1alpha1.Channel{}
	if err := r.Client.Get(ctx, request.NamespacedName, channel); err != nil {
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, r.Plane.DeleteChannel(ctx, request.Namespace, request.Name)
		}
		return ctrl.Result{}, err
	}
	if !channel.DeletionTimestamp.IsZero() {
		return r.reconcileDelete(ctx, channel)
	}
	if channel.Spec.Suspend {
		return r.reconcileSuspended(ctx, channel)
	}
	if err := r.reconcileFinalizer(ctx, channel); err != nil {
		return ctrl.Result{}, err
	}

	before := channel.DeepCopy()
	in := inputs{channel: channel, hubSecret: channel.Status.HubCredentials, requested: channel.Annotations[selarasv1alpha1.RequestedAtAnnotation]}
	defer func() {
		in.hub = r.Plane.HubAvailable(channel.Namespace)
		computeStatus(in, &channel.Status)
		if patchErr := r.patchStatus(ctx, before, channel); patchErr != nil {
			err = errors.Join(err, patchErr)
		}
		announce.Changes(r.Recorder, channel, before.Status.Conditions, channel.Status.Conditions, announced...)
		if err != nil {
			result = ctrl.Result{}
		}
	}()

	// What the data plane says does not depend on the spec being right.
	in.report, in.live = r.Plane.ChannelReport(channel.Namespace, channel.Name)
	if in.deployment, in.podReason, err = r.observe(ctx, channel); err != nil {
		in.failure = faults.Of(err)
		return ctrl.Result{}, err
	}
	if in.hold, err = hold.On(ctx, r.Client, channel); err != nil {
		in.failure = faults.Of(err)
		return ctrl.Result{}, err
	}

	// What needs a new spec stops here; a connector that runs is left as it is,
	// but for an emergency stop.
	if in.problem, err = r.validate(ctx, channel, in); err != nil {
		return ctrl.Result{}, err
	}
	if in.problem != nil {
		return ctrl.Result{RequeueAfter: hold.UntilEnd(in.hold)}, r.reconcileHold(ctx, channel, in.hold)
	}

	for _, phase := range []func(context.Context, *inputs) error{
		r.reconcileHub,
		r.reconcileChildren,
		r.reconcileConfig,
	} {
		if err := phase(ctx, &in); err != nil {
			in.failure = faults.Of(err)
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{RequeueAfter: hold.UntilEnd(in.hold)}, nil
}

// validate returns what only a new spec can mend.
func (r *Reconciler) validate(ctx context.Context, channel *selarasv1alpha1.Channel, in inputs) (*problem, error) {
	if reason, message := r.Validate(channel); reason != "" {
		return faults.New(reason, message), nil
	}
	if in.describedByImage() {
		if reason, message := r.ValidateReported(channel, in.report.Driver); reason != "" {
			return faults.New(reason, message), r.park(ctx, channel, in.hold)
		}
	}
	if in.live && in.report.UID == string(channel.UID) && in.report.Generation == channel.Generation && in.report.Problem != "" {
		return faults.New(in.report.Problem, in.report.ProblemMessage), nil
	}
	elder, err := r.elderOfSameAccount(ctx, channel, in)
	if err != nil || elder == "" {
		return nil, err
	}
	return faults.New(selarasv1alpha1.ReasonDuplicateAccount, fmt.Sprintf(
			"Channel %s sells the same account: two writers would undo each other; delete one of the two, or give this one another endpoint or account", elder)),
		r.park(ctx, channel, in.hold)
}

// park keeps a connector that must not write from writing, without losing what
// it reads.
func (r *Reconciler) park(ctx context.Context, channel *selarasv1alpha1.Channel, held *workload.Hold) error {
	config := channelConfig(channel, held)
	config.State = workload.Paused
	return r.Plane.PutChannelConfig(ctx, channel.Namespace, channel.Name, config)
}

// elderOfSameAccount names the older Channel with this one's account.
func (r *Reconciler) elderOfSameAccount(ctx context.Context, channel *selarasv1alpha1.Channel, in inputs) (string, error) {
	account := channel.Status.AccountID
	if in.live && in.report.UID == string(channel.UID) && in.report.AccountID != "" {
		account = in.report.AccountID
	}
	if account == "" {
		return "", nil
	}
	var list selarasv1alpha1.ChannelList
	if err := r.Client.List(ctx, &list, client.MatchingFields{accountIndex: accountKey(channel.Spec.Type, account)}); err != nil {
		return "", fmt.Errorf("looking for other Channels of the account: %w", err)
	}
	for i := range list.Items {
		other := &list.Items[i]
		if other.UID != channel.UID && other.DeletionTimestamp.IsZero() && elder(other, channel) {
			if other.Namespace != channel.Namespace {
				return other.Namespace + "/" + other.Name, nil
			}
			return other.Name, nil
		}
	}
	return "", nil
}

func elder(a, b *selarasv1alpha1.Channel) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.UID < b.UID
}

// reconcileHub makes the namespace's account on the hub and the connector's
// credentials for it.
func (r *Reconciler) reconcileHub(ctx context.Context, in *inputs) error {
	channel := in.channel
	if err := r.Plane.Ensure(ctx, channel.Namespace); err != nil {
		return faults.OnHub(err)
	}
	name := hubSecretName(channel, r.Trust)
	podNeedsNothing := channel.Spec.State == selarasv1alpha1.ChannelStopped ||
		(in.deployment != nil && in.deployment.Status.AvailableReplicas > 0)
	err := r.Secrets.Ensure(ctx, hubsecret.Want{
		Key:      types.NamespacedName{Namespace: channel.Namespace, Name: name},
		Workload: hub.Workload{Kind: hub.Connector, Name: channel.Name},
		Served:   name == in.hubSecret && podNeedsNothing,
		Make:     func(credentials []byte) *corev1.Secret { return makeHubSecret(channel, name, credentials) },
	})
	if err == nil {
		in.hubSecret = name
	}
	return err
}

// reconcileChildren applies what the connector is made of.
func (r *Reconciler) reconcileChildren(ctx context.Context, in *inputs) error {
	channel := in.channel
	key := types.NamespacedName{Namespace: channel.Namespace, Name: childName(channel)}
	apply := func(live client.Object, intent runtime.ApplyConfiguration) error {
		return r.Children.Apply(ctx, []types.UID{channel.UID}, live, key, intent)
	}
	if err := apply(&corev1.ServiceAccount{}, makeServiceAccount(channel)); err != nil {
		return err
	}
	if err := apply(&corev1.Service{}, makeService(channel)); err != nil {
		return err
	}
	if err := apply(&networkingv1.NetworkPolicy{}, makeNetworkPolicy(channel)); err != nil {
		return err
	}
	if storage := makeStorage(channel); storage != nil {
		if err := apply(&corev1.PersistentVolumeClaim{}, storage); err != nil {
			return err
		}
	}
	return apply(&appsv1.Deployment{}, makeDeployment(channel, deploymentParams{image: r.WorkloadImage, hubURL: r.HubURL, hubSecret: in.hubSecret}))
}

// reconcileConfig hands the connector what it runs by.
func (r *Reconciler) reconcileConfig(ctx context.Context, in *inputs) error {
	config := channelConfig(in.channel, in.hold)
	if validation.OwnImage(in.channel) && !in.describedByImage() && config.State == workload.Running {
		// Nothing is written by a config that nobody could check yet.
		config.State = workload.Paused
	}
	if err := r.Plane.PutChannelConfig(ctx, in.channel.Namespace, in.channel.Name, config); err != nil {
		return faults.OnHub(err)
	}
	return nil
}

// reconcileSuspended says that the spec is not acted on. An emergency stop is.
func (r *Reconciler) reconcileSuspended(ctx context.Context, channel *selarasv1alpha1.Channel) (ctrl.Result, error) {
	before := channel.DeepCopy()
	held, err := hold.On(ctx, r.Client, channel)
	if err == nil {
		err = r.reconcileHold(ctx, channel, held)
	}
	conditions.Suspend(&channel.Status.Conditions, channel.Generation)
	channel.Status.ObservedGeneration = channel.Generation
	if err := errors.Join(err, r.patchStatus(ctx, before, channel)); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: hold.UntilEnd(held)}, nil
}

// reconcileHold tells a connector of a hold alone, if there is one.
func (r *Reconciler) reconcileHold(ctx context.Context, channel *selarasv1alpha1.Channel, held *workload.Hold) error {
	if channel.Status.HubCredentials == "" {
		return nil
	}
	return r.Plane.HoldChannel(ctx, channel.Namespace, channel.Name, held)
}

// reconcileFinalizer keeps the finalizer only as long as deleting the Channel
// has something to do. The finalizer is set before the connector may write.
func (r *Reconciler) reconcileFinalizer(ctx context.Context, channel *selarasv1alpha1.Channel) error {
	before := channel.DeepCopy()
	var changed bool
	if channel.Spec.DeletionPolicy == selarasv1alpha1.DeletionDelist {
		changed = controllerutil.AddFinalizer(channel, selarasv1alpha1.DelistFinalizer)
	} else {
		changed = controllerutil.RemoveFinalizer(channel, selarasv1alpha1.DelistFinalizer)
	}
	if !changed {
		return nil
	}
	if err := r.Client.Patch(ctx, channel, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("changing the finalizers of Channel %s/%s: %w", channel.Namespace, channel.Name, err)
	}
	return nil
}

func (r *Reconciler) patchStatus(ctx context.Context, before, after *selarasv1alpha1.Channel) error {
	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, after, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of Channel %s/%s: %w", after.Namespace, after.Name, err)
	}
	return nil
}

// announced are the conditions whose changes are worth an event.
var announced = []string{
	selarasv1alpha1.ConditionReady, selarasv1alpha1.ConditionStalled, selarasv1alpha1.ConditionCredentialsValid,
	selarasv1alpha1.ConditionConnected, selarasv1alpha1.ConditionWebhooksHealthy,
	selarasv1alpha1.ConditionHubAvailable,
}
