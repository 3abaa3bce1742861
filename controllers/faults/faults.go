// Package faults turns what went wrong in a reconcile into the reason and the
// message of a condition.
package faults

import (
	"errors"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers/children"
	"selaras.dev/selaras/internal/hub"
)

// Fault is a condition's reason, and a message for a person.
type Fault struct{ Reason, Message string }

// New makes a Fault.
func New(reason, message string) *Fault { return &Fault{Reason: reason, Message: message} }

// hubError marks what failed on the way to the hub.
type hubError struct{ err error }

// Error implements error.
func (e *hubError) Error() string { return e.err.Error() }

// Unwrap returns what failed.
func (e *hubError) Unwrap() error { return e.err }

// OnHub marks an error as one of the hub; nil stays nil.
func OnHub(err error) error {
	if err == nil {
		return nil
	}
	return &hubError{err}
}

// Of names an error that will be tried again.
func Of(err error) *Fault {
	var onHub *hubError
	switch {
	case errors.Is(err, hub.ErrHubFull):
		return New(selarasv1alpha1.ReasonHubFull, err.Error())
	case errors.As(err, &onHub):
		return New(selarasv1alpha1.ReasonHubUnavailable, err.Error())
	case errors.Is(err, children.ErrNotOwned):
		return New(selarasv1alpha1.ReasonNotOwned, err.Error())
	}
	return New(selarasv1alpha1.ReasonRetrying, err.Error())
}
