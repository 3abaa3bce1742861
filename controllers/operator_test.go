package controllers_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers"
	"selaras.dev/selaras/internal/hub"
)

// operatorLabel on a resource says which operator of which test it is for.
const operatorLabel = "operator"

// ownedBy lets a manager see the resources with a label alone.
func ownedBy(selector string) cache.Options {
	which, err := labels.Parse(selector)
	if err != nil {
		panic(err) // of this file's own making
	}
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&selarasv1alpha1.Channel{}: {Label: which}, &selarasv1alpha1.CatalogSync{}: {Label: which},
	}}
}

// installation is a hub and an operator of a test's own, beside those of the
// suite.
type installation struct {
	t       *testing.T
	name    string // value of operatorLabel
	keysDir string
	server  *hub.Server
	options hub.ServerOptions
	// hub is asked past the operator.
	hub *hub.Authority
	// secretRequests counts what the operator asked the API about Secrets.
	secretRequests atomic.Int64
}

var installations atomic.Int64

// install starts a hub with room for so many bytes; 0 is the disk's.
func install(t *testing.T, maxStore int64) *installation {
	t.Helper()
	i := &installation{t: t, name: fmt.Sprintf("operator-%d", installations.Add(1)), keysDir: filepath.Join(t.TempDir(), "keys")}
	keys, err := hub.GenerateKeys(i.keysDir)
	if err != nil {
		t.Fatal(err)
	}
	i.options = hub.ServerOptions{Dir: t.TempDir(), Trust: keys.Trust(), MaxStore: maxStore, Logger: slog.New(slog.DiscardHandler)}
	i.startHub()
	// A restart comes back where its clients look for it.
	i.options.Listen = strings.TrimPrefix(i.server.URL(), "nats://")
	t.Cleanup(func() { i.server.Shutdown() })
	if i.hub, err = hub.NewAuthority(hub.AuthorityOptions{URL: i.server.URL(), Keys: keys, Logger: i.options.Logger}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.hub.Close)
	return i
}

func (i *installation) startHub() {
	i.t.Helper()
	var err error
	if i.server, err = hub.StartServer(i.options); err != nil {
		i.t.Fatal(err)
	}
}

// namespaceBytes of these tests: two do not fit on 100 MiB.
const namespaceBytes = 40 << 20

// operate runs an operator until stop, or the end of the test.
func (i *installation) operate(retain time.Duration) (stop func()) {
	i.t.Helper()
	conf := rest.CopyConfig(restConf)
	conf.Wrap(func(next http.RoundTripper) http.RoundTripper { return countSecrets{next, &i.secretRequests} })
	mgr, err := ctrl.NewManager(conf, manager.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr(true)},
		Cache:      ownedBy(operatorLabel + "=" + i.name),
	})
	if err != nil {
		i.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = controllers.Setup(ctx, mgr, controllers.Options{
		HubURL: i.server.URL(), HubKeysDir: i.keysDir, HubNamespaceBytes: namespaceBytes, RetainDeleted: retain,
		WorkloadImage: "selaras:test", Concurrency: 4, Metrics: prometheus.NewRegistry(), Log: i.options.Logger,
	})
	if err != nil {
		cancel()
		i.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			i.t.Errorf("the operator ended with %v", err)
		}
	})
	i.t.Cleanup(stop)
	return stop
}

// countSecrets counts the requests about Secrets.
type countSecrets struct {
	next  http.RoundTripper
	count *atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (c countSecrets) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/secrets") {
		c.count.Add(1)
	}
	return c.next.RoundTrip(r)
}

// channel is a valid Channel for this operator.
func (i *installation) channel(namespace, name string) *selarasv1alpha1.Channel {
	channel := newChannel(namespace, name)
	channel.Labels = map[string]string{operatorLabel: i.name}
	return channel
}

// connect opens a namespace as a connector would.
func (i *installation) connect(namespace, channel string) *hub.Space {
	i.t.Helper()
	credentials, err := i.hub.Credentials(namespace, hub.Workload{Kind: hub.Connector, Name: channel})
	if err != nil {
		i.t.Fatal(err)
	}
	return dialHub(i.t, i.server.URL(), credentials)
}

func dialHub(t *testing.T, url string, credentials []byte) *hub.Space {
	t.Helper()
	space, err := hub.Dial(t.Context(), hub.DialOptions{URL: url, Credentials: credentials, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(space.Close)
	return space
}

// facts is how many facts the hub holds of a namespace.
func (i *installation) facts(namespace string) uint64 {
	i.t.Helper()
	space, err := i.hub.Space(i.t.Context(), namespace)
	if err != nil {
		i.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(i.t.Context(), patience)
	defer cancel()
	state, err := space.State(ctx)
	if err != nil {
		i.t.Fatal(err)
	}
	return state.Facts.Messages
}

// wantStored waits until the hub holds a namespace in use ("used"), out of use
// ("retired"), or not at all ("gone").
func (i *installation) wantStored(namespace, want string) {
	i.t.Helper()
	eventually(i.t, func() error {
		stored, err := i.hub.Namespaces(i.t.Context())
		if err != nil {
			return err
		}
		is := "gone"
		for _, s := range stored {
			switch {
			case s.Namespace != namespace:
			case s.Retired.IsZero():
				is = "used"
			default:
				is = "retired"
			}
		}
		if is != want {
			return fmt.Errorf("namespace %s of the hub is %s, want %s", namespace, is, want)
		}
		return nil
	})
}
