package controllers_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// trio is a source and two targets whose connectors report, and the catalog
// worker once a sync has called for it.
type trio struct {
	t         *testing.T
	namespace string
	channels  map[string]*selarasv1alpha1.Channel
	pods      map[string]*pod
}

func newTrio(t *testing.T) *trio {
	t.Helper()
	s := &trio{t: t, namespace: newNamespace(t), channels: map[string]*selarasv1alpha1.Channel{}, pods: map[string]*pod{}}
	for _, name := range []string{"web", "till", "market"} {
		channel := newChannel(s.namespace, name)
		channel.Labels = map[string]string{"country": "id"}
		create(t, channel)
		s.channels[name] = channel
		s.pods[name] = startConnector(t, s.namespace, name)
		s.pods[name].report(healthyReport(channel))
	}
	return s
}

func (s *trio) sync(name string) *selarasv1alpha1.CatalogSync {
	return &selarasv1alpha1.CatalogSync{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec: selarasv1alpha1.CatalogSyncSpec{
			Mode: selarasv1alpha1.ModeEnforce, Source: selarasv1alpha1.CatalogSource{Channel: "web"},
			Channels: selarasv1alpha1.ChannelSelection{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"country": "id"}}},
		},
	}
}

// report says of every connector that it runs by the sync and how far it is.
func (s *trio) report(sync *selarasv1alpha1.CatalogSync, progress map[string]workload.Progress) {
	s.t.Helper()
	for name, channel := range s.channels {
		report := healthyReport(channel)
		report.Syncs = map[string]int64{sync.Name: sync.Generation}
		report.Progress = map[string]workload.Progress{sync.Name: progress[name]}
		s.pods[name].report(report)
	}
}

func (s *trio) reportCatalog(catalog *pod, sync *selarasv1alpha1.CatalogSync) {
	catalog.report(workload.CatalogReport{At: time.Now(), Durability: "always", Syncs: map[string]workload.SyncReport{
		sync.Name: {Generation: sync.Generation, UID: string(sync.UID), Items: 88},
	}})
}

// syncConfig reads what the workloads were handed, nil for nothing.
func (s *trio) syncConfig(name string) (*workload.SyncConfig, error) {
	entry, err := s.pods["web"].space.Get(s.t.Context(), workload.ConfigSyncPrefix+name)
	if errors.Is(err, hub.ErrNotFound) || (err == nil && entry.Deleted) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var config workload.SyncConfig
	return &config, json.Unmarshal(entry.Data, &config)
}

// R51, R5: a CatalogSync hands every workload its part, and its status tells
// how far each channel is.
func TestCatalogSyncIsReadyOnceEveryWorkloadRunsByIt(t *testing.T) {
	t.Parallel()
	s := newTrio(t)
	sync := s.sync("main")
	sync.Spec.Channels.Overrides = []selarasv1alpha1.ChannelOverride{{
		Channel: "market", Price: &selarasv1alpha1.Price{Rule: "item.price * 1.05"},
		Stock: &selarasv1alpha1.ChannelStock{StockLimits: selarasv1alpha1.StockLimits{SafetyStock: ptr(int64(2))}, Share: ptr(int64(40))},
	}}
	sync.Spec.Stock = &selarasv1alpha1.Stock{Policy: selarasv1alpha1.StockPercent}
	create(t, sync)
	catalog := startCatalog(t, s.namespace)
	eventually(t, func() error {
		config, err := s.syncConfig("main")
		if err != nil || config == nil {
			return fmt.Errorf("no configuration yet (error: %v)", said(err))
		}
		market := config.Channels["market"]
		if market.Price == nil || market.Price.Rule != "item.price * 1.05" || market.SafetyStock != 2 || len(config.Channels) != 3 ||
			config.Policy != workload.StockPercent || market.Share == nil || *market.Share != 40 {
			return fmt.Errorf("the workloads were handed %+v", config)
		}
		return nil
	})
	wantSync(t, sync, "Ready", "False/Progressing")
	s.reportCatalog(catalog, sync)
	since := time.Now().Add(-3 * time.Second)
	s.report(sync, map[string]workload.Progress{
		"web": {InSync: 88}, "till": {InSync: 88},
		"market": {InSync: 80, Pending: 7, Failed: 1, OldestPending: map[workload.Cause]time.Time{workload.CauseChange: since},
			Failures: []workload.Failure{{SKU: "L-1", Reason: "Rejected", Message: "no", Since: since}}},
	})
	wantSync(t, sync, "Ready", "True/Succeeded")
	wantSync(t, sync, "InSync", "False/Pending")
	if *sync.Status.Items != 88 || *sync.Status.Pending != 7 || *sync.Status.Failed != 1 || len(sync.Status.Channels) != 3 || len(sync.Status.Failures) != 1 {
		t.Errorf("status is %+v", sync.Status)
	}
	if sync.Status.OldestPendingTime == nil {
		t.Error("oldestPendingTime is missing")
	}
	// Time alone breaks the target of 10 s: no report and no write is needed.
	wantSync(t, sync, "LagWithinTarget", "False/AboveTarget")

	s.report(sync, map[string]workload.Progress{"web": {InSync: 88}, "till": {InSync: 88}, "market": {InSync: 88}})
	wantSync(t, sync, "InSync", "True/InSync")
	wantSync(t, sync, "LagWithinTarget", "True/WithinTarget")
	if sync.Status.OldestPendingTime != nil {
		t.Error("oldestPendingTime is there though nothing is pending")
	}
}

