package loop

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/dev"
	"selaras.dev/selaras/internal/dev/installation"
	core "selaras.dev/selaras/internal/shops"
	"selaras.dev/selaras/test/shops"
)

// installed is Selaras in a development cluster: config/default as it is, with
// the binary under test as its image.
type installed struct {
	t       *testing.T
	cluster *dev.Cluster
	kube    client.Client
}

// install starts it. prepare changes what was applied, before anything of it is
// ready.
func install(t *testing.T, prepare ...func(client.Client) error) *installed {
	t.Helper()
	cluster, err := installation.Start(t.Context(), installation.Options{
		Binaries: os.Getenv("KUBEBUILDER_ASSETS"), DataDir: t.TempDir(), Executable: binary, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, selarasv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	kube, err := client.New(cluster.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range prepare {
		if err := change(kube); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := cluster.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	i := &installed{t, cluster, kube}
	t.Cleanup(i.explain)
	return i
}

// explain shows what a person would look at first, when the test has failed.
func (i *installed) explain() {
	if !i.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, namespace := range []string{installation.Namespace, metav1.NamespaceDefault} {
		i.t.Logf("%s:\n%s", namespace, i.cluster.Troubles(ctx, namespace))
	}
	var channels selarasv1alpha1.ChannelList
	var syncs selarasv1alpha1.CatalogSyncList
	if err := i.kube.List(ctx, &channels); err == nil {
		for _, c := range channels.Items {
			i.t.Logf("Channel %s: %+v", c.Name, c.Status)
		}
	}
	if err := i.kube.List(ctx, &syncs); err == nil {
		for _, s := range syncs.Items {
			i.t.Logf("CatalogSync %s: %+v", s.Name, s.Status)
		}
	}
}

// apply makes Secrets and Channels for the shops, and a sync of web to the
// others.
func (i *installed) apply(started map[string]*core.Vendure) *selarasv1alpha1.CatalogSync {
	i.t.Helper()
	create := func(object client.Object) {
		if err := i.kube.Create(i.t.Context(), object); err != nil {
			i.t.Fatalf("creating %T %s: %v", object, object.GetName(), err)
		}
	}
	sync := &selarasv1alpha1.CatalogSync{
		ObjectMeta: metav1.ObjectMeta{Name: "main", Namespace: metav1.NamespaceDefault},
		Spec:       selarasv1alpha1.CatalogSyncSpec{Mode: selarasv1alpha1.ModeEnforce, Source: selarasv1alpha1.CatalogSource{Channel: "web"}},
	}
	for _, name := range slices.Sorted(maps.Keys(started)) {
		shop := started[name]
		if name != "web" {
			sync.Spec.Channels.Names = append(sync.Spec.Channels.Names, name)
		}
		create(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name + "-credentials", Namespace: metav1.NamespaceDefault},
			StringData: map[string]string{"username": shop.Username(), "password": shop.Password()},
		})
		create(&selarasv1alpha1.Channel{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault},
			Spec: selarasv1alpha1.ChannelSpec{
				Type: "vendure", Endpoint: shop.AdminURL(), Currency: "USD",
				CredentialsRef: &selarasv1alpha1.SecretReference{Name: name + "-credentials"},
				Polling:        &selarasv1alpha1.Polling{Interval: &metav1.Duration{Duration: time.Second}},
				RateLimit:      &selarasv1alpha1.RateLimit{RequestsPerSecond: "100", Burst: 100},
			},
		})
	}
	create(sync)
	return sync
}

// settled waits until a sync is Ready and in sync.
func (i *installed) settled(sync *selarasv1alpha1.CatalogSync) {
	i.t.Helper()
	eventually(i.t, "Ready and InSync", func(ctx context.Context) error {
		if err := i.kube.Get(ctx, client.ObjectKeyFromObject(sync), sync); err != nil {
			return err
		}
		for _, kind := range []string{selarasv1alpha1.ConditionReady, selarasv1alpha1.ConditionInSync} {
			c := meta.FindStatusCondition(sync.Status.Conditions, kind)
			if c == nil || c.Status != metav1.ConditionTrue {
				return fmt.Errorf("%s: %+v", kind, c)
			}
		}
		return nil
	})
}

// writes counts what was written to the Kubernetes API since its start, by
// verb and resource; the leases of nodes and leaders are left out.
func (i *installed) writes() map[string]int {
	i.t.Helper()
	clientset, err := kubernetes.NewForConfig(i.cluster.Config())
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := clientset.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(i.t.Context())
	if err != nil {
		i.t.Fatal(err)
	}
	counted := map[string]int{}
	for scanner := bufio.NewScanner(bytes.NewReader(text)); scanner.Scan(); {
		line := scanner.Text()
		if !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		labels, number, _ := strings.Cut(strings.TrimPrefix(line, "apiserver_request_total{"), "} ")
		value := map[string]string{}
		for _, pair := range strings.Split(labels, `",`) {
			key, v, _ := strings.Cut(pair, `="`)
			value[key] = strings.TrimSuffix(v, `"`)
		}
		switch value["verb"] {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
		default:
			continue
		}
		switch value["resource"] {
		case "leases", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews":
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			i.t.Fatalf("reading %q: %v", line, err)
		}
		counted[value["verb"]+" "+value["resource"]+"/"+value["subresource"]] += int(n)
	}
	return counted
}

func since(before, after map[string]int) map[string]int {
	difference := map[string]int{}
	for key, n := range after {
		if n != before[key] {
			difference[key] = n - before[key]
		}
	}
	return difference
}

// I7: connectors that poll real shops every second and have nothing to tell
// write nothing to the Kubernetes API for a minute; and when a few prices
// change, only the one sync's status is written, at most every two seconds.
func TestIdleSystemWritesNothingToTheKubernetesAPI(t *testing.T) {
	t.Parallel()
	started := map[string]*core.Vendure{}
	for _, name := range []string{"web", "till", "market"} {
		started[name] = shops.StartVendure(t, core.VendureOptions{Catalogue: core.Full})
	}
	i := install(t)
	sync := i.apply(started)
	i.settled(sync)

	// Settled means that ten seconds pass without a write.
	for deadline := time.Now().Add(patience); ; {
		before := i.writes()
		wait(t, 10*time.Second)
		d := since(before, i.writes())
		if len(d) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still writing: %v", d)
		}
	}
	before := i.writes()
	wait(t, time.Minute)
	if d := since(before, i.writes()); len(d) != 0 {
		t.Errorf("an idle minute wrote %v to the Kubernetes API, want nothing", d)
	}

	listings, err := started["web"].Listings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before, begun := i.writes(), time.Now()
	for n := range 5 {
		if err := started["web"].SetPrice(t.Context(), listings[n].SKU, listings[n].Price+7); err != nil {
			t.Fatal(err)
		}
		wait(t, 2*time.Second)
	}
	eventually(t, "the changed prices", same(started))
	i.settled(sync)
	d := since(before, i.writes())
	most := int(time.Since(begun)/(2*time.Second)) + 2
	if n := d["PATCH catalogsyncs/status"]; n > most {
		t.Errorf("the sync's status was written %d times in %s, want at most %d", n, time.Since(begun).Round(time.Second), most)
	}
	delete(d, "PATCH catalogsyncs/status")
	delete(d, "POST events/")
	if len(d) != 0 {
		t.Errorf("changed prices wrote %v to the Kubernetes API beside the sync's status", d)
	}
}

// wait lets time pass, as an idle system does: here it is what is measured.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
