package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"selaras.dev/selaras/internal/hub"
)

// workloadFlags are what every workload is started with; the operator writes
// them into the pod (controllers/workloadpod).
type workloadFlags struct {
	namespace, hubURL, hubCredentials, dataDir string
	bindAddress                                string
	port                                       int
}

func (f *workloadFlags) register(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.namespace, "namespace", "", "namespace of the resource")
	flags.StringVar(&f.hubURL, "hub-url", "", "address of the hub")
	flags.StringVar(&f.hubCredentials, "hub-credentials", "", "file with the hub credentials")
	flags.StringVar(&f.dataDir, "data-dir", "/var/lib/selaras", "directory of the workload's own state")
	flags.StringVar(&f.bindAddress, "bind-address", "", "address to listen on; the pod's own IP, empty for all")
	flags.IntVar(&f.port, "port", 8080, "port of /metrics, /healthz and /readyz")
	for _, required := range []string{"namespace", "hub-url", "hub-credentials"} {
		if err := command.MarkFlagRequired(required); err != nil {
			panic(err) // the flag is defined a few lines above
		}
	}
}

// dial opens the workload's namespace on the hub.
func (f *workloadFlags) dial(ctx context.Context, name string) (*hub.Space, error) {
	space, err := hub.Dial(ctx, hub.DialOptions{
		URL: f.hubURL, CredentialsFile: f.hubCredentials, Name: name, Namespace: f.namespace, Logger: slog.Default(),
	})
	if err != nil {
		return nil, fmt.Errorf("opening namespace %s on the hub %s: %w", f.namespace, f.hubURL, err)
	}
	return space, nil
}

// listen opens one of the workload's ports.
func (f *workloadFlags) listen(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(f.bindAddress, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listening on port %d: %w", port, err)
	}
	return listener, nil
}

// holder tells the instances of one workload apart.
func holder() string {
	if name := os.Getenv("POD_NAME"); name != "" {
		return name
	}
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	return name + "-" + strconv.Itoa(os.Getpid())
}

// newRegistry has the metrics that every process exports.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}
