// Package children applies the objects that a custom resource owns: by
// server-side apply, under one field owner, without a request when nothing
// changed, and never over an object that belongs to somebody else.
package children

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldOwner is the field manager of everything the operator applies.
const FieldOwner = client.FieldOwner("selaras")

// ErrNotOwned is wrapped when an object of the wanted name exists and belongs
// to somebody else; it is never adopted.
var ErrNotOwned = errors.New("exists and is not owned by this resource; rename or delete it")

// Applier applies children. The zero value with a Client is ready; it may be
// used by several workers at once.
type Applier struct {
	Client client.Client

	// applied remembers by object what was applied and which live state that
	// led to, so that a reconcile without news makes no request. It is lost
	// with the process: then every child is applied once more, to no effect.
	applied sync.Map // map[string]fingerprint
}

type fingerprint struct {
	intent string
	live   string
}

// Apply makes the live object match the intent. live is an empty typed object
// of the child's kind; it holds the child's state as cached when Apply
// returns, or the zero object when it was only now created.
func (a *Applier) Apply(ctx context.Context, owners []types.UID, live client.Object, key client.ObjectKey, intent runtime.ApplyConfiguration) error {
	kind := fmt.Sprintf("%T", live)
	err := a.Client.Get(ctx, key, live)
	exists := err == nil
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading %s %s: %w", kind, key, err)
	}
	if exists && !ownedByAny(live, owners) {
		return fmt.Errorf("%s %s %w", kind, key, ErrNotOwned)
	}
	wanted, hash, err := encode(intent)
	if err != nil {
		return fmt.Errorf("encoding %s %s: %w", kind, key, err)
	}
	id := kind + " " + key.String()
	if exists {
		if before, ok := a.applied.Load(id); ok && before == (fingerprint{hash, stateOf(live)}) {
			return nil
		}
	}
	if err := a.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), FieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("applying %s %s: %w", kind, key, err)
	}
	// The client has put the answer, the object as it is now, into what was
	// applied. When the cache shows that state, nothing is left to apply.
	a.applied.Store(id, fingerprint{hash, stateOf(wanted)})
	return nil
}

// encode copies an intent: the client puts the answer into what it applies, and
// parts of an intent are of the cache or shared with other intents. The hash
// tells its content.
func encode(intent runtime.ApplyConfiguration) (*unstructured.Unstructured, string, error) {
	data, err := json.Marshal(intent)
	if err != nil {
		return nil, "", err
	}
	wanted := &unstructured.Unstructured{}
	if err := json.Unmarshal(data, &wanted.Object); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(data)
	return wanted, hex.EncodeToString(sum[:]), nil
}

// Forget drops what is remembered of an object that was deleted.
func (a *Applier) Forget(live client.Object, key client.ObjectKey) {
	a.applied.Delete(fmt.Sprintf("%T %s", live, key))
}

// stateOf identifies a live object's specification: its generation where the
// kind counts one, else its resource version.
func stateOf(live client.Object) string {
	if g := live.GetGeneration(); g > 0 {
		return fmt.Sprintf("%s/%d", live.GetUID(), g)
	}
	return fmt.Sprintf("%s@%s", live.GetUID(), live.GetResourceVersion())
}

func ownedByAny(object metav1.Object, owners []types.UID) bool {
	for _, reference := range object.GetOwnerReferences() {
		for _, owner := range owners {
			if reference.UID == owner {
				return true
			}
		}
	}
	return false
}
