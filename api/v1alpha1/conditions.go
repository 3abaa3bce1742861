package v1alpha1

// Condition types of every kind, as kstatus reads them: kubectl wait, Flux and
// Argo CD take an object for healthy when Ready is True for its generation.
// All conditions of a kind are always present.
const (
	// ConditionReady is True when the spec is valid, the children are
	// available, every live worker reported this generation, and what is to be
	// read was read once. A shop's outage, lag, drift and holds do not lower
	// it: they have conditions of their own.
	ConditionReady = "Ready"

	// ConditionReconciling is True while the operator or a workload is on the
	// way to the spec, a failed attempt that will be repeated included.
	ConditionReconciling = "Reconciling"

	// ConditionStalled is True when only a new spec helps. Its message begins
	// with the path of the field to change.
	ConditionStalled = "Stalled"

	// ConditionHubAvailable is True while the hub answers and takes what the
	// namespace has to store. It is False when the hub cannot be reached or has
	// no room: intake and writes then wait, and go on by themselves. Its
	// reasons: Available, Connecting, Unreachable, Full, NotChecked.
	ConditionHubAvailable = "HubAvailable"
)

// Condition types of a Channel.
const (
	// ConditionDeployed is True when the connector's pod is available. When it
	// cannot be created (quota, image, policy) the reason is the cluster's own.
	ConditionDeployed = "Deployed"

	// ConditionCredentialsValid is True when the channel took the credentials.
	// Its reasons: Valid, SecretMissing, KeyMissing,
	// Unauthorized, NotChecked, NoReport.
	ConditionCredentialsValid = "CredentialsValid"

	// ConditionConnected is True while the channel answers.
	ConditionConnected = "Connected"

	// ConditionWebhooksHealthy is False when the channel's own messages are
	// refused or cannot be taken. It is True with reason NotUsed when
	// spec.webhooks is not set.
	ConditionWebhooksHealthy = "WebhooksHealthy"
)

// Condition types of a CatalogSync.
const (
	// ConditionSourceReady is True when the Channel of spec.source exists, can
	// be read, and was read once.
	ConditionSourceReady = "SourceReady"

	// ConditionChannelsReady is True when every selected Channel exists,
	// answers, and runs by this generation.
	ConditionChannelsReady = "ChannelsReady"

	// ConditionInSync is True when every item on every channel shows what it
	// should, by reading it back.
	ConditionInSync = "InSync"

	// ConditionLagWithinTarget is True while no change waits longer than
	// spec.slo.maxLag.
	ConditionLagWithinTarget = "LagWithinTarget"

	// ConditionDriftFree is False while channels show what neither Selaras nor
	// the owner wrote there.
	ConditionDriftFree = "DriftFree"
)

// Reasons of Ready, Reconciling and Stalled.
const (
	// ReasonSucceeded: all is as the spec says.
	ReasonSucceeded = "Succeeded"
	// ReasonProgressing: on the way; also the reason of Stalled=False.
	ReasonProgressing = "Progressing"
	// ReasonRetrying: an attempt failed and will be repeated; the message says
	// at what.
	ReasonRetrying = "Retrying"
	// ReasonReading: the channel is being read for the first time.
	ReasonReading = "Reading"
	// ReasonStalled: Reconciling is False because only a new spec helps.
	ReasonStalled = "Stalled"
	// ReasonSuspended: spec.suspend is set.
	ReasonSuspended = "Suspended"
	// ReasonHubUnavailable: the hub does not answer.
	ReasonHubUnavailable = "HubUnavailable"
	// ReasonHubFull: the hub's storage for the namespace is used up; intake
	// and writes wait.
	ReasonHubFull = "HubFull"
	// ReasonFull: HubAvailable, the hub has no room to reserve for the
	// namespace, or the namespace has used up its own.
	ReasonFull = "Full"
	// ReasonNoReport: a workload has been silent for 30 s, so that what it
	// feeds is Unknown.
	ReasonNoReport = "NoReport"
)

// Reasons of Stalled that the validator finds in a spec alone; its message
// begins with the field's path.
const (
	// ReasonUnknownType: no driver of this name, and connector.image is not
	// set or brings another.
	ReasonUnknownType = "UnknownType"
	// ReasonInvalidConfig: spec.config is not what the type's schema allows.
	ReasonInvalidConfig = "InvalidConfig"
	// ReasonInvalidCurrency: no such currency, or none where one is needed.
	ReasonInvalidCurrency = "InvalidCurrency"
	// ReasonInvalidTimezone: no such zone in the IANA database.
	ReasonInvalidTimezone = "InvalidTimezone"
	// ReasonInvalidLocale: not a language tag.
	ReasonInvalidLocale = "InvalidLocale"
	// ReasonInvalidSelector: a label selector that cannot be read.
	ReasonInvalidSelector = "InvalidSelector"
	// ReasonInvalidPriceRule: price.rule, price.roundTo or price.floor does
	// not compile; the message gives line and column.
	ReasonInvalidPriceRule = "InvalidPriceRule"
	// ReasonMissingReference: a reference that this type of channel needs is
	// not set.
	ReasonMissingReference = "MissingReference"
	// ReasonInvalidEndpoint: the endpoint's host or port cannot be used.
	ReasonInvalidEndpoint = "InvalidEndpoint"
	// ReasonInvalidPod: labels, annotations, tolerations or resources that no
	// pod can have.
	ReasonInvalidPod = "InvalidPod"
)

