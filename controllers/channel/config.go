package channel

import (
	"strconv"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/workload"
)

// channelConfig is what a connector runs by: a pure function of the Channel
// and the hold in force.
func channelConfig(channel *selarasv1alpha1.Channel, held *workload.Hold) workload.ChannelConfig {
	spec := &channel.Spec
	config := workload.ChannelConfig{
		Generation: channel.Generation, UID: string(channel.UID),
		Type: spec.Type, Endpoint: spec.Endpoint,
		Currency: spec.Currency, Locale: spec.Locale, Timezone: spec.Timezone,
		Labels: channel.Labels, ProxyURL: spec.Proxy,
		State: workload.Running, Hold: held,
		Requested: channel.Annotations[selarasv1alpha1.RequestedAtAnnotation],
		Delist:    !channel.DeletionTimestamp.IsZero() && spec.DeletionPolicy == selarasv1alpha1.DeletionDelist,
	}
	if spec.State != "" {
		config.State = workload.State(spec.State)
	}
	if spec.Config != nil {
		config.Config = spec.Config.Raw
	}
	if spec.TLS != nil {
		config.ServerName = spec.TLS.ServerName
	}
	if spec.Polling != nil && spec.Polling.Interval != nil {
		config.PollInterval = spec.Polling.Interval.Duration
	}
	if limit := spec.RateLimit; limit != nil {
		// Both were checked by the API server to be decimal numbers.
		config.RequestsPerSecond, _ = strconv.ParseFloat(string(limit.RequestsPerSecond), 64)
		config.RateShare, _ = strconv.ParseFloat(string(limit.Share), 64)
		config.Burst = int(limit.Burst)
	}
	return config
}
