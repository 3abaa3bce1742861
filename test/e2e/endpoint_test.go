//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/e2e-framework/pkg/features"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// A shop that has moved to another address with all its data goes on there
// without being filled again. An address where another shop answers is another
// account, which is filled, and the one before is left alone.
func TestEndpointMoved(t *testing.T) {
	t.Parallel()
	p := cluster.newPlace(t)
	var web, till, other *shop
	sideBySide(t,
		func() { web = p.vendure(t, "web", products("moved", 6, 20)...) },
		func() { till = p.vendure(t, "till") },
		func() { other = p.vendure(t, "other") },
	)
	p.channel(t, "web", web, nil)
	channel, sync := p.channel(t, "till", till, nil), p.sync(t, "main", "web", "till")
	p.inSync(t, sync)
	within(t, soon, "the fill", same(web, till))
	before := p.workloads(t)
	moveTo := func(endpoint string) {
		change(t, p.world, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Endpoint = endpoint })
		p.ready(t, channel)
	}

	environment.Test(t, features.New("an endpoint").
		Assess("where the same shop answers is gone over to without a fill", step(func(t *testing.T) {
			writes := p.writes(t, "till")
			endpoint := p.secondAddress(t, till)
			moveTo(endpoint)
			p.inSync(t, sync)
			do(t, web.setPrice(t.Context(), "moved-0", 2345))
			_, err := till.order(t.Context(), "moved-1", 2)
			do(t, err)
			within(t, soon, "the price", showing(till, "moved-0", shown{2345, 20}))
			within(t, soon, "the order", showing(web, "moved-1", shown{1001, 18}))
			p.inSync(t, sync)
			if n := p.writes(t, "till") - writes; n > 3 {
				t.Errorf("after the move and one price the connector has made %v writes: it filled the shop again", n)
			}
		})).
		Assess("where another shop answers is filled", step(func(t *testing.T) {
			account := channel.Status.AccountID
			moveTo(other.endpoint)
			within(t, soon, "the fill of the other shop", same(web, other))
			p.inSync(t, sync)
			do(t, p.get(t.Context(), channel))
			if channel.Status.AccountID == account {
				t.Errorf("status.accountID still is %s", account)
			}
		})).
		Assess("of before is left alone", step(func(t *testing.T) {
			do(t, web.setPrice(t.Context(), "moved-2", 3456))
			within(t, soon, "the price", showing(other, "moved-2", shown{3456, 20}))
			within(t, soon, "the price in the shop of before", showing(till, "moved-2", shown{1002, 20}))
		})).
		Assess("restarts nothing", step(func(t *testing.T) { p.sameWorkloads(t, before) })).
		Feature())
}

// secondAddress gives a shop a new address in the cluster, takes the first one
// away, and returns the endpoint there.
func (p *place) secondAddress(t *testing.T, s *shop) string {
	t.Helper()
	second := shopService(s.pod)
	second.Name = s.pod + "-moved"
	p.create(t, second)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		if err := p.kube.Delete(ctx, second); err != nil {
			t.Errorf("taking the second address of %s away: %v", s.name, err)
		}
	})
	endpoint := strings.Replace(s.endpoint, s.pod, second.Name, 1)
	health := strings.Replace(endpoint, "/admin-api", "/health", 1)
	within(t, soon, "an answer at the second address", func(ctx context.Context) error {
		_, err := p.exec(ctx, shopsNamespace, s.pod, "shop", "curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", "--max-time", "5", health)
		return err
	})
	first := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: shopsNamespace, Name: s.pod}}
	change(t, p.world, first, func(service *corev1.Service) { service.Spec.Ports[0].TargetPort = intstr.FromInt32(1) })
	return endpoint
}
