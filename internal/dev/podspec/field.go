package podspec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Field is the value of a downward API field such as metadata.name,
// metadata.labels['app'] or status.podIP.
func Field(pod *corev1.Pod, path string) (string, error) {
	if name, key, ok := subscript(path); ok {
		switch name {
		case "metadata.labels":
			return pod.Labels[key], nil
		case "metadata.annotations":
			return pod.Annotations[key], nil
		}
		return "", fmt.Errorf("field path %q is not supported", path)
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return formatMap(pod.Labels), nil
	case "metadata.annotations":
		return formatMap(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return pod.Status.HostIP, nil
	case "status.podIP", "status.podIPs":
		return pod.Status.PodIP, nil
	}
	return "", fmt.Errorf("field path %q is not supported", path)
}

// subscript splits name['key'].
func subscript(path string) (name, key string, ok bool) {
	name, rest, ok := strings.Cut(path, "['")
	if !ok {
		return "", "", false
	}
	key, ok = strings.CutSuffix(rest, "']")
	return name, key, ok
}

func formatMap(values map[string]string) string {
	var lines strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&lines, "%s=%q\n", key, values[key])
	}
	return strings.TrimSuffix(lines.String(), "\n")
}

// Resource is the value of a resource field such as limits.memory of a
// container, in units of the selector's divisor, rounded up. Where the
// container sets no limit it is the node's.
func Resource(pod *corev1.Pod, container *corev1.Container, selector *corev1.ResourceFieldSelector, node corev1.ResourceList) (string, error) {
	if selector.ContainerName != "" {
		container = nil
		for _, candidates := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
			for i := range candidates {
				if candidates[i].Name == selector.ContainerName {
					container = &candidates[i]
				}
			}
		}
	}
	if container == nil {
		return "", fmt.Errorf("resource field %q names no container of the pod", selector.Resource)
	}
	kind, name, _ := strings.Cut(selector.Resource, ".")
	var quantity resource.Quantity
	switch kind {
	case "limits":
		limit, set := container.Resources.Limits[corev1.ResourceName(name)]
		if !set {
			limit = node[corev1.ResourceName(name)]
		}
		quantity = limit
	case "requests":
		quantity = container.Resources.Requests[corev1.ResourceName(name)]
	default:
		return "", fmt.Errorf("resource field %q is not supported", selector.Resource)
	}
	divisor := selector.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if name == string(corev1.ResourceCPU) {
		return fmt.Sprint(ceilDivide(quantity.MilliValue(), divisor.MilliValue())), nil
	}
	return fmt.Sprint(ceilDivide(quantity.Value(), divisor.Value())), nil
}

func ceilDivide(value, divisor int64) int64 {
	return (value + divisor - 1) / divisor
}
