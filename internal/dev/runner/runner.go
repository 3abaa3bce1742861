package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
)

// NodeName is the name of the one node.
const NodeName = "dev"

// nodeAddress is the node's own address; pods have others.
const nodeAddress = "127.0.0.1"

// Image is what stands for a container image.
type Image struct {
	// Executable is the local program; it is the image's ENTRYPOINT.
	Executable string
	// Entrypoint is the program's path inside the real image, which a pod's
	// command may name; empty when no pod does.
	Entrypoint string
	// Env is the image's own environment (ENV), KEY to value.
	Env map[string]string
}

// Backoff is the delay before a crashed container is started again: the first
// restart is immediate, the next waits Initial, each further one twice as long,
// at most Max. A container that ran ResetAfter starts over.
type Backoff struct {
	Initial, Max, ResetAfter time.Duration
}

// KubeletBackoff is a kubelet's own backoff.
var KubeletBackoff = Backoff{Initial: 10 * time.Second, Max: 5 * time.Minute, ResetAfter: 10 * time.Minute}

// Options say what to run where.
type Options struct {
	// Config is an administrator's client configuration.
	Config *rest.Config
	// AuthorityFile is the PEM file of the API server's authority.
	AuthorityFile string
	// Certificate makes a serving certificate (PEM) for the node, which the API
	// server trusts when `kubectl logs` asks for logs.
	Certificate func() (certificate, key []byte, err error)
	// DataDir keeps volumes and logs; made when absent.
	DataDir string
	// Images maps image references, as written in pods, to programs.
	Images map[string]Image
	// Pods is the loopback range of pod IPs.
	Pods netip.Prefix
	// Backoff is KubeletBackoff when zero.
	Backoff Backoff
	// Logger may be nil.
	Logger *slog.Logger
}

// Runner runs the pods of the cluster.
type Runner struct {
	options Options
	log     *slog.Logger
	client  kubernetes.Interface
	events  record.EventRecorder
	// broadcaster carries events to the API until the last pod has ended.
	broadcaster record.EventBroadcaster
	addresses   *addresses
	logs        *logServer

	pods       corelisters.PodLister
	configMaps corelisters.ConfigMapLister
	secrets    corelisters.SecretLister
	services   corelisters.ServiceLister

	stop  context.CancelFunc
	tasks sync.WaitGroup

	mu      sync.Mutex
	workers map[types.UID]*podWorker
	closed  bool
}

// Start registers the node and begins to run pods. Call Stop to end it.
func Start(ctx context.Context, options Options) (*Runner, error) {
	if options.Backoff == (Backoff{}) {
		options.Backoff = KubeletBackoff
	}
	client, err := kubernetes.NewForConfig(options.Config)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", options.Config.Host, err)
	}
	r := &Runner{
		options:   options,
		log:       options.Logger,
		client:    client,
		addresses: newAddresses(options.Pods),
		workers:   map[types.UID]*podWorker{},
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	for _, dir := range []string{r.podsDir(), r.logsDir(), r.storageDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the data directory: %w", err)
		}
	}
	// Workers outlive the caller's context: Stop ends them in order.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	if err := r.begin(ctx, running); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// begin starts every task; starting bounds the start, running the tasks.
func (r *Runner) begin(starting, running context.Context) error {
	var err error
	if r.logs, err = startLogServer(r); err != nil {
		return err
	}
	if err := r.registerNode(starting); err != nil {
		return err
	}
	if err := EnsureStorageClass(starting, r.client); err != nil {
		return err
	}
	if err := r.markNotReady(starting); err != nil {
		return err
	}
	r.broadcaster = record.NewBroadcaster()
	r.broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: r.client.CoreV1().Events("")})
	r.events = r.broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "selaras-dev", Host: NodeName})

	factory := informers.NewSharedInformerFactory(r.client, 0)
	r.pods = factory.Core().V1().Pods().Lister()
	r.configMaps = factory.Core().V1().ConfigMaps().Lister()
	r.secrets = factory.Core().V1().Secrets().Lister()
	r.services = factory.Core().V1().Services().Lister()
	proxy := newProxy(r)
	storage := newStorage(r, factory)
	scheduler := newScheduler(r)
	handlers := []struct {
		informer cache.SharedIndexInformer
		notify   func(object any)
	}{
		{factory.Core().V1().Pods().Informer(), func(object any) { r.podChanged(running, object); scheduler.podChanged(object) }},
		{factory.Core().V1().ConfigMaps().Informer(), r.fileSourceChanged},
		{factory.Core().V1().Secrets().Informer(), r.fileSourceChanged},
		{factory.Core().V1().Services().Informer(), proxy.serviceChanged},
		{factory.Core().V1().PersistentVolumeClaims().Informer(), storage.claimChanged},
		{factory.Core().V1().PersistentVolumes().Informer(), storage.volumeChanged},
	}
	// Everything else is known before the first pod is looked at.
	for i := len(handlers) - 1; i >= 0; i-- {
		if _, err := handlers[i].informer.AddEventHandler(handler(handlers[i].notify)); err != nil {
			return fmt.Errorf("watch the API: %w", err)
		}
	}
	r.tasks.Go(func() { r.keepLease(running) })
	r.tasks.Go(func() { proxy.run(running) })
	r.tasks.Go(func() { storage.run(running) })
	r.tasks.Go(func() { scheduler.run(running) })
	factory.Start(running.Done())
	r.tasks.Go(func() {
		<-running.Done()
		factory.Shutdown()
	})
	for kind, synced := range factory.WaitForCacheSync(starting.Done()) {
		if !synced {
			return fmt.Errorf("read %v from the API: %w", kind, context.Cause(starting))
		}
	}
	return r.sweep()
}

