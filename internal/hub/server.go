package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
)

// ServerOptions configure an embedded hub.
type ServerOptions struct {
	// Dir holds everything the hub stores.
	Dir string
	// Trust says whose credentials are accepted.
	Trust Trust
	// Listen is "host:port"; "" is "127.0.0.1:0", port 0 is chosen by the system.
	Listen string
	// Name of the server; must differ within a cluster. "" is "hub".
	Name string
	// MaxStore bounds what all namespaces store together, in bytes; 0 is three
	// quarters of the free disk.
	MaxStore int64
	// Cluster makes the server one of several; nil is a single server.
	Cluster *ClusterOptions
	// Logger receives what the server has to say; nil is slog.Default().
	Logger *slog.Logger
}

// ClusterOptions make a server one of a cluster.
type ClusterOptions struct {
	// Name of the cluster.
	Name string
	// Listen is "host:port" for the other servers.
	Listen string
	// Peers are the "host:port" of all servers, this one included.
	Peers []string
}

// Server is an embedded hub: a JetStream server that syncs every write to disk
// before it answers, and accepts the credentials of one Authority.
type Server struct {
	ns *server.Server
}

const (
	startTimeout = 30 * time.Second
	// More than the server's own 50, because every connector of a namespace may
	// have a batch on its way into the same stream.
	batchesPerStream = 500
	batchesPerServer = 4000
)

// StartServer starts a hub and returns when it takes connections. Stop it with
// Shutdown.
func StartServer(o ServerOptions) (*Server, error) {
	opts, err := o.build()
	if err != nil {
		return nil, err
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start the hub in %s: %w", o.Dir, err)
	}
	log := o.Logger
	if log == nil {
		log = slog.Default()
	}
	ns.SetLoggerV2(serverLog{log.With("server", opts.ServerName)}, false, false, false)
	ns.Start()
	if !ns.ReadyForConnections(startTimeout) {
		ns.Shutdown()
		return nil, fmt.Errorf("start the hub in %s: it takes no connections on %s after %s", o.Dir, o.Listen, startTimeout)
	}
	if !ns.JetStreamEnabled() {
		ns.Shutdown()
		return nil, fmt.Errorf("start the hub in %s: JetStream could not be enabled; the log has the reason", o.Dir)
	}
	return &Server{ns: ns}, nil
}

// Run starts a hub and stops it when ctx ends.
func Run(ctx context.Context, o ServerOptions) error {
	s, err := StartServer(o)
	if err != nil {
		return err
	}
	<-ctx.Done()
	s.Shutdown()
	return nil
}

// URL is where clients connect: "nats://host:port".
func (s *Server) URL() string { return s.ns.ClientURL() }

// Ready reports whether the hub can serve: started, storage enabled, and in a
// cluster with a leader it knows.
func (s *Server) Ready() error {
	switch {
	case !s.ns.Running():
		return errors.New("the hub is not running")
	case !s.ns.JetStreamEnabled():
		return errors.New("the hub has no storage")
	case s.ns.JetStreamIsClustered() && !s.ns.JetStreamIsCurrent():
		return errors.New("the hub has not caught up with its cluster")
	}
	return nil
}

// Shutdown stops the hub and returns when it has stopped.
func (s *Server) Shutdown() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
}

func (o ServerOptions) build() (*server.Options, error) {
	if o.Dir == "" {
		return nil, errors.New("start the hub: no directory given")
	}
	operator, err := jwt.DecodeOperatorClaims(o.Trust.OperatorJWT)
	if err != nil {
		return nil, fmt.Errorf("start the hub: operator JWT: %w", err)
	}
	system, err := jwt.DecodeAccountClaims(o.Trust.SystemJWT)
	if err != nil {
		return nil, fmt.Errorf("start the hub: system account JWT: %w", err)
	}
	listen := o.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	host, port, err := splitListen(listen)
	if err != nil {
		return nil, err
	}
	name := o.Name
	if name == "" {
		name = "hub"
	}
	resolver, err := server.NewDirAccResolver(filepath.Join(o.Dir, "accounts"), math.MaxInt64, time.Minute, server.HardDelete)
	if err != nil {
		return nil, fmt.Errorf("start the hub: account directory: %w", err)
	}
	if err := resolver.Store(system.Subject, o.Trust.SystemJWT); err != nil {
		return nil, fmt.Errorf("start the hub: store the system account: %w", err)
	}
	opts := &server.Options{
		ServerName: name, Host: host, Port: port,
		NoSigs:            true, // the process has its own signal handling
		JetStream:         true,
		StoreDir:          o.Dir,
		SyncAlways:        true,
		JetStreamMaxStore: o.MaxStore,
		JetStreamLimits: server.JSLimitOpts{
			MaxBatchInflightPerStream: batchesPerStream,
			MaxBatchInflightTotal:     batchesPerServer,
		},
		TrustedOperators: []*jwt.OperatorClaims{operator},
		SystemAccount:    system.Subject,
		AccountResolver:  resolver,
	}
	if c := o.Cluster; c != nil {
		if opts.Cluster.Host, opts.Cluster.Port, err = splitListen(c.Listen); err != nil {
			return nil, err
		}
		opts.Cluster.Name = c.Name
		for _, p := range c.Peers {
			opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats", Host: p})
		}
	}
	return opts, nil
}

func splitListen(addr string) (string, int, error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("listen address %q: %w", addr, err)
	}
	port, err := strconv.Atoi(p)
	if err != nil || port < 0 || port > math.MaxUint16 {
		return "", 0, fmt.Errorf("listen address %q: the port is no number", addr)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// serverLog hands the server's log to slog. Notices are debug output here: the
// server announces every stream and route.
type serverLog struct{ l *slog.Logger }

func (s serverLog) Noticef(f string, v ...any) { s.l.Debug(fmt.Sprintf(f, v...)) }
func (s serverLog) Warnf(f string, v ...any)   { s.l.Warn(fmt.Sprintf(f, v...)) }
func (s serverLog) Fatalf(f string, v ...any)  { s.l.Error(fmt.Sprintf(f, v...)) }
func (s serverLog) Errorf(f string, v ...any)  { s.l.Error(fmt.Sprintf(f, v...)) }
func (s serverLog) Debugf(f string, v ...any)  { s.l.Debug(fmt.Sprintf(f, v...)) }
func (s serverLog) Tracef(f string, v ...any)  { s.l.Debug(fmt.Sprintf(f, v...)) }
