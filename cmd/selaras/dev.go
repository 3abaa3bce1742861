package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"selaras.dev/selaras/internal/dev/installation"
)

// devReady bounds the start of the operator and the hub.
const devReady = 2 * time.Minute

func devCommand() *cobra.Command {
	var binaries, dataDir string
	command := &cobra.Command{
		Use:   "dev",
		Short: "Run a Kubernetes API, the operator and the hub on this machine",
		Long: "Run etcd, kube-apiserver, kube-controller-manager, the operator and the hub on this\n" +
			"machine, until Ctrl-C. Pods run as local processes, image " + installation.Image + " is this program.\n" +
			"The data stays for the next start.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			// A terminal that is closed ends it as Ctrl-C does.
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGHUP)
			defer stop()
			return runDev(ctx, command.OutOrStdout(), binaries, dataDir)
		},
	}
	flags := command.Flags()
	binariesFlag(command, &binaries)
	flags.StringVar(&dataDir, "data-dir", "", "directory of everything that stays; by default "+filepath.Join("~", ".local", "share", "selaras", "dev"))
	return command
}

func binariesFlag(command *cobra.Command, binaries *string) {
	command.Flags().StringVar(binaries, "binaries", os.Getenv("KUBEBUILDER_ASSETS"),
		"directory of etcd, kube-apiserver and kube-controller-manager")
}

func runDev(ctx context.Context, out io.Writer, binaries, dataDir string) (err error) {
	if err := installation.CheckBinaries(binaries); err != nil {
		return err
	}
	if dataDir == "" {
		if dataDir, err = defaultDataDir(); err != nil {
			return err
		}
	}
	logs := filepath.Join(dataDir, "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(logs, "dev.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { _ = file.Close() }()

	began := time.Now()
	fmt.Fprintln(out, "Starting etcd, kube-apiserver and kube-controller-manager …")
	cluster, err := installation.Start(ctx, installation.Options{Binaries: binaries, DataDir: dataDir, Logger: logTo(file)})
	if err != nil {
		return err
	}
	defer func() {
		fmt.Fprintln(out, "Stopping …")
		cluster.Stop()
	}()
	fmt.Fprintf(out, "The API answers (%.1f s). Starting the operator and the hub …\n", time.Since(began).Seconds())
	ready, cancel := context.WithTimeout(ctx, devReady)
	defer cancel()
	if err := cluster.WaitReady(ready); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	fmt.Fprintf(out, "The operator and the hub are ready (%.1f s).\n\n"+
		"  export KUBECONFIG=%s\n  kubectl get pods,channels,catalogsyncs -A\n\n"+
		"Logs are in %s, of pods in %s.\nCtrl-C ends it; the data stays in %s.\n",
		time.Since(began).Seconds(), cluster.Kubeconfig(), logs, cluster.LogsDir(), dataDir)
	select {
	case <-ctx.Done():
		return nil
	case <-cluster.Done():
		return cluster.Err()
	}
}

// defaultDataDir follows the XDG base directories.
func defaultDataDir() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "selaras", "dev"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("where data can stay is not known: pass --data-dir")
	}
	return filepath.Join(home, ".local", "share", "selaras", "dev"), nil
}

// logTo sends what this process and its libraries log to a file: the terminal
// is for people.
func logTo(file io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if slog.Default().Enabled(context.Background(), slog.LevelDebug) {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(file, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	klog.SetSlogLogger(log)
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	return log
}
