package demo

import (
	"context"
	"fmt"
	"time"
)

// step is one chapter of the story.
type step struct {
	// name is what a failure is called by.
	name string
	// title says what happens, why what it is good for.
	title, why string
	// tell does it and returns the result in one line.
	tell func(w *world, ctx context.Context, show audience) (headline string, err error)
}

var steps = []step{
	{
		name: "shops", title: "Three real Vendure shops",
		why:  "the webshop has Vendure's sample catalogue; the marketplace and the outlet are empty",
		tell: (*world).tellShops,
	},
	{
		name: "cluster", title: "A Kubernetes API, the operator and the hub on this machine",
		why:  "etcd, kube-apiserver and kube-controller-manager are the real ones; pods run as local processes",
		tell: (*world).tellCluster,
	},
	{
		name: "fill", title: "Initial fill: one catalog on three shops",
		why:  "three Channels and a CatalogSync from config/samples, and nothing else",
		tell: (*world).tellFill,
	},
	{
		name: "price", title: "A price changes in the webshop",
		why:  "timed from the webshop's answer until the other shops' own APIs show it",
		tell: (*world).tellPrice,
	},
	{
		name: "order", title: "Somebody buys on the marketplace",
		why:  "one stock for all: what was sold there can no longer be bought elsewhere",
		tell: (*world).tellOrder,
	},
	{
		name: "kill", title: "kill -9 of a connector in the middle of its work",
		why:  "level-triggered to the edge: no change is lost, whenever a process dies",
		tell: (*world).tellKill,
	},
	{
		name: "credentials", title: "The outlet's password is wrong",
		why:  "the Channel says so, the other shops go on, a new Secret repairs it without a restart",
		tell: (*world).tellCredentials,
	},
	{
		name: "metrics", title: "What the metrics say",
		why:  "the sync lag as Prometheus reads it, and every listing compared once more",
		tell: (*world).tellMetrics,
	},
}

// story runs every step; the error names the one that failed.
func (w *world) story(ctx context.Context, show audience) error {
	for index, step := range steps {
		began := time.Now()
		show(stepBegan{index})
		headline, err := w.guarded(ctx, func(ctx context.Context) (string, error) { return step.tell(w, ctx, show) })
		switch {
		case err != nil && ctx.Err() != nil:
			err = fmt.Errorf("interrupted in step %q (%d of %d): %w", step.name, index+1, len(steps), ctx.Err())
		case err != nil:
			err = fmt.Errorf("step %q (%d of %d) failed: %w", step.name, index+1, len(steps), err)
		}
		if w.board != nil {
			if lines, failed := w.board.lines(ctx); failed == nil {
				show(boardDrawn{lines})
			}
		}
		show(stepEnded{index: index, headline: headline, took: time.Since(began), err: err})
		if err != nil {
			return err
		}
	}
	return nil
}

// guarded runs a step, ended early when the control plane dies under it.
func (w *world) guarded(ctx context.Context, tell func(context.Context) (string, error)) (string, error) {
	if w.cluster == nil {
		return tell(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-w.cluster.Done():
			cancel(w.cluster.Err())
		case <-done:
		}
	}()
	headline, err := tell(ctx)
	select {
	case <-w.cluster.Done():
		return headline, w.cluster.Err()
	default:
		return headline, err
	}
}

func (w *world) tellCluster(ctx context.Context, show audience) (string, error) {
	if err := w.startCluster(ctx, show); err != nil {
		return "", err
	}
	if err := checkKubeconfig(w.cluster.Kubeconfig()); err != nil {
		return "", err
	}
	var err error
	if w.board, err = newBoard(w.cluster.Config()); err != nil {
		return "", err
	}
	w.background(w.deliverWebhooks, func(ctx context.Context) { w.board.draw(ctx, show) })
	show.measure("export KUBECONFIG=%s", w.cluster.Kubeconfig())
	return "the API answers, the operator and the hub are ready", nil
}

func (w *world) tellShops(ctx context.Context, show audience) (string, error) {
	show.progress("starting them side by side")
	if err := w.startShops(ctx); err != nil {
		return "", err
	}
	for _, s := range w.shops() {
		listings, err := s.Listings(ctx)
		if err != nil {
			return "", fmt.Errorf("read the shop %s: %w", s.name, err)
		}
		show.measure("%-12s %s  %d listings", s.name, s.AdminURL(), len(listings))
	}
	if err := w.webshop.tellApart(ctx, show); err != nil {
		return "", err
	}
	return "they answer", nil
}
