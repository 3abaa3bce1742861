package metrics

import "slices"

// Label is a label that metrics bear.
type Label struct {
	Name string
	// Help says what the label holds.
	Help string
	// Values are all values there are; empty where they come from outside and
	// are bounded by the number of resources.
	Values []string
}

// labels are the labels by name. A name may mean two things on two metrics
// (state of an item, state of a channel): then metric tells them apart, and
// stands before the one of every metric.
var labels = []struct {
	metric string // "" = every metric
	Label
}{
	{"", Label{"namespace", "Namespace of the Channel or CatalogSync, not of the pod that exports the series.", nil}},
	{"", Label{"catalogsync", "Name of the CatalogSync.", nil}},
	{"", Label{"channel", "Name of the Channel.", nil}},
	{StockOversold.Name, Label{"cause", "Granted units were shown by Selaras on more than one channel. Shop: a shop sold more than it was to show, where the policy gives it a part of its own. Lost: they were promised before a count or a reading found that they are gone.", []string{"Granted", "Shop", "Lost"}}},
	{"", Label{"cause", "Why an item is pending: a change of it, the first fill of the channel or a full reading (backfill), or changed rules of the CatalogSync.", []string{"change", "backfill", "rules"}}},
	{SyncItems.Name, Label{"state", "State of an item on the channel; an item is in one of the first three, and may be drifted besides.", []string{"in_sync", "pending", "failed", "drifted"}}},
	{ChannelInfo.Name, Label{"state", "spec.state of the Channel.", []string{"Running", "Paused", "Stopped"}}},
	{ChannelInfo.Name, Label{"type", "spec.type of the Channel: the driver.", nil}},
	{Facts.Name, Label{"type", "Type of the fact; unknown is of a newer version, invalid cannot be read. Both are passed over.", []string{"item.observed", "item.removed", "order.changed", "stock.observed", "stock.written", "stock.confirmed", "stock.counted", "unknown", "invalid"}}},
	{"", Label{"kind", "What is looked for on the channel.", []string{"items", "orders"}}},
	{"", Label{"operation", "What the connector asks of the channel.", []string{"account", "read", "changes", "orders", "write", "create", "remove"}}},
	{"", Label{"outcome", "How a call ended: answered; refused for being too many (429), for the credentials (401, 403), for its content (other 4xx); failed (5xx, no connection); unknown when it was sent and no answer came.", []string{"ok", "throttled", "unauthorized", "rejected", "failed", "unknown"}}},
	{"", Label{"durability", "How the hub makes writes durable: always flushes every write to disk before it answers.", []string{"always", "lazy", "unknown"}}},
}

// LabelOf describes a label of a metric; ok is false when it is not described.
func LabelOf(metric, name string) (label Label, ok bool) {
	for _, l := range labels {
		if l.Name == name && (l.metric == "" || l.metric == metric) {
			return l.Label, true
		}
	}
	return Label{Name: name}, false
}

// Allows reports whether the label may hold the value.
func (l Label) Allows(value string) bool {
	return len(l.Values) == 0 || slices.Contains(l.Values, value)
}

// Find returns the definition of a metric by its name.
func Find(name string) (Definition, bool) {
	for _, d := range All() {
		if d.Name == name {
			return d, true
		}
	}
	return Definition{}, false
}
