package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

const (
	operatorNamespaces  = 20
	operatorConcurrency = 10 // the operator's default
	channelsPerSync     = 5  // a source and four targets
)

// ownLabels select what the operator made.
var ownLabels = client.MatchingLabels{"app.kubernetes.io/managed-by": "selaras"}

// operator: the time until every resource is reconciled, against a bare
// program that makes the same requests, and the operator's memory.
//
// There is no kubelet and nobody plays one. A resource is reconciled when what
// is to be done for it without its pods is done: every child is applied, the
// configuration lies in the hub for the workload, and the status of the newest
// generation tells what was found.
func operator(ctx context.Context, r *run) (err error) {
	channels := max(operatorNamespaces*channelsPerSync, r.of(1000))
	syncs := channels / channelsPerSync
	ctrl.SetLogger(logr.Discard())
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	binary := r.path("selaras")
	if out, err := exec.CommandContext(ctx, "go", "build", "-C", root, "-o", binary, "./cmd/selaras").CombinedOutput(); err != nil { // #nosec G204
		return fmt.Errorf("building the operator: %w: %s", err, out)
	}
	w, err := newWorld(ctx, r.path("world"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()

	made, ours, err := w.reconcile(r, root, binary, channels, syncs)
	if err != nil {
		return fmt.Errorf("ours: %w", err)
	}
	bare, err := bareOperator(ctx, root, channels, syncs, made)
	if err != nil {
		return fmt.Errorf("bare program: %w", err)
	}
	r.say("%d Channels and %d CatalogSyncs in %d namespaces, %d children, %d at once", channels, syncs, operatorNamespaces, len(made.children), operatorConcurrency)
	r.say("all reconciled %.2f s after the start of the process; the bare program took %.2f s", ours.took.Seconds(), bare.Seconds())
	r.say("requests of the API server meanwhile: %s", ours.requests)
	r.say("RSS: %s at most, %s ten seconds later", mib(ours.peak), mib(ours.rss))
	r.atMost("time", ours.took.Seconds()/bare.Seconds(), 1.5)
	r.atMost("rss_mib", float64(ours.peak)/(1<<20), 200)
	return nil
}

// moduleRoot is where go.mod is.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if filepath.Base(file) != "go.mod" {
		return "", errors.New("run it from within the module, as `make bench` does")
	}
	return filepath.Dir(file), nil
}

// api is a control plane without nodes.
type api struct {
	env  *envtest.Environment
	kube client.WithWatch
}

func startAPI(root string) (*api, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is not set: run `make bench`, which installs etcd and kube-apiserver")
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), selarasv1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	a := &api{env: &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join(root, "config", "crd", "bases")}, ErrorIfCRDPathMissing: true}}
	// Its own range has room for 254 Services.
	a.env.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.96.0.0/16")
	config, err := a.env.Start()
	if err != nil {
		return nil, fmt.Errorf("starting the control plane: %w", err)
	}
	config.QPS = -1
	if a.kube, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return nil, errors.Join(err, a.env.Stop())
	}
	return a, nil
}

// resources makes the namespaces and resources that both programs find.
func (a *api) resources(ctx context.Context, channels, syncs int) error {
	var all []func() error
	for n := range operatorNamespaces {
		namespace := operatorNamespace(n)
		if err := a.kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			return err
		}
	}
	for i := range channels {
		all = append(all, func() error {
			return a.kube.Create(ctx, &selarasv1alpha1.Channel{
				ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace(i % operatorNamespaces), Name: channelName(i / operatorNamespaces)},
				Spec: selarasv1alpha1.ChannelSpec{
					Type: "vendure", Endpoint: fmt.Sprintf("https://shop-%d.example/admin-api", i), Currency: "EUR",
					CredentialsRef: &selarasv1alpha1.SecretReference{Name: channelName(i/operatorNamespaces) + "-credentials"},
				},
			})
		})
	}
	for i := range syncs {
		all = append(all, func() error {
			at := i / operatorNamespaces * channelsPerSync
			var targets []string
			for t := 1; t < channelsPerSync; t++ {
				targets = append(targets, channelName(at+t))
			}
			return a.kube.Create(ctx, &selarasv1alpha1.CatalogSync{
				ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace(i % operatorNamespaces), Name: fmt.Sprintf("sync-%03d", i/operatorNamespaces)},
				Spec: selarasv1alpha1.CatalogSyncSpec{
					Mode: selarasv1alpha1.ModeEnforce, Source: selarasv1alpha1.CatalogSource{Channel: channelName(at)},
					Channels: selarasv1alpha1.ChannelSelection{Names: targets},
				},
			})
		})
	}
	return atOnce(operatorConcurrency, all)
}

