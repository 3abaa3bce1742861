package main

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

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
			registry := newRegistry()
			group, ctx := errgroup.WithContext(ctx)
			group.Go(func() error {
				return serveHealth(ctx, health, registry, func() error {
					if !space.Connected() {
						return errors.New("the hub is not connected")
					}
					return nil
				})
			})
			group.Go(func() error {
				return catalog.Run(ctx, catalog.Options{
					Space: space, Namespace: flags.namespace, Holder: holder(), DataDir: flags.dataDir,
					Registry: registry, Logger: slog.Default(),
				})
			})
			return group.Wait()
		},
	}
	flags.register(command)
	return command
}
