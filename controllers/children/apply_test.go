package children_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"selaras.dev/selaras/controllers/children"
)

// I7: what was applied is not applied again, not even once after it was made;
// what somebody changed since is.
func TestChildIsAppliedOnceUntilSomebodyChangesIt(t *testing.T) {
	t.Parallel()
	applied := 0
	kube := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, intent runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			applied++
			return c.Apply(ctx, intent, options...)
		},
	}).Build()
	applier := &children.Applier{Client: kube}
	const owner = types.UID("owner")
	key := client.ObjectKey{Namespace: "shop", Name: "webshop-connector"}
	reconcile := func() {
		t.Helper()
		intent := coreac.ServiceAccount(key.Name, key.Namespace).WithAutomountServiceAccountToken(false).
			WithOwnerReferences(metaac.OwnerReference().WithAPIVersion("selaras.dev/v1alpha1").WithKind("Channel").WithName("webshop").WithUID(owner))
		if err := applier.Apply(t.Context(), []types.UID{owner}, &corev1.ServiceAccount{}, key, intent); err != nil {
			t.Fatal(err)
		}
	}
	reconcile()
	reconcile()
	reconcile()
	if applied != 1 {
		t.Errorf("applied %d times, want once", applied)
	}

	account := &corev1.ServiceAccount{}
	if err := kube.Get(t.Context(), key, account); err != nil {
		t.Fatal(err)
	}
	yes := true
	account.AutomountServiceAccountToken = &yes
	if err := kube.Update(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	reconcile()
	reconcile()
	if applied != 2 {
		t.Errorf("applied %d times in all, want once more after the change", applied)
	}
	if err := kube.Get(t.Context(), key, account); err != nil {
		t.Fatal(err)
	}
	if *account.AutomountServiceAccountToken {
		t.Error("the change of somebody else stands")
	}
}

// Parts of an intent are shared, with the cache and with other intents: the
// answer of the API server goes into none of them.
func TestAnIntentIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	kube := fake.NewClientBuilder().Build()
	applier := &children.Applier{Client: kube}
	const owner = types.UID("owner")
	shared := corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("20m")}}
	var done sync.WaitGroup
	for i := range 8 {
		done.Go(func() {
			key := client.ObjectKey{Namespace: "shop", Name: fmt.Sprintf("claim-%d", i)}
			intent := coreac.PersistentVolumeClaim(key.Name, key.Namespace).
				WithOwnerReferences(metaac.OwnerReference().WithAPIVersion("selaras.dev/v1alpha1").WithKind("Channel").WithName("webshop").WithUID(owner)).
				WithSpec(coreac.PersistentVolumeClaimSpec().WithResources(coreac.VolumeResourceRequirements().WithRequests(shared.Requests)))
			before, err := json.Marshal(intent)
			if err != nil {
				t.Error(err)
			}
			if err := applier.Apply(t.Context(), []types.UID{owner}, &corev1.PersistentVolumeClaim{}, key, intent); err != nil {
				t.Error(err)
			}
			if after, err := json.Marshal(intent); err != nil || string(after) != string(before) {
				t.Errorf("the intent is %s, was %s (%v)", after, before, err)
			}
		})
	}
	done.Wait()
}
