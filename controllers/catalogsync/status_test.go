package catalogsync

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/conditions"
	"selaras.dev/selaras/controllers/faults"
	"selaras.dev/selaras/internal/workload"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// healthy is a sync from web to till and market with which nothing is wrong.
func healthy() inputs {
	channels := []*selarasv1alpha1.Channel{aChannel("web", nil), aChannel("till", nil), aChannel("market", nil)}
	sync := aSync("main", 1, "till", "market")
	in := inputs{
		sync: sync, resolution: resolve(sync, channels, nil, allValid), now: now,
		worker:   &appsv1.Deployment{Status: appsv1.DeploymentStatus{AvailableReplicas: 1}},
		channels: map[string]channelReport{},
		hub:      conditions.True("HubAvailable", "Available", "The hub answers and has room"),
	}
	in.catalog.live = true
	in.catalog.Syncs = map[string]workload.SyncReport{"main": {Generation: 3, UID: string(sync.UID), Items: 88}}
	for _, name := range []string{"web", "till", "market"} {
		in.channels[name] = channelReport{live: true, ChannelReport: workload.ChannelReport{
			UID: "c-" + name, Generation: 1, Syncs: map[string]int64{"main": 3}, Connected: true, ReadOnce: true,
			Listings: 88, ItemsIntake: now.Add(-time.Second), Progress: map[string]workload.Progress{"main": {InSync: 88}},
		}}
	}
	return in
}

func (in inputs) with(channel string, change func(*channelReport)) {
	report := in.channels[channel]
	change(&report)
	in.channels[channel] = report
}

func progress(p workload.Progress) func(*channelReport) {
	return func(r *channelReport) { r.Progress = map[string]workload.Progress{"main": p} }
}

