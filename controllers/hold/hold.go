// Package hold reads the emergency stop: the annotation selaras.dev/hold on a
// resource or on its namespace, which GitOps does not undo and which overrides
// the spec in the safe direction only (DESIGN §4).
package hold

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/workload"
)

// forever is the word for a hold without an end.
const forever = "forever"

// On returns the hold that is in force now on an object, by its own annotation
// or its namespace's, and nil when there is none.
func On(ctx context.Context, reader client.Reader, object client.Object) (*workload.Hold, error) {
	var namespace corev1.Namespace
	if err := reader.Get(ctx, types.NamespacedName{Name: object.GetNamespace()}, &namespace); err != nil {
		return nil, fmt.Errorf("reading namespace %s for its hold: %w", object.GetNamespace(), err)
	}
	return InForce(time.Now(), object.GetAnnotations(), namespace.Annotations), nil
}

// Gauge is a hold as a metric's value.
func Gauge(h *workload.Hold) float64 {
	if h == nil {
		return 0
	}
	return 1
}

// InForce returns the hold that is in force now among the annotations given,
// the one that lasts longest, and nil when there is none. Later annotations
// never shorten earlier ones.
func InForce(now time.Time, annotations ...map[string]string) *workload.Hold {
	var longest *workload.Hold
	for _, a := range annotations {
		value, ok := a[selarasv1alpha1.HoldAnnotation]
		if !ok {
			continue
		}
		h := parse(value)
		if !h.Until.IsZero() && !h.Until.After(now) {
			continue
		}
		if longest == nil || outlasts(h, *longest) {
			longest = &h
		}
	}
	return longest
}

func outlasts(a, b workload.Hold) bool {
	if a.Until.IsZero() || b.Until.IsZero() {
		return a.Until.IsZero() && !b.Until.IsZero()
	}
	return a.Until.After(b.Until)
}

// UntilEnd is after what time a resource must be looked at again for a hold, just
// after its end; zero for never.
func UntilEnd(h *workload.Hold) time.Duration {
	if h == nil || h.Until.IsZero() {
		return 0
	}
	return max(time.Second, time.Until(h.Until)+time.Second)
}

// parse reads "<until>|<reason>". What cannot be read holds without an end,
// and the reason says what to write.
func parse(value string) workload.Hold {
	until, reason, _ := strings.Cut(value, "|")
	until, reason = strings.TrimSpace(until), strings.TrimSpace(reason)
	if until == forever {
		return workload.Hold{Reason: reason}
	}
	at, err := time.Parse(time.RFC3339, until)
	if err != nil {
		return workload.Hold{Reason: strings.TrimSpace(reason + " (the annotation " + selarasv1alpha1.HoldAnnotation +
			" cannot be read: write \"<RFC 3339 time>|<reason>\" or \"forever|<reason>\")")}
	}
	return workload.Hold{Until: at, Reason: reason}
}

// Text says of a hold until when it lasts and why.
func Text(h *workload.Hold) string {
	text := "until it is lifted"
	if !h.Until.IsZero() {
		text = "until " + h.Until.UTC().Format("2006-01-02T15:04:05Z")
	}
	if h.Reason != "" {
		text += ": " + h.Reason
	}
	return text
}
