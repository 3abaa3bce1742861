package announce

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// said keeps the words of every event.
type said []string

// Eventf implements events.EventRecorder.
func (s *said) Eventf(_, _ runtime.Object, _, _, _, note string, args ...any) {
	*s = append(*s, fmt.Sprintf(note, args...))
}

// The first time that something is right is not called the second.
func TestTheFirstTimeIsNotCalledAgain(t *testing.T) {
	t.Parallel()
	var got said
	ready := func(status metav1.ConditionStatus, reason, message string) []metav1.Condition {
		return []metav1.Condition{{Type: "Ready", Status: status, Reason: reason, Message: message}}
	}
	Changes(&got, &selarasv1alpha1.Channel{}, ready("False", "Reading", "being read"), ready("True", "Succeeded", "88 listings"), "Ready")
	if diff := cmp.Diff(said{"Ready is True now: 88 listings"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// recorded keeps the type and reason of every event.
type recorded []string

// Eventf implements events.EventRecorder.
func (r *recorded) Eventf(_, _ runtime.Object, kind, reason, _, _ string, _ ...any) {
	*r = append(*r, kind+"/"+reason)
}

// What goes wrong is told, also when it is wrong from the first; a recovery is
// told of what was wrong; progress and repetition are not.
func TestWhatGoesWrongIsToldOnce(t *testing.T) {
	t.Parallel()
	type step = metav1.Condition
	stalled := func(status metav1.ConditionStatus, reason string) step {
		return step{Type: "Stalled", Status: status, Reason: reason}
	}
	connected := func(status metav1.ConditionStatus, reason string) step {
		return step{Type: "Connected", Status: status, Reason: reason}
	}
	for name, c := range map[string]struct {
		steps []step
		want  recorded
	}{
		"wrong from the first":   {[]step{stalled("True", "InvalidConfig"), stalled("True", "InvalidConfig")}, recorded{"Warning/InvalidConfig"}},
		"right from the first":   {[]step{connected("True", "Connected"), stalled("False", "Progressing")}, nil},
		"another fault":          {[]step{connected("False", "TLS"), connected("False", "Unreachable")}, recorded{"Warning/TLS", "Warning/Unreachable"}},
		"mended":                 {[]step{stalled("True", "InvalidConfig"), stalled("False", "Progressing")}, recorded{"Warning/InvalidConfig", "Normal/Progressing"}},
		"on its way":             {[]step{connected("False", "Connecting"), connected("Unknown", "NoReport"), connected("True", "Connected")}, nil},
		"mended after a doubt":   {[]step{connected("False", "TLS"), connected("Unknown", "NoReport"), connected("True", "Connected")}, recorded{"Warning/TLS"}},
		"not among the wanted":   {[]step{{Type: "DriftFree", Status: "False", Reason: "Drifted"}}, nil},
		"unknown is not a fault": {[]step{connected("Unknown", "NoReport")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got recorded
			var before []metav1.Condition
			for _, s := range c.steps {
				after := []metav1.Condition{s}
				Changes(&got, &selarasv1alpha1.Channel{}, before, after, "Stalled", "Connected")
				before = after
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
