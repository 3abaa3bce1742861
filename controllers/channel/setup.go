package channel

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/watches"
	"selaras.dev/selaras/controllers/workloadpod"
)

// accountIndex finds Channels by type and account.
const accountIndex = "account"

func accountKey(kind, account string) string { return kind + "\x00" + account }

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, options controller.Options) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &selarasv1alpha1.Channel{}, accountIndex, func(object client.Object) []string {
		channel := object.(*selarasv1alpha1.Channel)
		if channel.Status.AccountID == "" {
			return nil
		}
		return []string{accountKey(channel.Spec.Type, channel.Status.AccountID)}
	})
	if err != nil {
		return fmt.Errorf("indexing Channels by account: %w", err)
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("channel").
		For(&selarasv1alpha1.Channel{}, builder.WithPredicates(predicate.Or[client.Object](
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{}))).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&corev1.PersistentVolumeClaim{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&networkingv1.NetworkPolicy{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(channelOfPod), builder.WithPredicates(podTroubleChanged)).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.channelsOfNamespace), builder.WithPredicates(watches.HoldChanged)).
		Watches(&selarasv1alpha1.Channel{}, handler.EnqueueRequestsFromMapFunc(r.siblings), builder.WithPredicates(accountChanged)).
		WatchesRawSource(r.Plane.ChannelEvents(func(namespace string) []reconcile.Request {
			return r.requests(ctx, client.InNamespace(namespace))
		})).
		WithOptions(options).
		Complete(r)
}

// channelOfPod maps a connector's pod to its Channel.
func channelOfPod(_ context.Context, object client.Object) []reconcile.Request {
	labels := object.GetLabels()
	instance := labels[workloadpod.LabelInstance]
	const suffix = "-connector"
	if labels[workloadpod.LabelComponent] != component || len(instance) <= len(suffix) {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: object.GetNamespace(), Name: instance[:len(instance)-len(suffix)]}}}
}

// channelsOfNamespace maps a namespace whose hold changed to its Channels.
func (r *Reconciler) channelsOfNamespace(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requests(ctx, client.InNamespace(object.GetName()))
}

// siblings maps a Channel whose account became known, or that is going, to
// those of the same account: one of them may have to stop or may go on.
func (r *Reconciler) siblings(ctx context.Context, object client.Object) []reconcile.Request {
	channel, ok := object.(*selarasv1alpha1.Channel)
	if !ok || channel.Status.AccountID == "" {
		return nil
	}
	return r.requests(ctx, client.MatchingFields{accountIndex: accountKey(channel.Spec.Type, channel.Status.AccountID)})
}

func (r *Reconciler) requests(ctx context.Context, options ...client.ListOption) []reconcile.Request {
	var list selarasv1alpha1.ChannelList
	if err := r.Client.List(ctx, &list, options...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing Channels to reconcile")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

var (
	// accountChanged passes Channels whose account changed or that are going.
	accountChanged = predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok1 := e.ObjectOld.(*selarasv1alpha1.Channel)
			after, ok2 := e.ObjectNew.(*selarasv1alpha1.Channel)
			return ok1 && ok2 && (before.Status.AccountID != after.Status.AccountID ||
				before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero())
		},
		DeleteFunc:  func(event.DeleteEvent) bool { return true },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}

	// podTroubleChanged passes pods whose containers' state or scheduling
	// changed: the rest of a pod's status is the Deployment's business.
	podTroubleChanged = predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok1 := e.ObjectOld.(*corev1.Pod)
			after, ok2 := e.ObjectNew.(*corev1.Pod)
			return ok1 && ok2 && troubleOf(before) != troubleOf(after)
		},
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
)

func troubleOf(pod *corev1.Pod) string {
	text := string(pod.Status.Phase)
	for _, status := range pod.Status.ContainerStatuses {
		if w := status.State.Waiting; w != nil {
			text += "/" + w.Reason
		}
		if t := status.State.Terminated; t != nil {
			text += "/" + t.Reason
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled {
			text += "/" + string(condition.Status) + condition.Reason
		}
	}
	return text
}
