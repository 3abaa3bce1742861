// Package announce turns changes of conditions into events: one when something
// goes wrong, one when it recovers, none in between. An event's reason is the
// condition's reason.
package announce

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// Changes tells of those of the kinds that went wrong, be it from the first, or
// recovered. What was never known does not recover, and what is under way is no
// news. That something is right now may be for the first time: nobody keeps
// whether it ever was.
func Changes(recorder events.EventRecorder, object runtime.Object, before, after []metav1.Condition, kinds ...string) {
	for _, kind := range kinds {
		was, is := meta.FindStatusCondition(before, kind), meta.FindStatusCondition(after, kind)
		if is == nil || (was != nil && was.Status == is.Status && was.Reason == is.Reason) {
			continue
		}
		switch bad := badStatus(kind); {
		case is.Status == bad && !underWay[is.Reason]:
			recorder.Eventf(object, nil, corev1.EventTypeWarning, is.Reason, "Reconcile", "%s is %s: %s", kind, is.Status, is.Message)
		case was != nil && was.Status == bad && is.Status != bad && is.Status != metav1.ConditionUnknown:
			recorder.Eventf(object, nil, corev1.EventTypeNormal, is.Reason, "Reconcile", "%s is %s now: %s", kind, is.Status, is.Message)
		}
	}
}

// underWay are reasons of conditions that are on their way to being good.
var underWay = map[string]bool{
	selarasv1alpha1.ReasonProgressing: true,
	selarasv1alpha1.ReasonReading:     true,
	selarasv1alpha1.ReasonConnecting:  true,
	selarasv1alpha1.ReasonStopped:     true,
}

// badStatus is the status of a condition that a person should hear of.
func badStatus(kind string) metav1.ConditionStatus {
	if kind == selarasv1alpha1.ConditionStalled {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}
