// Command selaras is the one binary of Selaras; its subcommands are the roles
// of DESIGN §2: the operator, the hub, and the workloads that the operator
// deploys.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the image is empty: time zones travel in the binary

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set when the binary is built (-ldflags -X main.version=…).
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "selaras:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	var level slog.LevelVar
	var verbose bool
	command := &cobra.Command{
		Use:           "selaras",
		Short:         "One catalog, one record, one journey across all your channels",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			if verbose {
				level.Set(slog.LevelDebug)
			}
			log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: &level}))
			slog.SetDefault(log)
			ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
		},
	}
	command.PersistentFlags().BoolVar(&verbose, "verbose", false, "log what a developer wants to know")
	command.AddCommand(operatorCommand(), hubCommand(), connectorCommand(), catalogCommand(), devCommand(), demoCommand())
	return command
}
