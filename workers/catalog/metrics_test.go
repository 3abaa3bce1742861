package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// series returns the worker's series as "name{labels}" to value.
func series(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if l.GetName() != "namespace" {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
			}
			value := m.GetGauge().GetValue()
			if m.GetCounter() != nil {
				value = m.GetCounter().GetValue()
			}
			all[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return all
}

func TestTheLagOfAChannelRisesWhileItsConnectorIsDead(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	registry := prometheus.NewRegistry()
	var ahead atomic.Int64 // of the worker's clock
	w := n.start(t, t.TempDir(), func(w *Worker) {
		w.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		if err := registry.Register(&collector{w}); err != nil {
			t.Fatal(err)
		}
	})
	defer w.stop()
	cursor := n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10)))
	progress := workload.Progress{InSync: 1, Watermark: cursor.Seq, Epoch: cursor.StateEpoch}
	report := workload.ChannelReport{Generation: 1, At: time.Now(), Progress: map[string]workload.Progress{"main": progress}}
	n.put(t, workload.ReportChannelPrefix+"market", report)
	const (
		lag    = "selaras_sync_lag_seconds{catalogsync=main,cause=change,channel=market}"
		oldest = "selaras_sync_oldest_pending_timestamp_seconds{catalogsync=main,cause=change,channel=market}"
		inSync = "selaras_sync_items{catalogsync=main,channel=market,state=in_sync}"
	)
	wait(t, n.ctx, func() string {
		if got := series(t, registry); got[inSync] != 1 {
			return fmt.Sprintf("the report is not seen: %v", got)
		}
		return ""
	})
	ahead.Store(int64(time.Hour))
	got := series(t, registry)
	if _, pending := got[oldest]; got[lag] != 0 || pending {
		t.Errorf("a dead connector with nothing to do has a lag of %v, oldest %v", got[lag], got[oldest])
	}
	if target := got["selaras_sync_lag_target_seconds{catalogsync=main,channel=market}"]; target != 10 {
		t.Errorf("the target is %v", target)
	}
	ahead.Store(0)
	// The connector dies; an item changes.
	before := time.Now().Add(-time.Second)
	n.folded(t, n.append(t, itemSeen("A", "Blue")))
	ahead.Store(int64(time.Hour))
	wait(t, n.ctx, func() string {
		got := series(t, registry)
		if got[lag] < 3600 || got[lag] > 3600+time.Since(before).Seconds()+1 || got[oldest] < float64(before.Unix()) {
			return fmt.Sprintf("the lag is %v since %v", got[lag], got[oldest])
		}
		return ""
	})
	r := w.buildReport()
	if c := r.Syncs["main"].Channels["market"]; !c.Silent || c.OldestPending.IsZero() {
		t.Errorf("the report says %+v", c)
	}
	// Its return ends it.
	cursor, err := n.space.ReadCursor(n.ctx)
	if err != nil {
		t.Fatal(err)
	}
	progress.Watermark = cursor.Seq
	report.Progress["main"] = progress
	n.put(t, workload.ReportChannelPrefix+"market", report)
	wait(t, n.ctx, func() string {
		if got := series(t, registry); got[lag] != 0 {
			return fmt.Sprintf("the lag is still %v", got[lag])
		}
		return ""
	})
}

func TestALiveConnectorSpeaksForItself(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := &Worker{started: now.Add(-time.Hour)}
	s := &workload.SyncConfig{Source: "shop"}
	since := now.Add(-7 * time.Second)
	reports := map[string]reportEntry{"market": {seen: now.Add(-time.Second), report: workload.ChannelReport{
		Progress: map[string]workload.Progress{"main": {OldestPending: map[workload.Cause]time.Time{workload.CauseRules: since}}},
	}}}
	got := w.lag(s, "main", "market", reports, now)
	if got.silent || len(got.pending) != 1 || !got.pending[workload.CauseRules].Equal(since) || !got.oldest().Equal(since) {
		t.Errorf("got %+v", got)
	}
	if got := w.lag(s, "main", "mobile", reports, now); !got.silent || len(got.pending) != 0 {
		t.Errorf("a connector that never reported, before any item: %+v", got)
	}
}

