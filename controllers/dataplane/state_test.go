package dataplane

import (
	"testing"
	"time"

	"selaras.dev/selaras/controllers/conditions"
	"selaras.dev/selaras/internal/hub"
)

// A namespace is as full as the fullest of its streams: facts that are used up
// stop the intake, whatever the records have left.
func TestANamespaceIsAsFullAsItsFullestStream(t *testing.T) {
	t.Parallel()
	state := func(facts, records uint64) hub.State {
		return hub.State{
			Facts:   hub.StreamState{Name: "FACTS", Bytes: facts, MaxBytes: 800},
			Records: hub.StreamState{Name: "CAT", Bytes: records, MaxBytes: 180},
			Config:  hub.StreamState{Name: "KV_CFG", Bytes: 1, MaxBytes: 20},
		}
	}
	for _, c := range []struct {
		name           string
		facts, records uint64
		wasFull        string
		used           int64
		full           string
	}{
		{"little", 80, 18, "", 100, ""},
		{"facts used up", 800, 0, "", 1000, "FACTS"},
		{"records used up", 80, 180, "", 1000, "CAT"},
		{"nearly full is not full", 776, 0, "", 970, ""},
		{"a little room is not enough to go on", 776, 0, "FACTS", 970, "FACTS"},
		{"room again", 720, 0, "FACTS", 900, ""},
	} {
		storage, full := measure(state(c.facts, c.records), c.wasFull)
		if storage.Used != c.used || storage.Limit != 1000 || full != c.full {
			t.Errorf("%s: %+v, full %q; want %d of 1000, full %q", c.name, storage, full, c.used, c.full)
		}
	}
}

// HubAvailable tells who cannot be reached from who has no room, and says
// nothing of a restart.
func TestHubAvailable(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		name string
		n    *namespace
		want string
	}{
		{"not asked yet", &namespace{}, "Unknown/Connecting"},
		{"no room to reserve", &namespace{err: hub.ErrHubFull}, "False/Full"},
		{"not reached", &namespace{err: hub.ErrClosed}, "False/Unreachable"},
		{"all well", &namespace{space: &hub.Space{}}, "True/Available"},
		{"away for a moment", &namespace{space: &hub.Space{}, health: health{downSince: now.Add(-hubGrace)}}, "True/Available"},
		{"away", &namespace{space: &hub.Space{}, health: health{downSince: now.Add(-hubGrace - time.Second)}}, "False/Unreachable"},
		{"used up", &namespace{space: &hub.Space{}, health: health{full: "FACTS"}}, "False/Full"},
	} {
		if v := c.n.hubAvailable(now); told(v) != c.want {
			t.Errorf("%s: %s, want %s", c.name, told(v), c.want)
		}
	}
}

func told(v conditions.Value) string { return string(v.Status) + "/" + v.Reason }
