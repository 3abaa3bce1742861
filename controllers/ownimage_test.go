package controllers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/workload"
)

// A third party's image is judged by what it says of itself: nothing is written
// before it has, its config is held against its schema, and a new image is not
// held up by what the old one said.
func TestAnImageOfOnesOwnIsJudgedByWhatItReports(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	channel := newChannel(namespace, "kiosk")
	channel.Spec.Type = "kiosk"
	channel.Spec.Connector = &selarasv1alpha1.Connector{Image: "example.com/kiosk:1"}
	channel.Spec.Config = &apiextensionsv1.JSON{Raw: []byte(`{"lane": "three"}`)}
	create(t, channel)
	connector := startConnector(t, namespace, "kiosk")
	if state := connector.channelConfig("kiosk", channel.Generation).State; state != workload.Paused {
		t.Errorf("the connector is %s before anybody could check its config, want Paused", state)
	}
	wantChannel(t, channel, "Reconciling", "True/NoReport")

	report := func(lane string) workload.ChannelReport {
		r := healthyReport(channel)
		r.Driver.ConfigSchema = json.RawMessage(fmt.Sprintf(`{"type":"object","additionalProperties":false,"properties":{"lane":{"type":%q}}}`, lane))
		return r
	}
	connector.report(report("integer"))
	wantChannel(t, channel, "Stalled", "True/InvalidConfig")
	if c := meta.FindStatusCondition(channel.Status.Conditions, "Stalled"); !strings.HasPrefix(c.Message, "spec.config.lane: ") {
		t.Errorf("Stalled says %q, want the field's path first", c.Message)
	}
	wantState(connector, "kiosk", workload.Paused)

	change(t, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Connector.Image = "example.com/kiosk:2" })
	eventually(t, func() error {
		deployment := get(t, &appsv1.Deployment{}, namespace, "kiosk-connector")
		if image := deployment.Spec.Template.Spec.Containers[0].Image; image != channel.Spec.Connector.Image {
			return fmt.Errorf("the Deployment still runs %s", image)
		}
		return nil
	})
	becomeAvailable(t, namespace, "kiosk-connector")
	connector.channelConfig("kiosk", channel.Generation)
	connector.report(report("string"))
	wantChannel(t, channel, "Ready", "True/Succeeded")
	wantState(connector, "kiosk", workload.Running)

	other := report("string")
	other.Driver.Type = "vending-machine"
	connector.report(other)
	wantChannel(t, channel, "Stalled", "True/UnknownType")
}

func wantState(connector *pod, channel string, want workload.State) {
	connector.t.Helper()
	eventually(connector.t, func() error {
		if state := connector.channelConfig(channel, 0).State; state != want {
			return fmt.Errorf("the connector is %s, want %s", state, want)
		}
		return nil
	})
}
