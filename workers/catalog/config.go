package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/catalog/allot"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// The groups of SyncConfig.Fields that the fold minds.
const groupStock = string(catalog.GroupStock)

// config is what the hub's CFG says: the syncs by which facts are folded, and
// the reports of the connectors. It is safe for concurrent use.
type config struct {
	log *slog.Logger
	now func() time.Time

	mu       sync.Mutex
	syncs    map[string]syncEntry
	reports  map[string]reportEntry
	topology *catalog.Topology
	// covered is the last fact whose cause, in the configuration, is known to
	// be in topology.
	covered uint64
	changed chan struct{} // closed and replaced when syncs change
}

type syncEntry struct {
	config   workload.SyncConfig
	revision uint64
	problem  string
}

// reportEntry is a connector's newest report.
type reportEntry struct {
	report   workload.ChannelReport
	revision uint64
	// seen is when this process first saw it, by its own clock.
	seen time.Time
}

func newConfig(log *slog.Logger, now func() time.Time) *config {
	return &config{
		log: log, now: now, syncs: map[string]syncEntry{}, reports: map[string]reportEntry{},
		topology: buildTopology(nil), changed: make(chan struct{}),
	}
}

// watch follows CFG until ctx ends. It returns the error that keeps it from
// going on.
func (c *config) watch(ctx context.Context, space *hub.Space) error {
	patterns := []string{workload.ConfigSyncPrefix + "*", workload.ReportChannelPrefix + "*"}
	return space.Watch(ctx, patterns, func(e hub.Entry) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if name, ok := strings.CutPrefix(e.Key, workload.ConfigSyncPrefix); ok {
			c.takeSync(name, e)
		} else if name, ok := strings.CutPrefix(e.Key, workload.ReportChannelPrefix); ok {
			c.takeReport(name, e)
		}
		return nil
	})
}

// load reads every sync now. A fact up to through was stored before: if the
// configuration caused it, the topology knows it afterwards.
func (c *config) load(ctx context.Context, space *hub.Space, through uint64) error {
	entries, err := space.List(ctx, workload.ConfigSyncPrefix+"*")
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		c.takeSync(strings.TrimPrefix(e.Key, workload.ConfigSyncPrefix), e)
	}
	c.covered = max(c.covered, through)
	return nil
}

// takeSync takes in a sync; the lock is held.
func (c *config) takeSync(name string, e hub.Entry) {
	have, known := c.syncs[name]
	if known && e.Revision <= have.revision {
		return
	}
	if e.Deleted {
		if !known {
			return
		}
		delete(c.syncs, name)
	} else {
		entry := syncEntry{config: have.config, revision: e.Revision}
		var fresh workload.SyncConfig
		if err := json.Unmarshal(e.Data, &fresh); err != nil {
			// The last good configuration goes on.
			entry.problem = fmt.Sprintf("the configuration cannot be read: %v", err)
			c.log.Error("configuration of a sync cannot be read", "catalogsync", name, "error", err)
		} else {
			entry.config = fresh
		}
		c.syncs[name] = entry
	}
	c.topology = buildTopology(c.syncs)
	close(c.changed)
	c.changed = make(chan struct{})
}

// takeReport takes in a connector's report; the lock is held.
func (c *config) takeReport(channel string, e hub.Entry) {
	have, known := c.reports[channel]
	if known && e.Revision <= have.revision {
		return
	}
	if e.Deleted {
		delete(c.reports, channel)
		return
	}
	entry := reportEntry{revision: e.Revision, seen: c.now()}
	if err := json.Unmarshal(e.Data, &entry.report); err != nil {
		c.log.Error("report of a connector cannot be read", "channel", channel, "error", err)
		entry.report = have.report
		entry.seen = have.seen
	}
	c.reports[channel] = entry
}

// current returns the topology, which is never changed, and how far it covers.
func (c *config) current() (topology *catalog.Topology, covered uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.topology, c.covered
}

// accounts are those that the channels are of now, as far as they tell, by their
// tokens in the ids of lines.
func (c *config) accounts() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := make(map[string]string, len(c.reports))
	for channel, r := range c.reports {
		now[channel] = catalog.AccountToken(r.report.Shop)
	}
	return now
}

