package controllers_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/metrics"
	"selaras.dev/selaras/internal/workload"
)

// R1, I9: a Channel becomes a connector with an identity that has no rights,
// a Recreate Deployment under the restricted profile, and hub credentials of
// its own.
func TestChannelDeploysItsConnector(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	channel := newChannel(namespace, "webshop")
	create(t, channel)
	connector := startConnector(t, namespace, "webshop")
	config := connector.channelConfig("webshop", channel.Generation)
	if config.Endpoint != channel.Spec.Endpoint || config.State != workload.Running || config.UID != string(channel.UID) {
		t.Errorf("the connector was handed %+v", config)
	}
	connector.report(healthyReport(channel))
	wantChannel(t, channel, "Ready", "True/Succeeded")

	deployment := get(t, &appsv1.Deployment{}, namespace, "webshop-connector")
	pod := deployment.Spec.Template.Spec
	if deployment.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("strategy %s, want Recreate: two writers must not run side by side", deployment.Spec.Strategy.Type)
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("the pod mounts a token of the Kubernetes API")
	}
	if !*pod.SecurityContext.RunAsNonRoot || !*pod.Containers[0].SecurityContext.ReadOnlyRootFilesystem {
		t.Error("the pod does not meet the restricted profile")
	}
	account := get(t, &corev1.ServiceAccount{}, namespace, "webshop-connector")
	if account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
		t.Error("the service account's token is mounted by default")
	}
	get(t, &corev1.Service{}, namespace, "webshop-connector")
	get(t, &networkingv1.NetworkPolicy{}, namespace, "webshop-connector")
	if channel.Status.AccountID != namespace+"/webshop" || channel.Status.Connector.Version != "1.0.0" || *channel.Status.Listings != 88 {
		t.Errorf("status does not hold what was reported: %+v", channel.Status)
	}
}

// I9: the credentials of one connector open nothing of another.
func TestConnectorCredentialsOpenOnlyItsOwnChannel(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	create(t, newChannel(namespace, "webshop"), newChannel(namespace, "till"))
	connector := startConnector(t, namespace, "webshop")
	if _, err := connector.space.Put(t.Context(), workload.ReportChannelPrefix+"till", []byte("{}")); err == nil {
		t.Error("the webshop's connector reported for the till")
	}
	if _, err := connector.space.Append(t.Context(), hub.Fact{Channel: "till", Type: "item.observed", Data: []byte("{}")}); err == nil {
		t.Error("the webshop's connector stated a fact of the till")
	}
}

func TestSpecChangeReachesTheConnectorWithoutTouchingItsPod(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	channel := newChannel(namespace, "webshop")
	create(t, channel)
	connector := startConnector(t, namespace, "webshop")
	connector.report(healthyReport(channel))
	wantChannel(t, channel, "Ready", "True/Succeeded")
	before := get(t, &appsv1.Deployment{}, namespace, "webshop-connector").Generation

	change(t, channel, func(c *selarasv1alpha1.Channel) {
		c.Spec.Endpoint = "https://moved.shop.example/admin-api"
		c.Spec.Polling = &selarasv1alpha1.Polling{Interval: &metav1.Duration{Duration: 300 * time.Millisecond}}
		c.Spec.State = selarasv1alpha1.ChannelPaused
	})
	config := connector.channelConfig("webshop", channel.Generation)
	if config.Endpoint != channel.Spec.Endpoint || config.PollInterval != 300*time.Millisecond || config.State != workload.Paused {
		t.Errorf("the connector was handed %+v", config)
	}
	wantChannel(t, channel, "Ready", "False/Progressing")
	connector.report(healthyReport(channel))
	wantChannel(t, channel, "Ready", "True/Succeeded")
	if after := get(t, &appsv1.Deployment{}, namespace, "webshop-connector").Generation; after != before {
		t.Errorf("the Deployment went from generation %d to %d: the pod was replaced for nothing", before, after)
	}
}

func TestStoppedChannelHasNoPod(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	channel := newChannel(namespace, "webshop")
	channel.Spec.State = selarasv1alpha1.ChannelStopped
	create(t, channel)
	wantChannel(t, channel, "Ready", "True/Stopped")
	eventually(t, func() error {
		deployment := &appsv1.Deployment{}
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "webshop-connector"}, deployment); err != nil {
			return err
		}
		if *deployment.Spec.Replicas != 0 {
			return fmt.Errorf("%d replicas", *deployment.Spec.Replicas)
		}
		return nil
	})
}

