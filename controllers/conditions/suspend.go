package conditions

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// Suspend says that the spec is not acted on: Reconciling is False with reason
// Suspended. The other conditions keep what was last found.
func Suspend(list *[]metav1.Condition, generation int64) {
	Set(list, generation, False(selarasv1alpha1.ConditionReconciling, selarasv1alpha1.ReasonSuspended,
		"spec.suspend is true: changes are not acted on; the data plane runs on by what it has"))
}
