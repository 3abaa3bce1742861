package loop

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/dev/installation"
	core "selaras.dev/selaras/internal/shops"
	"selaras.dev/selaras/test/shops"
)

// badInputs are the cases of docs/bad-input.md that need real connectors and
// real shops, each in a namespace of its own.
var badInputs = map[string]func(*testing.T, *place, badShops){
	"credentials": badCredentials,
	"endpoint":    badEndpoint,
	"tls":         badTLS,
	"currency":    badCurrency,
	"config":      badConfig,
	"same-shop":   sameShopTwice,
	"webhooks":    badWebhooks,
	"empty":       emptySource,
	"catalog":     badCatalog,
}

// badShops are the shops of all cases: web sells something, till and outlet
// nothing.
type badShops struct{ web, till, outlet *core.Vendure }

// The hub has room for the namespaces of the cases and not for one more: for
// each it reserves the limit, an eighth and 16 MiB.
const (
	namespaceBytes = 64 << 20
	reservedBytes  = namespaceBytes/8*9 + 16<<20
)

// Bad input gets a clear answer where its author looks, nothing is lost by it,
// and its repair needs no restart.
func TestBadInputIsToldAndLosesNothing(t *testing.T) {
	t.Parallel()
	var s badShops
	for _, shop := range []**core.Vendure{&s.web, &s.till, &s.outlet} {
		*shop = shops.StartVendure(t, core.VendureOptions{Catalogue: core.Empty})
	}
	for n := range 4 {
		product := core.NewProduct{SKU: fmt.Sprintf("ITEM-%d", n), Name: fmt.Sprintf("Item %d", n), Slug: fmt.Sprintf("item-%d", n), Price: 1000 + int64(n), OnHand: 50}
		if _, err := s.web.CreateProduct(t.Context(), product); err != nil {
			t.Fatal(err)
		}
	}
	room := int64((len(badInputs)+1)*reservedBytes + reservedBytes/2)
	i := install(t, func(kube client.Client) error { return limitHub(t.Context(), kube, room) })

	elders := i.place(t, "bad-elders")
	elders.secret("web", credentials(s.web))
	elder := elders.channel("web", newFront(t, s.web, (*httptest.Server).Start).adminURL(), nil)

	t.Run("cases", func(t *testing.T) {
		// Cases wait more than they work: as many at a time as processors
		// (t.Parallel) would take minutes.
		var group errgroup.Group
		group.SetLimit(5)
		for name, test := range badInputs {
			group.Go(func() error {
				t.Run(name, func(t *testing.T) { test(t, i.place(t, "bad-"+name), s) })
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		return // the hub may not be as full as the next needs it
	}
	t.Run("hub storage full", func(t *testing.T) { fullHub(t, i.place(t, "bad-full"), s, elder) })
}

// limitHub sets what the hub stores in all, and for each namespace.
func limitHub(ctx context.Context, kube client.Client, room int64) error {
	operator, hub := &appsv1.Deployment{}, &appsv1.StatefulSet{}
	for name, object := range map[string]client.Object{"selaras-operator": operator, "selaras-hub": hub} {
		if err := kube.Get(ctx, client.ObjectKey{Namespace: installation.Namespace, Name: name}, object); err != nil {
			return err
		}
	}
	set := func(object client.Object, pod *corev1.PodSpec, flag string, value int64) error {
		before := object.DeepCopyObject().(client.Object)
		container := &pod.Containers[0]
		container.Args = slices.DeleteFunc(slices.Clone(container.Args), func(arg string) bool { return strings.HasPrefix(arg, flag+"=") })
		container.Args = append(container.Args, fmt.Sprintf("%s=%d", flag, value))
		return kube.Patch(ctx, object, client.MergeFrom(before))
	}
	return errors.Join(
		set(operator, &operator.Spec.Template.Spec, "--hub-namespace-bytes", namespaceBytes),
		set(hub, &hub.Spec.Template.Spec, "--max-store-bytes", room),
	)
}

// A Secret that is missing, lacks a key, holds a wrong password and is mended:
// the pod is the same throughout.
func badCredentials(t *testing.T, p *place, s badShops) {
	f := newFront(t, s.web, (*httptest.Server).Start)
	channel := p.channel("web", f.adminURL(), nil)
	p.shows(channel, "CredentialsValid", "False/SecretMissing", "spec.credentialsRef")
	p.shows(channel, "Ready", "False/SecretMissing", "")
	p.told(channel, "Warning", "SecretMissing")
	before, _ := p.pod("web")

	secret := p.secret("web", map[string]string{"username": s.web.Username()})
	p.shows(channel, "CredentialsValid", "False/KeyMissing", "password")
	p.told(channel, "Warning", "KeyMissing")

	change(p, secret, func(x *corev1.Secret) { x.StringData = map[string]string{"password": "not the password"} })
	p.shows(channel, "CredentialsValid", "False/Unauthorized", "")
	p.shows(channel, "Ready", "False/Unauthorized", "")
	p.told(channel, "Warning", "Unauthorized")
	if strings.Contains(fmt.Sprintf("%+v", channel.Status), "not the password") {
		t.Errorf("the status repeats the password: %+v", channel.Status)
	}

	change(p, secret, func(x *corev1.Secret) { x.StringData = map[string]string{"password": s.web.Password()} })
	p.shows(channel, "CredentialsValid", "True/Valid", "")
	p.ready(channel)
	p.told(channel, "Normal", "Succeeded")

	// Taken away from a connector that works.
	if err := p.kube.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	p.shows(channel, "CredentialsValid", "False/SecretMissing", "")
	p.shows(channel, "Ready", "True/Succeeded", "")
	p.secret("web", credentials(s.web))
	p.shows(channel, "CredentialsValid", "True/Valid", "")
	p.shows(channel, "Connected", "True/Connected", "")
	p.samePod("web", before)
}

// An address where nobody listens, one that is no Admin API, a shop that goes
// away and one that has moved.
func badEndpoint(t *testing.T, p *place, s badShops) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	p.secret("web", credentials(s.web))
	channel := p.channel("web", nobody+"/admin-api", nil)
	p.shows(channel, "Connected", "False/Unreachable", "connection refused")
	p.shows(channel, "Ready", "False/Unreachable", "")
	p.told(channel, "Warning", "Unreachable")
	before, _ := p.pod("web")

	first, second := newFront(t, s.web, (*httptest.Server).Start), newFront(t, s.web, (*httptest.Server).Start)
	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Endpoint = first.URL + "/elsewhere" })
	p.shows(channel, "Connected", "False/NotAnAdminAPI", "the endpoint must be a Vendure Admin API")
	p.shows(channel, "Ready", "False/NotAnAdminAPI", "")

	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Endpoint = first.adminURL() })
	p.shows(channel, "Connected", "True/Connected", "")
	p.ready(channel)
	first.CloseClientConnections()
	first.Close()
	p.shows(channel, "Connected", "False/Unreachable", "")
	p.shows(channel, "Ready", "True/Succeeded", "") // an outage is not the spec's fault

	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.Endpoint = second.adminURL() })
	p.shows(channel, "Connected", "True/Connected", "")
	p.ready(channel)
	p.samePod("web", before)
}