func TestHoldReachesTheConnectorFromTheNamespace(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	channel := newChannel(namespace, "webshop")
	create(t, channel)
	connector := startConnector(t, namespace, "webshop")
	connector.report(healthyReport(channel))
	wantChannel(t, channel, "Ready", "True/Succeeded")

	change(t, get(t, &corev1.Namespace{}, "", namespace), func(n *corev1.Namespace) {
		n.Annotations = map[string]string{selarasv1alpha1.HoldAnnotation: "forever|wrong prices"}
	})
	eventually(t, func() error {
		if config := connector.channelConfig("webshop", 0); config.Hold == nil || config.Hold.Reason != "wrong prices" {
			return fmt.Errorf("the connector is not held: %+v", config.Hold)
		}
		return nil
	})
	eventually(t, func() error {
		get(t, channel, namespace, "webshop")
		for _, c := range channel.Status.Conditions {
			if c.Type == "Ready" && c.Status == metav1.ConditionTrue && strings.Contains(c.Message, "HELD") {
				return nil
			}
		}
		return fmt.Errorf("Ready does not say that a hold is in force: %+v", channel.Status.Conditions)
	})
	wantHeld(t, metrics.ChannelHeld, namespace, map[string]float64{"webshop": 1})
}

// An emergency stop reaches the connector of a Channel that is suspended, or
// whose spec has become wrong, and so does its end.
func TestHoldReachesAConnectorWhateverTheSpec(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]struct {
		change    func(*selarasv1alpha1.Channel)
		condition string
		want      string
	}{
		"suspended": {func(c *selarasv1alpha1.Channel) { c.Spec.Suspend = true }, "Reconciling", "False/Suspended"},
		"stalled":   {func(c *selarasv1alpha1.Channel) { c.Spec.Timezone = "Middle/Earth" }, "Stalled", "True/InvalidTimezone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			channel := newChannel(namespace, "webshop")
			create(t, channel)
			connector := startConnector(t, namespace, "webshop")
			connector.report(healthyReport(channel))
			wantChannel(t, channel, "Ready", "True/Succeeded")
			before := connector.channelConfig("webshop", 0)
			change(t, channel, disturb.change)
			wantChannel(t, channel, disturb.condition, disturb.want)
			held := func(reason string) {
				t.Helper()
				eventually(t, func() error {
					config := connector.channelConfig("webshop", 0)
					got := ""
					if config.Hold != nil {
						got = config.Hold.Reason
					}
					if got != reason || config.Generation != before.Generation || config.Endpoint != before.Endpoint {
						return fmt.Errorf("the connector is held for %q, want %q: %+v", got, reason, config)
					}
					return nil
				})
			}
			change(t, channel, func(c *selarasv1alpha1.Channel) {
				c.Annotations = map[string]string{selarasv1alpha1.HoldAnnotation: "forever|wrong prices"}
			})
			held("wrong prices")
			change(t, channel, func(c *selarasv1alpha1.Channel) { c.Annotations = nil })
			held("")
		})
	}
}

// wantHeld waits until a metric tells of holds so, by the name of the resource.
func wantHeld(t *testing.T, metric metrics.Definition, namespace string, want map[string]float64) {
	t.Helper()
	eventually(t, func() error {
		got, err := seriesOf(metric, namespace, metric.Labels[1])
		if err != nil {
			return err
		}
		if !maps.Equal(got, want) {
			return fmt.Errorf("%s is %v, want %v", metric.Name, got, want)
		}
		return nil
	})
}

