// Package podspec resolves what a pod's specification says into plain values:
// environment, arguments, the files of its volumes. It does on one machine what
// a kubelet does on a node, as pure functions over the objects it is given.
//
// A local process has no mount, network or DNS namespace of its own. Translator
// bridges that gap in the arguments and environment, so that the pod's
// specification stays the one that a real kubelet runs.
package podspec

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

// Objects reads what a pod refers to in its own namespace.
type Objects struct {
	ConfigMap func(name string) (*corev1.ConfigMap, error)
	Secret    func(name string) (*corev1.Secret, error)
	// Token is a service account token of the pod for the audience ("" = the
	// API server's), valid for the given seconds.
	Token func(ctx context.Context, audience string, seconds int64) (string, error)
}