func operatorNamespace(i int) string { return fmt.Sprintf("bench-%02d", i) }
func channelName(i int) string       { return fmt.Sprintf("channel-%03d", i) }

// operated is what was seen of the operator.
type operated struct {
	took      time.Duration
	peak, rss int64
	requests  string
}

// reconcile runs the operator on fresh resources until all are reconciled, and
// returns what it made of them.
func (w *world) reconcile(r *run, root, binary string, channels, syncs int) (made *made, seen *operated, err error) {
	a, err := startAPI(root)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, a.env.Stop()) }()
	if err := a.resources(w.ctx, channels, syncs); err != nil {
		return nil, nil, err
	}
	kubeconfig := r.path("kubeconfig")
	if err := os.WriteFile(kubeconfig, a.env.KubeConfig, 0o600); err != nil {
		return nil, nil, err
	}
	before, err := a.requests(w.ctx)
	if err != nil {
		return nil, nil, err
	}
	log, err := os.Create(r.path("operator.log"))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	cmd := exec.Command(binary, "operator", "--hub-url="+w.server.URL(), "--hub-keys-dir="+filepath.Join(w.dir, "keys"), // #nosec G204
		"--workload-image=selaras:bench", fmt.Sprintf("--concurrency=%d", operatorConcurrency), fmt.Sprintf("--hub-namespace-bytes=%d", 64<<20),
		"--metrics-bind-address=0", "--health-probe-bind-address=127.0.0.1:0")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.Stdout, cmd.Stderr = log, log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	limit, cancel := context.WithTimeout(w.ctx, 5*time.Minute)
	defer cancel()
	go func() {
		err := cmd.Wait()
		cancel() // nobody need wait for its work
		ended <- err
	}()
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		if werr := <-ended; werr != nil && err == nil {
			err = fmt.Errorf("the operator ended with %w", werr)
		}
	}()

	seen = &operated{}
	var why string
	if err = a.await(limit, channels, syncs); err == nil {
		err = w.eventually("every child is there", time.Minute, func() (bool, error) {
			var err error
			why, err = a.missing(w.ctx, channels)
			return why == "", err
		})
	}
	if err != nil {
		said, _ := os.ReadFile(log.Name()) // only to say more
		return nil, nil, fmt.Errorf("%w (%s); the operator said: %s", err, why, lastWords(said))
	}
	seen.took = time.Since(began)
	after, err := a.requests(w.ctx)
	if err != nil {
		return nil, nil, err
	}
	seen.requests = difference(before, after)
	if err := w.configured(channels, syncs); err != nil {
		return nil, nil, err
	}
	select {
	case <-time.After(settle):
	case <-w.ctx.Done():
		return nil, nil, w.ctx.Err()
	}
	if seen.rss, err = procStatus(cmd.Process.Pid, "VmRSS"); err != nil {
		return nil, nil, err
	}
	if seen.peak, err = procStatus(cmd.Process.Pid, "VmHWM"); err != nil {
		return nil, nil, err
	}
	made, err = a.made(w.ctx)
	return made, seen, err
}