// A hold on one Channel is told of that one, and of it until it ends.
func TestHoldIsToldOfWhatItHolds(t *testing.T) {
	t.Parallel()
	trio := newTrio(t)
	namespace, sync := trio.namespace, trio.sync("main")
	till := get(t, &selarasv1alpha1.Channel{}, namespace, "till")
	create(t, sync)
	wantHeld(t, metrics.ChannelHeld, namespace, map[string]float64{"web": 0, "market": 0, "till": 0})
	wantHeld(t, metrics.SyncHeld, namespace, map[string]float64{"main": 0})
	change(t, till, func(c *selarasv1alpha1.Channel) {
		c.Annotations = map[string]string{selarasv1alpha1.HoldAnnotation: "forever|wrong prices"}
	})
	change(t, sync, func(s *selarasv1alpha1.CatalogSync) {
		s.Annotations = map[string]string{selarasv1alpha1.HoldAnnotation: "2000-01-01T00:00:00Z|long ago"}
	})
	wantHeld(t, metrics.ChannelHeld, namespace, map[string]float64{"web": 0, "market": 0, "till": 1})
	wantHeld(t, metrics.SyncHeld, namespace, map[string]float64{"main": 0})
	change(t, till, func(c *selarasv1alpha1.Channel) { c.Annotations = nil })
	wantHeld(t, metrics.ChannelHeld, namespace, map[string]float64{"web": 0, "market": 0, "till": 0})
}

func TestSuspendedChannelIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	channel := newChannel(namespace, "webshop")
	channel.Spec.Suspend = true
	create(t, channel)
	wantChannel(t, channel, "Reconciling", "False/Suspended")
	err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "webshop-connector"}, &appsv1.Deployment{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("a connector was deployed for a suspended Channel: %v", err)
	}
}

func TestForeignObjectOfTheNameIsNotAdopted(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	foreign := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "webshop-connector"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
	channel := newChannel(namespace, "webshop")
	create(t, foreign, channel)
	wantChannel(t, channel, "Ready", "False/NotOwned")
	if now := get(t, &corev1.Service{}, namespace, "webshop-connector"); len(now.OwnerReferences) != 0 || now.Spec.Ports[0].Port != 80 {
		t.Errorf("the foreign Service was changed: %+v", now)
	}
}

func TestWhatOnlyTheDriverKnowsIsShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		change          func(*workload.ChannelReport)
		condition, want string
	}{
		{"missing Secret", func(r *workload.ChannelReport) {
			r.ReadOnce, r.Credentials, r.CredentialsMessage = false, workload.CredentialsMissing, "there is no Secret webshop-credentials"
		}, "CredentialsValid", "False/SecretMissing"},
		{"missing key", func(r *workload.ChannelReport) {
			r.ReadOnce, r.Credentials, r.CredentialsMessage = false, workload.CredentialsKeyMissing, "Secret webshop-credentials has no key password"
		}, "CredentialsValid", "False/KeyMissing"},
		{"refused credentials", func(r *workload.ChannelReport) { r.Credentials = workload.CredentialsUnauthorized }, "CredentialsValid", "False/Unauthorized"},
		{"unreachable endpoint", func(r *workload.ChannelReport) {
			r.Connected, r.Reason, r.Message = false, selarasv1alpha1.ReasonUnreachable, "connection refused"
		}, "Connected", "False/Unreachable"},
		{"TLS failure", func(r *workload.ChannelReport) {
			r.Connected, r.Reason, r.Message = false, selarasv1alpha1.ReasonTLSFailed, "certificate signed by unknown authority"
		}, "Connected", "False/" + selarasv1alpha1.ReasonTLSFailed},
		{"config the driver rejects", func(r *workload.ChannelReport) {
			r.Problem, r.ProblemMessage = selarasv1alpha1.ReasonInvalidConfig, "spec.config.stockLocation: must be text"
		}, "Stalled", "True/InvalidConfig"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			channel := newChannel(namespace, "webshop")
			create(t, channel)
			connector := startConnector(t, namespace, "webshop")
			report := healthyReport(channel)
			c.change(&report)
			connector.report(report)
			wantChannel(t, channel, c.condition, c.want)
		})
	}
}

// Two Channels on one account would undo each other: the later stalls, and
// goes on when the first is gone.
func TestLaterChannelOfAnAccountStallsUntilTheFirstIsGone(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	first, second := newChannel(namespace, "first"), newChannel(namespace, "second")
	create(t, first)
	firstPod := startConnector(t, namespace, "first")
	report := healthyReport(first)
	report.AccountID = namespace + "/the-shop"
	firstPod.report(report)
	wantChannel(t, first, "Ready", "True/Succeeded")

	eventually(t, func() error { // creation times are kept in seconds
		if time.Now().Truncate(time.Second).Equal(first.CreationTimestamp.Time) {
			return fmt.Errorf("still the same second")
		}
		return nil
	})
	create(t, second)
	secondPod := startConnector(t, namespace, "second")
	report = healthyReport(second)
	report.AccountID = namespace + "/the-shop"
	secondPod.report(report)
	wantChannel(t, second, "Stalled", "True/DuplicateAccount")
	eventually(t, func() error {
		if state := secondPod.channelConfig("second", 0).State; state != workload.Paused {
			return fmt.Errorf("the later connector is %s, want Paused: it must not write", state)
		}
		return nil
	})
	wantChannel(t, first, "Ready", "True/Succeeded")

	if err := kube.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	wantChannel(t, second, "Stalled", "False/Progressing")
}

