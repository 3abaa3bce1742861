package channel

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/faults"
	"selaras.dev/selaras/controllers/podtrouble"
	"selaras.dev/selaras/controllers/workloadpod"
)

// observe reads the connector's Deployment and, when it does not come up, why.
func (r *Reconciler) observe(ctx context.Context, channel *selarasv1alpha1.Channel) (*appsv1.Deployment, *problem, error) {
	deployment := &appsv1.Deployment{}
	key := types.NamespacedName{Namespace: channel.Namespace, Name: childName(channel)}
	if err := r.Client.Get(ctx, key, deployment); err != nil {
		if client.IgnoreNotFound(err) != nil {
			return nil, nil, fmt.Errorf("reading Deployment %s: %w", key, err)
		}
		return nil, nil, nil
	}
	if deployment.Status.AvailableReplicas > 0 {
		return deployment, nil, nil
	}
	reason, message, err := podtrouble.Find(ctx, r.Client, deployment, workloadpod.Labels(component, childName(channel)))
	if err != nil || reason == "" {
		return deployment, nil, err
	}
	return deployment, faults.New(reason, message), nil
}
