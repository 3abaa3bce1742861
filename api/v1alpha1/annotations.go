package v1alpha1

const (
	// RequestedAtAnnotation asks for one more reconciliation: any new value
	// starts one, and status.lastHandledRequest echoes the value once it was
	// handled. By custom the value is a time:
	//
	//	kubectl annotate channel webshop selaras.dev/requestedAt="$(date -Iseconds)" --overwrite
	RequestedAtAnnotation = "selaras.dev/requestedAt"

	// HoldAnnotation stops all writing at once, on a Channel, a CatalogSync or
	// a whole Namespace, whatever the spec says. Its value is
	// "<until>|<reason>", until being an RFC 3339 time or the word forever:
	//
	//	selaras.dev/hold: 2026-11-24T08:00:00+07:00|wrong prices in the season's import
	//
	// A value that cannot be read holds until it is corrected or removed: who
	// pulls the brake in a hurry must not miss it by a misprint.
	HoldAnnotation = "selaras.dev/hold"

	// DelistFinalizer is on Channels whose deletionPolicy is Delist, until
	// their listings were taken out of sale.
	DelistFinalizer = "selaras.dev/delist"
)