// A certificate that nobody vouches for, a bundle that is none, the right one,
// and a name that the certificate does not bear.
func badTLS(t *testing.T, p *place, s badShops) {
	f := newFront(t, s.web, (*httptest.Server).StartTLS)
	p.secret("web", credentials(s.web))
	channel := p.channel("web", f.adminURL(), nil)
	p.shows(channel, "Connected", "False/TLS", "certificate")
	p.shows(channel, "Ready", "False/TLS", "certificate")
	p.told(channel, "Warning", "TLS")

	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "authorities"}, Data: map[string]string{"ca.crt": "not a certificate"}}
	p.create(bundle)
	change(p, channel, func(c *selarasv1alpha1.Channel) {
		c.Spec.TLS = &selarasv1alpha1.TLS{CABundleRef: &selarasv1alpha1.ConfigMapKeyReference{Name: bundle.Name}}
	})
	p.shows(channel, "Connected", "False/InvalidTLS", "the CA bundle holds no PEM certificate")
	before, _ := p.pod("web")
	right := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}))
	change(p, bundle, func(c *corev1.ConfigMap) { c.Data = map[string]string{"ca.crt": right} })
	p.shows(channel, "Connected", "True/Connected", "")
	p.ready(channel)

	// Broken and mended under a connector that works.
	change(p, bundle, func(c *corev1.ConfigMap) { c.Data = map[string]string{"ca.crt": "broken"} })
	p.shows(channel, "Connected", "False/InvalidTLS", "")
	change(p, bundle, func(c *corev1.ConfigMap) { c.Data = map[string]string{"ca.crt": right} })
	p.shows(channel, "Connected", "True/Connected", "")
	p.ready(channel)

	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.TLS.ServerName = "another.example.net" })
	p.shows(channel, "Connected", "False/TLS", "another.example.net")
	change(p, channel, func(c *selarasv1alpha1.Channel) { c.Spec.TLS.ServerName = "example.com" }) // the certificate's
	p.shows(channel, "Connected", "True/Connected", "")
	p.ready(channel)
	p.samePod("web", before)
}

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

