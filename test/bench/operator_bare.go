package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// made is what the operator made of the resources: the bare program makes the
// same.
type made struct {
	children []*unstructured.Unstructured
	status   map[string]any // by kind, namespace and name
}

func statusKey(kind, namespace, name string) string { return kind + " " + namespace + "/" + name }

// made reads all children and every status.
func (a *api) made(ctx context.Context) (*made, error) {
	m := &made{status: map[string]any{}}
	for _, kind := range slices.Sorted(maps.Keys(childKinds)) {
		list, err := a.list(ctx, childKinds[kind], ownLabels)
		if err != nil {
			return nil, err
		}
		m.children = append(m.children, list...)
	}
	for _, object := range []client.Object{&selarasv1alpha1.Channel{}, &selarasv1alpha1.CatalogSync{}} {
		list, err := a.list(ctx, object)
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			m.status[statusKey(o.GetKind(), o.GetNamespace(), o.GetName())] = o.Object["status"]
		}
	}
	return m, nil
}

func (a *api) list(ctx context.Context, kind client.Object, options ...client.ListOption) ([]*unstructured.Unstructured, error) {
	gvk, err := a.kube.GroupVersionKindFor(kind)
	if err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	gvk.Kind += "List"
	list.SetGroupVersionKind(gvk)
	if err := a.kube.List(ctx, list, options...); err != nil {
		return nil, err
	}
	out := make([]*unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		out[i] = &list.Items[i]
	}
	return out, nil
}

// bareOperator is the program that the operator is compared with: on the same
// resources in a control plane of its own it applies the same children and
// then writes one status for each resource, as many resources at once. It
// watches nothing, decides nothing and knows no hub.
func bareOperator(ctx context.Context, root string, channels, syncs int, m *made) (took time.Duration, err error) {
	a, err := startAPI(root)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, a.env.Stop()) }()
	if err := a.resources(ctx, channels, syncs); err != nil {
		return 0, err
	}
	began := time.Now()
	var owners []*unstructured.Unstructured
	byKey := map[string]types.UID{}
	for _, kind := range []client.Object{&selarasv1alpha1.Channel{}, &selarasv1alpha1.CatalogSync{}} {
		list, err := a.list(ctx, kind)
		if err != nil {
			return 0, err
		}
		owners = append(owners, list...)
	}
	for _, o := range owners {
		byKey[statusKey(o.GetKind(), o.GetNamespace(), o.GetName())] = o.GetUID()
	}
	children := map[string][]*unstructured.Unstructured{}
	for _, child := range m.children {
		key, intent := intentOf(child, byKey)
		children[key] = append(children[key], intent)
	}
	var all []func() error
	for _, o := range owners {
		key := statusKey(o.GetKind(), o.GetNamespace(), o.GetName())
		all = append(all, func() error {
			for _, child := range children[key] {
				if err := a.kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(child), client.FieldOwner("bare"), client.ForceOwnership); err != nil {
					return fmt.Errorf("%s %s: %w", child.GetKind(), child.GetName(), err)
				}
			}
			before := o.DeepCopy()
			o.Object["status"] = m.status[key]
			return a.kube.Status().Patch(ctx, o, client.MergeFrom(before))
		})
	}
	if err := atOnce(operatorConcurrency, all); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// intentOf is what to apply to get a child, and the first of its owners. Its
// owners are of another control plane now.
func intentOf(child *unstructured.Unstructured, uids map[string]types.UID) (string, *unstructured.Unstructured) {
	o := child.DeepCopy()
	delete(o.Object, "status")
	metadata := map[string]any{"name": o.GetName(), "namespace": o.GetNamespace(), "labels": o.Object["metadata"].(map[string]any)["labels"]}
	first := ""
	var references []any
	for _, reference := range o.GetOwnerReferences() {
		key := statusKey(reference.Kind, o.GetNamespace(), reference.Name)
		uid, ok := uids[key]
		if !ok { // the worker's Secret belongs to its Deployment
			continue
		}
		if first == "" {
			first = key
		}
		references = append(references, map[string]any{"apiVersion": reference.APIVersion, "kind": reference.Kind, "name": reference.Name, "uid": string(uid)})
	}
	if first == "" {
		first = statusKey("CatalogSync", o.GetNamespace(), "sync-000")
	} else {
		metadata["ownerReferences"] = references
	}
	o.Object["metadata"] = metadata
	if spec, ok := o.Object["spec"].(map[string]any); ok && o.GetKind() == "Service" {
		delete(spec, "clusterIP") // given anew
		delete(spec, "clusterIPs")
	}
	return first, o
}

// atOnce runs all functions, so many at once, and returns their errors.
func atOnce(concurrency int, all []func() error) error {
	work := make(chan func() error)
	var (
		group  sync.WaitGroup
		mu     sync.Mutex
		failed error
	)
	for range concurrency {
		group.Go(func() {
			for fn := range work {
				if err := fn(); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, fn := range all {
		work <- fn
	}
	close(work)
	group.Wait()
	return failed
}

// requests counts what the API server was asked, by verb.
func (a *api) requests(ctx context.Context) (map[string]int, error) {
	clients, err := kubernetes.NewForConfig(a.env.Config)
	if err != nil {
		return nil, err
	}
	text, err := clients.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		labels, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		n, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			continue
		}
		counts[label(labels, "verb")+" "+strings.TrimSuffix(label(labels, "resource")+"/"+label(labels, "subresource"), "/")] += int(n)
	}
	return counts, nil
}

// label reads one label of a series.
func label(series, name string) string {
	_, rest, _ := strings.Cut(series, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// difference says which writes of what the operator has to do with were made.
func difference(before, after map[string]int) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(after)) {
		verb, resource, _ := strings.Cut(key, " ")
		if n := after[key] - before[key]; n > 0 && slices.Contains([]string{"APPLY", "PATCH", "POST", "PUT", "DELETE"}, verb) && resource != "leases" {
			parts = append(parts, fmt.Sprintf("%d %s", n, key))
		}
	}
	return strings.Join(parts, ", ")
}
