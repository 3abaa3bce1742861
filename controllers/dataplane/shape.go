package dataplane

import (
	"encoding/json"
	"time"

	"selaras.dev/selaras/internal/workload"
)

// channelShape is a report without what moves while nothing happens, so that
// an idle connector that polls its shop every second wakes no controller (I7).
func channelShape(r workload.ChannelReport) string {
	r.At, r.ItemsIntake, r.OrdersIntake, r.OrdersCursor = time.Time{}, time.Time{}, time.Time{}, ""
	progress := make(map[string]workload.Progress, len(r.Progress))
	for name, p := range r.Progress {
		p.Watermark, p.Epoch = 0, 0
		progress[name] = p
	}
	r.Progress = progress
	return encoded(r)
}

// catalogShape is the same for the catalog worker.
func catalogShape(r workload.CatalogReport) string {
	r.At, r.FactSeq, r.Backlog, r.HubBytes = time.Time{}, 0, 0, 0
	syncs := make(map[string]workload.SyncReport, len(r.Syncs))
	for name, s := range r.Syncs {
		syncs[name] = s
	}
	r.Syncs = syncs
	return encoded(r)
}

// encoded never fails: reports are plain values; maps are encoded in order.
func encoded(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
