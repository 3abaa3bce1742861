package validation

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/connectors/driver"
)

// described is a driver that is nothing but its description.
type described driver.Description

func (d described) Describe() driver.Description { return driver.Description(d) }

func (described) Open(context.Context, driver.Settings) (driver.Connection, error) {
	return nil, errors.New("the validator opens no connection")
}

func validatorOf(descriptions ...driver.Description) *Validator {
	drivers := map[string]driver.Driver{}
	for _, d := range descriptions {
		drivers[d.Type] = described(d)
	}
	return New(drivers)
}

func texts(problems []Problem) []string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.Reason+" "+p.String())
	}
	return lines
}

func TestAChannelIsJudgedByWhatItsDriverNeeds(t *testing.T) {
	t.Parallel()
	v := validatorOf(
		driver.Description{
			Type: "shop", Title: "Shop",
			Credentials:  []driver.CredentialKey{{Name: "token"}, {Name: "secret", Optional: true}},
			Capabilities: []driver.Capability{driver.CanReadListings, driver.CanWritePrice},
		},
		driver.Description{
			Type: "feed", Title: "Feed",
			Credentials:  []driver.CredentialKey{{Name: "token", Optional: true}},
			Capabilities: []driver.Capability{driver.CanReceiveWebhook},
		},
		driver.Description{Type: "faulty", Version: "1.2.3", ConfigSchema: json.RawMessage(`{"type": "strin"}`)},
	)
	spec := func(s selarasv1alpha1.ChannelSpec) *selarasv1alpha1.Channel {
		s.Endpoint = "https://shop.example.com"
		return &selarasv1alpha1.Channel{Spec: s}
	}
	hooks := &selarasv1alpha1.Webhooks{Host: "hooks.example.com"}
	for _, c := range []struct {
		name    string
		channel *selarasv1alpha1.Channel
		want    []string
	}{
		{"a shop without anything", spec(selarasv1alpha1.ChannelSpec{Type: "shop", Webhooks: hooks}), []string{
			"MissingReference spec.credentialsRef: Shop needs credentials; write {name: <Secret>}, a Secret with the keys token",
			"InvalidCurrency spec.currency: is missing, and Shop has prices; write the ISO 4217 code in which they are read and written, such as EUR",
			"CapabilityMissing spec.webhooks: Shop lacks the capability ReceiveWebhook; remove webhooks, the channel is polled",
		}},
		{"a shop with all", spec(selarasv1alpha1.ChannelSpec{Type: "shop", Currency: "EUR", CredentialsRef: &selarasv1alpha1.SecretReference{Name: "shop"}}), nil},
		{"a feed needs neither", spec(selarasv1alpha1.ChannelSpec{Type: "feed", Webhooks: hooks}), nil},
		{"an unknown type", spec(selarasv1alpha1.ChannelSpec{Type: "shopp"}), []string{
			`UnknownType spec.type: "shopp" is not known here; write one of: faulty, feed, shop, or set spec.connector.image to an image that brings this type`,
		}},
		{"an unknown type with its image", spec(selarasv1alpha1.ChannelSpec{Type: "shopp", Connector: &selarasv1alpha1.Connector{Image: "shopp:1"}}), nil},
		{"a known type with another image", spec(selarasv1alpha1.ChannelSpec{Type: "shop", Connector: &selarasv1alpha1.Connector{Image: "shop:2"}}), nil},
	} {
		if diff := cmp.Diff(c.want, texts(v.Channel(c.channel))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	faulty := texts(v.Channel(spec(selarasv1alpha1.ChannelSpec{Type: "faulty"})))
	if len(faulty) != 1 || !strings.HasPrefix(faulty[0], "InvalidConfig spec.type: the driver faulty 1.2.3 is faulty: ") {
		t.Errorf("a driver with a broken schema gives %q", faulty)
	}
}

// I9: no secret reaches a status, not even one that was written into a URL
// where the API server does not expect one.
func TestProblemsRepeatNoURL(t *testing.T) {
	t.Parallel()
	channel := &selarasv1alpha1.Channel{Spec: selarasv1alpha1.ChannelSpec{
		Type: "shop", Endpoint: "https://shop.example.com:99999/hunter2", Proxy: "http://proxy.example.com:port/hunter2",
	}}
	problems := texts(validatorOf(driver.Description{Type: "shop"}).Channel(channel))
	if len(problems) != 2 {
		t.Fatalf("found %q, want two", problems)
	}
	for _, p := range problems {
		if strings.Contains(p, "hunter2") {
			t.Errorf("%q repeats the URL", p)
		}
	}
}

// I7: a status must not change while nothing happens.
func TestTheSamePodGivesTheSameProblems(t *testing.T) {
	t.Parallel()
	list := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
	}
	channel := &selarasv1alpha1.Channel{Spec: selarasv1alpha1.ChannelSpec{
		Type: "shop", Endpoint: "https://shop.example.com",
		Connector: &selarasv1alpha1.Connector{
			Resources: &corev1.ResourceRequirements{Requests: list("2", "2Gi"), Limits: list("1", "-1Gi")},
			PodTemplate: &selarasv1alpha1.PodTemplate{
				Labels:       map[string]string{"a b": "x", "c d": "y"},
				Annotations:  map[string]string{"e f": "x"},
				NodeSelector: map[string]string{"g": "h i"},
				Tolerations:  []corev1.Toleration{{Operator: corev1.TolerationOpExists, Value: "v"}, {Effect: "Never"}},
			},
		},
	}}
	v := validatorOf(driver.Description{Type: "shop"})
	first := v.Channel(channel)
	if len(first) != 10 {
		t.Errorf("found %d problems, want 10:\n%s", len(first), strings.Join(texts(first), "\n"))
	}
	for range 50 {
		if diff := cmp.Diff(first, v.Channel(channel)); diff != "" {
			t.Fatalf("other problems for the same pod:\n%s", diff)
		}
	}
}

func TestEveryFieldOfAPriceTellsItsOwnFault(t *testing.T) {
	t.Parallel()
	sync := &selarasv1alpha1.CatalogSync{Spec: selarasv1alpha1.CatalogSyncSpec{
		Price: &selarasv1alpha1.Price{Rule: "item.prise", RoundTo: "x", Floor: "1 +"},
		Channels: selarasv1alpha1.ChannelSelection{Overrides: []selarasv1alpha1.ChannelOverride{
			{Channel: "a"}, {Channel: "b", Price: &selarasv1alpha1.Price{Rule: "item.title"}},
		}},
	}}
	var paths []string
	for _, p := range validatorOf().CatalogSync(sync) {
		paths = append(paths, p.Path)
		if p.Reason != selarasv1alpha1.ReasonInvalidPriceRule {
			t.Errorf("%s has reason %s", p, p.Reason)
		}
	}
	want := []string{"spec.channels.overrides[1].price.rule", "spec.price.rule", "spec.price.roundTo", "spec.price.floor"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAVerdictNamesTheFirstReasonAndTellsAll(t *testing.T) {
	t.Parallel()
	reason, message := Verdict([]Problem{
		{Reason: "InvalidPriceRule", Path: "spec.price.rule", Line: 2, Column: 5, Message: "no"},
		{Reason: "InvalidSelector", Path: "spec.channels.selector", Message: "no either"},
	})
	if reason != "InvalidPriceRule" || message != "spec.price.rule: line 2, column 5: no; spec.channels.selector: no either" {
		t.Errorf("got %s, %s", reason, message)
	}
	if reason, message := Verdict(nil); reason != "" || message != "" {
		t.Errorf("no problems give %q, %q", reason, message)
	}
}
