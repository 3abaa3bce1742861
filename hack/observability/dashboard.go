package main

import (
	"selaras.dev/selaras/internal/metrics"
)

// The selections at the top of the dashboard, as matchers.
const (
	inNamespace = `namespace=~"$namespace"`
	onChannel   = inNamespace + `, channel=~"$channel"`
	inSync      = onChannel + `, catalogsync=~"$catalogsync"`
)

// The labels that name a channel, and a channel in a sync. Worker and operator
// export the same lag, so that everything is taken once by them.
const (
	byChannel = `by (namespace, channel)`
	bySync    = `by (namespace, catalogsync, channel)`

	channelName = "{{namespace}}/{{channel}}"
	syncName    = "{{namespace}}/{{catalogsync}} → {{channel}}"
)

func dashboard() ([]byte, error) {
	b := board{
		UID: "selaras", Title: "Selaras", SchemaVersion: 39, Editable: true, GraphTooltip: 1, Refresh: "30s",
		Description: "One catalog on many channels: is it the same everywhere, and how late is it?",
		Tags:        []string{"selaras"}, Timezone: "browser",
		Time: timeRange{From: "now-6h", To: "now"},
		Templating: templating{List: []variable{
			{
				Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus", Refresh: 1,
				Current: map[string]any{},
			},
			selection("namespace", "Namespace", "label_values("+metrics.ChannelInfo.Name+", namespace)"),
			selection("catalogsync", "CatalogSync", "label_values("+metrics.SyncLagTarget.Name+"{"+inNamespace+"}, catalogsync)"),
			selection("channel", "Channel", "label_values("+metrics.ChannelInfo.Name+"{"+inNamespace+"}, channel)"),
		}},
		Links: []link{{Title: "Runbooks", Type: "link", URL: "https://selaras.dev/docs/alerts/README.md", TargetBlank: true}},
		Panels: layout([]row{
			{"Channels at a glance", glance()},
			{"Lag against target", lag()},
			{"Throughput", throughput()},
			{"Failures", failures()},
			{"API budget", budget()},
		}),
	}
	b.Annotations.List = []annotation{{
		Name: "Alerts", Datasource: prometheusSource, Enable: true, IconColor: "red",
		Expr:        `ALERTS{alertname=~"Selaras.*", alertstate="firing", namespace=~"$namespace|"}`,
		TitleFormat: "{{alertname}}", TextFormat: "{{namespace}} {{catalogsync}} {{channel}}",
	}}
	return marshal(b)
}

// selection is a variable whose values Prometheus lists.
func selection(name, label, query string) variable {
	return variable{
		Name: name, Label: label, Type: "query", Datasource: prometheusSource, Definition: query,
		Query: map[string]any{"query": query, "refId": name, "qryType": 1}, Refresh: 2, Sort: 1,
		IncludeAll: true, AllValue: ".*", Multi: true,
		Current: map[string]any{"text": []string{"All"}, "value": []string{"$__all"}},
	}
}

// once takes a series of worker and operator once.
func once(aggregation, labels, series string) string {
	return aggregation + " " + labels + " (" + series + ")"
}

// items counts items in a state, by channel in a sync.
func items(state string) string {
	return once("max", bySync, `selaras_sync_items{state="`+state+`", `+inSync+`}`)
}