// TestCatalogSyncTruthTable holds DESIGN §4 for CatalogSyncs.
func TestCatalogSyncTruthTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*inputs)
		want   map[string]string
	}{
		{"all well", func(*inputs) {}, map[string]string{
			"Ready": "True/Succeeded", "Reconciling": "False/Succeeded", "Stalled": "False/Progressing", "SourceReady": "True/Available",
			"ChannelsReady": "True/Available", "InSync": "True/InSync", "LagWithinTarget": "True/WithinTarget", "DriftFree": "True/NoDrift",
			"HubAvailable": "True/Available",
		}},
		{"spec invalid", func(in *inputs) { in.resolution.problem = faults.New("InvalidPriceRule", "spec.price.rule:1:4") }, map[string]string{
			"Ready": "False/InvalidPriceRule", "Reconciling": "False/Stalled", "Stalled": "True/InvalidPriceRule",
		}},
		{"hub full", func(in *inputs) { in.hub = conditions.False("HubAvailable", "Full", "no room") }, map[string]string{
			"Ready": "True/Succeeded", "InSync": "True/InSync", "HubAvailable": "False/Full",
		}},
		{"source does not exist", func(in *inputs) { in.resolution.source = nil; delete(in.channels, "web") }, map[string]string{
			"Ready": "False/ChannelNotFound", "Reconciling": "True/ChannelNotFound", "Stalled": "False/Progressing", "SourceReady": "False/ChannelNotFound",
		}},
		{"a named channel does not exist", func(in *inputs) { in.resolution.missing = []string{"gone"} }, map[string]string{
			"Ready": "False/ChannelNotFound", "ChannelsReady": "False/ChannelNotFound", "Stalled": "False/Progressing",
		}},
		{"no channel selected", func(in *inputs) { in.resolution.targets = nil }, map[string]string{"ChannelsReady": "False/NoChannels"}},
		{"worker not up", func(in *inputs) { in.worker = nil; in.catalog.live = false }, map[string]string{
			"Ready": "False/Progressing", "InSync": "Unknown/NoReport", "LagWithinTarget": "Unknown/NoReport",
		}},
		{"worker cannot come up", func(in *inputs) {
			in.worker.Status.AvailableReplicas = 0
			in.podReason = faults.New("FailedCreate", "exceeded quota")
		}, map[string]string{"Ready": "False/FailedCreate"}},
		{"worker runs by an older generation", func(in *inputs) {
			in.catalog.Syncs = map[string]workload.SyncReport{"main": {Generation: 2, UID: string(in.sync.UID)}}
		}, map[string]string{"Ready": "False/Progressing"}},
		{"a live connector runs by an older generation", func(in *inputs) {
			in.with("till", func(r *channelReport) { r.Syncs = map[string]int64{"main": 2} })
		}, map[string]string{"Ready": "False/Progressing", "ChannelsReady": "False/Progressing"}},
		{"a connector has never reported", func(in *inputs) {
			in.with("till", func(r *channelReport) { *r = channelReport{} })
		}, map[string]string{"Ready": "False/Progressing", "ChannelsReady": "Unknown/NoReport", "InSync": "Unknown/NoReport"}},
		{"a connector fell silent", func(in *inputs) {
			in.with("till", func(r *channelReport) { r.live = false })
		}, map[string]string{"Ready": "True/Succeeded", "ChannelsReady": "Unknown/NoReport", "InSync": "Unknown/NoReport", "LagWithinTarget": "Unknown/NoReport", "DriftFree": "Unknown/NoReport"}},
		{"the source fell silent", func(in *inputs) {
			in.with("web", func(r *channelReport) { r.live = false })
		}, map[string]string{"Ready": "True/Succeeded", "SourceReady": "Unknown/NoReport", "InSync": "Unknown/NoReport"}},
		{"the source was never read", func(in *inputs) {
			in.with("web", func(r *channelReport) { r.ReadOnce = false })
		}, map[string]string{"Ready": "False/Reading", "SourceReady": "False/Reading"}},
		{"the source has no listings", func(in *inputs) {
			in.with("web", func(r *channelReport) { r.Listings = 0 })
		}, map[string]string{"Ready": "True/Succeeded", "SourceReady": "False/SourceEmpty"}},
		{"the source's shop is down, within the target", func(in *inputs) {
			in.with("web", func(r *channelReport) { r.Connected = false })
		}, map[string]string{"Ready": "True/Succeeded", "SourceReady": "False/Unreachable", "InSync": "True/InSync", "LagWithinTarget": "True/WithinTarget"}},
		{"the source's shop is down for too long", func(in *inputs) {
			in.with("web", func(r *channelReport) { r.Connected = false; r.ItemsIntake = now.Add(-time.Minute) })
		}, map[string]string{"Ready": "True/Succeeded", "InSync": "Unknown/SourceStale", "LagWithinTarget": "False/SourceStale"}},
		{"a target's shop is down", func(in *inputs) {
			in.with("till", func(r *channelReport) { r.Connected = false })
		}, map[string]string{"Ready": "True/Succeeded", "ChannelsReady": "False/Unreachable"}},
		{"changes pending within the target", func(in *inputs) {
			in.with("till", progress(workload.Progress{InSync: 80, Pending: 8, OldestPending: map[workload.Cause]time.Time{workload.CauseChange: now.Add(-2 * time.Second)}}))
		}, map[string]string{"Ready": "True/Succeeded", "InSync": "False/Pending", "LagWithinTarget": "True/WithinTarget"}},
		{"changes pending above the target", func(in *inputs) {
			in.with("till", progress(workload.Progress{InSync: 80, Pending: 8, OldestPending: map[workload.Cause]time.Time{workload.CauseChange: now.Add(-time.Minute)}}))
		}, map[string]string{"Ready": "True/Succeeded", "InSync": "False/Pending", "LagWithinTarget": "False/AboveTarget"}},
		{"a backfill above the target is no breach", func(in *inputs) {
			in.with("till", progress(workload.Progress{Pending: 88, OldestPending: map[workload.Cause]time.Time{workload.CauseBackfill: now.Add(-time.Hour)}}))
		}, map[string]string{"InSync": "False/Pending", "LagWithinTarget": "True/WithinTarget"}},
		{"items failing", func(in *inputs) { in.with("till", progress(workload.Progress{InSync: 87, Failed: 1})) }, map[string]string{
			"Ready": "True/Succeeded", "InSync": "False/ItemsFailing",
		}},
		{"drift", func(in *inputs) { in.with("till", progress(workload.Progress{InSync: 86, Drifted: 2})) }, map[string]string{
			"Ready": "True/Succeeded", "DriftFree": "False/Drifted",
		}},
		{"observing", func(in *inputs) {
			in.sync.Spec.Mode = selarasv1alpha1.ModeObserve
			in.with("till", progress(workload.Progress{InSync: 80, Pending: 8}))
		}, map[string]string{"Ready": "True/Succeeded", "InSync": "False/Observing"}},
		{"held", func(in *inputs) { in.hold = &workload.Hold{Reason: "wrong prices"} }, map[string]string{"Ready": "True/Succeeded"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := healthy()
			c.change(&in)
			var status selarasv1alpha1.CatalogSyncStatus
			computeStatus(in, &status)
			for _, kind := range []string{"Ready", "Reconciling", "Stalled", "SourceReady", "ChannelsReady", "InSync", "LagWithinTarget", "DriftFree"} {
				condition := meta.FindStatusCondition(status.Conditions, kind)
				if condition == nil {
					t.Errorf("condition %s is missing: all are always present", kind)
					continue
				}
				if want, ok := c.want[kind]; ok && string(condition.Status)+"/"+condition.Reason != want {
					t.Errorf("%s is %s/%s (%s), want %s", kind, condition.Status, condition.Reason, condition.Message, want)
				}
			}
		})
	}
}

