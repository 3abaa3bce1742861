package dataplane

import (
	"encoding/json"
	"testing"
	"time"

	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

func entry(t *testing.T, report workload.ChannelReport) hub.Entry {
	t.Helper()
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	return hub.Entry{Key: workload.ReportChannelPrefix + "web", Data: data}
}

// I7: what moves while nothing happens wakes no controller.
func TestReportWithoutNewsIsNoChange(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	var r received[workload.ChannelReport]
	report := workload.ChannelReport{UID: "u", Connected: true, At: now, Progress: map[string]workload.Progress{"main": {InSync: 5, Watermark: 10}}}
	if !accept(&r, entry(t, report), now, channelShape) {
		t.Fatal("the first report is no change")
	}
	report.At, report.ItemsIntake, report.OrdersIntake = now.Add(time.Second), now.Add(time.Second), now.Add(time.Second)
	report.OrdersCursor = "moved"
	report.Progress = map[string]workload.Progress{"main": {InSync: 5, Watermark: 12}}
	if accept(&r, entry(t, report), now.Add(time.Second), channelShape) {
		t.Error("a report without news is a change")
	}
	if !r.at.Equal(now.Add(time.Second)) {
		t.Error("a report without news does not count as a sign of life")
	}
	report.Connected = false
	if !accept(&r, entry(t, report), now.Add(2*time.Second), channelShape) {
		t.Error("a shop that went down is no change")
	}
}

func TestReportAfterSilenceIsAChange(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	var r received[workload.ChannelReport]
	report := workload.ChannelReport{UID: "u", Connected: true}
	accept(&r, entry(t, report), now, channelShape)
	r.reported = true // its silence was told
	if !accept(&r, entry(t, report), now.Add(time.Minute), channelShape) {
		t.Error("the controllers are not told that the connector is back")
	}
}

func TestReportThatCannotBeReadIsIgnored(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	var r received[workload.ChannelReport]
	accept(&r, entry(t, workload.ChannelReport{UID: "u"}), now, channelShape)
	if accept(&r, hub.Entry{Data: []byte("{")}, now.Add(time.Second), channelShape) || r.report.UID != "u" {
		t.Error("a broken report replaced the last good one")
	}
	if !accept(&r, hub.Entry{Deleted: true}, now.Add(2*time.Second), channelShape) || r.known {
		t.Error("a report that was taken back is still known")
	}
}
