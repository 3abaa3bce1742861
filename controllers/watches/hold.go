// Package watches holds the event filters that several controllers share.
package watches

import (
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// HoldChanged passes namespaces whose hold annotation changed.
var HoldChanged = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool {
		return e.Object.GetAnnotations()[selarasv1alpha1.HoldAnnotation] != ""
	},
	UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetAnnotations()[selarasv1alpha1.HoldAnnotation] != e.ObjectNew.GetAnnotations()[selarasv1alpha1.HoldAnnotation]
	},
	DeleteFunc:  func(event.DeleteEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
}
