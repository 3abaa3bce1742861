package dataplane

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// foldEvery is the shortest time between two wake-ups of one resource by
// reports: status is folded at most that often (DESIGN §4).
const foldEvery = 2 * time.Second

// notifier turns changed reports into requests of one controller.
type notifier struct {
	mu    sync.Mutex
	sink  func(namespace, name string)
	queue []types.NamespacedName // told before the controller was there
}

func newNotifier() *notifier { return &notifier{} }

func (n *notifier) notify(namespace, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sink == nil {
		n.queue = append(n.queue, types.NamespacedName{Namespace: namespace, Name: name})
		return
	}
	n.sink(namespace, name)
}

func (n *notifier) attach(sink func(namespace, name string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sink = sink
	for _, early := range n.queue {
		sink(early.Namespace, early.Name)
	}
	n.queue = nil
}

// ChannelEvents is a controller's source of Channels whose report changed;
// expand names the Channels of a namespace, for what concerns them all.
func (p *Plane) ChannelEvents(expand func(namespace string) []reconcile.Request) source.Source {
	return p.channels.source(func(namespace, name string) []reconcile.Request {
		if name == "" {
			return expand(namespace)
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}}
	})
}

// SyncEvents is a controller's source of CatalogSyncs for which some report of
// their namespace changed; expand names the syncs of a namespace.
func (p *Plane) SyncEvents(expand func(namespace string) []reconcile.Request) source.Source {
	return p.syncs.source(func(namespace, _ string) []reconcile.Request { return expand(namespace) })
}

func (n *notifier) source(expand func(namespace, name string) []reconcile.Request) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		var mu sync.Mutex
		due := map[types.NamespacedName]time.Time{} // when each was, or will be, told
		n.attach(func(namespace, name string) {
			mu.Lock()
			defer mu.Unlock()
			key := types.NamespacedName{Namespace: namespace, Name: name}
			now := time.Now()
			if due[key].After(now) {
				return // will be told, and will see this report too
			}
			wait := max(0, foldEvery-now.Sub(due[key]))
			due[key] = now.Add(wait)
			// Whom it concerns is asked when it is told, not before: a
			// resource may be made in between.
			time.AfterFunc(wait, func() {
				if ctx.Err() != nil {
					return
				}
				for _, request := range expand(namespace, name) {
					queue.Add(request)
				}
			})
		})
		return nil
	})
}
