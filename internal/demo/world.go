package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	selarasv1alpha1 "selaras.dev/selaras/api/v1alpha1"
	"selaras.dev/selaras/internal/dev"
	"selaras.dev/selaras/internal/dev/installation"
	"selaras.dev/selaras/internal/shops"
)

// world is everything that runs: a cluster and three shops.
type world struct {
	options   Options
	dir       string
	temporary bool
	log       *slog.Logger
	files     []io.Closer

	cluster *dev.Cluster
	kube    client.Client
	board   *board

	webshop, marketplace, outlet *shop

	// baseline is what the connectors had measured when the initial fill, or
	// the work after a kill, was done.
	baseline map[*shop]histogram

	tasks     sync.WaitGroup
	stopTasks context.CancelFunc
}

func newWorld(options Options) (_ *world, err error) {
	w := &world{options: options, dir: options.DataDir, log: slog.New(slog.DiscardHandler), stopTasks: func() {}}
	if w.dir == "" {
		w.temporary = true
		if w.dir, err = os.MkdirTemp("", "selaras-demo-"); err != nil {
			return nil, fmt.Errorf("make a data directory: %w", err)
		}
	}
	if w.dir, err = filepath.Abs(w.dir); err != nil {
		return nil, fmt.Errorf("find the data directory: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(w.dir, "logs"), 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	if options.Logger != nil {
		file, err := w.logFile("demo")
		if err != nil {
			return nil, err
		}
		w.log = options.Logger(file)
	}
	return w, nil
}

// logFile opens a log for appending; close closes it.
func (w *world) logFile(name string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(w.dir, "logs", name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a log: %w", err)
	}
	w.files = append(w.files, file)
	return file, nil
}

// startCluster starts the control plane and waits for operator and hub.
func (w *world) startCluster(ctx context.Context, show audience) error {
	show.progress("etcd, kube-apiserver, kube-controller-manager")
	cluster, err := installation.Start(ctx, installation.Options{
		Binaries: w.options.Binaries, DataDir: filepath.Join(w.dir, "cluster"), Logger: w.log,
	})
	if err != nil {
		return err
	}
	w.cluster = cluster
	show.progress("the operator and the hub")
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return fmt.Errorf("register the types of Kubernetes: %w", err)
	}
	if err := selarasv1alpha1.AddToScheme(scheme); err != nil {
		return fmt.Errorf("register the types of Selaras: %w", err)
	}
	if w.kube, err = client.New(cluster.Config(), client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("make a client of the cluster: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return cluster.WaitReady(ctx)
}

// startShops starts the three shops side by side.
func (w *world) startShops(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	w.webshop = newShop("webshop", asIs)
	w.marketplace = newShop("marketplace", asIs)
	w.outlet = newShop("outlet", outletRules)
	catalogues := map[*shop]shops.Catalogue{w.webshop: shops.Full, w.marketplace: shops.Empty, w.outlet: shops.Empty}
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range w.shops() {
		log, err := w.logFile("shop-" + s.name)
		if err != nil {
			return err
		}
		group.Go(func() (err error) {
			s.Vendure, err = shops.StartVendure(ctx, shops.VendureOptions{
				Catalogue: catalogues[s], Dir: filepath.Join(w.dir, "shops", s.name), Log: log,
			})
			if err != nil {
				return fmt.Errorf("start the shop %s: %w", s.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// shops are the three, the source first.
func (w *world) shops() []*shop { return []*shop{w.webshop, w.marketplace, w.outlet} }

// targets are the two that show what the webshop sells.
func (w *world) targets() []*shop { return []*shop{w.marketplace, w.outlet} }

// background runs tasks until close.
func (w *world) background(tasks ...func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	previous := w.stopTasks
	w.stopTasks = func() { cancel(); previous() }
	for _, task := range tasks {
		w.tasks.Go(func() { task(ctx) })
	}
}

// close ends everything. Where the shops stay for another run, connectors finish
// what they have begun there first; else nobody waits for that.
func (w *world) close() {
	w.stopTasks()
	w.tasks.Wait()
	if w.temporary {
		w.closeShops()
	}
	if w.cluster != nil {
		w.cluster.Stop()
	}
	if !w.temporary {
		w.closeShops()
	}
	for _, file := range w.files {
		_ = file.Close()
	}
}

func (w *world) closeShops() {
	var stops sync.WaitGroup
	for _, s := range w.shops() {
		if s == nil || s.Vendure == nil {
			continue
		}
		stops.Go(func() {
			if err := s.Close(); err != nil {
				w.log.Warn("stop a shop", "shop", s.name, "error", err)
			}
		})
	}
	stops.Wait()
}