func TestChannelAddedByLabelJoinsAndLeaves(t *testing.T) {
	t.Parallel()
	s := newTrio(t)
	sync := s.sync("main")
	create(t, sync)
	joined := newChannel(s.namespace, "late")
	create(t, joined)
	wantMembers := func(n int) {
		t.Helper()
		eventually(t, func() error {
			config, err := s.syncConfig("main")
			if err != nil || config == nil || len(config.Channels) != n {
				return fmt.Errorf("the workloads were handed %+v (%v), want %d channels", config, said(err), n)
			}
			return nil
		})
	}
	wantMembers(3)
	change(t, joined, func(c *selarasv1alpha1.Channel) { c.Labels = map[string]string{"country": "id"} })
	wantMembers(4)
	if err := kube.Delete(t.Context(), joined); err != nil {
		t.Fatal(err)
	}
	wantMembers(3)
}

func TestSecondSyncOfAFieldGroupStallsUntilTheFirstIsGone(t *testing.T) {
	t.Parallel()
	s := newTrio(t)
	first, second := s.sync("aaa"), s.sync("bbb")
	create(t, first)
	eventually(t, func() error {
		if config, err := s.syncConfig("aaa"); err != nil || config == nil {
			return fmt.Errorf("the first is not handed out yet (error: %v)", said(err))
		}
		return nil
	})
	create(t, second)
	wantSync(t, second, "Stalled", "True/FieldConflict")
	if config, err := s.syncConfig("bbb"); err != nil || config != nil {
		t.Errorf("the workloads were handed the sync that is in conflict: %+v, %v", config, err)
	}
	if err := kube.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	wantSync(t, second, "Stalled", "False/Progressing")
	eventually(t, func() error {
		if config, err := s.syncConfig("bbb"); err != nil || config == nil {
			return fmt.Errorf("the second is not handed out (error: %v)", said(err))
		}
		return nil
	})
}

func TestMissingCapabilityIsNamed(t *testing.T) {
	t.Parallel()
	s := newTrio(t)
	report := healthyReport(s.channels["till"])
	report.Driver.Capabilities = []string{"ReadListings", "GetListings", "WriteContent", "WritePrice", "ReadOrders"}
	s.pods["till"].report(report)
	sync := s.sync("main")
	create(t, sync)
	wantSync(t, sync, "Stalled", "True/CapabilityMissing")
}

func TestSourceThatDoesNotExistYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newTrio(t)
	sync := s.sync("main")
	sync.Spec.Source.Channel = "later"
	create(t, sync)
	wantSync(t, sync, "SourceReady", "False/ChannelNotFound")
	wantSync(t, sync, "Stalled", "False/Progressing")
	create(t, newChannel(s.namespace, "later"))
	wantSync(t, sync, "SourceReady", "Unknown/NoReport")
}

