//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"
)

// environment runs the features; cluster is what they run on.
var (
	environment env.Environment
	cluster     *world
)

func TestMain(m *testing.M) {
	environment = env.New()
	begun := time.Now()
	code := environment.Setup(setUp).Run(m)
	if cluster != nil {
		cluster.took("the suite", begun)
		cluster.printFigures()
	}
	os.Exit(code)
}

// setUp installs Selaras, unless it is installed already, and makes the
// namespace of the shops.
func setUp(ctx context.Context, _ *envconf.Config) (context.Context, error) {
	w, err := connect()
	if err != nil {
		return ctx, err
	}
	begun := time.Now()
	if err := w.install(ctx, w.image, w.image); err != nil {
		return ctx, fmt.Errorf("%w\n%s", err, w.collect("install", systemNamespace))
	}
	w.took("install", begun)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shopsNamespace, Labels: restricted}}
	if err := w.kube.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return ctx, err
	}
	if !w.policyEnforced {
		fmt.Println("e2e: NetworkPolicies: not enforced here")
	}
	cluster = w
	return ctx, nil
}

// step makes a plain test function the step of a feature. When a step fails by
// t.Fatal, the rest of its feature does not run.
func step(run func(t *testing.T)) features.Func {
	return func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		t.Helper()
		run(t)
		return ctx
	}
}