// await watches until every status tells of a reconcile that went through. A
// watch costs the API server less than asking again and again, which would be
// measured too.
func (a *api) await(ctx context.Context, channels, syncs int) error {
	for _, of := range []struct {
		list client.ObjectList
		n    int
	}{{&selarasv1alpha1.ChannelList{}, channels}, {&selarasv1alpha1.CatalogSyncList{}, syncs}} {
		watch, err := a.kube.Watch(ctx, of.list)
		if err != nil {
			return err
		}
		done := map[client.ObjectKey]bool{}
		count := 0
		for count < of.n {
			select {
			case event, ok := <-watch.ResultChan():
				if !ok {
					return errors.New("the watch ended")
				}
				object, ok := event.Object.(client.Object)
				if !ok {
					return fmt.Errorf("watching: %v", event.Object)
				}
				key, now := client.ObjectKeyFromObject(object), reconciled(object)
				if was := done[key]; now && !was {
					count++
				} else if was && !now {
					count--
				}
				done[key] = now
			case <-ctx.Done():
				watch.Stop()
				return fmt.Errorf("%d of %d %T are reconciled: %w", count, of.n, of.list, ctx.Err())
			}
		}
		watch.Stop()
	}
	return nil
}

// reconciled reports whether the status is of the newest generation and tells
// of no failure.
func reconciled(object client.Object) bool {
	switch o := object.(type) {
	case *selarasv1alpha1.Channel:
		return o.Status.ObservedGeneration == o.Generation && o.Status.HubCredentials != "" && told(o.Status.Conditions)
	case *selarasv1alpha1.CatalogSync:
		return o.Status.ObservedGeneration == o.Generation && told(o.Status.Conditions)
	}
	return false
}

// missing says which children are not there yet, "" for none.
func (a *api) missing(ctx context.Context, channels int) (string, error) {
	for kind, want := range map[string]int{
		"Deployment": channels + operatorNamespaces, "Service": channels + operatorNamespaces, "ServiceAccount": channels + operatorNamespaces,
		"NetworkPolicy": channels + operatorNamespaces, "Secret": channels + operatorNamespaces,
	} {
		list := &metav1.PartialObjectMetadataList{}
		gvk, err := a.kube.GroupVersionKindFor(childKinds[kind])
		if err != nil {
			return "", err
		}
		gvk.Kind += "List"
		list.SetGroupVersionKind(gvk)
		if err := a.kube.List(ctx, list, ownLabels); err != nil {
			return "", err
		}
		if len(list.Items) < want {
			return fmt.Sprintf("%d of %d children of kind %s", len(list.Items), want, kind), nil
		}
	}
	return "", nil
}

// childKinds are the kinds of which the operator makes children here.
var childKinds = map[string]client.Object{
	"Deployment": &appsv1.Deployment{}, "Service": &corev1.Service{}, "ServiceAccount": &corev1.ServiceAccount{},
	"NetworkPolicy": &networkingv1.NetworkPolicy{}, "Secret": &corev1.Secret{},
}

// told reports whether the conditions tell of a reconcile that went through.
func told(conditions []metav1.Condition) bool {
	for i := range conditions {
		switch conditions[i].Reason {
		case selarasv1alpha1.ReasonRetrying, selarasv1alpha1.ReasonHubUnavailable, selarasv1alpha1.ReasonNotOwned:
			return false
		}
	}
	return len(conditions) > 0
}

// configured checks that the hub holds the configuration of every workload.
func (w *world) configured(channels, syncs int) error {
	nc, ns := 0, 0
	for i := range operatorNamespaces {
		space, err := w.authority.Space(w.ctx, operatorNamespace(i))
		if err != nil {
			return err
		}
		c, err := space.List(w.ctx, workload.ConfigChannelPrefix+"*")
		var s []hub.Entry
		if err == nil {
			s, err = space.List(w.ctx, workload.ConfigSyncPrefix+"*")
		}
		space.Close()
		if err != nil {
			return err
		}
		nc, ns = nc+len(c), ns+len(s)
	}
	if nc != channels || ns != syncs {
		return fmt.Errorf("the hub holds the configuration of %d Channels and %d CatalogSyncs, not of %d and %d", nc, ns, channels, syncs)
	}
	return nil
}

// lastWords are the last 2,000 bytes of a log, or as many from where the process
// crashed.
func lastWords(log []byte) []byte {
	for _, cry := range []string{"\npanic: ", "\nfatal error: "} {
		if at := bytes.LastIndex(log, []byte(cry)); at >= 0 {
			return log[at:min(len(log), at+2000)]
		}
	}
	return log[max(0, len(log)-2000):]
}