// shared are the sources whose stock is kept, with the parts of their channels
// as if all of it was shown everywhere.
func (c *config) shared() map[string]*allot.Policy {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := slices.Sorted(maps.Keys(c.syncs))
	shared := map[string]*allot.Policy{}
	for _, source := range c.topology.StockSource {
		if shared[source] == nil {
			shared[source] = &allot.Policy{Kind: allot.Shared, Parts: stockParts(c.topology, source, names, c.syncs)}
		}
	}
	return shared
}

// change returns a channel that is closed at the next change of a sync.
func (c *config) change() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// snapshot copies what reports and metrics are made of.
func (c *config) snapshot() (map[string]syncEntry, map[string]reportEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.syncs), maps.Clone(c.reports)
}

// buildTopology says who owns what. Where syncs contradict each other, which
// the operator does not let happen, a source keeps its own ledger and then the
// first name wins, so that every worker decides alike.
func buildTopology(syncs map[string]syncEntry) *catalog.Topology {
	t := &catalog.Topology{
		Sources: map[string]bool{}, StockSource: map[string]string{}, AdoptsStock: map[string]bool{}, Policies: map[string]*allot.Policy{},
	}
	names := slices.Sorted(maps.Keys(syncs))
	for _, name := range names {
		s := syncs[name].config
		if s.Source == "" {
			continue
		}
		t.Sources[s.Source] = true
		if _, ok := s.Fields[groupStock]; ok {
			t.StockSource[s.Source] = s.Source
			t.AdoptsStock[s.Source] = true
		}
	}
	for _, name := range names {
		s := syncs[name].config
		field, ok := s.Fields[groupStock]
		if !ok || s.Source == "" {
			continue
		}
		for _, channel := range slices.Sorted(maps.Keys(s.Channels)) {
			if t.StockSource[channel] != "" || !slices.Contains(s.Channels[channel].Groups, groupStock) {
				continue
			}
			t.StockSource[channel] = s.Source
			t.AdoptsStock[channel] = field.Drift == workload.DriftAdopt
		}
	}
	dividePolicies(t, names, syncs)
	return t
}

// dividePolicies says how the stock of each source is divided: by the first sync
// that does not share it, among the channels of all.
func dividePolicies(t *catalog.Topology, names []string, syncs map[string]syncEntry) {
	for _, name := range names {
		s := syncs[name].config
		if s.Policy == "" || s.Policy == workload.StockShared || t.StockSource[s.Source] == "" || t.Policies[s.Source] != nil {
			continue
		}
		t.Policies[s.Source] = &allot.Policy{Kind: allot.Kind(s.Policy), Parts: stockParts(t, s.Source, names, syncs)}
	}
}

// stockParts are the channels that sell the stock of a source, by all syncs.
func stockParts(t *catalog.Topology, source string, names []string, syncs map[string]syncEntry) []allot.Part {
	var parts []allot.Part
	for _, name := range names {
		s := syncs[name].config
		for channel, part := range s.Channels {
			if s.Source == source && t.StockSource[channel] == source && slices.Contains(part.Groups, groupStock) {
				parts = append(parts, partOf(channel, &part))
			}
		}
	}
	slices.SortStableFunc(parts, func(a, b allot.Part) int { return cmp.Compare(a.Channel, b.Channel) })
	return slices.CompactFunc(parts, func(a, b allot.Part) bool { return a.Channel == b.Channel })
}

// wholeShare is the share of a channel that has none of its own.
const wholeShare = 100

func partOf(channel string, part *workload.SyncChannel) allot.Part {
	p := allot.Part{Channel: channel, Safety: part.SafetyStock, Most: part.MaxQuantity, Share: wholeShare, Pool: part.Pool}
	if part.Share != nil {
		p.Share = *part.Share
	}
	return p
}

// routed says whether the topology has a use for the fact. If not, the fact may
// have been caused by a configuration that is not known yet.
func routed(t *catalog.Topology, fact *catalog.Fact) bool {
	if fact.ItemObserved != nil || fact.ItemRemoved != nil {
		return t.Sources[fact.Channel]
	}
	return t.StockSource[fact.Channel] != ""
}
