package controllers_test

import (
	"fmt"
	"testing"
	"time"

	"selaras.dev/selaras/internal/hub"
)

func stateFacts(t *testing.T, space *hub.Space, channel string, n int) {
	t.Helper()
	for i := range n {
		if _, err := space.Append(t.Context(), hub.Fact{Channel: channel, Type: "item.observed", Data: fmt.Appendf(nil, `{"n":%d}`, i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// A namespace whose resources are gone gives its room to others at once, and
// its data to a successor; whoever waits for room gets it when there is some.
func TestANamespaceOutOfUseGivesItsRoomAndKeepsItsData(t *testing.T) {
	t.Parallel()
	i := install(t, 100<<20)
	i.operate(time.Hour)
	first, second := newNamespace(t), newNamespace(t)
	old := i.channel(first, "webshop")
	create(t, old)
	wantChannel(t, old, "HubAvailable", "True/Available")
	stateFacts(t, i.connect(first, "webshop"), "webshop", 3)

	other := i.channel(second, "till")
	create(t, other)
	wantChannel(t, other, "HubAvailable", "False/Full")
	wantChannel(t, other, "Ready", "False/HubFull")

	if err := kube.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	i.wantStored(first, "retired")
	wantChannel(t, other, "HubAvailable", "True/Available")
	wantChannel(t, other, "Ready", "False/Progressing")

	// The successor waits for room in turn, and then finds the data.
	heir := i.channel(first, "webshop")
	create(t, heir)
	wantChannel(t, heir, "HubAvailable", "False/Full")
	if err := kube.Delete(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	wantChannel(t, heir, "HubAvailable", "True/Available")
	i.wantStored(first, "used")
	if n := i.facts(first); n != 3 {
		t.Errorf("the successor finds %d facts, want the 3 of its predecessor", n)
	}
}

// After --retain-deleted nothing is left, and a successor begins anew.
func TestTheHubForgetsANamespaceAfterItsTime(t *testing.T) {
	t.Parallel()
	i := install(t, 0)
	i.operate(time.Second)
	namespace := newNamespace(t)
	channel := i.channel(namespace, "webshop")
	create(t, channel)
	wantChannel(t, channel, "HubAvailable", "True/Available")
	stateFacts(t, i.connect(namespace, "webshop"), "webshop", 3)
	if err := kube.Delete(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	i.wantStored(namespace, "gone")

	heir := i.channel(namespace, "webshop")
	create(t, heir)
	wantChannel(t, heir, "HubAvailable", "True/Available")
	i.wantStored(namespace, "used")
	if n := i.facts(namespace); n != 0 {
		t.Errorf("the successor finds %d facts of what was deleted", n)
	}
}

// What happens while no operator runs is noticed, and since when a namespace is
// out of use is not forgotten.
func TestRetentionSurvivesTheOperator(t *testing.T) {
	t.Parallel()
	i := install(t, 0)
	stop := i.operate(time.Second)
	namespace, kept := newNamespace(t), newNamespace(t)
	channel, other := i.channel(namespace, "webshop"), i.channel(kept, "webshop")
	create(t, channel, other)
	wantChannel(t, channel, "HubAvailable", "True/Available")
	wantChannel(t, other, "HubAvailable", "True/Available")
	stop()
	if err := kube.Delete(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	stop = i.operate(5 * time.Second)
	i.wantStored(namespace, "retired")
	stop()
	eventually(t, func() error {
		stored, err := i.hub.Namespaces(t.Context())
		if err != nil {
			return err
		}
		for _, s := range stored {
			if s.Namespace == namespace && time.Since(s.Retired) < 5*time.Second {
				return fmt.Errorf("out of use since %s only", time.Since(s.Retired))
			}
		}
		return nil
	})
	i.operate(5 * time.Second)
	i.wantStored(namespace, "gone")
	i.wantStored(kept, "used")
}

// I7: a reconcile without news asks nothing about Secrets, also while the pod
// is not up yet.
func TestASecretThatWasMadeIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	i := install(t, 0)
	i.operate(time.Hour)
	namespace := newNamespace(t)
	channel := i.channel(namespace, "webshop")
	create(t, channel)
	wantChannel(t, channel, "Ready", "False/Progressing")
	for n := range 5 {
		change(t, channel, func(c *channelType) { c.Spec.Locale = fmt.Sprintf("en-US-x-%d", n) })
		eventually(t, func() error {
			if get(t, channel, namespace, "webshop"); channel.Status.ObservedGeneration != channel.Generation {
				return fmt.Errorf("generation %d is not observed yet", channel.Generation)
			}
			return nil
		})
	}
	if n := i.secretRequests.Load(); n != 1 {
		t.Errorf("%d requests about Secrets for one connector, want the one that made it", n)
	}
}

// DESIGN §8: a hub that is away is told after a moment, and that it is back.
func TestAHubThatIsAwayIsTold(t *testing.T) {
	t.Parallel()
	i := install(t, 0)
	i.operate(time.Hour)
	namespace := newNamespace(t)
	channel := i.channel(namespace, "webshop")
	create(t, channel)
	wantChannel(t, channel, "HubAvailable", "True/Available")
	i.server.Shutdown()
	wantChannel(t, channel, "HubAvailable", "False/Unreachable")

	late := i.channel(newNamespace(t), "till")
	create(t, late)
	wantChannel(t, late, "HubAvailable", "False/Unreachable")
	i.startHub()
	wantChannel(t, channel, "HubAvailable", "True/Available")
	wantChannel(t, late, "HubAvailable", "True/Available")
}
