package faults

import (
	"errors"
	"fmt"
	"testing"

	"selaras.dev/selaras/controllers/children"
	"selaras.dev/selaras/internal/hub"
)

// What keeps a reconcile from finishing is told by a reason that says where to
// look: a hub that is full is another matter than one that is away.
func TestFailuresAreToldApart(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"HubFull":        OnHub(fmt.Errorf("opening namespace retail: %w", hub.ErrHubFull)),
		"HubUnavailable": OnHub(errors.New("no answer")),
		"NotOwned":       fmt.Errorf("applying: %w", children.ErrNotOwned),
		"Retrying":       errors.New("the API server is overloaded"),
	} {
		if got := Of(err); got.Reason != want || got.Message != err.Error() {
			t.Errorf("%v is told as %+v, want %s", err, got, want)
		}
	}
}
