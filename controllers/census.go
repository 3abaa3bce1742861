package controllers

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/dataplane"
)

// census counts the resources in the operator's cache. An operator that watches
// some namespaces knows nothing of the others.
func census(reader client.Reader, watched []string) dataplane.Census {
	return dataplane.Census{
		Watched: func(namespace string) bool { return len(watched) == 0 || slices.Contains(watched, namespace) },
		Take: func(ctx context.Context, namespace string) (map[string]dataplane.Residents, error) {
			found := residents{}
			options := []client.ListOption{client.InNamespace(namespace), client.UnsafeDisableDeepCopy}
			var channels selarasv1alpha1.ChannelList
			if err := reader.List(ctx, &channels, options...); err != nil {
				return nil, fmt.Errorf("listing Channels: %w", err)
			}
			for i := range channels.Items {
				found.in(channels.Items[i].Namespace).Channels[channels.Items[i].Name] = true
			}
			var syncs selarasv1alpha1.CatalogSyncList
			if err := reader.List(ctx, &syncs, options...); err != nil {
				return nil, fmt.Errorf("listing CatalogSyncs: %w", err)
			}
			for i := range syncs.Items {
				found.in(syncs.Items[i].Namespace).Syncs[syncs.Items[i].Name] = true
			}
			return found, nil
		},
	}
}

type residents map[string]dataplane.Residents

func (r residents) in(namespace string) dataplane.Residents {
	if _, ok := r[namespace]; !ok {
		r[namespace] = dataplane.Residents{Channels: map[string]bool{}, Syncs: map[string]bool{}}
	}
	return r[namespace]
}
