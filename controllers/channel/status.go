package channel

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/conditions"
	"selaras.dev/selaras/controllers/faults"
	"selaras.dev/selaras/controllers/hold"
	"selaras.dev/selaras/internal/validation"
	"selaras.dev/selaras/internal/workload"
)

// inputs is all that the status of a Channel is computed from.
type inputs struct {
	channel *selarasv1alpha1.Channel
	// problem stalls the Channel: it needs a new spec. nil when there is none.
	problem *problem
	// failure kept this reconcile from finishing; it is tried again.
	failure *problem
	// deployment is the connector's, nil when there is none; podReason says in
	// a pod's or ReplicaSet's own words why it does not come up.
	deployment *appsv1.Deployment
	podReason  *problem
	// report is the connector's newest; live is false when it is silent.
	report workload.ChannelReport
	live   bool
	// hold is the emergency stop in force, nil when there is none.
	hold *workload.Hold
	// hub is condition HubAvailable.
	hub conditions.Value
	// hubSecret is the Secret with the connector's hub credentials.
	hubSecret string
	// requested is the token of annotation requestedAt.
	requested string
}

// describedByImage says whether the image that the Channel names for itself has
// said what its driver is. What another image said, before the Deployment was
// changed, must not keep the new one from being deployed.
func (in *inputs) describedByImage() bool {
	if !validation.OwnImage(in.channel) || in.deployment == nil || in.report.UID != string(in.channel.UID) || in.report.Driver.Type == "" {
		return false
	}
	containers := in.deployment.Spec.Template.Spec.Containers
	return len(containers) > 0 && containers[0].Image == in.channel.Spec.Connector.Image
}

// problem is a reason and a message for a person.
type problem = faults.Fault

// computeStatus is the truth table of a Channel (DESIGN §4). It changes status
// in place and keeps what it has nothing new to say about.
func computeStatus(in inputs, status *selarasv1alpha1.ChannelStatus) {
	generation := in.channel.Generation
	stopped := in.channel.Spec.State == selarasv1alpha1.ChannelStopped
	reported := in.live && in.report.UID == string(in.channel.UID)

	deployed := deployedCondition(in, stopped)
	credentials, connected, webhooks := reportedConditions(in, stopped, reported)

	status.ObservedGeneration = generation
	status.HubCredentials = in.hubSecret
	status.WebhookURL = webhookURL(in.channel)
	if reported {
		foldReport(in.report, status)
	}

	ready, reconciling, stalled := summarize(in, stopped, reported, deployed, credentials)
	if handled(in, reported, ready.Holds(), stalled.Holds()) {
		status.LastHandledRequest = echo(in.requested)
	}
	conditions.Set(&status.Conditions, generation, ready, reconciling, stalled, deployed, credentials, connected, webhooks, in.hub)
}

// handled says whether the request of annotation requestedAt was answered: by
// a comparison of the connector, where one can be made.
func handled(in inputs, reported, ready, stalled bool) bool {
	if stalled || in.channel.Spec.State == selarasv1alpha1.ChannelStopped {
		return true
	}
	return ready && reported && in.report.Requested == in.requested
}

// maxEcho is the most bytes of an annotation that status can echo.
const maxEcho = 256

// echo bounds what a person wrote into an annotation to what status may hold.
func echo(token string) string {
	return strings.ToValidUTF8(token[:min(len(token), maxEcho)], "")
}

// foldReport copies what a report says and an idle channel does not change.
func foldReport(report workload.ChannelReport, status *selarasv1alpha1.ChannelStatus) {
	if report.AccountID != "" {
		status.AccountID = report.AccountID
	}
	status.Capabilities = report.Driver.Capabilities
	status.Connector = &selarasv1alpha1.ConnectorStatus{Type: report.Driver.Type, Version: report.Driver.Version}
	if report.ReadOnce {
		status.Listings = ptr.To(int64(report.Listings))
	}
}

func deployedCondition(in inputs, stopped bool) conditions.Value {
	const kind = selarasv1alpha1.ConditionDeployed
	switch {
	case in.problem != nil && in.deployment == nil:
		return conditions.False(kind, in.problem.Reason, "No connector is deployed: "+in.problem.Message)
	case in.failure != nil && in.deployment == nil:
		return conditions.False(kind, in.failure.Reason, in.failure.Message)
	case stopped:
		return conditions.False(kind, selarasv1alpha1.ReasonStopped, "spec.state is Stopped: no connector runs")
	case in.deployment == nil:
		// The same words as below: the Deployment was applied a moment ago, and
		// that it is seen now is no news.
	case in.deployment.Status.ObservedGeneration > 0 && in.deployment.Status.ObservedGeneration < in.deployment.Generation:
		return conditions.False(kind, selarasv1alpha1.ReasonProgressing, "The Deployment's new template is being rolled out")
	case in.deployment.Status.AvailableReplicas > 0:
		return conditions.True(kind, selarasv1alpha1.ReasonAvailable, "The connector's pod is available")
	case in.podReason != nil:
		return conditions.False(kind, in.podReason.Reason, in.podReason.Message)
	}
	return conditions.False(kind, selarasv1alpha1.ReasonProgressing, "The connector's pod is not available yet")
}

