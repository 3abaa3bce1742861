package catalogsync

import (
	"fmt"
	"sort"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/conditions"
	"selaras.dev/selaras/controllers/hold"
	"selaras.dev/selaras/internal/workload"
)

// inputs is all that the status of a CatalogSync is computed from.
type inputs struct {
	sync       *selarasv1alpha1.CatalogSync
	resolution *resolution
	// failure kept this reconcile from finishing; it is tried again.
	failure *problem
	// worker is the catalog worker's Deployment; podReason says why it does
	// not come up.
	worker    *appsv1.Deployment
	podReason *problem
	// catalog is the worker's newest report, live false when it is silent.
	catalog workerReport
	// channels are the newest reports of the source and the targets by name.
	channels map[string]channelReport
	hold     *workload.Hold
	// hub is condition HubAvailable.
	hub conditions.Value
	now time.Time
}

type workerReport struct {
	workload.CatalogReport
	live bool
}

type channelReport struct {
	workload.ChannelReport
	live bool
}

// seen says that the channel's connector has reported at least once.
func (r channelReport) seen() bool { return r.UID != "" }

// computeStatus is the truth table of a CatalogSync (DESIGN §4).
func computeStatus(in inputs, status *selarasv1alpha1.CatalogSyncStatus) {
	status.ObservedGeneration = in.sync.Generation
	foldChannels(in, status)

	source := sourceCondition(in)
	channels := channelsCondition(in)
	inSync, lag, drift := dataConditions(in, status)
	ready, reconciling, stalled := summarize(in, source)
	if stalled.Holds() || ready.Holds() {
		status.LastHandledRequest = clip(in.sync.Annotations[selarasv1alpha1.RequestedAtAnnotation], 256)
	}
	conditions.Set(&status.Conditions, in.sync.Generation, ready, reconciling, stalled, source, channels, inSync, lag, drift, in.hub)
}

// maxFailures is how many sample failures status holds.
const maxFailures = 10

// foldChannels copies the progress of every channel: counts, and the time of
// the oldest pending change rather than its age, so that nothing here changes
// while nothing happens. What is not known keeps its last value.
func foldChannels(in inputs, status *selarasv1alpha1.CatalogSyncStatus) {
	if report, ok := in.catalog.Syncs[in.sync.Name]; ok && in.catalog.live && report.UID == string(in.sync.UID) {
		status.Items = ptr.To(int64(report.Items))
	}
	if in.resolution == nil {
		return
	}
	before := make(map[string]selarasv1alpha1.SyncChannelStatus, len(status.Channels))
	for _, c := range status.Channels {
		before[c.Name] = c
	}
	members := in.resolution.members()
	channels := make([]selarasv1alpha1.SyncChannelStatus, 0, len(members))
	var samples []selarasv1alpha1.FailureSample
	var pending, failed, drifted int64
	status.OldestPendingTime = nil
	for _, channel := range members {
		entry, ok := before[channel.Name]
		if !ok {
			entry = selarasv1alpha1.SyncChannelStatus{Name: channel.Name}
		}
		if report := in.channels[channel.Name]; report.live {
			if progress, ok := report.Progress[in.sync.Name]; ok {
				entry = channelStatus(channel.Name, progress)
				samples = append(samples, failureSamples(channel.Name, progress)...)
			}
		}
		pending, failed, drifted = pending+entry.Pending, failed+entry.Failed, drifted+entry.Drifted
		status.OldestPendingTime = older(status.OldestPendingTime, entry.OldestPendingTime)
		channels = append(channels, entry)
	}
	sort.SliceStable(samples, func(i, j int) bool { return samples[i].Since.Before(samples[j].Since) })
	status.Channels, status.Failures = channels, samples[:min(len(samples), maxFailures)]
	status.Pending, status.Failed, status.Drifted = &pending, &failed, &drifted
	status.ChannelCount = ptr.To(int32(len(members)))
}

func channelStatus(name string, p workload.Progress) selarasv1alpha1.SyncChannelStatus {
	entry := selarasv1alpha1.SyncChannelStatus{
		Name: name, InSync: int64(p.InSync), Pending: int64(p.Pending), Failed: int64(p.Failed), Drifted: int64(p.Drifted),
	}
	if !p.LastComparison.IsZero() {
		entry.LastComparison = seconds(p.LastComparison)
	}
	for _, since := range p.OldestPending {
		entry.OldestPendingTime = older(entry.OldestPendingTime, seconds(since))
	}
	return entry
}

