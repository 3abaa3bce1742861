package catalogsync

import (
	"time"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/workload"
)

// The field groups, as SyncConfig names them.
const (
	groupContent = "content"
	groupPrice   = "price"
	groupStock   = "stock"
)

// writes is the capability that a group needs of the channel it is written on.
var writes = map[string]driver.Capability{
	groupContent: driver.CanWriteContent,
	groupPrice:   driver.CanWritePrice,
	groupStock:   driver.CanWriteStock,
}

// What holds where the spec is silent (documented in the API).
const (
	defaultResync = 6 * time.Hour
	defaultMaxLag = 10 * time.Second
)

func maxLag(sync *selarasv1alpha1.CatalogSync) time.Duration {
	if slo := sync.Spec.SLO; slo != nil && slo.MaxLag != nil {
		return slo.MaxLag.Duration
	}
	return defaultMaxLag
}

// fieldsOf returns the groups that a sync keeps, with their drift policies.
func fieldsOf(sync *selarasv1alpha1.CatalogSync) map[string]workload.FieldConfig {
	fields := map[string]workload.FieldConfig{}
	set := func(group, drift string) {
		if drift == "" {
			drift = string(workload.DriftEnforce)
		}
		fields[group] = workload.FieldConfig{Drift: workload.DriftPolicy(drift)}
	}
	spec := sync.Spec.Fields
	if spec == nil {
		set(groupContent, "")
		set(groupPrice, "")
		set(groupStock, "")
		return fields
	}
	if spec.Content != nil {
		set(groupContent, string(spec.Content.Drift))
	}
	if spec.Price != nil {
		set(groupPrice, string(spec.Price.Drift))
	}
	if spec.Stock != nil {
		set(groupStock, string(spec.Stock.Drift))
	}
	return fields
}

// groupsKept lists the groups of fieldsOf in a fixed order.
func groupsKept(sync *selarasv1alpha1.CatalogSync) []string {
	fields := fieldsOf(sync)
	var groups []string
	for _, group := range []string{groupContent, groupPrice, groupStock} {
		if _, ok := fields[group]; ok {
			groups = append(groups, group)
		}
	}
	return groups
}

// syncConfig is what the workloads run by: a pure function of the sync with
// its references followed and the hold in force.
func syncConfig(r *resolution, hold *workload.Hold) workload.SyncConfig {
	sync := r.sync
	config := workload.SyncConfig{
		Name: sync.Name, Generation: sync.Generation, UID: string(sync.UID),
		Mode: workload.Mode(sync.Spec.Mode), Source: sync.Spec.Source.Channel,
		Fields: fieldsOf(sync), Channels: map[string]workload.SyncChannel{},
		Resync: defaultResync, MaxLag: maxLag(sync), Hold: hold,
		Requested: sync.Annotations[selarasv1alpha1.RequestedAtAnnotation],
	}
	if sync.Spec.Resync != nil {
		config.Resync = sync.Spec.Resync.Duration
	}
	overrides := map[string]selarasv1alpha1.ChannelOverride{}
	for _, override := range sync.Spec.Channels.Overrides {
		overrides[override.Channel] = override
	}
	if sync.Spec.Stock != nil && sync.Spec.Stock.Policy != selarasv1alpha1.StockShared {
		config.Policy = workload.StockPolicy(sync.Spec.Stock.Policy)
	}
	for _, channel := range r.members() {
		entry := workload.SyncChannel{Groups: r.groupsOf(channel)}
		override := overrides[channel.Name]
		if override.Stock != nil {
			entry.Share, entry.Pool = override.Stock.Share, override.Stock.Pool
		}
		if channel.Name != config.Source {
			entry.Price = priceRule(sync.Spec.Price, override.Price)
			entry.SafetyStock, entry.MaxQuantity = stockLimits(sync.Spec.Stock, override.Stock)
		}
		config.Channels[channel.Name] = entry
	}
	return config
}

// priceRule lays a channel's price over that of all channels, field by field.
func priceRule(all, channel *selarasv1alpha1.Price) *workload.PriceRule {
	var rule workload.PriceRule
	for _, price := range []*selarasv1alpha1.Price{all, channel} {
		if price == nil {
			continue
		}
		if price.Rule != "" {
			rule.Rule = price.Rule
		}
		if price.RoundTo != "" {
			rule.RoundTo = string(price.RoundTo)
		}
		if price.Floor != "" {
			rule.Floor = price.Floor
		}
	}
	if rule == (workload.PriceRule{}) {
		return nil
	}
	return &rule
}

func stockLimits(all *selarasv1alpha1.Stock, channel *selarasv1alpha1.ChannelStock) (safetyStock int64, maxQuantity *int64) {
	var limits []*selarasv1alpha1.StockLimits
	if all != nil {
		limits = append(limits, &all.StockLimits)
	}
	if channel != nil {
		limits = append(limits, &channel.StockLimits)
	}
	for _, l := range limits {
		if l.SafetyStock != nil {
			safetyStock = *l.SafetyStock
		}
		if l.MaxQuantity != nil {
			maxQuantity = l.MaxQuantity
		}
	}
	return safetyStock, maxQuantity
}
