package validation

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// podProblems finds what no pod can have, so that it is said of the field that
// was written and not of a Deployment that nobody wrote.
func podProblems(path *field.Path, connector *selarasv1alpha1.Connector) []Problem {
	if connector == nil {
		return nil
	}
	var found field.ErrorList
	if connector.Resources != nil {
		found = append(found, resourceErrors(path.Child("resources"), connector.Resources)...)
	}
	if pod := connector.PodTemplate; pod != nil {
		at := path.Child("podTemplate")
		found = append(found, metav1validation.ValidateLabels(pod.Labels, at.Child("labels"))...)
		found = append(found, apivalidation.ValidateAnnotations(pod.Annotations, at.Child("annotations"))...)
		found = append(found, metav1validation.ValidateLabels(pod.NodeSelector, at.Child("nodeSelector"))...)
		for i := range pod.Tolerations {
			found = append(found, tolerationErrors(at.Child("tolerations").Index(i), &pod.Tolerations[i])...)
		}
	}
	problems := make([]Problem, 0, len(found))
	for _, e := range found {
		problems = append(problems, Problem{Reason: selarasv1alpha1.ReasonInvalidPod, Path: e.Field, Message: e.ErrorBody()})
	}
	return inOrder(problems)
}

func resourceErrors(path *field.Path, resources *corev1.ResourceRequirements) field.ErrorList {
	var found field.ErrorList
	for name, request := range resources.Requests {
		at := path.Child("requests").Key(string(name))
		if request.Sign() < 0 {
			found = append(found, field.Invalid(at, request.String(), "is below zero"))
		}
		if limit, ok := resources.Limits[name]; ok && request.Cmp(limit) > 0 {
			found = append(found, field.Invalid(at, request.String(), fmt.Sprintf("is more than the limit; write at most %s, or raise the limit", limit.String())))
		}
	}
	for name, limit := range resources.Limits {
		if limit.Sign() < 0 {
			found = append(found, field.Invalid(path.Child("limits").Key(string(name)), limit.String(), "is below zero"))
		}
	}
	return found
}

func tolerationErrors(path *field.Path, t *corev1.Toleration) field.ErrorList {
	var found field.ErrorList
	switch t.Operator {
	case corev1.TolerationOpExists:
		if t.Value != "" {
			found = append(found, field.Invalid(path.Child("value"), t.Value, "must be absent with operator Exists"))
		}
	case "", corev1.TolerationOpEqual:
		if t.Key == "" {
			found = append(found, field.Invalid(path.Child("operator"), t.Operator, "write Exists where key is absent"))
		}
	default:
		found = append(found, field.NotSupported(path.Child("operator"), t.Operator, []corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists}))
	}
	switch t.Effect {
	case "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
	default:
		found = append(found, field.NotSupported(path.Child("effect"), t.Effect,
			[]corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}))
	}
	return found
}