func glance() []*panel {
	red := levels("green", 1, "red")
	orange := levels("green", 1, "orange")
	return []*panel{
		stat("Channels that should run", now("", `count(max `+byChannel+` (selaras_channel_info{state="Running", `+onChannel+`}))`), empty("0"), levels("text")),
		stat("Not answering", now("", `count(max `+byChannel+` (selaras_channel_up{`+onChannel+`}) == 0) or vector(0)`), red),
		stat("Without connector", now("", `count(max `+byChannel+` (selaras_channel_info{state!="Stopped", `+onChannel+`}) unless on (namespace, channel) max `+byChannel+` (selaras_channel_up)) or vector(0)`), red),
		stat("Later than promised", says("Channels on which a change waits longer than spec.slo.maxLag now."),
			query("", `sum(selaras:sync_lag_above_target:bool{`+inSync+`})`), empty("0"), red),
		stat("Pending items", query("", `sum(`+items("pending")+`)`), levels("text")),
		stat("Failing items", query("", `sum(`+items("failed")+`)`), orange),
		table("Channels",
			map[string]string{
				"namespace": "Namespace", "channel": "Channel", "type": "Type", "state": "State", "Value #B": "Answers", "Value #C": "Lag",
				"Value #D": "In sync", "Value #E": "Pending", "Value #F": "Failing", "Value #G": "Drifted", "Value #H": "Last look",
			},
			map[string]int{
				"namespace": 0, "channel": 1, "type": 2, "state": 3, "Value #B": 4, "Value #C": 5,
				"Value #D": 6, "Value #E": 7, "Value #F": 8, "Value #G": 9, "Value #H": 10,
			},
			[]string{"Time", "Value #A"},
			width(24), height(9),
			says("Lag: age of the oldest change that waits. Last look: age of the last successful look at what changed."),
			column(`max by (namespace, channel, type, state) (selaras_channel_info{`+onChannel+`})`),
			column(`max `+byChannel+` (selaras_channel_up{`+onChannel+`})`),
			column(`max `+byChannel+` (selaras_sync_lag_seconds{cause="change", `+inSync+`})`),
			column(`sum `+byChannel+` (`+items("in_sync")+`)`),
			column(`sum `+byChannel+` (`+items("pending")+`)`),
			column(`sum `+byChannel+` (`+items("failed")+`)`),
			column(`sum `+byChannel+` (`+items("drifted")+`)`),
			column(`time() - max `+byChannel+` (selaras_channel_intake_timestamp_seconds{kind="items", `+onChannel+`})`),
			field("Answers", property{"mappings", []mapping{{Type: "value", Options: map[string]mappingResult{
				"0": {Text: "no", Color: "red"}, "1": {Text: "yes", Color: "green", Index: 1},
			}}}}, property{"custom.cellOptions", map[string]any{"type": "color-text"}}),
			field("Lag", property{"unit", "s"}),
			field("Last look", property{"unit", "s"}),
			field("Failing", property{"custom.cellOptions", map[string]any{"type": "color-text"}},
				property{"thresholds", thresholds{Mode: "absolute", Steps: []thresholdStep{{Color: "green"}, {Color: "orange", Value: pointer(1)}}}}),
		),
		stateTimeline("Answers", width(24), height(6),
			query(channelName, `max `+byChannel+` (selaras_channel_up{`+onChannel+`})`),
			values(map[int]mappingResult{0: {Text: "does not answer", Color: "red"}, 1: {Text: "answers", Color: "green"}})),
	}
}

func lag() []*panel {
	return []*panel{
		timeseries("Lag of changes", width(16), height(9), unit("s"), fromZero(), dashed("/^target/"),
			says("Age of the oldest change that a channel does not show yet, and what was promised."),
			query(syncName, `max `+bySync+` (selaras_sync_lag_seconds{cause="change", `+inSync+`})`),
			query("target {{namespace}}/{{catalogsync}}", `max by (namespace, catalogsync) (selaras_sync_lag_target_seconds{`+inSync+`})`)),
		timeseries("Lag as a share of the target", height(9), unit("percentunit"), fromZero(), levels("transparent", 1, "red"),
			query(syncName, `max `+bySync+` (selaras_sync_lag_seconds{cause="change", `+inSync+`}) / on (namespace, catalogsync, channel) max `+bySync+` (selaras_sync_lag_target_seconds{`+inSync+`})`)),
		timeseries("Time out of target, last hour", unit("percentunit"), fromZero(), levels("transparent", 0.144, "red"),
			says("Above the line the month's budget of 1 % burns 14.4 times too fast: SelarasSyncLagAboveTarget, fast burn."),
			query(syncName, `selaras:sync_lag_above_target:ratio1h{`+inSync+`}`)),
		timeseries("Time out of target, last day", unit("percentunit"), fromZero(), levels("transparent", 0.03, "orange"),
			says("Above the line the month's budget of 1 % burns 3 times too fast: SelarasSyncLagAboveTarget, slow burn."),
			query(syncName, `selaras:sync_lag_above_target:ratio1d{`+inSync+`}`)),
		timeseries("Lag of first fills and new rules", unit("s"), fromZero(),
			says("They take as long as they take, and are in no alert."),
			query("{{cause}} "+syncName, `max by (cause, namespace, catalogsync, channel) (selaras_sync_lag_seconds{cause=~"backfill|rules", `+inSync+`})`)),
		timeseries("From the hub to the channel", unit("s"), fromZero(),
			says("Time from the commit of a change in the hub to its confirmation by read-back."),
			query("p50 "+channelName, quantile("0.5", "selaras_sync_propagation_seconds", "namespace, channel", inSync)),
			query("p99 "+channelName, quantile("0.99", "selaras_sync_propagation_seconds", "namespace, channel", inSync))),
		timeseries("From channel to channel", unit("s"), fromZero(),
			says("Time from the source's own time of a change to its confirmation on the channel."),
			query("p50 "+channelName, quantile("0.5", "selaras_sync_end_to_end_seconds", "namespace, channel", inSync)),
			query("p99 "+channelName, quantile("0.99", "selaras_sync_end_to_end_seconds", "namespace, channel", inSync))),
		heatmap("From the hub to the channel, all",
			query("{{le}}", `sum by (le) (rate(selaras_sync_propagation_seconds_bucket{`+inSync+`}[$__rate_interval]))`)),
	}
}

