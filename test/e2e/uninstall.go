package e2e

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// uninstall removes what install applied, but the kinds and the namespace: the
// resources of users stay, and so do the volume of the hub and its keys.
func (w *world) uninstall(ctx context.Context) error {
	objects, err := manifests(w.image, w.image)
	if err != nil {
		return err
	}
	for _, object := range slices.Backward(objects) {
		if kind := object.GetKind(); kind == "CustomResourceDefinition" || kind == "Namespace" {
			continue
		}
		if err := w.kube.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return await(ctx, installTimeout, func(ctx context.Context) error {
		var pods corev1.PodList
		if err := w.kube.List(ctx, &pods, client.InNamespace(systemNamespace)); err != nil {
			return err
		}
		if len(pods.Items) > 0 {
			return fmt.Errorf("%d pods of %s are still there", len(pods.Items), systemNamespace)
		}
		return nil
	})
}

// forget deletes what the hub kept and the keys by which it trusts.
func (w *world) forget(ctx context.Context) error {
	volume := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "store-" + hubName + "-0"}}
	keys := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: hubName + "-keys"}}
	for _, object := range []client.Object{volume, keys} {
		if err := w.kube.Delete(ctx, object); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting %s: %w", object.GetName(), err)
		}
		if err := w.awaitGone(ctx, object, installTimeout); err != nil {
			return err
		}
	}
	return nil
}
