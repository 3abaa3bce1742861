// Package conditions keeps the status conditions of all kinds alike: every
// condition of a kind is always present, carries the generation it was
// computed for, and changes its transition time only with its status.
package conditions

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Value is one condition before it meets the object it belongs to.
type Value struct {
	Type    string
	Status  metav1.ConditionStatus
	Reason  string
	Message string
}

// True, False and Unknown make a Value.
func True(kind, reason, message string) Value {
	return Value{kind, metav1.ConditionTrue, reason, message}
}

// False makes a Value that does not hold.
func False(kind, reason, message string) Value {
	return Value{kind, metav1.ConditionFalse, reason, message}
}

// Unknown makes a Value of which nothing is known.
func Unknown(kind, reason, message string) Value {
	return Value{kind, metav1.ConditionUnknown, reason, message}
}

// Holds says whether the value is True.
func (v Value) Holds() bool { return v.Status == metav1.ConditionTrue }

// maxMessage bounds a condition's message, in bytes; the API server refuses
// more than 32 KiB, a person reads far less.
const maxMessage = 1024

// Set writes the values into the list for the generation, in their order the
// first time, and keeps the transition time of what did not change.
func Set(list *[]metav1.Condition, generation int64, values ...Value) {
	for _, v := range values {
		message := v.Message
		if len(message) > maxMessage {
			message = message[:maxMessage-3] + "..."
		}
		meta.SetStatusCondition(list, metav1.Condition{
			Type: v.Type, Status: v.Status, Reason: v.Reason, Message: message,
			ObservedGeneration: generation,
		})
	}
}
