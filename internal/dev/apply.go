package dev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

const (
	fieldManager     = "selaras-dev"
	maxDocument      = 4 << 20
	establishTimeout = 30 * time.Second
)

// applier applies manifests of any kind.
type applier struct {
	client dynamic.Interface
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

// workload names a Deployment or StatefulSet that was applied.
type workload struct{ kind, namespace, name string }

func newApplier(config *rest.Config) (*applier, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for manifests: %w", err)
	}
	kinds, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for the API's kinds: %w", err)
	}
	return &applier{client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(kinds))}, nil
}

// apply applies every document and returns the workloads among them.
func (a *applier) apply(ctx context.Context, manifests []byte) ([]workload, error) {
	objects, err := decode(manifests)
	if err != nil {
		return nil, err
	}
	// What others need comes first; among equals the order of the documents.
	slices.SortStableFunc(objects, func(x, y *unstructured.Unstructured) int { return rank(x) - rank(y) })
	var workloads []workload
	for i, object := range objects {
		if rank(object) > 0 && i > 0 && rank(objects[i-1]) == 0 {
			if err := a.established(ctx, objects[:i]); err != nil {
				return workloads, err
			}
		}
		if err := a.applyOne(ctx, object); err != nil {
			return workloads, err
		}
		if kind := object.GetKind(); kind == "Deployment" || kind == "StatefulSet" {
			workloads = append(workloads, workload{kind, namespaceOf(object), object.GetName()})
		}
	}
	if len(objects) > 0 && rank(objects[len(objects)-1]) == 0 {
		return workloads, a.established(ctx, objects)
	}
	return workloads, nil
}

func decode(manifests []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), maxDocument)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read manifest %d: %w", len(objects)+1, err)
		}
		if len(object.Object) == 0 {
			continue // an empty document
		}
		objects = append(objects, object)
	}
}

// rank is 0 for new kinds, 1 for namespaces, 2 for the rest.
func rank(object *unstructured.Unstructured) int {
	switch object.GetKind() {
	case "CustomResourceDefinition":
		return 0
	case "Namespace":
		return 1
	}
	return 2
}

func namespaceOf(object *unstructured.Unstructured) string {
	if namespace := object.GetNamespace(); namespace != "" {
		return namespace
	}
	return metav1.NamespaceDefault
}

func (a *applier) applyOne(ctx context.Context, object *unstructured.Unstructured) error {
	what := fmt.Sprintf("apply %s %s", object.GetKind(), object.GetName())
	kind := object.GroupVersionKind()
	mapping, err := a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	var resource dynamic.ResourceInterface = a.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		resource = a.client.Resource(mapping.Resource).Namespace(namespaceOf(object))
	}
	_, err = resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// established waits until the API serves the kinds that were just defined.
func (a *applier) established(ctx context.Context, definitions []*unstructured.Unstructured) error {
	for _, definition := range definitions {
		if rank(definition) != 0 {
			continue
		}
		kind := definition.GroupVersionKind()
		mapping, err := a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return fmt.Errorf("find the kind %s: %w", kind, err)
		}
		err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, establishTimeout, true, func(ctx context.Context) (bool, error) {
			live, err := a.client.Resource(mapping.Resource).Get(ctx, definition.GetName(), metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			// Until they are set they are null, which is no list: not yet.
			conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
			return slices.ContainsFunc(conditions, func(condition any) bool {
				fields, ok := condition.(map[string]any)
				return ok && fields["type"] == "Established" && fields["status"] == "True"
			}), nil
		})
		if err != nil {
			return fmt.Errorf("wait for the kind %s to be served: %w", definition.GetName(), err)
		}
	}
	a.mapper.Reset()
	return nil
}
