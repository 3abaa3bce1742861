package controllers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/controllers"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// The suite runs the real controllers against a real API server and a real
// hub. There is no kubelet: a test plays the pods itself, by setting the
// status of Deployments and by reporting through the hub with the credentials
// that the operator made for the workload.
var (
	scheme   = runtime.NewScheme()
	restConf *rest.Config
	kube     client.Client // reads past the cache
	hubURL   string
	hubKeys  *hub.Keys
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "controllers:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, errors.New("KUBEBUILDER_ASSETS is not set: run these tests by `make test`, which installs etcd and kube-apiserver")
	}
	ctrl.SetLogger(logr.Discard())
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), selarasv1alpha1.AddToScheme(scheme)); err != nil {
		return 1, err
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "config", "crd", "bases")}, ErrorIfCRDPathMissing: true}
	if restConf, err = env.Start(); err != nil {
		return 1, fmt.Errorf("starting the control plane: %w", err)
	}
	defer func() { err = errors.Join(err, env.Stop()) }()
	if kube, err = client.New(restConf, client.Options{Scheme: scheme}); err != nil {
		return 1, err
	}

	dir, err := os.MkdirTemp("", "selaras-controllers-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	keysDir := filepath.Join(dir, "keys")
	if hubKeys, err = hub.GenerateKeys(keysDir); err != nil {
		return 1, err
	}
	quiet := slog.New(slog.DiscardHandler)
	server, err := hub.StartServer(hub.ServerOptions{Dir: filepath.Join(dir, "store"), Trust: hubKeys.Trust(), Logger: quiet})
	if err != nil {
		return 1, err
	}
	defer server.Shutdown()
	hubURL = server.URL()

	mgr, err := ctrl.NewManager(restConf, manager.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr(true)},
		// What bears the label is another operator's, of one test.
		Cache: ownedBy("!" + operatorLabel),
	})
	if err != nil {
		return 1, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = controllers.Setup(ctx, mgr, controllers.Options{
		HubURL: hubURL, HubKeysDir: keysDir, HubNamespaceBytes: 64 << 20, WorkloadImage: "selaras:test", Concurrency: 4, Log: quiet,
	})
	if err != nil {
		cancel()
		return 1, err
	}
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-ended)
	}()
	return m.Run(), nil
}

func ptr[T any](v T) *T { return &v }

// newNamespace makes a namespace for one test.
func newNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := kube.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

// patience bounds every wait for a condition.
const patience = 30 * time.Second

// eventually waits until check says nothing is wrong any more.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", patience, err)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

func get[T client.Object](t *testing.T, object T, namespace, name string) T {
	t.Helper()
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		t.Fatal(err)
	}
	return object
}

// newChannel is a valid Channel of a test.
func newChannel(namespace, name string) *selarasv1alpha1.Channel {
	return &selarasv1alpha1.Channel{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: selarasv1alpha1.ChannelSpec{
			Type: "vendure", Endpoint: "https://" + name + ".shop.example/admin-api", Currency: "EUR",
			CredentialsRef: &selarasv1alpha1.SecretReference{Name: name + "-credentials"},
		},
	}
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := kube.Create(t.Context(), object); err != nil {
			t.Fatalf("creating %T %s: %v", object, object.GetName(), err)
		}
	}
}

// said is an error's text for a message in which it may be missing.
func said(err error) string { return fmt.Sprint(err) }

// change patches an object as a user would, whatever else changed it since.
func change[T client.Object](t *testing.T, object T, mutate func(T)) {
	t.Helper()
	before := object.DeepCopyObject().(client.Object)
	mutate(object)
	if err := kube.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatalf("changing %T %s: %v", object, object.GetName(), err)
	}
}

// becomeAvailable plays the kubelet: the Deployment's pod is up.
func becomeAvailable(t *testing.T, namespace, name string) {
	t.Helper()
	eventually(t, func() error {
		var deployment appsv1.Deployment
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &deployment); err != nil {
			return err
		}
		deployment.Status = appsv1.DeploymentStatus{
			ObservedGeneration: deployment.Generation, Replicas: 1, ReadyReplicas: 1, AvailableReplicas: 1, UpdatedReplicas: 1,
		}
		return kube.Status().Update(t.Context(), &deployment)
	})
}

