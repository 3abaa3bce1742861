package channel

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/conditions"
	"selaras.dev/selaras/controllers/faults"
	"selaras.dev/selaras/internal/workload"
)

const generation = 7

// healthy is a Channel with which nothing is wrong.
func healthy() inputs {
	return inputs{
		channel: &selarasv1alpha1.Channel{
			ObjectMeta: metav1.ObjectMeta{Name: "webshop", Namespace: "retail", UID: "u1", Generation: generation},
			Spec:       selarasv1alpha1.ChannelSpec{Type: "vendure", Endpoint: "https://shop.example/admin-api"},
		},
		deployment: &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Generation: 2},
			Status:     appsv1.DeploymentStatus{ObservedGeneration: 2, AvailableReplicas: 1},
		},
		report: workload.ChannelReport{
			UID: "u1", Generation: generation, Credentials: workload.CredentialsValid, Connected: true,
			ReadOnce: true, Listings: 88, AccountID: "shop-1",
			Driver: workload.DriverReport{Type: "vendure", Version: "1.0.0", Capabilities: []string{"ReadListings"}},
		},
		live: true,
		hub:  conditions.True("HubAvailable", "Available", "The hub answers and has room"),
	}
}

// TestChannelTruthTable holds DESIGN §4: Ready=True iff the spec is valid, the
// children are available, the live connector reported this generation and the
// channel was read once; an outage, wrong credentials, a hold or a pause after
// that never lower it; Stalled is only for what needs a new spec.
func TestChannelTruthTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*inputs)
		// want maps a condition to "Status/Reason".
		want map[string]string
	}{
		{"all well", func(*inputs) {}, map[string]string{
			"Ready": "True/Succeeded", "Reconciling": "False/Succeeded", "Stalled": "False/Progressing", "Deployed": "True/Available",
			"CredentialsValid": "True/Valid", "Connected": "True/Connected", "WebhooksHealthy": "True/NotUsed",
			"HubAvailable": "True/Available",
		}},
		{"spec invalid", func(in *inputs) { in.problem = faults.New("InvalidConfig", "spec.config.x: no such field") }, map[string]string{
			"Ready": "False/InvalidConfig", "Reconciling": "False/Stalled", "Stalled": "True/InvalidConfig", "Deployed": "True/Available",
		}},
		{"spec invalid from the first", func(in *inputs) {
			in.problem = faults.New("UnknownType", "spec.type")
			in.deployment, in.live, in.report = nil, false, workload.ChannelReport{}
		}, map[string]string{"Ready": "False/UnknownType", "Stalled": "True/UnknownType", "Deployed": "False/UnknownType", "Connected": "Unknown/NoReport"}},
		{"hub away", func(in *inputs) { in.failure = faults.New("HubUnavailable", "no hub") }, map[string]string{
			"Ready": "False/HubUnavailable", "Reconciling": "True/HubUnavailable", "Stalled": "False/Progressing",
		}},
		{"hub away later", func(in *inputs) { in.hub = conditions.False("HubAvailable", "Unreachable", "no hub") }, map[string]string{
			"Ready": "True/Succeeded", "Stalled": "False/Progressing", "HubAvailable": "False/Unreachable",
		}},
		{"nothing deployed yet", func(in *inputs) { in.deployment, in.live, in.report = nil, false, workload.ChannelReport{} }, map[string]string{
			"Ready": "False/Progressing", "Reconciling": "True/Progressing", "Deployed": "False/Progressing",
			"CredentialsValid": "Unknown/NoReport", "Connected": "Unknown/NoReport", "WebhooksHealthy": "Unknown/NoReport",
		}},
		{"pod does not come up", func(in *inputs) {
			in.deployment.Status.AvailableReplicas = 0
			in.podReason = faults.New("ImagePullBackOff", "no such image")
			in.live = false
		}, map[string]string{"Ready": "False/ImagePullBackOff", "Deployed": "False/ImagePullBackOff", "Reconciling": "True/ImagePullBackOff"}},
		{"template rolling out", func(in *inputs) { in.deployment.Status.ObservedGeneration = 1 }, map[string]string{"Ready": "False/Progressing", "Deployed": "False/Progressing"}},
		{"connector silent", func(in *inputs) { in.live = false }, map[string]string{
			"Ready": "False/NoReport", "Deployed": "True/Available", "CredentialsValid": "Unknown/NoReport", "Connected": "Unknown/NoReport",
		}},
		{"report of a namesake's predecessor", func(in *inputs) { in.report.UID = "u0" }, map[string]string{"Ready": "False/NoReport", "Connected": "Unknown/NoReport"}},
		{"older generation applied", func(in *inputs) { in.report.Generation = generation - 1 }, map[string]string{"Ready": "False/Progressing", "Connected": "True/Connected"}},
		{"never read, Secret missing", func(in *inputs) {
			in.report.ReadOnce, in.report.Connected = false, false
			in.report.Credentials, in.report.CredentialsMessage = workload.CredentialsMissing, "Secret webshop-credentials"
		}, map[string]string{"Ready": "False/SecretMissing", "CredentialsValid": "False/SecretMissing", "Stalled": "False/Progressing", "Reconciling": "True/SecretMissing"}},
		{"never read, shop down", func(in *inputs) {
			in.report.ReadOnce, in.report.Connected = false, false
			in.report.Reason, in.report.Message = "Unreachable", "connection refused"
		}, map[string]string{"Ready": "False/Unreachable", "Connected": "False/Unreachable"}},
		{"being read", func(in *inputs) { in.report.ReadOnce = false }, map[string]string{"Ready": "False/Reading"}},
		{"shop down later", func(in *inputs) {
			in.report.Connected, in.report.Reason, in.report.Message = false, "Unreachable", "connection refused"
		}, map[string]string{"Ready": "True/Succeeded", "Connected": "False/Unreachable"}},
		{"credentials revoked later", func(in *inputs) { in.report.Credentials = workload.CredentialsUnauthorized }, map[string]string{
			"Ready": "True/Succeeded", "CredentialsValid": "False/Unauthorized",
		}},
		{"held", func(in *inputs) { in.hold = &workload.Hold{Until: time.Unix(1, 0), Reason: "wrong prices"} }, map[string]string{"Ready": "True/Succeeded"}},
		{"paused", func(in *inputs) { in.channel.Spec.State = selarasv1alpha1.ChannelPaused }, map[string]string{"Ready": "True/Succeeded"}},
		{"stopped", func(in *inputs) {
			in.channel.Spec.State = selarasv1alpha1.ChannelStopped
			in.deployment.Status.AvailableReplicas, in.live = 0, false
		}, map[string]string{
			"Ready": "True/Stopped", "Reconciling": "False/Succeeded", "Deployed": "False/Stopped",
			"CredentialsValid": "Unknown/Stopped", "Connected": "Unknown/Stopped", "WebhooksHealthy": "Unknown/Stopped",
		}},
		{"webhooks failing", func(in *inputs) {
			in.channel.Spec.Webhooks = &selarasv1alpha1.Webhooks{Host: "hooks.example"}
			in.report.Webhooks, in.report.WebhooksMessage = "Failing", "3 deliveries with a wrong signature"
		}, map[string]string{"Ready": "True/Succeeded", "WebhooksHealthy": "False/WebhooksFailing"}},
		{"webhooks listening", func(in *inputs) {
			in.channel.Spec.Webhooks = &selarasv1alpha1.Webhooks{Host: "hooks.example"}
		}, map[string]string{"WebhooksHealthy": "True/Listening"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := healthy()
			c.change(&in)
			var status selarasv1alpha1.ChannelStatus
			computeStatus(in, &status)
			wantConditions(t, status.Conditions, c.want)
		})
	}
}