func failureSamples(channel string, p workload.Progress) []selarasv1alpha1.FailureSample {
	out := make([]selarasv1alpha1.FailureSample, 0, len(p.Failures))
	for _, f := range p.Failures {
		out = append(out, selarasv1alpha1.FailureSample{
			Channel: channel, SKU: clip(f.SKU, 128), Reason: clip(f.Reason, 64), Message: clip(f.Message, 512), Since: seconds(f.Since),
		})
	}
	return out
}

// clip bounds what a channel said to what status may hold, in bytes.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// seconds is how finely the API server keeps a time.
func seconds(t time.Time) *metav1.Time { return &metav1.Time{Time: t.Truncate(time.Second)} }

func older(a, b *metav1.Time) *metav1.Time {
	if a == nil || (b != nil && b.Before(a)) {
		return b
	}
	return a
}

func sourceCondition(in inputs) conditions.Value {
	const kind = selarasv1alpha1.ConditionSourceReady
	name := in.sync.Spec.Source.Channel
	report := in.channels[name]
	switch {
	case in.resolution == nil || in.resolution.source == nil:
		return conditions.False(kind, selarasv1alpha1.ReasonChannelNotFound, fmt.Sprintf("spec.source.channel: there is no Channel %q in this namespace", name))
	case !report.live:
		return conditions.Unknown(kind, selarasv1alpha1.ReasonNoReport, fmt.Sprintf("The connector of source %s does not report", name))
	case !report.ReadOnce:
		return conditions.False(kind, selarasv1alpha1.ReasonReading, fmt.Sprintf("Source %s is being read for the first time%s", name, because(report.Message)))
	case !report.Connected:
		return conditions.False(kind, selarasv1alpha1.ReasonUnreachable, fmt.Sprintf("Source %s does not answer%s", name, because(report.Message)))
	}
	if report.Listings == 0 {
		return conditions.False(kind, selarasv1alpha1.ReasonSourceEmpty, fmt.Sprintf("Source %s has no listings: nothing is written until it has some", name))
	}
	return conditions.True(kind, selarasv1alpha1.ReasonAvailable, fmt.Sprintf("Source %s is read", name))
}

func because(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}

func channelsCondition(in inputs) conditions.Value {
	const kind = selarasv1alpha1.ConditionChannelsReady
	if in.resolution == nil || (len(in.resolution.targets) == 0 && len(in.resolution.missing) == 0) {
		return conditions.False(kind, selarasv1alpha1.ReasonNoChannels, "spec.channels selects no Channel")
	}
	if missing := in.resolution.missing; len(missing) > 0 {
		return conditions.False(kind, selarasv1alpha1.ReasonChannelNotFound, fmt.Sprintf("spec.channels.names: there is no Channel %s in this namespace", quoted(missing)))
	}
	var silent, behind, down []string
	for _, channel := range in.resolution.targets {
		report := in.channels[channel.Name]
		switch {
		case !report.live:
			silent = append(silent, channel.Name)
		case report.Syncs[in.sync.Name] != in.sync.Generation:
			behind = append(behind, channel.Name)
		case !report.Connected:
			down = append(down, channel.Name)
		}
	}
	switch {
	case len(silent) > 0:
		return conditions.Unknown(kind, selarasv1alpha1.ReasonNoReport, fmt.Sprintf("The connector of %s does not report", quoted(silent)))
	case len(down) > 0:
		return conditions.False(kind, selarasv1alpha1.ReasonUnreachable, fmt.Sprintf("%s does not answer", quoted(down)))
	case len(behind) > 0:
		return conditions.False(kind, selarasv1alpha1.ReasonProgressing, fmt.Sprintf("%s does not run by this generation yet", quoted(behind)))
	}
	return conditions.True(kind, selarasv1alpha1.ReasonAvailable, fmt.Sprintf("All %d channels run by this generation", len(in.resolution.targets)))
}