// pod is a workload as the hub sees it: it holds the credentials from the
// Secret that its Deployment mounts.
type pod struct {
	t     *testing.T
	space *hub.Space
	key   string
}

// startPod dials the hub as the workload of a Deployment would.
func startPod(t *testing.T, namespace, deploymentName, reportKey string) *pod {
	t.Helper()
	var credentials []byte
	eventually(t, func() error {
		var deployment appsv1.Deployment
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: deploymentName}, &deployment); err != nil {
			return err
		}
		for _, volume := range deployment.Spec.Template.Spec.Volumes {
			if volume.Name != "hub" {
				continue
			}
			var secret corev1.Secret
			if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: volume.Secret.SecretName}, &secret); err != nil {
				return err
			}
			credentials = secret.Data["user.creds"]
			return nil
		}
		return fmt.Errorf("Deployment %s mounts no volume hub", deploymentName)
	})
	space, err := hub.Dial(t.Context(), hub.DialOptions{
		URL: hubURL, Credentials: credentials, Name: deploymentName, Namespace: namespace, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(space.Close)
	becomeAvailable(t, namespace, deploymentName)
	return &pod{t, space, reportKey}
}

func startConnector(t *testing.T, namespace, channel string) *pod {
	t.Helper()
	return startPod(t, namespace, channel+"-connector", workload.ReportChannelPrefix+channel)
}

func startCatalog(t *testing.T, namespace string) *pod {
	t.Helper()
	return startPod(t, namespace, "selaras-catalog", workload.ReportCatalog)
}

func (p *pod) report(report any) {
	p.t.Helper()
	data, err := json.Marshal(report)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.space.Put(p.t.Context(), p.key, data); err != nil {
		p.t.Fatal(err)
	}
}

// channelConfig waits for the configuration of a generation at least.
func (p *pod) channelConfig(channel string, generation int64) workload.ChannelConfig {
	p.t.Helper()
	var config workload.ChannelConfig
	eventually(p.t, func() error {
		entry, err := p.space.Get(p.t.Context(), workload.ConfigChannelPrefix+channel)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(entry.Data, &config); err != nil {
			return err
		}
		if config.Generation < generation {
			return fmt.Errorf("the configuration is of generation %d, want %d", config.Generation, generation)
		}
		return nil
	})
	return config
}

// healthyReport is what a connector with nothing wrong says.
func healthyReport(channel *selarasv1alpha1.Channel) workload.ChannelReport {
	return workload.ChannelReport{
		UID: string(channel.UID), Generation: channel.Generation, At: time.Now(),
		Driver: workload.DriverReport{Type: channel.Spec.Type, Version: "1.0.0", Capabilities: []string{
			"ReadListings", "GetListings", "ReadChanges", "WriteContent", "WritePrice", "WriteStock", "ReadOrders"}},
		AccountID: channel.Namespace + "/" + channel.Name, Credentials: workload.CredentialsValid,
		Connected: true, ReadOnce: true, Listings: 88, ItemsIntake: time.Now(), OrdersIntake: time.Now(),
	}
}

// wantCondition waits until a condition is "Status/Reason" for the newest
// generation.
func wantCondition(t *testing.T, object client.Object, list func() []metav1.Condition, kind, want string) {
	t.Helper()
	eventually(t, func() error {
		if err := kube.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		for _, c := range list() {
			if c.Type != kind {
				continue
			}
			if got := string(c.Status) + "/" + c.Reason; got != want || c.ObservedGeneration != object.GetGeneration() {
				return fmt.Errorf("%s is %s (%s) for generation %d, want %s for %d", kind, got, c.Message, c.ObservedGeneration, want, object.GetGeneration())
			}
			return nil
		}
		return fmt.Errorf("there is no condition %s", kind)
	})
}

func wantChannel(t *testing.T, channel *selarasv1alpha1.Channel, kind, want string) {
	t.Helper()
	wantCondition(t, channel, func() []metav1.Condition { return channel.Status.Conditions }, kind, want)
}

func wantSync(t *testing.T, sync *selarasv1alpha1.CatalogSync, kind, want string) {
	t.Helper()
	wantCondition(t, sync, func() []metav1.Condition { return sync.Status.Conditions }, kind, want)
}
