package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"selaras.dev/selaras/internal/hub"
)

func hubCommand() *cobra.Command {
	var (
		options hub.ServerOptions
		keysDir string
	)
	command := &cobra.Command{
		Use:   "hub",
		Short: "Run the hub: an embedded NATS JetStream server that syncs every write",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			// At the first start of an installation the operator makes the keys.
			err := awaitKeys(command.Context(), func() (err error) {
				options.Trust, err = hub.LoadTrust(keysDir)
				return err
			})
			if err != nil {
				return fmt.Errorf("--keys-dir %s (made by the operator, or by `selaras hub keys`): %w", keysDir, err)
			}
			options.Logger = slog.Default()
			return hub.Run(command.Context(), options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.Dir, "store-dir", "/var/lib/selaras/hub", "directory of everything the hub stores")
	flags.StringVar(&options.Listen, "listen", ":4222", "address for clients, host:port")
	flags.StringVar(&options.Name, "name", "", "name of the server; differs within a cluster")
	flags.Int64Var(&options.MaxStore, "max-store-bytes", 0, "bytes of all namespaces together; 0 = three quarters of the free disk")
	flags.StringVar(&keysDir, "keys-dir", "", "directory with operator.jwt and system.jwt")
	command.AddCommand(hubKeysCommand())
	return command
}

func hubKeysCommand() *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use:   "keys",
		Short: "Make the hub's keys, once per installation",
		Long: "Make the keys with which the operator signs the hub's accounts and users.\n" +
			"The hub needs operator.jwt and system.jwt of them, the operator all.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if _, err := hub.GenerateKeys(dir); err != nil {
				return err
			}
			_, err := fmt.Fprintf(command.OutOrStdout(), "The keys are in %s\n", dir)
			return err
		},
	}
	command.Flags().StringVar(&dir, "dir", "", "directory to make them in")
	if err := command.MarkFlagRequired("dir"); err != nil {
		panic(err) // the flag is defined in the line above
	}
	return command
}
