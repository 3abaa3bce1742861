package catalogsync

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
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
)

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(_ context.Context, mgr ctrl.Manager, options controller.Options) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("catalogsync").
		For(&selarasv1alpha1.CatalogSync{}, builder.WithPredicates(predicate.Or[client.Object](
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&selarasv1alpha1.CatalogSync{}, handler.EnqueueRequestsFromMapFunc(r.neighbours), builder.WithPredicates(claimsChanged)).
		Watches(&selarasv1alpha1.Channel{}, handler.EnqueueRequestsFromMapFunc(r.syncsOfNamespace), builder.WithPredicates(channelMatters)).
		Watches(&appsv1.Deployment{}, handler.EnqueueRequestsFromMapFunc(r.syncsOfNamespace), builder.WithPredicates(workerMatters)).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.syncsInNamespace), builder.WithPredicates(watches.HoldChanged)).
		WatchesRawSource(r.Plane.SyncEvents(func(namespace string) []reconcile.Request {
			return r.requests(context.Background(), namespace, nil)
		})).
		WithOptions(options).
		Complete(r)
}

func (r *Reconciler) syncsOfNamespace(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requests(ctx, object.GetNamespace(), nil)
}

func (r *Reconciler) syncsInNamespace(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requests(ctx, object.GetName(), nil)
}

// neighbours are the syncs that the change of another may set free or stop:
// those in conflict, and those that share a channel with it.
func (r *Reconciler) neighbours(ctx context.Context, object client.Object) []reconcile.Request {
	changed, ok := object.(*selarasv1alpha1.CatalogSync)
	if !ok {
		return nil
	}
	return r.requests(ctx, changed.Namespace, func(other *selarasv1alpha1.CatalogSync) bool {
		if other.UID == changed.UID {
			return false
		}
		if c := meta.FindStatusCondition(other.Status.Conditions, selarasv1alpha1.ConditionStalled); c != nil && c.Reason == selarasv1alpha1.ReasonFieldConflict {
			return true
		}
		return slices.ContainsFunc(other.Status.Channels, func(c selarasv1alpha1.SyncChannelStatus) bool {
			return slices.ContainsFunc(changed.Status.Channels, func(d selarasv1alpha1.SyncChannelStatus) bool { return d.Name == c.Name })
		})
	})
}

func (r *Reconciler) requests(ctx context.Context, namespace string, keep func(*selarasv1alpha1.CatalogSync) bool) []reconcile.Request {
	var list selarasv1alpha1.CatalogSyncList
	if err := r.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing CatalogSyncs to reconcile", "namespace", namespace)
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if keep == nil || keep(&list.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

var (
	// claimsChanged passes syncs that now keep other field groups or channels.
	claimsChanged = predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false }, // the youngest takes nothing from anybody
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok1 := e.ObjectOld.(*selarasv1alpha1.CatalogSync)
			after, ok2 := e.ObjectNew.(*selarasv1alpha1.CatalogSync)
			return ok1 && ok2 && (before.Generation != after.Generation ||
				before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() || !slices.Equal(names(before), names(after)))
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	}

	// channelMatters passes Channels that come, go, change their labels, or
	// whose capabilities or account become known.
	channelMatters = predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok1 := e.ObjectOld.(*selarasv1alpha1.Channel)
			after, ok2 := e.ObjectNew.(*selarasv1alpha1.Channel)
			return ok1 && ok2 && (predicate.LabelChangedPredicate{}.Update(e) ||
				before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
				before.Status.AccountID != after.Status.AccountID ||
				!slices.Equal(before.Status.Capabilities, after.Status.Capabilities))
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	}

	// workerMatters passes catalog workers that come up, go down or change.
	workerMatters = predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return e.Object.GetName() == workerName },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok1 := e.ObjectOld.(*appsv1.Deployment)
			after, ok2 := e.ObjectNew.(*appsv1.Deployment)
			return ok1 && ok2 && after.Name == workerName && (before.Generation != after.Generation ||
				(before.Status.AvailableReplicas > 0) != (after.Status.AvailableReplicas > 0) ||
				before.Status.UnavailableReplicas != after.Status.UnavailableReplicas)
		},
		DeleteFunc:  func(e event.DeleteEvent) bool { return e.Object.GetName() == workerName },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
)

func names(sync *selarasv1alpha1.CatalogSync) []string {
	list := make([]string, 0, len(sync.Status.Channels))
	for _, channel := range sync.Status.Channels {
		list = append(list, channel.Name)
	}
	return list
}