const webhookSecret = "whsec_YSBrZXkgZm9yIGJhZCBpbnB1dCB0ZXN0cw=="

// Deliveries that are malformed, too large, forged or of the wrong method are
// refused by their HTTP status, which the Channel tells; a good one is taken.
func badWebhooks(t *testing.T, p *place, s badShops) {
	f := newFront(t, s.web, (*httptest.Server).Start)
	values := credentials(s.web)
	values["webhookSecret"] = webhookSecret
	p.secret("web", values)
	channel := p.channel("web", f.adminURL(), func(spec *selarasv1alpha1.ChannelSpec) {
		spec.Webhooks = &selarasv1alpha1.Webhooks{Host: "hooks.example.com"}
	})
	p.ready(channel)
	p.shows(channel, "WebhooksHealthy", "True/Listening", "")
	_, pod := p.pod("web")
	address := "http://" + net.JoinHostPort(pod.Status.PodIP, "8081") + "/webhooks/" + p.namespace + "/web"

	signed := func(body []byte) http.Header {
		w, err := standardwebhooks.NewWebhook(webhookSecret)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		signature, err := w.Sign("msg_1", now, body)
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {fmt.Sprint(now.Unix())}, "Webhook-Signature": {signature}}
	}
	send := func(method, to string, header http.Header, body []byte) int {
		request, err := http.NewRequestWithContext(t.Context(), method, to, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = header
		response, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	good := []byte(`{"type":"variant.updated","data":{"variantIds":["1"],"skus":["ITEM-0"]}}`)
	unknown := []byte(`{"type":"variant.updated","data":{"variantIds":["987654"],"skus":["NO-SUCH-SKU"]}}`)
	large := append([]byte(`{"type":"ping","data":{"x":"`), bytes.Repeat([]byte("x"), 2<<20)...)
	if got := send(http.MethodPost, address, signed([]byte("another body")), good); got != http.StatusUnauthorized {
		t.Errorf("a wrong signature is answered %d", got)
	}
	p.shows(channel, "WebhooksHealthy", "False/WebhooksFailing", "wrong signature")
	html := []byte("<html>")
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   []byte
	}{
		{"no signature", http.StatusUnauthorized, http.Header{}, good},
		{"no JSON", http.StatusBadRequest, signed(html), html},
		{"too large", http.StatusRequestEntityTooLarge, signed(large), large},
		{"an unknown SKU", http.StatusNoContent, signed(unknown), unknown},
		{"a good one", http.StatusNoContent, signed(good), good},
	} {
		if got := send(http.MethodPost, address, c.header, c.body); got != c.status {
			t.Errorf("%s is answered %d, want %d", c.name, got, c.status)
		}
	}
	p.shows(channel, "WebhooksHealthy", "True/Listening", "")
	p.told(channel, "Warning", "WebhooksFailing")
	if got := send(http.MethodGet, address, http.Header{}, nil); got != http.StatusMethodNotAllowed {
		t.Errorf("GET is answered %d", got)
	}
	if got := send(http.MethodPost, address+"/elsewhere", signed(good), good); got != http.StatusNotFound {
		t.Errorf("another path is answered %d", got)
	}
	p.shows(channel, "Ready", "True/Succeeded", "")
}

