package loop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	core "selaras.dev/selaras/internal/shops"
)

// front is a proxy before a shop, with an address of its own: to Selaras the
// same shop is another account behind each. It counts the calls that would
// change the shop.
type front struct {
	*httptest.Server
	writes atomic.Int64
}

// newFront starts a front by start, which is (*httptest.Server).Start or
// StartTLS.
func newFront(t *testing.T, shop *core.Vendure, start func(*httptest.Server)) *front {
	t.Helper()
	to, err := url.Parse(shop.URL())
	if err != nil {
		t.Fatal(err)
	}
	f := &front{}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
		if err != nil {
			http.Error(w, "reading the call", http.StatusBadGateway)
			return
		}
		var call struct {
			Query string `json:"query"`
		}
		if json.Unmarshal(body, &call) == nil && strings.HasPrefix(call.Query, "mutation") &&
			!strings.HasPrefix(call.Query, "mutation Login") && !strings.HasPrefix(call.Query, "mutation Logout") {
			f.writes.Add(1)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		forward.ServeHTTP(w, r)
	}))
	start(f.Server)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

func (f *front) adminURL() string { return f.URL + "/admin-api" }

// place is a namespace of one case.
type place struct {
	*installed
	t         *testing.T
	namespace string
}

func (i *installed) place(t *testing.T, name string) *place {
	t.Helper()
	p := &place{installed: i, t: t, namespace: name}
	if err := i.kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			t.Logf("%s:\n%s", name, i.cluster.Troubles(ctx, name))
		}
	})
	return p
}

func (p *place) create(objects ...client.Object) {
	p.t.Helper()
	for _, object := range objects {
		if err := p.kube.Create(p.t.Context(), object); err != nil {
			p.t.Fatalf("creating %T %s: %v", object, object.GetName(), err)
		}
	}
}

// change patches an object as a user would.
func change[T client.Object](p *place, object T, mutate func(T)) {
	p.t.Helper()
	if err := p.kube.Get(p.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		p.t.Fatal(err)
	}
	before := object.DeepCopyObject().(client.Object)
	mutate(object)
	if err := p.kube.Patch(p.t.Context(), object, client.MergeFrom(before)); err != nil {
		p.t.Fatalf("changing %T %s: %v", object, object.GetName(), err)
	}
}

// secret makes the Secret of a Channel.
func (p *place) secret(channel string, values map[string]string) *corev1.Secret {
	p.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: channel + "-credentials"}, StringData: values}
	p.create(secret)
	return secret
}

func credentials(shop *core.Vendure) map[string]string {
	return map[string]string{"username": shop.Username(), "password": shop.Password()}
}

// channel makes a Channel, by default right for the shop at the endpoint.
func (p *place) channel(name, endpoint string, otherwise func(*selarasv1alpha1.ChannelSpec)) *selarasv1alpha1.Channel {
	p.t.Helper()
	channel := &selarasv1alpha1.Channel{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name},
		Spec: selarasv1alpha1.ChannelSpec{
			Type: "vendure", Endpoint: endpoint, Currency: "USD",
			CredentialsRef: &selarasv1alpha1.SecretReference{Name: name + "-credentials"},
			Polling:        &selarasv1alpha1.Polling{Interval: &metav1.Duration{Duration: time.Second}},
			RateLimit:      &selarasv1alpha1.RateLimit{RequestsPerSecond: "50", Burst: 50},
		},
	}
	if otherwise != nil {
		otherwise(&channel.Spec)
	}
	p.create(channel)
	return channel
}

// sync makes a CatalogSync that keeps everything of the source on the targets.
func (p *place) sync(name, source string, targets ...string) *selarasv1alpha1.CatalogSync {
	p.t.Helper()
	sync := &selarasv1alpha1.CatalogSync{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name},
		Spec: selarasv1alpha1.CatalogSyncSpec{
			Mode: selarasv1alpha1.ModeEnforce, Source: selarasv1alpha1.CatalogSource{Channel: source},
			Channels: selarasv1alpha1.ChannelSelection{Names: targets},
		},
	}
	p.create(sync)
	return sync
}

// soon bounds the wait for what one report or reconcile brings; a pod's start
// is within it, on a machine that is busy.
const soon = 90 * time.Second

// within waits until check says nothing is wrong any more.
func (p *place) within(most time.Duration, check func(context.Context) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), most)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			p.t.Fatalf("not within %s: %v", most, err)
		}
	}
}

func conditionsOf(object client.Object) []metav1.Condition {
	switch o := object.(type) {
	case *selarasv1alpha1.Channel:
		return o.Status.Conditions
	case *selarasv1alpha1.CatalogSync:
		return o.Status.Conditions
	}
	return nil
}

// shows waits until a condition of the newest generation is "Status/Reason"
// and its message says what it should.
func (p *place) shows(object client.Object, kind, want, says string) {
	p.t.Helper()
	p.within(soon, func(ctx context.Context) error {
		if err := p.kube.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		c := meta.FindStatusCondition(conditionsOf(object), kind)
		if c == nil || string(c.Status)+"/"+c.Reason != want || c.ObservedGeneration != object.GetGeneration() || !strings.Contains(c.Message, says) {
			return fmt.Errorf("%s %s: %s is %+v, want %s of generation %d that says %q; all: %+v",
				p.namespace, object.GetName(), kind, c, want, object.GetGeneration(), says, conditionsOf(object))
		}
		return nil
	})
}

// ready waits until an object is Ready and nothing of it is stalled.
func (p *place) ready(object client.Object) {
	p.t.Helper()
	p.shows(object, selarasv1alpha1.ConditionReady, "True/Succeeded", "")
	p.shows(object, selarasv1alpha1.ConditionStalled, "False/Progressing", "")
}

// told waits for an event of a type (Warning or Normal) and reason about an
// object.
func (p *place) told(object client.Object, kind, reason string) {
	p.t.Helper()
	p.within(soon, func(ctx context.Context) error {
		var list eventsv1.EventList
		if err := p.kube.List(ctx, &list, client.InNamespace(p.namespace)); err != nil {
			return err
		}
		var seen []string
		for _, e := range list.Items {
			if e.Regarding.Name != object.GetName() {
				continue
			}
			if e.Type == kind && e.Reason == reason && e.Note != "" {
				return nil
			}
			seen = append(seen, e.Type+"/"+e.Reason)
		}
		return fmt.Errorf("%s %s: there is no event %s/%s, only %v", p.namespace, object.GetName(), kind, reason, seen)
	})
}

// identity is what tells one life of a pod's container from another.
type identity struct {
	name, uid string
	restarts  int32
}

// pod is the one pod of a Channel's connector.
func (p *place) pod(channel string) (identity, corev1.Pod) {
	p.t.Helper()
	var list corev1.PodList
	if err := p.kube.List(p.t.Context(), &list, client.InNamespace(p.namespace), client.MatchingLabels{"app.kubernetes.io/instance": channel + "-connector"}); err != nil {
		p.t.Fatal(err)
	}
	if len(list.Items) != 1 || len(list.Items[0].Status.ContainerStatuses) != 1 {
		p.t.Fatalf("Channel %s has %d pods, want 1 with one container", channel, len(list.Items))
	}
	pod := list.Items[0]
	return identity{pod.Name, string(pod.UID), pod.Status.ContainerStatuses[0].RestartCount}, pod
}

// samePod proves that a repair restarted nothing.
func (p *place) samePod(channel string, before identity) {
	p.t.Helper()
	if now, _ := p.pod(channel); now != before {
		p.t.Errorf("%s: the pod was %+v and is %+v: the repair restarted it", channel, before, now)
	}
}
