package hold

import (
	"strings"
	"testing"
	"time"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func annotation(value string) map[string]string {
	return map[string]string{selarasv1alpha1.HoldAnnotation: value}
}

func TestHoldIsInForceUntilItsTime(t *testing.T) {
	t.Parallel()
	if h := InForce(now, annotation("2026-11-22T13:00:00Z|wrong prices")); h == nil || h.Reason != "wrong prices" || !h.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("got %+v, want a hold for an hour", h)
	}
	if h := InForce(now, annotation("2026-11-22T11:00:00Z|over")); h != nil {
		t.Errorf("got %+v for a hold that has ended", h)
	}
	if h := InForce(now, nil, map[string]string{}); h != nil {
		t.Errorf("got %+v without any annotation", h)
	}
}

func TestLongestHoldCounts(t *testing.T) {
	t.Parallel()
	h := InForce(now, annotation("2026-11-22T13:00:00Z|channel"), annotation("forever|namespace"))
	if h == nil || !h.Until.IsZero() || h.Reason != "namespace" {
		t.Errorf("got %+v, want the one without an end", h)
	}
	h = InForce(now, annotation("2026-11-22T15:00:00Z|channel"), annotation("2026-11-22T13:00:00Z|namespace"))
	if h == nil || h.Reason != "channel" {
		t.Errorf("got %+v, want the later end", h)
	}
}

// Who pulls the brake in a hurry must not miss it by a misprint.
func TestHoldThatCannotBeReadHolds(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", "tomorrow|wrong prices", "2026-11-22 13:00|wrong prices", "|"} {
		h := InForce(now, annotation(value))
		if h == nil || !h.Until.IsZero() || !strings.Contains(h.Reason, "cannot be read") {
			t.Errorf("%q gives %+v, want a hold that says what to write", value, h)
		}
	}
}
