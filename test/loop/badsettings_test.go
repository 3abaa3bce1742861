package loop

import (
	"net/http/httptest"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
)

// A currency that nobody has, and one that the shop does not sell in.
func badCurrency(t *testing.T, p *place, s badShops) {
	f := newFront(t, s.web, (*httptest.Server).Start)
	p.secret("web", credentials(s.web))
	channel := p.channel("web", f.adminURL(), func(spec *selarasv1alpha1.ChannelSpec) { spec.Currency = "IDX" })
	p.shows(channel, "Stalled", "True/InvalidCurrency", `spec.currency: "IDX" is not an ISO 4217 currency`)
	p.shows(channel, "Deployed", "False/InvalidCurrency", "")
	p.told(channel, "Warning", "InvalidCurrency")
	err := p.kube.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: "web-connector"}, &appsv1.Deployment{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("a connector was deployed for a currency that nobody has: %v", err)
	}

	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Currency = "XPF" })
	p.shows(channel, "Stalled", "True/CurrencyNotAvailable", "the shop's channel does not sell in XPF, only in")
	p.told(channel, "Warning", "CurrencyNotAvailable")
	before, _ := p.pod("web")

	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Currency = "USD" })
	p.ready(channel)
	p.samePod("web", before)
}

// Config that the driver's schema rejects, and config that only the shop can
// reject.
func badConfig(t *testing.T, p *place, s badShops) {
	f := newFront(t, s.web, (*httptest.Server).Start)
	p.secret("web", credentials(s.web))
	config := func(text string) *apiextensionsv1.JSON { return &apiextensionsv1.JSON{Raw: []byte(text)} }
	channel := p.channel("web", f.adminURL(), func(spec *selarasv1alpha1.ChannelSpec) { spec.Config = config(`{"chanelToken":"x"}`) })
	p.shows(channel, "Stalled", "True/InvalidConfig", "spec.config.chanelToken: is not known to this type of channel; remove it, or write one of: channelToken")
	p.told(channel, "Warning", "InvalidConfig")

	for text, want := range map[string][2]string{
		`{"stockLocation":"Nowhere"}`:     {"StockLocationNotFound", `config.stockLocation: there is no "Nowhere"`},
		`{"channelToken":"no-such-shop"}`: {"UnknownChannelToken", "the shop has no channel with config.channelToken"},
	} {
		change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Config = config(text) })
		p.shows(channel, "Stalled", "True/"+want[0], want[1])
	}
	before, _ := p.pod("web")
	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Config = nil })
	p.ready(channel)
	// A connector that works is not stopped by a config that cannot be.
	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Config = config(`{"stockLocation":1}`) })
	p.shows(channel, "Stalled", "True/InvalidConfig", "spec.config.stockLocation")
	p.shows(channel, "Connected", "True/Connected", "")
	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Config = nil })
	p.ready(channel)
	p.samePod("web", before)
}

// The source as its own target, and the same shop under two names.
func sameShopTwice(t *testing.T, p *place, s badShops) {
	f, other := newFront(t, s.web, (*httptest.Server).Start), newFront(t, s.outlet, (*httptest.Server).Start)
	p.secret("web", credentials(s.web))
	web := p.channel("web", f.adminURL(), nil)
	p.ready(web)
	err := p.kube.Create(t.Context(), &selarasv1alpha1.CatalogSync{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "self"},
		Spec: selarasv1alpha1.CatalogSyncSpec{
			Mode: selarasv1alpha1.ModeEnforce, Source: selarasv1alpha1.CatalogSource{Channel: "web"},
			Channels: selarasv1alpha1.ChannelSelection{Names: []string{"web"}},
		},
	})
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "channels.names must not contain the source") {
		t.Errorf("a source as its own target: %v", err)
	}

	p.secret("twin", credentials(s.web))
	twin := p.channel("twin", f.adminURL(), nil)
	p.shows(twin, "Stalled", "True/DuplicateAccount", "Channel web sells the same account")
	p.told(twin, "Warning", "DuplicateAccount")
	sync := p.sync("main", "web", "twin")
	p.shows(sync, "SourceReady", "True/Available", "")
	p.shows(sync, "Stalled", "True/SameAccount", "")
	p.ready(web)
	if n := f.writes.Load(); n != 0 {
		t.Errorf("the shop was written %d times by a sync with itself", n)
	}
	before, _ := p.pod("twin")

	change(p, twin, func(c *selarasv1alpha1.Channel) { c.Spec.Endpoint = other.adminURL() })
	change(p, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "twin-credentials"}}, func(x *corev1.Secret) { x.StringData = credentials(s.outlet) })
	p.ready(twin)
	p.ready(sync)
	p.samePod("twin", before)
	if err := p.kube.Delete(t.Context(), sync); err != nil {
		t.Fatal(err)
	}
}