func wantConditions(t *testing.T, got []metav1.Condition, want map[string]string) {
	t.Helper()
	for _, kind := range []string{"Ready", "Reconciling", "Stalled", "Deployed", "CredentialsValid", "Connected", "WebhooksHealthy"} {
		condition := meta.FindStatusCondition(got, kind)
		if condition == nil {
			t.Errorf("condition %s is missing: all are always present", kind)
			continue
		}
		if condition.ObservedGeneration != generation {
			t.Errorf("%s has observedGeneration %d, want %d", kind, condition.ObservedGeneration, generation)
		}
		if expected, ok := want[kind]; ok && string(condition.Status)+"/"+condition.Reason != expected {
			t.Errorf("%s is %s/%s (%s), want %s", kind, condition.Status, condition.Reason, condition.Message, expected)
		}
	}
}

// I7: what an idle system reports again changes no status.
func TestStatusIsTheSameForTheSameReport(t *testing.T) {
	t.Parallel()
	in := healthy()
	var first selarasv1alpha1.ChannelStatus
	computeStatus(in, &first)
	second := *first.DeepCopy()
	in.report.At, in.report.ItemsIntake = time.Unix(100, 0), time.Unix(100, 0)
	computeStatus(in, &second)
	if !equality.Semantic.DeepEqual(first, second) {
		t.Errorf("status changed by a report without news:\n%+v\n%+v", first, second)
	}
}

