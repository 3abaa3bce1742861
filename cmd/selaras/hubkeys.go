package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"selaras.dev/selaras/internal/hub"
)

const (
	// keysLookEvery is how often a mounted directory is looked at.
	keysLookEvery = 250 * time.Millisecond
	// keysArrive bounds the way of a new Secret into the pod's directory: a
	// kubelet takes up to two minutes.
	keysArrive = 5 * time.Minute
)

// ensureHubKeys makes the Secret with the hub's keys at the first start of an
// installation, and waits until they are in the directory. The operator may
// create Secrets and not read them: that it exists already is as good.
func ensureHubKeys(ctx context.Context, config *rest.Config, secret, dir string) error {
	if secret == "" {
		return nil
	}
	if _, err := hub.LoadKeys(dir); err == nil {
		return nil
	}
	namespace, name, ok := strings.Cut(secret, "/")
	if !ok {
		return fmt.Errorf("--hub-keys-secret %q: write namespace/name", secret)
	}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client for the Kubernetes API: %w", err)
	}
	files, err := hub.NewKeyFiles()
	if err != nil {
		return err
	}
	immutable := true
	_, err = clientset.CoreV1().Secrets(namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app.kubernetes.io/name": "selaras", "app.kubernetes.io/component": "hub"}},
		Immutable:  &immutable,
		Data:       files,
	}, metav1.CreateOptions{})
	switch {
	case err == nil:
		slog.Info("made the hub's keys", "secret", secret)
	case !apierrors.IsAlreadyExists(err):
		return fmt.Errorf("creating Secret %s with the hub's keys: %w", secret, err)
	}
	return awaitKeys(ctx, func() error { _, err := hub.LoadKeys(dir); return err })
}

// awaitKeys waits until keys can be loaded from a directory into which a
// Secret is mounted.
func awaitKeys(ctx context.Context, load func() error) error {
	ctx, cancel := context.WithTimeout(ctx, keysArrive)
	defer cancel()
	ticker := time.NewTicker(keysLookEvery)
	defer ticker.Stop()
	for {
		err := load()
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the hub's keys: %w: %w", ctx.Err(), err)
		}
	}
}
