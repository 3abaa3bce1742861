package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/config"
)

const (
	// systemNamespace holds the operator and the hub.
	systemNamespace = "selaras-system"
	operatorName    = "selaras-operator"
	hubName         = "selaras-hub"

	fieldOwner = client.FieldOwner("selaras-e2e")
	// installTimeout bounds the start of operator and hub.
	installTimeout = 3 * time.Minute
)

// install applies config/default as `make deploy` does, with one image for
// operator and hub and one for connectors and workers, and waits until both
// answer. It may be called again, with other images: an upgrade.
func (w *world) install(ctx context.Context, image, workloadImage string) error {
	objects, err := manifests(image, workloadImage)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := w.apply(ctx, object); err != nil {
			return err
		}
	}
	return w.awaitInstalled(ctx)
}

// manifests are the objects of config/default, kinds and namespaces first.
func manifests(image, workloadImage string) ([]*unstructured.Unstructured, error) {
	rendered, err := config.Default()
	if err != nil {
		return nil, err
	}
	return parseManifests(rendered, image, workloadImage)
}

// parseManifests reads what config/default was rendered to and puts the images
// in.
func parseManifests(rendered []byte, image, workloadImage string) ([]*unstructured.Unstructured, error) {
	text := strings.ReplaceAll(string(rendered), "--workload-image=selaras:latest", "--workload-image="+workloadImage)
	text = strings.ReplaceAll(text, "image: selaras:latest", "image: "+image)
	var objects []*unstructured.Unstructured
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4<<20)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading config/default: %w", err)
		}
		objects = append(objects, object)
	}
	first := []string{"Namespace", "CustomResourceDefinition"}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int {
		return slices.Index(first, b.GetKind()) - slices.Index(first, a.GetKind())
	})
	return objects, nil
}

func (w *world) apply(ctx context.Context, object *unstructured.Unstructured) error {
	err := w.kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

// awaitInstalled waits until the kinds are served and operator and hub run
// what was applied last.
func (w *world) awaitInstalled(ctx context.Context) error {
	err := await(ctx, installTimeout, func(ctx context.Context) error {
		if err := w.kube.List(ctx, &selarasv1alpha1.CatalogSyncList{}, client.Limit(1)); err != nil {
			return fmt.Errorf("the kinds are not served: %w", err)
		}
		return errors.Join(w.operatorReady(ctx), w.hubReady(ctx))
	})
	if err != nil {
		return fmt.Errorf("operator and hub: %w\n%s", err, w.troubles(ctx, systemNamespace))
	}
	return nil
}

func (w *world) operatorReady(ctx context.Context) error {
	d := &appsv1.Deployment{}
	if err := w.kube.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: operatorName}, d); err != nil {
		return err
	}
	return deploymentReady(d)
}

// deploymentReady says what is missing until the newest pods of a Deployment
// are all ready and older ones gone.
func deploymentReady(d *appsv1.Deployment) error {
	want, s := *d.Spec.Replicas, d.Status
	if s.ObservedGeneration < d.Generation || s.UpdatedReplicas != want || s.ReadyReplicas != want || s.Replicas != want {
		return fmt.Errorf("deployment %s: of %d pods %d are updated, %d ready, %d there in all", d.Name, want, s.UpdatedReplicas, s.ReadyReplicas, s.Replicas)
	}
	return nil
}

func (w *world) hubReady(ctx context.Context) error {
	s := &appsv1.StatefulSet{}
	if err := w.kube.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: hubName}, s); err != nil {
		return err
	}
	want, got := *s.Spec.Replicas, s.Status
	if got.ObservedGeneration < s.Generation || got.UpdatedReplicas != want || got.ReadyReplicas != want {
		return fmt.Errorf("statefulset %s: of %d pods %d are updated, %d ready", s.Name, want, got.UpdatedReplicas, got.ReadyReplicas)
	}
	return nil
}

// troubles tells in a few lines which pods of a namespace are not ready, and
// why.
func (w *world) troubles(ctx context.Context, namespace string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var pods corev1.PodList
	if err := w.kube.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return err.Error()
	}
	var lines []string
	for _, pod := range pods.Items {
		if why := podTrouble(&pod); why != "" {
			lines = append(lines, fmt.Sprintf("pod %s/%s: %s", namespace, pod.Name, why))
		}
	}
	if len(lines) == 0 {
		return fmt.Sprintf("all %d pods of %s are ready", len(pods.Items), namespace)
	}
	return strings.Join(lines, "\n")
}

// podTrouble says why a pod is not ready, or nothing.
func podTrouble(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return ""
		}
	}
	why := string(pod.Status.Phase)
	for _, c := range pod.Status.Conditions {
		if c.Status != corev1.ConditionTrue && c.Message != "" {
			why += "; " + c.Message
		}
	}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if waiting := s.State.Waiting; waiting != nil {
			why += fmt.Sprintf("; %s waits: %s %s", s.Name, waiting.Reason, waiting.Message)
		}
		if ended := s.LastTerminationState.Terminated; ended != nil {
			why += fmt.Sprintf("; %s ended before with %d: %s", s.Name, ended.ExitCode, strings.TrimSpace(ended.Message))
		}
	}
	return why
}
