package channel

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/hold"
)

// delistTimeout is how long a deletion waits for its listings to be taken out
// of sale before it leaves them: a deletion must end.
const delistTimeout = 10 * time.Minute

// reconcileDelete ends a Channel. Its children go with it by their owner
// references; only Delist has something to do first, and nothing may keep a
// namespace from ending.
func (r *Reconciler) reconcileDelete(ctx context.Context, channel *selarasv1alpha1.Channel) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(channel, selarasv1alpha1.DelistFinalizer) {
		return ctrl.Result{}, nil
	}
	left, err := r.cannotDelist(ctx, channel)
	if err != nil {
		return ctrl.Result{}, err
	}
	held, err := hold.On(ctx, r.Client, channel)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	if left == "" {
		if err := r.Plane.PutChannelConfig(ctx, channel.Namespace, channel.Name, channelConfig(channel, held)); err != nil {
			left = "the hub cannot be reached: " + err.Error()
		} else if report, live := r.Plane.ChannelReport(channel.Namespace, channel.Name); !live || !report.Delisted || report.UID != string(channel.UID) {
			return ctrl.Result{RequeueAfter: 5 * time.Second}, nil
		}
	}
	if left != "" {
		r.tellOrphaned(channel, left)
	} else {
		r.Recorder.Eventf(channel, nil, corev1.EventTypeNormal, selarasv1alpha1.ReasonDelisted, "Delete",
			"The listings were taken out of sale")
	}
	before := channel.DeepCopy()
	controllerutil.RemoveFinalizer(channel, selarasv1alpha1.DelistFinalizer)
	return ctrl.Result{}, client.IgnoreNotFound(r.Client.Patch(ctx, channel, client.MergeFrom(before)))
}

// tellOrphaned says that the listings were left. Nothing can be made in a
// namespace that is being deleted, no event either: there it is told of the
// namespace itself, whose events are in the namespace default.
func (r *Reconciler) tellOrphaned(channel *selarasv1alpha1.Channel, why string) {
	r.Recorder.Eventf(channel, nil, corev1.EventTypeWarning, selarasv1alpha1.ReasonOrphaned, "Delete",
		"The listings were left as they are: %s", why)
	if why == namespaceEnds {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: channel.Namespace}}
		r.Recorder.Eventf(namespace, channel, corev1.EventTypeWarning, selarasv1alpha1.ReasonOrphaned, "Delete",
			"The listings of Channel %s were left as they are: %s", channel.Name, why)
	}
}

// namespaceEnds is the reason that leaves no place for an event.
const namespaceEnds = "the namespace is being deleted"

// cannotDelist says why the listings must be left, empty when they need not.
func (r *Reconciler) cannotDelist(ctx context.Context, channel *selarasv1alpha1.Channel) (string, error) {
	var namespace corev1.Namespace
	err := r.Client.Get(ctx, types.NamespacedName{Name: channel.Namespace}, &namespace)
	switch {
	case apierrors.IsNotFound(err), err == nil && !namespace.DeletionTimestamp.IsZero():
		return namespaceEnds, nil
	case err != nil:
		return "", fmt.Errorf("reading namespace %s: %w", channel.Namespace, err)
	case channel.Spec.DeletionPolicy != selarasv1alpha1.DeletionDelist:
		return "deletionPolicy is Orphan", nil
	case channel.Spec.State == selarasv1alpha1.ChannelStopped:
		return "spec.state is Stopped, no connector runs", nil
	case time.Since(channel.DeletionTimestamp.Time) > delistTimeout:
		return fmt.Sprintf("not done within %s", delistTimeout), nil
	}
	if report, live := r.Plane.ChannelReport(channel.Namespace, channel.Name); live {
		switch report.Credentials {
		case "SecretMissing", "KeyMissing", "Unauthorized":
			return "the credentials are not valid: " + report.CredentialsMessage, nil
		}
	}
	return "", nil
}
