package dev_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"selaras.dev/selaras/internal/dev"
	"selaras.dev/selaras/internal/dev/devtest"
	"selaras.dev/selaras/internal/dev/runner"
)

// programVariable makes the test binary act as the program in a test's pods.
const programVariable = "SELARAS_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		os.Exit(program(os.Args[1], os.Args[2]))
	}
	os.Exit(m.Run())
}

// program counts its starts in a file and shows the count, its process id and
// the KEY of the Secret.
func program(listen, file string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	starts, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		fmt.Println(err)
		return 1
	}
	if err := os.WriteFile(file, append(starts, 'x'), 0o600); err != nil {
		fmt.Println(err)
		return 1
	}
	server := &http.Server{Addr: listen, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, "%d %d %s", len(starts)+1, os.Getpid(), os.Getenv("KEY"))
		})}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); err != nil && ctx.Err() == nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

const manifests = `
apiVersion: example.selaras.dev/v1
kind: Thing
metadata: {name: kept, namespace: shop}
spec: {colour: red}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: counter, namespace: shop}
spec:
  serviceName: counter
  selector: {matchLabels: {app: counter}}
  template:
    metadata: {labels: {app: counter}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 5
      containers:
      - name: program
        image: program:test
        args: [":8080", "/data/starts"]
        ports: [{name: http, containerPort: 8080}]
        envFrom: [{secretRef: {name: made}}]
        readinessProbe: {httpGet: {port: http}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.selaras.dev}
spec:
  group: example.selaras.dev
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {colour: {type: string}}}
`

func options(t *testing.T) dev.Options {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return dev.Options{
		Images:    map[string]runner.Image{"program:test": {Executable: executable, Env: map[string]string{programVariable: "1"}}},
		Manifests: []byte(manifests),
	}
}

// makeSecret makes what the pod waits for and no manifest holds, as the
// operator makes the hub's keys: once, in a cluster that runs.
func makeSecret(t *testing.T, cluster *dev.Cluster) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "made"}, StringData: map[string]string{"KEY": rand.Text()}}
	if _, err := client(t, cluster).CoreV1().Secrets("shop").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func client(t *testing.T, cluster *dev.Cluster) kubernetes.Interface {
	t.Helper()
	c, err := kubernetes.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// kept are the ids of objects of the cluster: one that was made anew has
// another.
func kept(t *testing.T, cluster *dev.Cluster) map[string]types.UID {
	t.Helper()
	c, err := dynamic.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]types.UID{}
	for name, resource := range map[string]schema.GroupVersionResource{
		"kept":           {Group: "example.selaras.dev", Version: "v1", Resource: "things"},
		"made":           {Version: "v1", Resource: "secrets"},
		"data-counter-0": {Version: "v1", Resource: "persistentvolumeclaims"},
	} {
		object, err := c.Resource(resource).Namespace("shop").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = object.GetUID()
	}
	return ids
}

// answer is what the program of the StatefulSet's pod says of itself.
type answer struct {
	starts, pid int
	key         string
}

func ask(t *testing.T, cluster *dev.Cluster) (a answer) {
	t.Helper()
	pod, err := client(t, cluster).CoreV1().Pods("shop").Get(t.Context(), "counter-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+pod.Status.PodIP+":8080", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 100))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(body), &a.starts, &a.pid, &a.key); err != nil {
		t.Fatalf("the program answered %q: %v", body, err)
	}
	return a
}

// Everything survives a restart of the cluster: objects, volumes, Secrets that
// were made once and that stored data is good for nothing without; pods run
// again; and a stop leaves no process behind (issue 2, section 8).
func TestClusterSurvivesARestart(t *testing.T) {
	t.Parallel()
	with := options(t)
	with.DataDir = t.TempDir()
	ready := func(cluster *dev.Cluster) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := cluster.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
	first := devtest.Start(t, with)
	makeSecret(t, first)
	ready(first)
	before, objects := ask(t, first), kept(t, first)
	if before.starts != 1 {
		t.Errorf("the pod was started %d times, want once", before.starts)
	}
	first.Stop()
	if err := syscall.Kill(before.pid, 0); err == nil {
		t.Errorf("process %d of a pod outlived the cluster", before.pid)
	}

	second := devtest.Start(t, with)
	ready(second)
	after := ask(t, second)
	if after.starts != 2 {
		t.Errorf("after the restart the claim counts %d starts, want 2", after.starts)
	}
	if after.key != before.key {
		t.Errorf("after the restart the pod has the key %q, before it had %q", after.key, before.key)
	}
	if diff := cmp.Diff(objects, kept(t, second)); diff != "" {
		t.Errorf("objects were made anew (-before +after):\n%s", diff)
	}
}

// When a pod does not come up, the error says which, why, and what it wrote.
func TestWaitReadyExplainsWhatIsMissing(t *testing.T) {
	t.Parallel()
	with := options(t)
	with.Manifests = []byte(strings.ReplaceAll(manifests, "/data/starts", "/data/no/such/directory"))
	cluster := devtest.Start(t, with)
	makeSecret(t, cluster)
	// Wait for the first crash, then ask with no patience left.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch, err := client(t, cluster).CoreV1().Pods("shop").Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=counter-0"})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	timeout := time.After(time.Minute)
	for crashed := false; !crashed; {
		select {
		case <-timeout:
			t.Fatal("the pod did not crash within a minute")
		case <-watch.ResultChan():
			crashed = strings.Contains(cluster.Troubles(ctx, "shop"), "CrashLoopBackOff")
		}
	}
	cancel()
	err = cluster.WaitReady(ctx)
	for _, want := range []string{"StatefulSet shop/counter", "pod counter-0", "no such file or directory"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}
