package connector

import (
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
)

// Options are all that a connector is started with. What it does beyond that
// comes from the hub and can change while it runs.
type Options struct {
	// Space is the namespace of the hub, opened with the connector's rights.
	Space *hub.Space
	// Channel is the name of the Channel, Namespace that of its namespace.
	Channel, Namespace string
	// Holder tells instances of one connector apart, such as the pod's name.
	Holder string
	// Driver is the channel type.
	Driver driver.Driver
	// DataDir holds the connector's own store. It may be lost.
	DataDir string
	// Scratch says that DataDir does not outlive the machine, as an emptyDir:
	// nothing in it is synced then, and what an earlier run of the kernel left
	// there is thrown away.
	Scratch bool
	// CredentialsDir is where the Secret is mounted, CABundleFile the mounted
	// CA bundle (PEM), ClientCertDir holds tls.crt and tls.key. Each may be
	// empty; all are followed while the connector runs.
	CredentialsDir, CABundleFile, ClientCertDir string
	// Webhooks receives what the channel sends; nil for none. Health serves
	// /healthz, /readyz and /metrics; nil for none. Run closes both.
	Webhooks, Health net.Listener
	// WebhookPath is the one path deliveries are taken under; empty for any.
	WebhookPath string
	// Registry takes the metrics and, if it can, serves /metrics; nil for a
	// registry of its own.
	Registry *prometheus.Registry
	// Logger takes what a developer needs to know; nil for slog.Default().
	Logger *slog.Logger
	// LeaseDuration is how long the right to write outlives the last renewal,
	// 10 s when 0.
	LeaseDuration time.Duration

	// for tests: the store's file system, a hook before every commit, a clock,
	// a look at what each tenure runs on, and one between the moment when facts
	// of orders are stored and the one when that is noted.
	fs      vfs.FS
	hook    func(int) error
	now     func() time.Time
	began   func(*engine, *webhooks)
	durable func()
}

func (o *Options) complete() error {
	switch {
	case o.Space == nil:
		return errors.New("start a connector: no hub is given")
	case o.Channel == "":
		return errors.New("start a connector: no channel is named")
	case o.Driver == nil:
		return errors.New("start a connector: no driver is given")
	case o.DataDir == "":
		return errors.New("start a connector: no data directory is given")
	}
	if o.Holder == "" {
		o.Holder = o.Channel
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = o.Logger.With("channel", o.Channel)
	if o.LeaseDuration <= 0 {
		o.LeaseDuration = 10 * time.Second
	}
	if o.now == nil {
		o.now = time.Now
	}
	return nil
}