// handler calls notify for every change of an object.
func handler(notify func(object any)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    notify,
		UpdateFunc: func(_, object any) { notify(object) },
		DeleteFunc: func(object any) {
			if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			notify(object)
		},
	}
}

// Stop ends every process gracefully, without deleting pods from the API: they
// run again at the next start.
func (r *Runner) Stop() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.tasks.Wait()
	if r.broadcaster != nil {
		r.broadcaster.Shutdown()
	}
	if r.logs != nil {
		r.logs.close()
	}
}

// LogsDir is the directory of container logs:
// <namespace>_<pod>_<uid>/<container>.<restart>.log.
func (r *Runner) LogsDir() string { return r.logsDir() }

func (r *Runner) podsDir() string    { return filepath.Join(r.options.DataDir, "pods") }
func (r *Runner) logsDir() string    { return filepath.Join(r.options.DataDir, "logs", "pods") }
func (r *Runner) storageDir() string { return filepath.Join(r.options.DataDir, "volumes") }

// podChanged wakes the pod's worker, making it for a pod seen for the first time.
func (r *Runner) podChanged(running context.Context, object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Spec.NodeName != NodeName {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	worker := r.workers[pod.UID]
	if worker == nil {
		if r.closed {
			return
		}
		worker = newPodWorker(r, pod)
		r.workers[pod.UID] = worker
		r.tasks.Go(func() {
			worker.run(running)
			r.mu.Lock()
			delete(r.workers, pod.UID)
			r.mu.Unlock()
		})
	}
	worker.nudge()
}

// fileSourceChanged wakes the pods that may mount a ConfigMap or Secret.
func (r *Runner) fileSourceChanged(object any) {
	namespaced, ok := object.(interface{ GetNamespace() string })
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, worker := range r.workers {
		if worker.namespace == namespaced.GetNamespace() {
			worker.nudge()
		}
	}
}

// markNotReady takes back what an earlier run said of its pods: nothing runs
// yet, and nobody shall see a pod ready that is not.
func (r *Runner) markNotReady(ctx context.Context) error {
	pods, err := r.client.CoreV1().Pods(corev1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + NodeName})
	if err != nil {
		return fmt.Errorf("list the pods of an earlier run: %w", err)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if !isReady(pod) {
			continue
		}
		for _, kind := range []corev1.PodConditionType{corev1.ContainersReady, corev1.PodReady} {
			setCondition(&pod.Status, corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, Reason: "ClusterRestarted"})
		}
		_, err := r.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("report pod %s/%s not ready: %w", pod.Namespace, pod.Name, err)
		}
	}
	return nil
}

// sweep removes the directories of pods that are gone, which a run that was
// killed has left behind.
func (r *Runner) sweep() error {
	pods, err := r.pods.List(everything)
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	dirs, logs := map[string]bool{}, map[string]bool{}
	for _, pod := range pods {
		dirs[string(pod.UID)] = true
		logs[filepath.Base(r.podLogs(pod))] = true
	}
	return errors.Join(keepOnly(r.podsDir(), dirs), keepOnly(r.logsDir(), logs))
}

func keepOnly(dir string, names map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list leftovers: %w", err)
	}
	for _, entry := range entries {
		if names[entry.Name()] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("remove leftovers: %w", err)
		}
	}
	return nil
}
