package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"selaras.dev/selaras/connectors"
	"selaras.dev/selaras/workers/connector"
)

func connectorCommand() *cobra.Command {
	var (
		flags       workloadFlags
		options     connector.Options
		kind        string
		webhookPort int
		webhookPath string
	)
	command := &cobra.Command{
		Use:   "connector",
		Short: "Keep one channel: read it, write what it should show, read it back",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			driver, ok := connectors.Lookup(kind)
			if !ok {
				return fmt.Errorf("--type %q: this image has no such driver; it has %s", kind, strings.Join(driverNames(), ", "))
			}
			options.Driver, options.Namespace, options.DataDir = driver, flags.namespace, flags.dataDir
			options.Holder, options.Registry, options.Logger = holder(), newRegistry(), slog.Default()
			var err error
			if options.Health, err = flags.listen(ctx, flags.port); err != nil {
				return err
			}
			if webhookPort > 0 {
				options.WebhookPath = webhookPath
				if options.Webhooks, err = flags.listen(ctx, webhookPort); err != nil {
					return err
				}
			}
			if options.Space, err = flags.dial(ctx, "connector "+options.Channel); err != nil {
				return err
			}
			defer options.Space.Close()
			return connector.Run(ctx, options)
		},
	}
	flags.register(command)
	set := command.Flags()
	set.StringVar(&options.Channel, "channel", "", "name of the Channel")
	set.StringVar(&kind, "type", "", "type of the Channel")
	set.StringVar(&options.CredentialsDir, "credentials-dir", "", "directory where the Channel's Secret is mounted")
	set.StringVar(&options.CABundleFile, "ca-bundle", "", "file with certificate authorities to trust, PEM")
	set.StringVar(&options.ClientCertDir, "client-certificate-dir", "", "directory with tls.crt and tls.key")
	set.BoolVar(&options.Scratch, "data-scratch", false, "the data directory does not outlive the machine (an emptyDir): sync nothing in it, and use nothing an earlier run of the machine left there")
	set.IntVar(&webhookPort, "webhook-port", 0, "port for webhooks; 0 for none")
	set.StringVar(&webhookPath, "webhook-path", "/", "path for webhooks")
	for _, required := range []string{"channel", "type"} {
		if err := command.MarkFlagRequired(required); err != nil {
			panic(err) // the flag is defined a few lines above
		}
	}
	return command
}

func driverNames() []string {
	var names []string
	for name := range connectors.Drivers() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