func quoted(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// dataConditions tell of the data itself: in sync, within the lag target, free
// of drift. What is fed by a silent workload is Unknown.
func dataConditions(in inputs, status *selarasv1alpha1.CatalogSyncStatus) (inSync, lag, drift conditions.Value) {
	const (
		s = selarasv1alpha1.ConditionInSync
		l = selarasv1alpha1.ConditionLagWithinTarget
		d = selarasv1alpha1.ConditionDriftFree
	)
	if silent := silentMembers(in); len(silent) > 0 {
		message := fmt.Sprintf("%s does not report", quoted(silent))
		return conditions.Unknown(s, selarasv1alpha1.ReasonNoReport, message),
			conditions.Unknown(l, selarasv1alpha1.ReasonNoReport, message),
			conditions.Unknown(d, selarasv1alpha1.ReasonNoReport, message)
	}
	pending, failed, drifted := ptr.Deref(status.Pending, 0), ptr.Deref(status.Failed, 0), ptr.Deref(status.Drifted, 0)
	behind := 0
	for _, c := range status.Channels {
		if c.Pending+c.Failed > 0 {
			behind++
		}
	}
	drift = conditions.True(d, selarasv1alpha1.ReasonNoDrift, "No channel shows what nobody intended")
	if drifted > 0 {
		drift = conditions.False(d, selarasv1alpha1.ReasonDrifted, fmt.Sprintf("%d listings show what nobody intended", drifted))
	}
	if since, stale := sourceStale(in); stale {
		message := fmt.Sprintf("Source %s was last read at %s", in.sync.Spec.Source.Channel, since.UTC().Format(time.RFC3339))
		return conditions.Unknown(s, selarasv1alpha1.ReasonSourceStale, message),
			conditions.False(l, selarasv1alpha1.ReasonSourceStale, message), drift
	}
	switch {
	case pending > 0 && in.sync.Spec.Mode == selarasv1alpha1.ModeObserve:
		inSync = conditions.False(s, selarasv1alpha1.ReasonObserving, fmt.Sprintf("%d listings on %d channels differ; mode Observe writes nothing", pending, behind))
	case pending > 0:
		inSync = conditions.False(s, selarasv1alpha1.ReasonPending, fmt.Sprintf("%d changes pending, %d failed, on %d channels", pending, failed, behind))
	case failed > 0:
		inSync = conditions.False(s, selarasv1alpha1.ReasonItemsFailing, fmt.Sprintf("%d SKUs are not taken by %d channels; status.failures has samples", failed, behind))
	default:
		inSync = conditions.True(s, selarasv1alpha1.ReasonInSync, "Every listing shows what it should, by read-back")
	}
	target := maxLag(in.sync)
	lag = conditions.True(l, selarasv1alpha1.ReasonWithinTarget, fmt.Sprintf("No change is pending for longer than %s", target))
	if late := lateChannels(in, target); len(late) > 0 {
		lag = conditions.False(l, selarasv1alpha1.ReasonAboveTarget, fmt.Sprintf("%s: a change is pending for longer than %s", quoted(late), target))
	}
	return inSync, lag, drift
}

// silentMembers are the workloads that feed this sync and do not report.
func silentMembers(in inputs) []string {
	var silent []string
	if !in.catalog.live {
		silent = append(silent, "the catalog worker")
	}
	if in.resolution == nil {
		return silent
	}
	names := map[string]bool{in.sync.Spec.Source.Channel: true}
	for _, channel := range in.resolution.targets {
		names[channel.Name] = true
	}
	for name := range names {
		if !in.channels[name].live {
			silent = append(silent, name)
		}
	}
	sort.Strings(silent)
	return silent
}

// sourceStale says since when the source has not been read, if that is longer
// than the lag target allows.
func sourceStale(in inputs) (time.Time, bool) {
	report := in.channels[in.sync.Spec.Source.Channel]
	if report.ItemsIntake.IsZero() || report.Connected {
		return time.Time{}, false
	}
	return report.ItemsIntake, in.now.Sub(report.ItemsIntake) > maxLag(in.sync)
}

// lateChannels are those with a change pending for longer than the target.
func lateChannels(in inputs, target time.Duration) []string {
	var late []string
	for _, channel := range in.resolution.members() {
		since, ok := in.channels[channel.Name].Progress[in.sync.Name].OldestPending[workload.CauseChange]
		if ok && in.now.Sub(since) > target {
			late = append(late, channel.Name)
		}
	}
	return late
}

// nextDeadline is when time alone will change a condition; zero for never.
func nextDeadline(in inputs) time.Time {
	var next time.Time
	consider := func(at time.Time) {
		if at.After(in.now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if in.hold != nil && !in.hold.Until.IsZero() {
		consider(in.hold.Until)
	}
	if in.resolution == nil {
		return next
	}
	target := maxLag(in.sync)
	for _, channel := range in.resolution.members() {
		if since, ok := in.channels[channel.Name].Progress[in.sync.Name].OldestPending[workload.CauseChange]; ok {
			consider(since.Add(target))
		}
	}
	if report := in.channels[in.sync.Spec.Source.Channel]; report.live && !report.Connected && !report.ItemsIntake.IsZero() {
		consider(report.ItemsIntake.Add(target))
	}
	return next
}

// summarize computes Ready, Reconciling and Stalled. Ready=True iff the spec
// is valid, the worker is available and reported this generation, so did every
// live connector, and the source was read once.
func summarize(in inputs, source conditions.Value) (ready, reconciling, stalled conditions.Value) {
	const (
		r = selarasv1alpha1.ConditionReady
		p = selarasv1alpha1.ConditionReconciling
		s = selarasv1alpha1.ConditionStalled
	)
	notStalled := conditions.False(s, selarasv1alpha1.ReasonProgressing, "Nothing needs a new spec")
	working := func(reason, message string) (conditions.Value, conditions.Value, conditions.Value) {
		return conditions.False(r, reason, message), conditions.True(p, reason, message), notStalled
	}
	if in.resolution != nil && in.resolution.problem != nil {
		x := in.resolution.problem
		return conditions.False(r, x.Reason, x.Message),
			conditions.False(p, selarasv1alpha1.ReasonStalled, "Waiting for a new spec"),
			conditions.True(s, x.Reason, x.Message)
	}
	report := in.catalog.Syncs[in.sync.Name]
	switch {
	case in.failure != nil:
		return working(in.failure.Reason, in.failure.Message)
	case in.resolution == nil || in.resolution.source == nil:
		return working(source.Reason, source.Message)
	case len(in.resolution.missing) > 0:
		return working(selarasv1alpha1.ReasonChannelNotFound, fmt.Sprintf("spec.channels.names: there is no Channel %s in this namespace", quoted(in.resolution.missing)))
	case in.worker == nil || in.worker.Status.AvailableReplicas == 0:
		if in.podReason != nil {
			return working(in.podReason.Reason, "The catalog worker does not come up: "+in.podReason.Message)
		}
		return working(selarasv1alpha1.ReasonProgressing, "The catalog worker is being deployed")
	case !in.catalog.live || report.UID != string(in.sync.UID) || report.Generation != in.sync.Generation:
		return working(selarasv1alpha1.ReasonProgressing, "The catalog worker does not run by this generation yet")
	case report.Problem != "":
		return working(report.Problem, report.ProblemMessage)
	}
	if behind := notApplied(in); len(behind) > 0 {
		return working(selarasv1alpha1.ReasonProgressing, fmt.Sprintf("%s does not run by this generation yet", quoted(behind)))
	}
	if !in.channels[in.sync.Spec.Source.Channel].ReadOnce {
		return working(source.Reason, source.Message)
	}
	return conditions.True(r, selarasv1alpha1.ReasonSucceeded, readyMessage(in)),
		conditions.False(p, selarasv1alpha1.ReasonSucceeded, "Nothing is under way"), notStalled
}

// notApplied are the channels that have not taken this generation over: the
// live ones that run by another, and those that have never reported.
func notApplied(in inputs) []string {
	var behind []string
	channels := append([]*selarasv1alpha1.Channel{in.resolution.source}, in.resolution.targets...)
	for _, channel := range channels {
		report := in.channels[channel.Name]
		if !report.seen() || (report.live && report.Syncs[in.sync.Name] != in.sync.Generation) {
			behind = append(behind, channel.Name)
		}
	}
	sort.Strings(behind)
	return behind
}

func readyMessage(in inputs) string {
	text := fmt.Sprintf("%d channels are kept", len(in.resolution.targets))
	if in.sync.Spec.Mode == selarasv1alpha1.ModeObserve {
		text = fmt.Sprintf("%d channels are compared, nothing is written (mode Observe)", len(in.resolution.targets))
	}
	if in.hold != nil {
		text = "HELD " + hold.Text(in.hold) + "; " + text
	}
	return text
}
