package runner_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"selaras.dev/selaras/internal/dev/controlplane"
	"selaras.dev/selaras/internal/dev/runner"
)

const (
	testImage  = "program:test"
	entrypoint = "/program"
	patience   = time.Minute
)

// One control plane and runner serve all tests of this package, each in a
// namespace of its own.
var shared struct {
	once    sync.Once
	err     error
	plane   *controlplane.ControlPlane
	runner  *runner.Runner
	dataDir string
}

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		os.Exit(program())
	}
	code := m.Run()
	if shared.runner != nil {
		shared.runner.Stop()
	}
	if shared.plane != nil {
		shared.plane.Stop()
	}
	if shared.dataDir != "" {
		_ = os.RemoveAll(shared.dataDir)
	}
	os.Exit(code)
}

func startPlane(ctx context.Context, dataDir string) (*controlplane.ControlPlane, error) {
	binaries := os.Getenv("KUBEBUILDER_ASSETS")
	if binaries == "" {
		return nil, fmt.Errorf("KUBEBUILDER_ASSETS is not set: run `make test`, which installs etcd and Kubernetes and sets it")
	}
	return controlplane.Start(ctx, controlplane.Options{Binaries: binaries, DataDir: dataDir})
}

func startRunner(ctx context.Context, plane *controlplane.ControlPlane, dataDir string) (*runner.Runner, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return runner.Start(ctx, runner.Options{
		Config:        plane.Config(),
		AuthorityFile: plane.AuthorityFile(),
		Certificate: func() ([]byte, []byte, error) {
			return plane.NodeCertificate("dev", net.IPv4(127, 0, 0, 1))
		},
		DataDir: dataDir,
		Images: map[string]runner.Image{
			testImage: {Executable: executable, Entrypoint: entrypoint, Env: map[string]string{programVariable: "1"}},
		},
		Pods:    plane.Network().Pods(),
		Backoff: runner.Backoff{Initial: 200 * time.Millisecond, Max: time.Second, ResetAfter: time.Hour},
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

// namespace gives a test a namespace of the shared cluster.
func namespace(t *testing.T) (kubernetes.Interface, string) {
	t.Helper()
	shared.once.Do(func() {
		if shared.dataDir, shared.err = os.MkdirTemp("", "selaras-runner-"); shared.err != nil {
			return
		}
		if shared.plane, shared.err = startPlane(context.Background(), shared.dataDir); shared.err != nil {
			return
		}
		shared.runner, shared.err = startRunner(context.Background(), shared.plane, shared.dataDir)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	client, err := kubernetes.NewForConfig(shared.plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace's service account", func(ctx context.Context) (bool, string) {
		_, err := client.CoreV1().ServiceAccounts(made.Name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, fmt.Sprint(err)
	})
	t.Cleanup(func() {
		if t.Failed() {
			describe(t, client, made.Name)
		}
		now := int64(0)
		_ = client.CoreV1().Namespaces().Delete(context.Background(), made.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	})
	return client, made.Name
}

// describe logs what a person would look at.
func describe(t *testing.T, client kubernetes.Interface, namespace string) {
	t.Helper()
	ctx := context.Background()
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for i := range pods.Items {
		t.Logf("pod %s: %s %+v", pods.Items[i].Name, pods.Items[i].Status.Phase, pods.Items[i].Status.ContainerStatuses)
	}
	events, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for i := range events.Items {
		event := &events.Items[i]
		t.Logf("event %s/%s: %s %s", event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Reason, event.Message)
	}
}

// eventually waits for a condition; the condition's text says what was last seen.
func eventually(t *testing.T, what string, condition func(ctx context.Context) (ok bool, seen string)) {
	t.Helper()
	var seen string
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		var ok bool
		ok, seen = condition(ctx)
		return ok, nil
	})
	if err != nil {
		t.Fatalf("waited for %s: %v; last seen: %s", what, err, seen)
	}
}

// podOf is a pod of the test program listening on port 8080, probed, with args.
func podOf(args ...string) corev1.PodSpec {
	grace := int64(5)
	get := func(path string) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http")}},
			PeriodSeconds: 1, FailureThreshold: 2,
		}
	}
	return corev1.PodSpec{
		TerminationGracePeriodSeconds: &grace,
		Containers: []corev1.Container{{
			Name: "program", Image: testImage,
			Command:        []string{entrypoint},
			Args:           append([]string{"-listen=$(POD_IP):8080"}, args...),
			Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
			Env:            []corev1.EnvVar{{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}},
			ReadinessProbe: get("/readyz"),
			LivenessProbe:  get("/healthz"),
		}},
	}
}

func createPod(t *testing.T, client kubernetes.Interface, namespace, name string, spec corev1.PodSpec) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}}, Spec: spec}
	if _, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func createDeployment(t *testing.T, client kubernetes.Interface, namespace, name string, replicas int32, spec corev1.PodSpec) {
	t.Helper()
	labels := map[string]string{"app": name}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
	if _, err := client.AppsV1().Deployments(namespace).Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// readyPod waits for a ready pod of the app other than the one with UID not.
func readyPod(t *testing.T, client kubernetes.Interface, namespace, app string, not ...*corev1.Pod) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	eventually(t, "a ready pod of "+app, func(ctx context.Context) (bool, string) {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
		if err != nil {
			return false, err.Error()
		}
		for i := range pods.Items {
			pod := &pods.Items[i]
			old := false
			for _, other := range not {
				old = old || other.UID == pod.UID
			}
			if !old && pod.DeletionTimestamp == nil && condition(pod, corev1.PodReady) == corev1.ConditionTrue {
				found = pod
				return true, ""
			}
		}
		return false, fmt.Sprintf("%d pods, none ready", len(pods.Items))
	})
	return found
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == kind {
			return condition.Status
		}
	}
	return corev1.ConditionUnknown
}

// podUntil waits until the named pod meets the condition.
func podUntil(t *testing.T, client kubernetes.Interface, namespace, name, what string, meets func(pod *corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	eventually(t, what, func(ctx context.Context) (bool, string) {
		pod, err := client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		found = pod
		return meets(pod), fmt.Sprintf("%s %+v", pod.Status.Phase, pod.Status.ContainerStatuses)
	})
	return found
}

// call asks the program in a pod.
func call(ctx context.Context, method, address, path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, nil)
	if err != nil {
		return 0, "", err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, strings.TrimSpace(string(data)), err
}

func get(t *testing.T, pod *corev1.Pod, path string) string {
	t.Helper()
	status, body, err := call(t.Context(), http.MethodGet, pod.Status.PodIP+":8080", path)
	if err != nil || status != http.StatusOK {
		t.Fatalf("GET %s of pod %s: %d %s %v", path, pod.Name, status, body, err)
	}
	return body
}
