package controlplane_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"selaras.dev/selaras/internal/dev/controlplane"
)

func binaries(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: run `make test`, which installs etcd and Kubernetes and sets it")
	}
	return dir
}

func start(t *testing.T, dataDir string) (*controlplane.ControlPlane, kubernetes.Interface) {
	t.Helper()
	cluster, err := controlplane.Start(t.Context(), controlplane.Options{Binaries: binaries(t), DataDir: dataDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	client, err := kubernetes.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	return cluster, client
}

// What was applied, the keys and the address survive a restart, so that a
// kubeconfig exported before it still works after.
func TestRestartKeepsDataKeysAndAddress(t *testing.T) {
	t.Parallel()
	dataDir := t.TempDir()
	first, client := start(t, dataDir)
	exported := first.Config()
	want := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}, Data: map[string]string{"a": "1"}}
	if _, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), want, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(first.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig has mode %v, want 0600", info.Mode().Perm())
	}
	services := first.Network().Services()
	first.Stop()

	second, _ := start(t, dataDir)
	if got := second.Network().Services(); got != services {
		t.Errorf("the service network moved from %s to %s", services, got)
	}
	client, err = kubernetes.NewForConfig(exported)
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Data["a"] != "1" {
		t.Errorf("the ConfigMap came back as %v", got.Data)
	}
}

// The controllers turn a Deployment into a pod, and RBAC refuses a service
// account that was granted nothing.
func TestControllersWorkAndRBACRefuses(t *testing.T) {
	t.Parallel()
	cluster, client := start(t, t.TempDir())
	labels := map[string]string{"app": "x"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "x"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "x"}}},
			},
		},
	}
	if _, err := client.AppsV1().Deployments("default").Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	watch, err := client.CoreV1().Pods("default").Watch(t.Context(), metav1.ListOptions{LabelSelector: "app=x"})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	select {
	case <-watch.ResultChan():
	case <-time.After(time.Minute):
		t.Fatal("the Deployment got no pod within a minute")
	}

	impersonated := cluster.Config()
	impersonated.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:default:default"}
	stranger, err := kubernetes.NewForConfig(impersonated)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a service account without rights lists Secrets: %v", err)
	}
}

// A second cluster on the same data directory is refused before it can harm
// the first one.
func TestDataDirectoryIsLocked(t *testing.T) {
	t.Parallel()
	dataDir := t.TempDir()
	start(t, dataDir)
	if _, err := controlplane.Start(t.Context(), controlplane.Options{Binaries: binaries(t), DataDir: dataDir}); err == nil {
		t.Fatal("a second control plane started on the same data directory")
	}
}

// A missing binary is reported with the way to get it, and nothing is left running.
func TestMissingBinaryIsExplained(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := controlplane.Start(t.Context(), controlplane.Options{Binaries: dir, DataDir: filepath.Join(dir, "data")})
	if err == nil || !strings.Contains(err.Error(), "hack/controlplane/install.sh") {
		t.Fatalf("a missing binary was answered with %v, want the way to install it", err)
	}
}