// reportedConditions are what only the connector can know.
func reportedConditions(in inputs, stopped, reported bool) (credentials, connected, webhooks conditions.Value) {
	kinds := [3]string{selarasv1alpha1.ConditionCredentialsValid, selarasv1alpha1.ConditionConnected, selarasv1alpha1.ConditionWebhooksHealthy}
	if stopped || !reported {
		reason, message := selarasv1alpha1.ReasonNoReport, fmt.Sprintf("The connector has not reported for %s", workload.NoReportAfter)
		if stopped {
			reason, message = selarasv1alpha1.ReasonStopped, "spec.state is Stopped: no connector runs"
		}
		return conditions.Unknown(kinds[0], reason, message), conditions.Unknown(kinds[1], reason, message), conditions.Unknown(kinds[2], reason, message)
	}
	return credentialsCondition(in), connectedCondition(in), webhooksCondition(in)
}

func credentialsCondition(in inputs) conditions.Value {
	const kind = selarasv1alpha1.ConditionCredentialsValid
	message := in.report.CredentialsMessage
	switch in.report.Credentials {
	case workload.CredentialsValid:
		return conditions.True(kind, string(workload.CredentialsValid), "The channel accepts the credentials")
	case workload.CredentialsMissing, workload.CredentialsKeyMissing, workload.CredentialsUnauthorized:
		return conditions.False(kind, string(in.report.Credentials), message)
	}
	return conditions.Unknown(kind, selarasv1alpha1.ReasonNotChecked, "The credentials have not been tried yet")
}

func connectedCondition(in inputs) conditions.Value {
	const kind = selarasv1alpha1.ConditionConnected
	if in.report.Connected {
		return conditions.True(kind, selarasv1alpha1.ReasonConnected, "The channel answers")
	}
	reason := in.report.Reason
	if reason == "" {
		reason = selarasv1alpha1.ReasonConnecting
	}
	return conditions.False(kind, reason, in.report.Message)
}

func webhooksCondition(in inputs) conditions.Value {
	const kind = selarasv1alpha1.ConditionWebhooksHealthy
	switch {
	case in.channel.Spec.Webhooks == nil:
		return conditions.True(kind, selarasv1alpha1.ReasonNotUsed, "spec.webhooks is not set: the channel is polled")
	case in.report.Webhooks == "Failing":
		return conditions.False(kind, selarasv1alpha1.ReasonWebhooksFailing, in.report.WebhooksMessage)
	}
	return conditions.True(kind, selarasv1alpha1.ReasonListening, "Webhooks are accepted; the channel is polled beside them")
}

// summarize computes Ready, Reconciling and Stalled. Ready=True iff the spec
// is valid, the children are available, the live connector reported this
// generation, and the channel was read once. An outage, a lag or a hold never
// lower it.
func summarize(in inputs, stopped, reported bool, deployed, credentials conditions.Value) (ready, reconciling, stalled conditions.Value) {
	const (
		r = selarasv1alpha1.ConditionReady
		p = selarasv1alpha1.ConditionReconciling
		s = selarasv1alpha1.ConditionStalled
	)
	notStalled := conditions.False(s, selarasv1alpha1.ReasonProgressing, "Nothing needs a new spec")
	settled := conditions.False(p, selarasv1alpha1.ReasonSucceeded, "Nothing is under way")
	working := func(reason, message string) (conditions.Value, conditions.Value, conditions.Value) {
		return conditions.False(r, reason, message), conditions.True(p, reason, message), notStalled
	}

	switch {
	case in.problem != nil:
		return conditions.False(r, in.problem.Reason, in.problem.Message),
			conditions.False(p, selarasv1alpha1.ReasonStalled, "Waiting for a new spec"),
			conditions.True(s, in.problem.Reason, in.problem.Message)
	case in.failure != nil:
		return working(in.failure.Reason, in.failure.Message)
	case stopped:
		return conditions.True(r, selarasv1alpha1.ReasonStopped, "spec.state is Stopped: nothing is read or written"), settled, notStalled
	case !deployed.Holds():
		return working(deployed.Reason, deployed.Message)
	case !reported:
		return working(selarasv1alpha1.ReasonNoReport, "The connector's pod is available but has not reported yet")
	case in.report.Generation != in.channel.Generation:
		return working(selarasv1alpha1.ReasonProgressing, fmt.Sprintf("The connector still runs by generation %d", in.report.Generation))
	case !in.report.ReadOnce && credentials.Status == metav1.ConditionFalse:
		return working(credentials.Reason, credentials.Message)
	case !in.report.ReadOnce && !in.report.Connected && in.report.Message != "":
		return working(in.report.Reason, in.report.Message)
	case !in.report.ReadOnce:
		return working(selarasv1alpha1.ReasonReading, "The channel is being read for the first time")
	}
	return conditions.True(r, selarasv1alpha1.ReasonSucceeded, readyMessage(in)), settled, notStalled
}

// readyMessage says what a person should know of a Channel that works.
func readyMessage(in inputs) string {
	var parts []string
	if in.hold != nil {
		parts = append(parts, "HELD "+hold.Text(in.hold))
	}
	if in.channel.Spec.State == selarasv1alpha1.ChannelPaused {
		parts = append(parts, "paused: reads, writes nothing")
	}
	if n := in.report.DuplicateSKUs; n > 0 {
		parts = append(parts, fmt.Sprintf("%d SKUs are borne by several listings and left alone", n))
	}
	if n := in.report.UnusableSKUs; n > 0 {
		parts = append(parts, fmt.Sprintf("%d listings have no SKU, or one of more than 128 bytes, and are left alone", n))
	}
	parts = append(parts, fmt.Sprintf("%d listings", in.report.Listings))
	return strings.Join(parts, "; ")
}
