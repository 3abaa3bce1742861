package catalog

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// divided writes the configuration of a sync whose stock is divided.
func (n *namespace) divided(t *testing.T, policy workload.StockPolicy, channels map[string]workload.SyncChannel) {
	t.Helper()
	s := workload.SyncConfig{
		Name: "main", Generation: 4, UID: "uid", Mode: workload.Enforce, Source: "shop", MaxLag: 10 * time.Second, Policy: policy,
		Fields: map[string]workload.FieldConfig{"content": {}, "price": {}, "stock": {Drift: workload.DriftEnforce}}, Channels: map[string]workload.SyncChannel{},
	}
	for name, channel := range channels {
		channel.Groups = []string{"stock"}
		s.Channels[name] = channel
	}
	n.put(t, workload.ConfigSyncPrefix+"main", s)
}

// asked waits until channels are asked to show quantities of a SKU; none means
// that they work it out themselves.
func (n *namespace) asked(t *testing.T, sku string, want map[string]int64) {
	t.Helper()
	subject, err := hub.ItemSubject("shop", sku)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, n.ctx, func() string {
		// A record that is rewritten while all are read may be missing.
		var item catalog.Item
		if data := n.records(t)[subject.String()]; json.Unmarshal([]byte(data), &item) != nil {
			return fmt.Sprintf("there is no item %s: %q", sku, data)
		}
		got := map[string]int64{}
		if item.Allotted != nil {
			for _, part := range item.Allotted.Parts {
				got[part.Channel] = part.Show
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Sprintf("%s: asked for %v, want %v", sku, got, want)
		}
		return ""
	})
}

func units(n int64) *int64 { return &n }

func TestAChangeOfThePolicyReachesEveryItem(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	w := n.start(t, t.TempDir(), nil)
	defer func() { w.stop() }()
	var facts []catalog.Fact
	const items = 400 // more than one step plans
	for i := range items {
		sku := fmt.Sprintf("S%d", i)
		facts = append(facts, itemSeen(sku, "Red"), stockSeen("shop", sku, 10))
	}
	n.folded(t, n.append(t, facts...))
	n.asked(t, "S0", map[string]int64{})

	n.divided(t, workload.StockPercent, map[string]workload.SyncChannel{"shop": {}, "market": {Share: units(35), SafetyStock: 1}})
	for _, sku := range []string{"S0", "S199", "S399"} {
		n.asked(t, sku, map[string]int64{"shop": 10, "market": 3})
	}
	n.folded(t, n.append(t, order("market", "m", "S7", 1, 4, 0)))
	n.asked(t, "S7", map[string]int64{"shop": 6, "market": 1})

	// What changes while nobody folds is found at the next start.
	w.stop()
	n.divided(t, workload.StockDedicated, map[string]workload.SyncChannel{"shop": {}, "market": {Pool: units(2)}})
	w = n.start(t, t.TempDir(), nil)
	for _, sku := range []string{"S0", "S399"} {
		n.asked(t, sku, map[string]int64{"shop": 8, "market": 2})
	}
	n.asked(t, "S7", map[string]int64{"shop": 4, "market": 2})

	n.sync(t, "market")
	for _, sku := range []string{"S0", "S7", "S399"} {
		n.asked(t, sku, map[string]int64{})
	}
	wait(t, n.ctx, func() string {
		for subject, record := range n.records(t) {
			if bookOf(record) {
				return fmt.Sprintf("%s still divides the stock: %s", subject, record)
			}
		}
		return ""
	})
}

func TestTheFirstSyncThatDividesAStockSaysHow(t *testing.T) {
	t.Parallel()
	sync := func(policy workload.StockPolicy, channels map[string]workload.SyncChannel) syncEntry {
		for name, c := range channels {
			c.Groups = []string{groupStock}
			channels[name] = c
		}
		return syncEntry{config: workload.SyncConfig{Source: "shop", Policy: policy, Channels: channels, Fields: map[string]workload.FieldConfig{groupStock: {}}}}
	}
	topology := buildTopology(map[string]syncEntry{
		"a": sync("", map[string]workload.SyncChannel{"shop": {}, "outlet": {SafetyStock: 2}}),
		"b": sync(workload.StockPercent, map[string]workload.SyncChannel{"market": {Share: units(40)}, "shop": {Share: units(1)}}),
		"c": sync(workload.StockDedicated, map[string]workload.SyncChannel{"mobile": {Pool: units(5)}}),
	})
	policy := topology.Policies["shop"]
	if policy == nil || policy.Kind != "Percent" {
		t.Fatalf("the policy is %+v", policy)
	}
	got := ""
	for _, p := range policy.Parts {
		got += fmt.Sprintf("%s %d%% ", p.Channel, p.Share)
	}
	if want := "market 40% mobile 100% outlet 100% shop 100% "; got != want {
		t.Errorf("the parts are %s, want %s", got, want)
	}
	if topology = buildTopology(map[string]syncEntry{"a": sync(workload.StockShared, map[string]workload.SyncChannel{"shop": {}})}); len(topology.Policies) != 0 {
		t.Errorf("a shared stock is divided by %+v", topology.Policies)
	}
}

func TestUnitsThatAreNotThereAreCounted(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.sync(t, "market")
	registry := prometheus.NewRegistry()
	w := n.start(t, t.TempDir(), func(w *Worker) {
		if err := registry.Register(&collector{w}); err != nil {
			t.Fatal(err)
		}
	})
	defer w.stop()
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 3), order("market", "m", "A", 1, 5, 0)))
	const sold = "selaras_stock_oversold_units_total{cause=Granted,channel=market}"
	wait(t, n.ctx, func() string {
		if got := series(t, registry); got[sold] != 2 {
			return fmt.Sprintf("%s is %v, want 2", sold, got[sold])
		}
		return ""
	})
}

// bookOf says whether a record, as records tells it, divides a stock.
func bookOf(record string) bool { return strings.Contains(record, string(bookMark)) }

func TestWhatIsShownBeyondWhatThereIsIsCounted(t *testing.T) {
	t.Parallel()
	n := startHub(t).namespace(t, testContext(t), 0)
	n.divided(t, "", map[string]workload.SyncChannel{"shop": {}, "market": {SafetyStock: 2}, "mobile": {MaxQuantity: units(4)}})
	registry := prometheus.NewRegistry()
	w := n.start(t, t.TempDir(), func(w *Worker) {
		w.exposureEvery = 10 * time.Millisecond
		if err := registry.Register(&collector{w}); err != nil {
			t.Fatal(err)
		}
	})
	defer w.stop()
	exposed := func(want float64) {
		t.Helper()
		wait(t, n.ctx, func() string {
			const name = "selaras_stock_exposure_units{channel=shop}"
			if got, ok := series(t, registry)[name]; !ok || got != want {
				return fmt.Sprintf("%s is %v (%v), want %v", name, got, ok, want)
			}
			return ""
		})
	}
	exposed(0)
	n.folded(t, n.append(t, itemSeen("A", "Red"), stockSeen("shop", "A", 10), itemSeen("B", "Red"), stockSeen("shop", "B", 1)))
	exposed(13) // 10 and 8 and 4 of 10, 1 and 0 and 1 of 1
	n.folded(t, n.append(t, order("market", "m", "A", 1, 7, 0)))
	exposed(5) // 3 and 1 and 3 of 3
	n.divided(t, workload.StockPercent, map[string]workload.SyncChannel{"shop": {Share: units(40)}, "market": {Share: units(30)}, "mobile": {Share: units(30)}})
	exposed(0)
}