func TestReadyMessageSaysThatAHoldIsInForce(t *testing.T) {
	t.Parallel()
	in := healthy()
	in.hold = &workload.Hold{Until: time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC), Reason: "wrong prices"}
	var status selarasv1alpha1.ChannelStatus
	computeStatus(in, &status)
	message := meta.FindStatusCondition(status.Conditions, "Ready").Message
	if !strings.Contains(message, "HELD until 2026-11-24T01:00:00Z: wrong prices") {
		t.Errorf("Ready says %q, want the hold in it", message)
	}
}

func TestReadyMessageCountsWhatIsLeftAlone(t *testing.T) {
	t.Parallel()
	in := healthy()
	in.report.DuplicateSKUs, in.report.UnusableSKUs = 2, 3
	var status selarasv1alpha1.ChannelStatus
	computeStatus(in, &status)
	message := meta.FindStatusCondition(status.Conditions, "Ready").Message
	for _, want := range []string{"2 SKUs are borne by several listings", "3 listings have no SKU", "88 listings"} {
		if !strings.Contains(message, want) {
			t.Errorf("Ready says %q, want %q in it", message, want)
		}
	}
}

func TestRequestIsEchoedOnlyOnceHandled(t *testing.T) {
	t.Parallel()
	in := healthy()
	in.requested = "token-2"
	in.report.Generation = generation - 1
	status := selarasv1alpha1.ChannelStatus{LastHandledRequest: "token-1"}
	computeStatus(in, &status)
	if status.LastHandledRequest != "token-1" {
		t.Errorf("echoed %q before the connector ran by the spec", status.LastHandledRequest)
	}
	in.report.Generation, in.report.Requested = generation, "token-2"
	computeStatus(in, &status)
	if status.LastHandledRequest != "token-2" {
		t.Errorf("lastHandledRequest is %q, want token-2", status.LastHandledRequest)
	}
}

func TestARequestTooLongForStatusIsEchoedInPart(t *testing.T) {
	t.Parallel()
	in := healthy()
	in.requested = strings.Repeat("é", 200)
	in.report.Requested = in.requested
	var status selarasv1alpha1.ChannelStatus
	computeStatus(in, &status)
	if want := strings.Repeat("é", 128); status.LastHandledRequest != want {
		t.Errorf("echoed %d bytes, want %d", len(status.LastHandledRequest), len(want))
	}
}

func TestStatusTellsWhereWebhooksGo(t *testing.T) {
	t.Parallel()
	in := healthy()
	in.channel.Namespace, in.channel.Name = "retail", "webshop"
	for _, c := range []struct {
		webhooks *selarasv1alpha1.Webhooks
		want     string
	}{
		{nil, ""},
		{&selarasv1alpha1.Webhooks{Host: "hooks.example.com"}, "https://hooks.example.com/webhooks/retail/webshop"},
		{&selarasv1alpha1.Webhooks{Host: "hooks.example.com:8443", Path: "/shops/1"}, "https://hooks.example.com:8443/shops/1"},
	} {
		in.channel.Spec.Webhooks = c.webhooks
		var status selarasv1alpha1.ChannelStatus
		computeStatus(in, &status)
		if status.WebhookURL != c.want {
			t.Errorf("webhooks %v give %q, want %q", c.webhooks, status.WebhookURL, c.want)
		}
	}
}