// I7: what an idle system reports again changes no status.
func TestStatusIsTheSameForTheSameReports(t *testing.T) {
	t.Parallel()
	in := healthy()
	var first selarasv1alpha1.CatalogSyncStatus
	computeStatus(in, &first)
	second := *first.DeepCopy()
	in.now = now.Add(time.Hour)
	for _, name := range []string{"web", "till", "market"} {
		in.with(name, func(r *channelReport) { r.At, r.ItemsIntake = in.now, in.now })
	}
	computeStatus(in, &second)
	if !equality.Semantic.DeepEqual(first, second) {
		t.Errorf("status changed by reports without news:\n%+v\n%+v", first, second)
	}
}

func TestStatusHoldsAtMostTenSampleFailuresOldestFirst(t *testing.T) {
	t.Parallel()
	in := healthy()
	for k, channel := range []string{"till", "market"} {
		p := workload.Progress{Failed: 10}
		for i := range 10 {
			p.Failures = append(p.Failures, workload.Failure{SKU: fmt.Sprintf("%s-%d", channel, i), Reason: "Rejected", Since: now.Add(-time.Duration(2*i+k) * time.Minute)})
		}
		in.with(channel, progress(p))
	}
	var status selarasv1alpha1.CatalogSyncStatus
	computeStatus(in, &status)
	if len(status.Failures) != 10 || *status.Failed != 20 {
		t.Fatalf("%d samples of %d failed, want 10 of 20", len(status.Failures), *status.Failed)
	}
	if got := status.Failures[0].SKU; got != "market-9" {
		t.Errorf("first sample is %s, want the oldest, market-9", got)
	}
}

func TestNextDeadlineIsWhenTheLagTargetWillBeMissed(t *testing.T) {
	t.Parallel()
	in := healthy()
	if at := nextDeadline(in); !at.IsZero() {
		t.Errorf("an idle sync is due at %s, want never", at)
	}
	in.with("till", progress(workload.Progress{Pending: 1, OldestPending: map[workload.Cause]time.Time{workload.CauseChange: now.Add(-4 * time.Second)}}))
	if at := nextDeadline(in); !at.Equal(now.Add(6 * time.Second)) {
		t.Errorf("due at %s, want 6 s from now: the target is 10 s and the change is 4 s old", at)
	}
}
