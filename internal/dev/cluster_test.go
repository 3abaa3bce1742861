package dev_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

// program counts its starts in a file and shows the count, and its process id.
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
			_, _ = fmt.Fprintf(w, "%d %d", len(starts)+1, os.Getpid())
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

func options(t *testing.T, made *int) dev.Options {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return dev.Options{
		Images:    map[string]runner.Image{"program:test": {Executable: executable, Env: map[string]string{programVariable: "1"}}},
		Manifests: []byte(manifests),
		Secrets: []dev.Secret{{Namespace: "shop", Name: "made", Make: func() (map[string][]byte, error) {
			*made++
			return map[string][]byte{"KEY": []byte("value")}, nil
		}}},
	}
}

// starts asks the StatefulSet's pod how often it was started, and its process id.
func starts(t *testing.T, cluster *dev.Cluster) (count, pid int) {
	t.Helper()
	client, err := kubernetes.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	pod, err := client.CoreV1().Pods("shop").Get(t.Context(), "counter-0", metav1.GetOptions{})
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
	if _, err := fmt.Sscan(string(body), &count, &pid); err != nil {
		t.Fatalf("the program answered %q: %v", body, err)
	}
	return count, pid
}

// Everything survives a restart of the cluster: objects, volumes, Secrets that
// were made once; pods run again; and a stop leaves no process behind
// (issue 2, section 8).
func TestClusterSurvivesARestart(t *testing.T) {
	t.Parallel()
	made := 0
	dir := t.TempDir()
	with := options(t, &made)
	with.DataDir = dir
	ready := func(cluster *dev.Cluster) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := cluster.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
	first := devtest.Start(t, with)
	ready(first)
	count, pid := starts(t, first)
	if count != 1 {
		t.Errorf("the pod was started %d times, want once", count)
	}
	first.Stop()
	if err := syscall.Kill(pid, 0); err == nil {
		t.Errorf("process %d of a pod outlived the cluster", pid)
	}

	second := devtest.Start(t, with)
	ready(second)
	if count, _ := starts(t, second); count != 2 {
		t.Errorf("after the restart the claim counts %d starts, want 2", count)
	}
	if made != 1 {
		t.Errorf("the Secret was made %d times, want once", made)
	}
	client, err := dynamic.NewForConfig(second.Config())
	if err != nil {
		t.Fatal(err)
	}
	things := schema.GroupVersionResource{Group: "example.selaras.dev", Version: "v1", Resource: "things"}
	if _, err := client.Resource(things).Namespace("shop").Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

// When a pod does not come up, the error says which, why, and what it wrote.
func TestWaitReadyExplainsWhatIsMissing(t *testing.T) {
	t.Parallel()
	made := 0
	with := options(t, &made)
	with.Manifests = []byte(strings.ReplaceAll(manifests, "/data/starts", "/data/no/such/directory"))
	cluster := devtest.Start(t, with)
	client, err := kubernetes.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	// Wait for the first crash, then ask with no patience left.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch, err := client.CoreV1().Pods("shop").Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=counter-0"})
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