// The worker is shared: it is owned by every sync it serves and by no other.
func TestCatalogWorkerIsOwnedByEverySyncItServes(t *testing.T) {
	t.Parallel()
	s := newTrio(t)
	first, second := s.sync("first"), s.sync("second")
	first.Spec.Fields = &selarasv1alpha1.Fields{Price: &selarasv1alpha1.FieldGroup{}}
	second.Spec.Fields = &selarasv1alpha1.Fields{Content: &selarasv1alpha1.FieldGroup{}}
	create(t, first, second)
	eventually(t, func() error {
		worker := &appsv1.Deployment{}
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "selaras-catalog"}, worker); err != nil {
			return err
		}
		if len(worker.OwnerReferences) != 2 {
			return fmt.Errorf("%d owners", len(worker.OwnerReferences))
		}
		return nil
	})
	if err := kube.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if config, err := s.syncConfig("first"); err != nil || config != nil {
			return fmt.Errorf("the deleted sync is still handed out (error: %v)", said(err))
		}
		return nil
	})
}

// A Channel that is being delisted stays in its sync until it is gone: without
// it the connector would not know what to take out of sale.
func TestADelistedChannelIsServedUntilItIsGone(t *testing.T) {
	t.Parallel()
	s := newTrio(t)
	sync, market := s.sync("main"), s.channels["market"]
	change(t, market, func(c *selarasv1alpha1.Channel) { c.Spec.DeletionPolicy = selarasv1alpha1.DeletionDelist })
	create(t, sync)
	channels := func(want int) {
		t.Helper()
		eventually(t, func() error {
			config, err := s.syncConfig("main")
			if err != nil || config == nil || len(config.Channels) != want {
				return fmt.Errorf("the workloads were handed %+v (error: %v), want %d channels", config, said(err), want)
			}
			return nil
		})
	}
	channels(3)
	eventually(t, func() error {
		if get(t, market, s.namespace, "market"); len(market.Finalizers) == 0 {
			return fmt.Errorf("no finalizer yet")
		}
		return nil
	})
	if err := kube.Delete(t.Context(), market); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if !s.pods["market"].channelConfig("market", 0).Delist {
			return fmt.Errorf("the connector was not asked to delist")
		}
		return nil
	})
	// A change that is handed out after the deletion has the Channel in it.
	change(t, sync, func(c *selarasv1alpha1.CatalogSync) {
		c.Spec.Stock = &selarasv1alpha1.Stock{StockLimits: selarasv1alpha1.StockLimits{SafetyStock: ptr(int64(3))}}
	})
	eventually(t, func() error {
		config, err := s.syncConfig("main")
		if err != nil || config == nil || config.Channels["web"].SafetyStock != 3 && config.Channels["till"].SafetyStock != 3 {
			return fmt.Errorf("the workloads were handed %+v (error: %v), not the change", config, said(err))
		}
		return nil
	})
	channels(3)
	report := healthyReport(market)
	report.Delisted = true
	s.pods["market"].report(report)
	wantGone(t, market)
	channels(2)
}

// An emergency stop reaches the workloads of a CatalogSync that is suspended,
// and so does its end.
func TestHoldReachesASuspendedSync(t *testing.T) {
	t.Parallel()
	trio := newTrio(t)
	sync := trio.sync("main")
	create(t, sync)
	held := func(reason string) {
		t.Helper()
		eventually(t, func() error {
			config, err := trio.syncConfig("main")
			if err != nil {
				return err
			}
			got := ""
			if config != nil && config.Hold != nil {
				got = config.Hold.Reason
			}
			if config == nil || got != reason {
				return fmt.Errorf("the sync is held for %q, want %q: %+v", got, reason, config)
			}
			return nil
		})
	}
	held("")
	change(t, sync, func(s *selarasv1alpha1.CatalogSync) { s.Spec.Suspend = true })
	wantSync(t, sync, "Reconciling", "False/Suspended")
	change(t, sync, func(s *selarasv1alpha1.CatalogSync) {
		s.Annotations = map[string]string{selarasv1alpha1.HoldAnnotation: "forever|wrong prices"}
	})
	held("wrong prices")
	change(t, sync, func(s *selarasv1alpha1.CatalogSync) { s.Annotations = nil })
	held("")
}