func TestSeriesOfADeletedSyncDisappear(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 64<<20)
	n.sync(t, "market")
	registry := prometheus.NewRegistry()
	w := n.start(t, t.TempDir(), func(w *Worker) {
		if err := registry.Register(&collector{w}); err != nil {
			t.Fatal(err)
		}
	})
	defer w.stop()
	n.folded(t, n.append(t, itemSeen("A", "Red")))
	has := func(part string) bool {
		for name := range series(t, registry) {
			if strings.Contains(name, part) {
				return true
			}
		}
		return false
	}
	wait(t, n.ctx, func() string {
		got := series(t, registry)
		switch {
		case !has("catalogsync=main"):
			return "the sync has no series"
		case got["selaras_facts_total{type=item.observed}"] != 1:
			return fmt.Sprintf("%v facts are counted", got["selaras_facts_total{type=item.observed}"])
		case got["selaras_hub_storage_limit_bytes{}"] != 64<<20/5*4/4*5:
			return fmt.Sprintf("the limit is %v", got["selaras_hub_storage_limit_bytes{}"])
		case got["selaras_hub_storage_bytes{}"] <= 0:
			return "the hub is empty"
		case got["selaras_hub_durability{durability=unknown}"]+got["selaras_hub_durability{durability=always}"]+got["selaras_hub_durability{durability=lazy}"] != 1:
			return "the durability is not one"
		}
		return ""
	})
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	if err := n.space.Delete(n.ctx, workload.ConfigSyncPrefix+"main"); err != nil {
		t.Fatal(err)
	}
	wait(t, n.ctx, func() string {
		if has("catalogsync=main") {
			return "series of the deleted sync are still there"
		}
		return ""
	})
}

func TestTheReportEchoesTheConfigurationAndCountsItems(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	w := n.start(t, t.TempDir(), nil)
	defer w.stop()
	n.sync(t, "market")
	last := n.append(t, itemSeen("A", "Red"), itemSeen("B", "Red"))
	n.folded(t, last)
	wait(t, n.ctx, func() string {
		entry, err := n.space.Get(n.ctx, workload.ReportCatalog)
		if err != nil {
			return err.Error()
		}
		var r workload.CatalogReport
		if err := json.Unmarshal(entry.Data, &r); err != nil {
			return err.Error()
		}
		if s := r.Syncs["main"]; s.Generation != 3 || s.UID != "uid" || s.Items != 2 || r.FactSeq != last {
			return string(entry.Data)
		}
		return ""
	})
	// A configuration that cannot be read is said, and the last one goes on.
	if _, err := n.space.Put(n.ctx, workload.ConfigSyncPrefix+"main", []byte(`{"generation":"four"}`)); err != nil {
		t.Fatal(err)
	}
	wait(t, n.ctx, func() string {
		if s := w.buildReport().Syncs["main"]; s.Problem != "InvalidConfiguration" || s.Generation != 3 {
			return fmt.Sprintf("the report says %+v", s)
		}
		return ""
	})
	n.folded(t, n.append(t, itemSeen("C", "Red")))
	n.item(t, "C")
}

func TestHealthAndMetricsAreServed(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	var config net.ListenConfig
	listener, err := config.Listen(n.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := n.start(t, t.TempDir(), func(w *Worker) {
		w.o.Health, w.o.Registry = listener, prometheus.NewRegistry()
	})
	defer w.stop()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) int {
		ctx, cancel := context.WithTimeout(n.ctx, 5*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listener.Addr().String()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			return 0
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
		return response.StatusCode
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		wait(t, n.ctx, func() string {
			if status := get(path); status != http.StatusOK {
				return fmt.Sprintf("%s answers %d", path, status)
			}
			return ""
		})
	}
	if status := get("/secrets"); status != http.StatusNotFound {
		t.Errorf("an unknown path answers %d", status)
	}
}

func TestATopologySaysWhoOwnsWhat(t *testing.T) {
	t.Parallel()
	stock := map[string]workload.FieldConfig{"stock": {Drift: workload.DriftAdopt}}
	both := workload.SyncChannel{Groups: []string{"content", "stock"}}
	c := newConfig(testLog(), time.Now)
	for name, s := range map[string]workload.SyncConfig{
		"b": {Source: "shop", Fields: stock, Channels: map[string]workload.SyncChannel{"market": both, "outlet": both, "blog": {Groups: []string{"content"}}}},
		"a": {Source: "outlet", Fields: map[string]workload.FieldConfig{"stock": {}}, Channels: map[string]workload.SyncChannel{"mobile": both}},
		"c": {Source: "mobile", Fields: map[string]workload.FieldConfig{"content": {}}, Channels: map[string]workload.SyncChannel{"market": both}},
	} {
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		c.takeSync(name, hub.Entry{Data: data, Revision: 1})
	}
	topology, _ := c.current()
	want := "map[mobile:true outlet:true shop:true] map[market:shop mobile:outlet outlet:outlet shop:shop] map[market:true mobile:false outlet:true shop:true]"
	if got := fmt.Sprint(topology.Sources, topology.StockSource, topology.AdoptsStock); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
