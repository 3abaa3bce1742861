//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/features"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// The operator and the hub are uninstalled first, the resources after: what has
// nothing to do first is deleted at once, with all its children. A Channel with
// Delist waits for an operator, or for a person who takes its finalizer away.
// Installed again, Selaras goes on where it was.
func TestUninstalledBeforeTheResources(t *testing.T) {
	p, doomed := cluster.newPlace(t), cluster.newPlace(t)
	var web, till *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", products("again", 4, 20)...) },
		func() { till = p.vendure(t, "till") },
	)
	nobody := &shop{kind: "vendure", endpoint: "http://nobody." + shopsNamespace + ".svc:3000/admin-api",
		credentials: map[string]string{"username": "nobody", "password": "nothing"}}
	delist := func(s *selarasv1alpha1.ChannelSpec) { s.DeletionPolicy = selarasv1alpha1.DeletionDelist }
	source := p.channel(t, "web", web, nil)
	target, plain, stuck := p.channel(t, "till", till, delist), p.channel(t, "plain", nobody, nil), p.channel(t, "stuck", nobody, delist)
	p.inSync(t, p.sync(t, "main", "web", "till"))
	within(t, soon, "the fill", same(web, till))
	p.shows(t, plain, selarasv1alpha1.ConditionDeployed, "True/", "")
	p.shows(t, stuck, selarasv1alpha1.ConditionDeployed, "True/", "")
	doomed.shows(t, doomed.channel(t, "web", nobody, nil), selarasv1alpha1.ConditionDeployed, "True/", "")
	doomed.sync(t, "main", "web", "web2")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
		defer cancel()
		if err := cluster.install(ctx, cluster.image, cluster.image); err != nil {
			t.Errorf("installing again: %v", err)
		}
	})

	environment.Test(t, features.New("without operator and hub").
		Assess("a Channel is deleted with its children", step(func(t *testing.T) {
			do(t, cluster.uninstall(t.Context()))
			do(t, p.kube.Delete(t.Context(), plain))
			do(t, p.awaitGone(t.Context(), plain, goneWithin))
			within(t, goneWithin, "the end of its connector", func(ctx context.Context) error {
				left, err := p.lives(ctx, p.namespace, instance("plain-connector"))
				if err == nil && len(left) > 0 {
					err = fmt.Errorf("there still is %v", left)
				}
				return err
			})
		})).
		Assess("a namespace ends", step(func(t *testing.T) { doomed.end(t) })).
		Assess("a Channel with Delist waits for an operator", step(func(t *testing.T) {
			do(t, p.kube.Delete(t.Context(), target))
			do(t, p.kube.Delete(t.Context(), stuck))
			do(t, p.get(t.Context(), target))
			if target.DeletionTimestamp == nil || len(target.Finalizers) != 1 {
				t.Errorf("it is %+v, want it to be deleted and kept by its finalizer", target.ObjectMeta)
			}
		})).
		Assess("or for its finalizer to be taken away", step(func(t *testing.T) {
			patch := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/metadata/finalizers"}]`))
			do(t, p.kube.Patch(t.Context(), stuck, patch))
			do(t, p.awaitGone(t.Context(), stuck, 10*time.Second))
		})).
		Assess("and installed again takes the listings out of sale", step(func(t *testing.T) {
			do(t, cluster.install(t.Context(), cluster.image, cluster.image))
			do(t, p.awaitGone(t.Context(), target, 2*soon))
			p.told(t, target, "Normal", selarasv1alpha1.ReasonDelisted)
			within(t, soon, "what is for sale", func(ctx context.Context) error {
				seen, err := till.shown(ctx)
				if err == nil && len(seen) > 0 {
					err = fmt.Errorf("for sale is %v, want nothing", seen)
				}
				return err
			})
		})).
		Assess("and goes on with the others", step(func(t *testing.T) {
			p.obeys(t, "web")
			p.shows(t, source, selarasv1alpha1.ConditionConnected, "True/", "")
		})).
		Feature())
}