// A source of 0 items writes nothing anywhere, until it has some.
func emptySource(t *testing.T, p *place, s badShops) {
	from, to := newFront(t, s.outlet, (*httptest.Server).Start), newFront(t, s.web, (*httptest.Server).Start)
	p.secret("outlet", credentials(s.outlet))
	p.secret("web", credentials(s.web))
	outlet, web := p.channel("outlet", from.adminURL(), nil), p.channel("web", to.adminURL(), nil)
	sync := p.sync("main", "outlet", "web")
	p.ready(outlet)
	p.ready(web)
	p.shows(sync, "SourceReady", "False/SourceEmpty", "Source outlet has no listings: nothing is written until it has some")
	p.shows(sync, "Ready", "True/Succeeded", "")
	p.told(sync, "Warning", "SourceEmpty")
	if n := to.writes.Load(); n != 0 {
		t.Errorf("an empty source wrote to the target %d times", n)
	}
	if _, err := s.outlet.CreateProduct(t.Context(), core.NewProduct{SKU: "FIRST", Name: "The first", Slug: "the-first", Price: 700, OnHand: 3}); err != nil {
		t.Fatal(err)
	}
	p.within(soon, func(ctx context.Context) error {
		l, err := s.web.Listing(ctx, "FIRST")
		if err == nil && (l.Price != 700 || l.OnHand != 3) {
			err = fmt.Errorf("web shows %+v", l)
		}
		return err
	})
	p.shows(sync, "SourceReady", "True/Available", "")
	p.shows(sync, "InSync", "True/InSync", "")
	if err := p.kube.Delete(t.Context(), sync); err != nil {
		t.Fatal(err)
	}
}

