package channel

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// overlay lays the user's pod template over ours.
func overlay(template *coreac.PodTemplateSpecApplyConfiguration, user *selarasv1alpha1.PodTemplate) {
	template.WithLabels(user.Labels).WithAnnotations(user.Annotations)
	spec := template.Spec
	spec.WithNodeSelector(user.NodeSelector)
	for i := range user.Tolerations {
		spec.WithTolerations(toleration(&user.Tolerations[i]))
	}
	if user.Affinity != nil {
		spec.WithAffinity(affinity(user.Affinity))
	}
	if user.PriorityClassName != "" {
		spec.WithPriorityClassName(user.PriorityClassName)
	}
	for _, ref := range user.ImagePullSecrets {
		spec.WithImagePullSecrets(coreac.LocalObjectReference().WithName(ref.Name))
	}
}

func toleration(t *corev1.Toleration) *coreac.TolerationApplyConfiguration {
	return converted[coreac.TolerationApplyConfiguration](t)
}

func affinity(a *corev1.Affinity) *coreac.AffinityApplyConfiguration {
	return converted[coreac.AffinityApplyConfiguration](a)
}

// converted turns an API value into the apply configuration of the same shape;
// their JSON is the same by construction, so neither step can fail.
func converted[To any](from any) *To {
	var to To
	if data, err := json.Marshal(from); err == nil {
		_ = json.Unmarshal(data, &to)
	}
	return &to
}
