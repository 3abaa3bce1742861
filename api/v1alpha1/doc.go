// Package v1alpha1 holds the kinds of selaras.dev/v1alpha1 that users write:
// Channel (one shop, marketplace or till) and CatalogSync (one catalog kept
// the same on several Channels).
//
// The package holds shapes alone: types, the rules that the API server itself
// enforces, and the documented names of conditions, reasons and annotations.
// What the rules of the API server cannot decide (expressions, time zones,
// a driver's configuration, references) is decided by internal/validation and
// shown in the condition Stalled.
//
// +kubebuilder:object:generate=true
// +groupName=selaras.dev
package v1alpha1