// What makes no sense in a catalog is left alone and told, and everything
// else goes on: SKUs that several listings bear, in the source and in a
// target, SKUs that nobody knows, absurd quantities, and two syncs for one
// field group of one channel.
func badCatalog(t *testing.T, p *place, s badShops) {
	ctx, ok := t.Context(), func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	add := func(shop *core.Vendure, sku, name string, price int64, onHand int) {
		t.Helper()
		_, err := shop.CreateProduct(ctx, core.NewProduct{SKU: sku, Name: name, Slug: strings.ReplaceAll(strings.ToLower(name), " ", "-"), Price: price, OnHand: onHand})
		ok(err)
	}
	add(s.web, "TWICE", "Twice the one", 500, 5)
	add(s.web, "TWICE", "Twice the other", 600, 6)
	add(s.till, "ITEM-1", "A second of the same", 1, 1)
	add(s.till, "ITEM-1", "A third of the same", 2, 2)
	add(s.till, "TILL-ONLY", "Sold here alone", 900, 9)

	p.secret("web", credentials(s.web))
	p.secret("till", credentials(s.till))
	till := newFront(t, s.till, (*httptest.Server).Start)
	webChannel, tillChannel := p.channel("web", newFront(t, s.web, (*httptest.Server).Start).adminURL(), nil), p.channel("till", till.adminURL(), nil)
	sync := p.sync("main", "web", "till")
	listed := func(sku string, price int64, available int) {
		t.Helper()
		p.within(soon, func(ctx context.Context) error {
			l, err := s.till.Listing(ctx, sku)
			if err == nil && (l.Price != price || l.OnHand-l.Allocated != available) {
				err = fmt.Errorf("till shows %+v, want price %d and %d to sell", l, price, available)
			}
			return err
		})
	}

	// Duplicates: told, left alone, and no obstacle.
	listed("ITEM-0", 1000, 50)
	p.shows(webChannel, "Ready", "True/Succeeded", "1 SKUs are borne by several listings and left alone")
	p.shows(tillChannel, "Ready", "True/Succeeded", "1 SKUs are borne by several listings and left alone")
	p.shows(sync, "InSync", "False/ItemsFailing", "1 SKUs are not taken by 1 channels")
	if f := sync.Status.Failures; len(f) != 1 || f[0].SKU != "ITEM-1" || f[0].Reason != "DuplicateSKU" || f[0].Channel != "till" {
		t.Errorf("status.failures is %+v", f)
	}
	if l, err := s.till.Listing(ctx, "ITEM-1"); err != nil || l.Price != 1 {
		t.Errorf("a duplicate was written: %+v, %v", l, err)
	}
	if _, err := s.till.Listing(ctx, "TWICE"); !errors.Is(err, core.ErrNoListing) {
		t.Errorf("a duplicate of the source was copied: %v", err)
	}

	// Unknown SKUs: an order with one is taken in like any other.
	_, err := s.till.PlaceOrder(ctx, core.Line{SKU: "TILL-ONLY", Quantity: 2}, core.Line{SKU: "ITEM-0", Quantity: 3})
	ok(err)
	p.within(soon, func(ctx context.Context) error {
		l, err := s.web.Listing(ctx, "ITEM-0")
		if err == nil && l.OnHand-l.Allocated != 47 {
			err = fmt.Errorf("web shows %+v, want 47 to sell", l)
		}
		return err
	})
	if l, err := s.till.Listing(ctx, "TILL-ONLY"); err != nil || !l.Enabled || l.Price != 900 || l.OnHand != 9 {
		t.Errorf("what the source does not know was changed in till: %+v, %v", l, err)
	}

	// Absurd quantities: the most that a shop can hold, and back.
	ok(s.web.SetStock(ctx, "ITEM-2", 1<<31-1))
	listed("ITEM-2", 1002, 1<<31-1)
	ok(s.web.SetStock(ctx, "ITEM-2", 0))
	listed("ITEM-2", 1002, 0)

	// Two syncs: the later stalls, and its price lands nowhere.
	second := &selarasv1alpha1.CatalogSync{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "second"},
		Spec: selarasv1alpha1.CatalogSyncSpec{
			Mode: selarasv1alpha1.ModeEnforce, Source: selarasv1alpha1.CatalogSource{Channel: "web"},
			Channels: selarasv1alpha1.ChannelSelection{Names: []string{"till"}},
			Fields:   &selarasv1alpha1.Fields{Price: &selarasv1alpha1.FieldGroup{}},
			Price:    &selarasv1alpha1.Price{Rule: "item.price * 2.0"},
		},
	}
	p.create(second)
	p.shows(second, "Stalled", "True/FieldConflict", "spec.fields.price: the price of Channel till is kept by CatalogSync main, which is older")
	p.told(second, "Warning", "FieldConflict")
	ok(s.web.SetPrice(ctx, "ITEM-3", 1234))
	listed("ITEM-3", 1234, 50)
	p.shows(sync, "Ready", "True/Succeeded", "")

	// The repairs. That one of two listings has gone is seen when all are
	// compared: at spec.resync, or when asked for.
	ok(s.web.RenameSKU(ctx, "TWICE", "ONCE"))
	ok(s.till.DeleteVariant(ctx, "ITEM-1"))
	ok(s.till.DeleteVariant(ctx, "ITEM-1")) // the source's is made in its place
	for _, channel := range []*selarasv1alpha1.Channel{webChannel, tillChannel} {
		change(p, channel, func(c *selarasv1alpha1.Channel) {
			c.Annotations = map[string]string{selarasv1alpha1.RequestedAtAnnotation: "repaired"}
		})
	}
	p.within(soon, func(ctx context.Context) error {
		for _, sku := range []string{"TWICE", "ONCE", "ITEM-1"} {
			source, err := s.web.Listing(ctx, sku)
			if err != nil {
				return err
			}
			target, err := s.till.Listing(ctx, sku)
			if err != nil {
				return err
			}
			if source.Price != target.Price || source.OnHand != target.OnHand || source.Name != target.Name {
				return fmt.Errorf("till shows %+v, want %+v", target, source)
			}
		}
		return nil
	})
	p.shows(sync, "InSync", "True/InSync", "")
	ok(p.kube.Delete(ctx, sync))
	p.shows(second, "Stalled", "False/Progressing", "")
	listed("ITEM-3", 2468, 50)
	p.ready(second)
}

// A hub without room for another namespace says so; what it has goes on, and
// with more room the new one does too.
func fullHub(t *testing.T, p *place, s badShops, elder *selarasv1alpha1.Channel) {
	p.secret("outlet", credentials(s.outlet))
	channel := p.channel("outlet", newFront(t, s.outlet, (*httptest.Server).Start).adminURL(), nil)
	p.shows(channel, "Ready", "False/HubFull", "hub storage is full")
	p.shows(channel, "Deployed", "False/HubFull", "")
	p.told(channel, "Warning", "HubFull")
	goesOn := func() {
		t.Helper()
		p.ready(elder)
		p.shows(elder, "Connected", "True/Connected", "")
	}
	goesOn()
	if err := limitHub(t.Context(), p.kube, 4*int64(len(badInputs))*reservedBytes); err != nil {
		t.Fatal(err)
	}
	p.ready(channel)
	goesOn()
}