// Reasons of Stalled that need more than the one spec to be seen. Beside them
// stand those of the channel's driver, for what only the shop can refuse, such
// as CurrencyNotAvailable, StockLocationNotFound or NotAnAdminAPI; they end by
// themselves when the shop has what the spec names.
const (
	// ReasonInvalidTLS: the CA bundle or the client certificate that the spec
	// names cannot be read; mending the ConfigMap or Secret is enough.
	ReasonInvalidTLS = "InvalidTLS"
	// ReasonDuplicateAccount: an older Channel has the same account.
	ReasonDuplicateAccount = "DuplicateAccount"
	// ReasonSameAccount: source and target are the same shop.
	ReasonSameAccount = "SameAccount"
	// ReasonFieldConflict: an older CatalogSync writes the same field group of
	// the same channel.
	ReasonFieldConflict = "FieldConflict"
	// ReasonCapabilityMissing: a channel cannot do what is asked; the message
	// names the capability.
	ReasonCapabilityMissing = "CapabilityMissing"
	// ReasonNotOwned: an object of the name that is needed exists and belongs
	// to somebody else.
	ReasonNotOwned = "NotOwned"
)

// Reasons of a Channel's own conditions.
const (
	// ReasonAvailable: Deployed, the pod is available.
	ReasonAvailable = "Available"
	// ReasonStopped: spec.state is Stopped, so that no connector runs.
	ReasonStopped = "Stopped"

	// ReasonCredentialsAccepted: CredentialsValid, the channel took them.
	ReasonCredentialsAccepted = "Valid"
	// ReasonSecretMissing: the Secret of credentialsRef does not exist.
	ReasonSecretMissing = "SecretMissing"
	// ReasonKeyMissing: the Secret lacks a key, which the message names.
	ReasonKeyMissing = "KeyMissing"
	// ReasonUnauthorized: the channel refused the credentials.
	ReasonUnauthorized = "Unauthorized"
	// ReasonNotChecked: not tried yet.
	ReasonNotChecked = "NotChecked"

	// ReasonConnected: Connected, the channel answers.
	ReasonConnected = "Connected"
	// ReasonConnecting: no answer yet.
	ReasonConnecting = "Connecting"
	// ReasonUnreachable: the endpoint cannot be reached, or fails.
	ReasonUnreachable = "Unreachable"
	// ReasonTLSFailed: the channel's certificate was not accepted, or ours.
	ReasonTLSFailed = "TLS"

	// ReasonListening: WebhooksHealthy, deliveries are accepted.
	ReasonListening = "Listening"
	// ReasonNotUsed: spec.webhooks is not set.
	ReasonNotUsed = "NotUsed"
	// ReasonWebhooksFailing: deliveries are refused; the message says why.
	ReasonWebhooksFailing = "WebhooksFailing"

	// ReasonDelisted: event, the listings were taken out of sale before the
	// Channel went.
	ReasonDelisted = "Delisted"
	// ReasonOrphaned: event, they could not be and were left.
	ReasonOrphaned = "Orphaned"
)

// Reasons of a CatalogSync's own conditions.
const (
	// ReasonChannelNotFound: a Channel that is named does not exist.
	ReasonChannelNotFound = "ChannelNotFound"
	// ReasonNoChannels: the selection is empty.
	ReasonNoChannels = "NoChannels"
	// ReasonSourceStale: the source has not been read for longer than
	// slo.maxLag, so that nobody knows what should be shown.
	ReasonSourceStale = "SourceStale"
	// ReasonSourceEmpty: the source has no items.
	ReasonSourceEmpty = "SourceEmpty"

	// ReasonInSync: every item shows what it should.
	ReasonInSync = "InSync"
	// ReasonPending: some do not yet.
	ReasonPending = "Pending"
	// ReasonItemsFailing: some are not taken by a channel; see
	// status.failures.
	ReasonItemsFailing = "ItemsFailing"
	// ReasonObserving: spec.mode is Observe, so that differences are reported
	// and not written.
	ReasonObserving = "Observing"

	// ReasonWithinTarget: no change waits longer than slo.maxLag.
	ReasonWithinTarget = "WithinTarget"
	// ReasonAboveTarget: one does; the message names the channel.
	ReasonAboveTarget = "AboveTarget"

	// ReasonNoDrift: channels show what was written there.
	ReasonNoDrift = "NoDrift"
	// ReasonDrifted: some do not; the message counts by channel.
	ReasonDrifted = "Drifted"
)
