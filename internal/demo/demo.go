package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"selaras.dev/selaras/internal/dev/installation"
)

// Options say how the demo runs.
type Options struct {
	// Binaries is the directory of etcd, kube-apiserver and
	// kube-controller-manager.
	Binaries string
	// DataDir keeps cluster and shops between runs. Empty: a temporary
	// directory, removed at the end unless a step failed.
	DataDir string
	// Once ends the demo after its last step instead of keeping it running.
	Once bool
	// Terminal draws on the terminal instead of printing lines.
	Terminal bool
	// Out takes what is printed.
	Out io.Writer
	// Logger takes what the demo's own machinery logs, given the file made for
	// it; may be nil.
	Logger func(file io.Writer) *slog.Logger
}

// Run tells the story until its end and, unless Once, keeps everything running
// until ctx ends. The error names the step that failed and where the logs are.
// Everything that was started has ended when it returns.
func Run(ctx context.Context, options Options) (err error) {
	if err := checkNode(ctx); err != nil {
		return err
	}
	if err := checkShops(); err != nil {
		return err
	}
	if err := installation.CheckBinaries(options.Binaries); err != nil {
		return err
	}
	w, err := newWorld(options)
	if err != nil {
		return err
	}
	defer func() { err = w.leave(err) }()

	if !options.Terminal {
		return w.tell(ctx, printer(options.Out))
	}
	return onScreen(ctx, options.Out, w.tell)
}

// errInterrupted is what becomes of a demo that should run once to its end.
var errInterrupted = errors.New("the demo did not reach its end")

// tell tells the story and, unless it is told once, stays.
func (w *world) tell(ctx context.Context, show audience) error {
	err := w.story(ctx, show)
	switch {
	case err == nil && w.options.Once:
		return nil
	case err == nil:
		show(stayed{w.invitation()})
		return w.stay(ctx)
	case ctx.Err() != nil && w.options.Once:
		return fmt.Errorf("%w: %s", errInterrupted, err) //nolint:errorlint // told once, an interruption is a failure
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// stay keeps everything running until ctx ends or the control plane fails.
func (w *world) stay(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-w.cluster.Done():
		return w.cluster.Err()
	}
}

func (w *world) invitation() []string {
	lines := []string{
		"Everything held, and runs on. In another terminal:",
		"  export KUBECONFIG=" + w.cluster.Kubeconfig(),
		"  kubectl get pods,channels,catalogsyncs",
	}
	for _, s := range w.shops() {
		lines = append(lines, fmt.Sprintf("  %-12s %s/admin-api  %s / %s", s.name, s.URL(), s.Username(), s.Password()))
	}
	return append(lines, "Ctrl-C ends it.")
}

// leave ends everything, says where logs are when a step failed, and removes
// a temporary data directory otherwise.
func (w *world) leave(err error) error {
	fmt.Fprintln(w.options.Out, "Stopping connectors, shops and the control plane …")
	w.close()
	if err != nil && !errors.Is(err, errInterrupted) {
		return fmt.Errorf("%w\nLogs of the shops are in %s, of pods and the control plane in %s", err,
			filepath.Join(w.dir, "logs"), filepath.Join(w.dir, "cluster", "logs"))
	}
	if w.temporary {
		return errors.Join(err, os.RemoveAll(w.dir))
	}
	return err
}