func TestDelistWaitsForTheConnectorAndThenLetsGo(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	channel := newChannel(namespace, "webshop")
	channel.Spec.DeletionPolicy = selarasv1alpha1.DeletionDelist
	create(t, channel)
	connector := startConnector(t, namespace, "webshop")
	connector.report(healthyReport(channel))
	wantChannel(t, channel, "Ready", "True/Succeeded")
	if err := kube.Delete(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if !connector.channelConfig("webshop", 0).Delist {
			return fmt.Errorf("the connector was not asked to delist")
		}
		return nil
	})
	if err := kube.Get(t.Context(), client.ObjectKeyFromObject(channel), channel); err != nil {
		t.Fatalf("the Channel went before its listings: %v", err)
	}
	report := healthyReport(channel)
	report.Delisted = true
	connector.report(report)
	wantGone(t, channel)
}

// An emergency stop stops a delisting too.
func TestHoldKeepsDelistFromWriting(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	channel := newChannel(namespace, "webshop")
	channel.Spec.DeletionPolicy = selarasv1alpha1.DeletionDelist
	channel.Annotations = map[string]string{selarasv1alpha1.HoldAnnotation: "forever|wrong prices"}
	create(t, channel)
	connector := startConnector(t, namespace, "webshop")
	if err := kube.Delete(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if config := connector.channelConfig("webshop", 0); !config.Delist || config.Hold == nil {
			return fmt.Errorf("the connector was handed delist %t, hold %+v, want both", config.Delist, config.Hold)
		}
		return nil
	})
	change(t, channel, func(c *selarasv1alpha1.Channel) { c.Annotations = nil })
	eventually(t, func() error {
		if config := connector.channelConfig("webshop", 0); !config.Delist || config.Hold != nil {
			return fmt.Errorf("the connector was handed delist %t, hold %+v, want the first alone", config.Delist, config.Hold)
		}
		return nil
	})
}

// Nothing can be made in a namespace that ends, so that the event is about the
// namespace.
func TestDelistInAnEndingNamespaceLetsGoAtOnce(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	channel := newChannel(namespace, "webshop")
	channel.Spec.DeletionPolicy = selarasv1alpha1.DeletionDelist
	create(t, channel)
	eventually(t, func() error {
		if get(t, channel, namespace, "webshop"); len(channel.Finalizers) == 0 {
			return fmt.Errorf("no finalizer yet")
		}
		return nil
	})
	if err := kube.Delete(t.Context(), get(t, &corev1.Namespace{}, "", namespace)); err != nil {
		t.Fatal(err)
	}
	if err := kube.Delete(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	wantGone(t, channel)
	eventually(t, func() error {
		var list eventsv1.EventList
		if err := kube.List(t.Context(), &list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Regarding.Kind == "Namespace" && e.Regarding.Name == namespace && e.Reason == selarasv1alpha1.ReasonOrphaned && strings.Contains(e.Note, "Channel webshop") {
				return nil
			}
		}
		return fmt.Errorf("none of %d events of the cluster says that the listings were left", len(list.Items))
	})
}

func TestOrphanHasNoFinalizer(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	channel := newChannel(namespace, "webshop")
	create(t, channel)
	startConnector(t, namespace, "webshop")
	if get(t, channel, namespace, "webshop"); len(channel.Finalizers) != 0 {
		t.Errorf("finalizers %v on a Channel whose deletion has nothing to do", channel.Finalizers)
	}
}

func wantGone(t *testing.T, object client.Object) {
	t.Helper()
	eventually(t, func() error {
		err := kube.Get(t.Context(), client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("still there with finalizers %v (error: %v)", object.GetFinalizers(), said(err))
	})
}
