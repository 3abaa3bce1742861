package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"selaras.dev/selaras/workers/catalog"
)

func catalogCommand() *cobra.Command {
	var flags workloadFlags
	command := &cobra.Command{
		Use:   "catalog",
		Short: "Fold a namespace's facts into its catalog and stock ledgers",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			health, err := flags.listen(ctx, flags.port)
			if err != nil {
				return err
			}
			space, err := flags.dial(ctx, "catalog "+flags.namespace)
			if err != nil {
				return err
			}
			defer space.Close()
			return catalog.Run(ctx, catalog.Options{
				Space: space, Namespace: flags.namespace, Holder: holder(), DataDir: flags.dataDir,
				Health: health, Registry: newRegistry(), Logger: slog.Default(),
			})
		},
	}
	flags.register(command)
	return command
}