// quantile of a histogram over the window of a graph.
func quantile(q, histogram, by, matchers string) string {
	return `histogram_quantile(` + q + `, sum by (le, ` + by + `) (rate(` + histogram + `_bucket{` + matchers + `}[$__rate_interval])))`
}

func throughput() []*panel {
	return []*panel{
		timeseries("Facts folded", unit("ops"), fromZero(),
			query("{{namespace}} {{type}}", `sum by (namespace, type) (rate(selaras_facts_total{`+inNamespace+`}[$__rate_interval]))`)),
		timeseries("Facts that wait", fromZero(), says("Changes and orders in the hub that the catalog worker has not taken in. They are in nobody's lag yet."),
			query("{{namespace}}", `max by (namespace) (selaras_facts_backlog{`+inNamespace+`})`)),
		timeseries("Changes confirmed on channels", unit("ops"), fromZero(),
			query(channelName, `sum `+byChannel+` (rate(selaras_sync_propagation_seconds_count{`+inSync+`}[$__rate_interval]))`)),
		timeseries("Pending items", fromZero(), query(syncName, items("pending"))),
		timeseries("Items in sync", fromZero(), query(syncName, items("in_sync"))),
		timeseries("Storage on the hub", unit("percentunit"), fromZero(), ceiling(1), levels("transparent", 0.7, "orange", 0.85, "red"),
			query("{{namespace}}", `max by (namespace) (selaras_hub_storage_bytes{`+inNamespace+`}) / on (namespace) max by (namespace) (selaras_hub_storage_limit_bytes{`+inNamespace+`})`)),
	}
}

func failures() []*panel {
	return []*panel{
		timeseries("Items that channels do not take", fromZero(), query(syncName, items("failed"))),
		timeseries("Since when", unit("s"), fromZero(), says("Age of the oldest refusal."),
			query(syncName, `time() - min `+bySync+` (selaras_sync_oldest_failed_timestamp_seconds{`+inSync+`})`)),
		timeseries("Items that somebody else changed", fromZero(), query(syncName, items("drifted"))),
		timeseries("Calls that did not succeed", unit("reqps"), fromZero(),
			query("{{outcome}} {{operation}} "+channelName, `sum by (outcome, operation, namespace, channel) (rate(selaras_channel_api_requests_total{outcome!="ok", `+onChannel+`}[$__rate_interval])) > 0`)),
		timeseries("Age of the last successful look", unit("s"), fromZero(), says("How long ago the connector last learned what changed. A source that is not looked at looks in sync."),
			query("{{kind}} "+channelName, `time() - max by (kind, namespace, channel) (selaras_channel_intake_timestamp_seconds{`+onChannel+`})`)),
		timeseries("Reconciles of the operator that failed", unit("ops"), fromZero(),
			query("{{controller}}", `sum by (controller) (rate(controller_runtime_reconcile_total{controller=~"channel|catalogsync", result="error"}[$__rate_interval]))`)),
	}
}

func budget() []*panel {
	return []*panel{
		timeseries("Calls", unit("reqps"), fromZero(),
			query("{{operation}} "+channelName, `sum by (operation, namespace, channel) (rate(selaras_channel_api_requests_total{`+onChannel+`}[$__rate_interval]))`)),
		timeseries("Wait for the rate budget", unit("s"), fromZero(), says("Time that calls waited for their turn: what a larger budget would save."),
			query("p99 "+channelName, quantile("0.99", "selaras_channel_rate_limit_wait_seconds", "namespace, channel", onChannel))),
		timeseries("Share of calls throttled by the channel", unit("percentunit"), fromZero(), levels("transparent", 0.1, "orange"),
			query(channelName, `sum `+byChannel+` (rate(selaras_channel_api_requests_total{outcome="throttled", `+onChannel+`}[$__rate_interval])) / on (namespace, channel) sum `+byChannel+` (rate(selaras_channel_api_requests_total{`+onChannel+`}[$__rate_interval]))`)),
		timeseries("Calls waiting on average", fromZero(), says("Seconds of waiting a second: above the number of calls that a channel allows at once, the budget is what limits."),
			query(channelName, `sum `+byChannel+` (rate(selaras_channel_rate_limit_wait_seconds_sum{`+onChannel+`}[$__rate_interval]))`)),
		timeseries("Duration of calls", unit("s"), fromZero(),
			query("p99 {{operation}} "+channelName, quantile("0.99", "selaras_channel_api_request_duration_seconds", "operation, namespace, channel", onChannel))),
		timeseries("Confirmed changes a call", fromZero(), says("How well the budget is spent: batches, coalescing, no call for nothing."),
			query(channelName, `sum `+byChannel+` (rate(selaras_sync_propagation_seconds_count{`+onChannel+`}[$__rate_interval])) / on (namespace, channel) sum `+byChannel+` (rate(selaras_channel_api_requests_total{`+onChannel+`}[$__rate_interval]))`)),
	}
}

func pointer(v float64) *float64 { return &v }
