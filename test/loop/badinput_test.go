package loop

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
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

// badShops are the shops of all cases: web sells something, till, outlet and bare
// nothing. Nobody but the case of the empty source touches bare.
type badShops struct{ web, till, outlet, bare *core.Vendure }

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
	for _, shop := range []**core.Vendure{&s.web, &s.till, &s.outlet, &s.bare} {
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

// A source of 0 items writes nothing anywhere, until it has some.
func emptySource(t *testing.T, p *place, s badShops) {
	from, to := newFront(t, s.bare, (*httptest.Server).Start), newFront(t, s.web, (*httptest.Server).Start)
	p.secret("outlet", credentials(s.bare))
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
	if _, err := s.bare.CreateProduct(t.Context(), core.NewProduct{SKU: "FIRST", Name: "The first", Slug: "the-first", Price: 700, OnHand: 3}); err != nil {
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
