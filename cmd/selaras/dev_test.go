package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/dev/devtest"
)

const devPatience = 2 * time.Minute

// Pods of the development cluster run the running program: here, this test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"operator", "hub", "connector", "catalog"}, os.Args[1]) {
		main()
		return
	}
	os.Exit(m.Run())
}

// What is missing for a control plane is said with how to get it.
func TestDevSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", t.TempDir()} {
		err := runDev(t.Context(), &output{}, dir, t.TempDir())
		if err == nil || !strings.Contains(err.Error(), "make dev") || strings.Contains(err.Error(), "\n") {
			t.Errorf("binaries %q: %v, want one line that names `make dev`", dir, err)
		}
	}
}

// One command runs everything: a Channel gets its connector's pod, a deleted
// pod comes back, the data survives a restart, and no process stays.
func TestDev(t *testing.T) {
	dir := t.TempDir()
	binaries := devtest.Binaries(t)

	first := startDev(t, binaries, dir)
	channel := &selarasv1alpha1.Channel{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "default"},
		// Nothing listens there: the connector says so.
		Spec: selarasv1alpha1.ChannelSpec{Type: "vendure", Endpoint: "http://127.0.0.1:1/admin-api", Currency: "USD",
			CredentialsRef: &selarasv1alpha1.SecretReference{Name: "shop"}},
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "default"},
		StringData: map[string]string{"username": "u", "password": "p"}}
	for _, object := range []client.Object{secret, channel} {
		if err := first.kube.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	pod := first.connector(t, "")
	if err := first.kube.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	first.connector(t, pod.UID)
	first.reported(t)
	first.stop(t)
	if left := processesOf(t, dir); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}

	second := startDev(t, binaries, dir)
	second.connector(t, pod.UID)
	second.reported(t)
	second.stop(t)
	if left := processesOf(t, dir); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

// devRun is `selaras dev` under way.
type devRun struct {
	kube   client.Client
	out    *output
	cancel context.CancelFunc
	ended  chan error
}

func startDev(t *testing.T, binaries, dir string) *devRun {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &devRun{out: &output{}, cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- runDev(ctx, r.out, binaries, dir) }()
	t.Cleanup(cancel)
	r.eventually(t, "the cluster", func(context.Context) (bool, string) {
		select {
		case err := <-r.ended:
			t.Fatalf("it ended: %v\n%s", err, r.out)
		default:
		}
		return strings.Contains(r.out.String(), "Ctrl-C ends it"), r.out.String()
	})
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.out.String(), "KUBECONFIG="+filepath.Join(dir, "kubeconfig")) {
		t.Errorf("the kubeconfig is not named in:\n%s", r.out)
	}
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	if r.kube, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *devRun) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Fatalf("it ended with: %v", err)
		}
	case <-time.After(devPatience):
		t.Fatal("it does not end")
	}
}

// connector waits for a ready pod of the Channel's connector other than one.
func (r *devRun) connector(t *testing.T, not any) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	r.eventually(t, "the connector's pod", func(ctx context.Context) (bool, string) {
		var pods corev1.PodList
		if err := r.kube.List(ctx, &pods, client.InNamespace("default"), client.MatchingLabels{"app.kubernetes.io/instance": "shop-connector"}); err != nil {
			return false, err.Error()
		}
		seen := fmt.Sprintf("%d pods", len(pods.Items))
		for i := range pods.Items {
			pod := &pods.Items[i]
			seen += fmt.Sprintf("; %s %s %+v", pod.Name, pod.Status.Phase, pod.Status.ContainerStatuses)
			if pod.UID != not && pod.DeletionTimestamp == nil && len(pod.Status.ContainerStatuses) == 1 && pod.Status.ContainerStatuses[0].Ready {
				found = pod
				return true, ""
			}
		}
		return false, seen
	})
	return found
}

// reported waits until the connector has said through hub and operator that
// the shop does not answer.
func (r *devRun) reported(t *testing.T) {
	t.Helper()
	r.eventually(t, "the connector's report", func(ctx context.Context) (bool, string) {
		var channel selarasv1alpha1.Channel
		if err := r.kube.Get(ctx, client.ObjectKey{Namespace: "default", Name: "shop"}, &channel); err != nil {
			return false, err.Error()
		}
		connected := meta.FindStatusCondition(channel.Status.Conditions, selarasv1alpha1.ConditionConnected)
		return connected != nil && connected.Reason == selarasv1alpha1.ReasonUnreachable, fmt.Sprintf("%+v", channel.Status.Conditions)
	})
}

func (r *devRun) eventually(t *testing.T, what string, condition func(context.Context) (ok bool, seen string)) {
	t.Helper()
	var seen string
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, devPatience, true, func(ctx context.Context) (bool, error) {
		var ok bool
		ok, seen = condition(ctx)
		return ok, nil
	})
	if err != nil {
		t.Fatalf("waited for %s: %v; last seen: %s", what, err, seen)
	}
}

// processesOf are the command lines of living processes that name the directory.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file) // empty for a process that has ended
		if err == nil && bytes.Contains(text, []byte(dir)) && filepath.Base(filepath.Dir(file)) != fmt.Sprint(syscall.Getpid()) {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

// output takes what the command prints, from its own goroutine.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String is what was printed so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
