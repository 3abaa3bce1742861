// Package hubsecret makes the Secrets with the workloads' hub credentials. The
// operator may create Secrets and cannot read them: what it knows of one is
// what came of creating it.
package hubsecret

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"selaras.dev/selaras/controllers/dataplane"
	"selaras.dev/selaras/controllers/faults"
	"selaras.dev/selaras/internal/hub"
)

// Maker makes Secrets with hub credentials. With its Client and Plane it is
// ready; it may be used by several workers at once.
type Maker struct {
	Client client.Client
	Plane  *dataplane.Plane

	mu    sync.Mutex
	tried map[types.NamespacedName]time.Time
}

// Want is a Secret that shall be there.
type Want struct {
	Key      types.NamespacedName
	Workload hub.Workload
	// Served is true when it was made, and the pod that mounts it runs or is
	// not wanted: then it is there.
	Served bool
	// Make builds it.
	Make func(credentials []byte) *corev1.Secret
}

// againAfter is how long an attempt is good for. A Secret that somebody deleted
// keeps its pod from starting: it is made again when the pod has not come up by
// then.
const againAfter = time.Minute

// Ensure makes the Secret, unless it is known to be there.
func (m *Maker) Ensure(ctx context.Context, w Want) error {
	now := time.Now()
	if w.Served || !m.due(w.Key, now) {
		return nil
	}
	var refused error
	err := m.Plane.Issue(ctx, w.Key.Namespace, w.Workload, func(credentials []byte) (dataplane.Kept, error) {
		var kept dataplane.Kept
		kept, refused = outcome(m.Client.Create(ctx, w.Make(credentials)))
		return kept, refused
	})
	switch {
	case refused != nil:
		return fmt.Errorf("creating Secret %s with hub credentials: %w", w.Key.Name, refused)
	case err != nil:
		return faults.OnHub(err)
	}
	m.note(w.Key, now)
	return nil
}

// outcome says what an attempt to create a Secret led to. One that exists
// already is as good, and has other credentials.
func outcome(err error) (dataplane.Kept, error) {
	switch {
	case err == nil:
		return dataplane.KeptSure, nil
	case apierrors.IsAlreadyExists(err):
		return dataplane.KeptNot, nil
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsNotFound(err):
		return dataplane.KeptNot, err
	}
	return dataplane.KeptMaybe, err
}

func (m *Maker) due(key types.NamespacedName, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.tried[key]
	return !ok || now.Sub(at) >= againAfter
}

// note remembers an attempt, and forgets those that say nothing any more.
func (m *Maker) note(key types.NamespacedName, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tried == nil {
		m.tried = map[types.NamespacedName]time.Time{}
	}
	for old, at := range m.tried {
		if now.Sub(at) >= againAfter {
			delete(m.tried, old)
		}
	}
	m.tried[key] = now
}
