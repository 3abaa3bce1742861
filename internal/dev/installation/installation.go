// Package installation puts Selaras into the development cluster as a user puts
// it into a real one: config/default as it is, with the running program as the
// image of the operator, the hub and the workloads.
package installation

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"selaras.dev/selaras/config"
	"selaras.dev/selaras/internal/dev"
	"selaras.dev/selaras/internal/dev/runner"
)

const (
	// Image is what pods name; it stands for the running program.
	Image = "selaras:dev"
	// Namespace holds the operator and the hub.
	Namespace = "selaras-system"

	// released is the image of config/default, which `make deploy` replaces too.
	released = "selaras:latest"
)

// Options say where the cluster lives.
type Options struct {
	// Binaries is the directory of etcd, kube-apiserver and
	// kube-controller-manager.
	Binaries string
	// DataDir keeps everything; made when absent.
	DataDir string
	// Executable is the program that Image stands for; by default the one that
	// runs.
	Executable string
	// Logger may be nil.
	Logger *slog.Logger
}

// CheckBinaries returns nil when the directory holds the programs of a control
// plane, else an error that says how to get them.
func CheckBinaries(dir string) error {
	const remedy = "`make dev` installs them and passes the directory; by hand: --binaries \"$(hack/controlplane/install.sh --print-dir)\""
	if dir == "" {
		return fmt.Errorf("where etcd, kube-apiserver and kube-controller-manager are is not known: %s", remedy)
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("%s is not in %s: %s", name, dir, remedy)
		}
	}
	return nil
}

// Start starts the cluster and applies config/default to it. It returns when
// the API answers and everything is applied; dev.Cluster.WaitReady waits for
// the pods. ctx bounds the start alone.
func Start(ctx context.Context, options Options) (*dev.Cluster, error) {
	if err := CheckBinaries(options.Binaries); err != nil {
		return nil, err
	}
	executable := options.Executable
	if executable == "" {
		var err error
		if executable, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find the running program: %w", err)
		}
	}
	manifests, err := config.Default()
	if err != nil {
		return nil, err
	}
	return dev.Start(ctx, dev.Options{
		Binaries:  options.Binaries,
		DataDir:   options.DataDir,
		Images:    map[string]runner.Image{Image: {Executable: executable}},
		Manifests: bytes.ReplaceAll(manifests, []byte(released), []byte(Image)),
		Logger:    options.Logger,
	})
}
