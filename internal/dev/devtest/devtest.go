// Package devtest starts a development cluster for a test: the API, the
// controllers and local processes as pods, ended with the test.
package devtest

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"selaras.dev/selaras/internal/dev"
)

// Binaries is the directory of the control plane's programs. Without
// KUBEBUILDER_ASSETS the test fails: it is never skipped.
func Binaries(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: run `make test`, which installs etcd and Kubernetes and sets it")
	}
	return dir
}

// Start starts a cluster; Binaries and DataDir are filled in when empty. It is
// stopped when the test ends; when the test has failed, what its pods wait for
// and the ends of their logs are shown.
func Start(t testing.TB, options dev.Options) *dev.Cluster {
	t.Helper()
	if options.Binaries == "" {
		options.Binaries = Binaries(t)
	}
	if options.DataDir == "" {
		options.DataDir = t.TempDir()
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	cluster, err := dev.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			explain(t, cluster)
		}
		cluster.Stop()
	})
	return cluster
}

func explain(t testing.TB, cluster *dev.Cluster) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := kubernetes.NewForConfig(cluster.Config())
	if err != nil {
		t.Log(err)
		return
	}
	namespaces, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for i := range namespaces.Items {
		if troubles := cluster.Troubles(ctx, namespaces.Items[i].Name); troubles != "" {
			t.Logf("namespace %s:\n%s", namespaces.Items[i].Name, troubles)
		}
	}
}
