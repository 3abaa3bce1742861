package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"selaras.dev/selaras/internal/demo"
)

func demoCommand() *cobra.Command {
	var options demo.Options
	command := &cobra.Command{
		Use:   "demo",
		Short: "See three real shops kept the same, and measure it",
		Long: "Start a Kubernetes API, the operator, the hub and three Vendure shops on this machine\n" +
			"and tell what happens when a price changes, somebody buys, a process dies or a\n" +
			"password is wrong. DEMO_ONCE=1 ends it after the last step, with exit code 0 only\n" +
			"when every step held.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			// A terminal that is closed ends it as Ctrl-C does.
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGHUP)
			defer stop()
			options.Once = os.Getenv("DEMO_ONCE") == "1"
			options.Terminal = !options.Once && term.IsTerminal(int(os.Stdout.Fd())) && term.IsTerminal(int(os.Stdin.Fd()))
			options.Out = command.OutOrStdout()
			options.Logger = logTo
			return demo.Run(ctx, options)
		},
	}
	binariesFlag(command, &options.Binaries)
	command.Flags().StringVar(&options.DataDir, "data-dir", "", "directory that keeps cluster and shops for the next run; by default a temporary one")
	return command
}
