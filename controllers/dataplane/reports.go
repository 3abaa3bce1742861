package dataplane

import (
	"encoding/json"
	"strings"
	"time"

	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// received is a report and when it last changed, on our own monotonic clock.
type received[T any] struct {
	report   T
	known    bool
	at       time.Time
	shape    string // the report without what changes while idle
	reported bool   // silence was told to the controllers
}

// receive takes one report in and tells the controllers when it matters.
func (p *Plane) receive(n *namespace, e hub.Entry) {
	now := time.Now()
	if e.Key == workload.ReportCatalog {
		n.mu.Lock()
		changed := accept(&n.catalog, e, now, catalogShape)
		n.mu.Unlock()
		if changed {
			p.syncs.notify(n.name, "")
		}
		return
	}
	channel := strings.TrimPrefix(e.Key, workload.ReportChannelPrefix)
	n.mu.Lock()
	r := n.channels[channel]
	changed := accept(&r, e, now, channelShape)
	if r.known {
		n.channels[channel] = r
	} else {
		delete(n.channels, channel)
	}
	n.mu.Unlock()
	if changed {
		p.channels.notify(n.name, channel)
		p.syncs.notify(n.name, "")
	}
}

// accept stores a report and says whether anything but its time changed.
func accept[T any](r *received[T], e hub.Entry, now time.Time, shape func(T) string) bool {
	if e.Deleted {
		was := r.known
		*r = received[T]{}
		return was
	}
	var report T
	if err := json.Unmarshal(e.Data, &report); err != nil {
		return false // a report of a version we cannot read is no report
	}
	next := received[T]{report: report, known: true, at: now, shape: shape(report)}
	changed := !r.known || r.reported || r.shape != next.shape
	*r = next
	return changed
}

// tellSilent notifies once for every workload that has just fallen silent.
func (p *Plane) tellSilent(now time.Time) {
	for _, n := range p.all() {
		var silent []string
		catalog := false
		n.mu.Lock()
		for channel, r := range n.channels {
			if !r.reported && now.Sub(r.at) > workload.NoReportAfter {
				r.reported = true
				n.channels[channel] = r
				silent = append(silent, channel)
			}
		}
		if r := &n.catalog; r.known && !r.reported && now.Sub(r.at) > workload.NoReportAfter {
			r.reported, catalog = true, true
		}
		n.mu.Unlock()
		for _, channel := range silent {
			p.channels.notify(n.name, channel)
		}
		if catalog || len(silent) > 0 {
			p.syncs.notify(n.name, "")
		}
	}
}

// ChannelReport returns the newest report of a connector; false when there is
// none, or none for workload.NoReportAfter.
func (p *Plane) ChannelReport(namespace, channel string) (workload.ChannelReport, bool) {
	n := p.known(namespace)
	if n == nil {
		return workload.ChannelReport{}, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.channels[channel]
	return r.report, r.known && time.Since(r.at) <= workload.NoReportAfter
}

// CatalogReport returns the newest report of a namespace's catalog worker, as
// ChannelReport does.
func (p *Plane) CatalogReport(namespace string) (workload.CatalogReport, bool) {
	n := p.known(namespace)
	if n == nil {
		return workload.CatalogReport{}, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.catalog.report, n.catalog.known && time.Since(n.catalog.at) <= workload.NoReportAfter
}
