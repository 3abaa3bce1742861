package connector

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
)

// webhooks takes what the channel sends by itself. A delivery is a hint where
// to look; it is answered 2xx only after what was found there is durable (I3).
type webhooks struct {
	link *link
	log  *slog.Logger
	now  func() time.Time
	note func(good bool, message string)

	mu     sync.Mutex
	poller *poller         // nil while the connector is not active
	active context.Context // ends with the poller
	leave  context.CancelFunc
	inside sync.WaitGroup // deliveries that use the poller
	limit  chan struct{}
	waits  []*lookup // listings asked for, not being read yet
	busy   bool
}

// lookup is a delivery that waits for listings to be read.
type lookup struct {
	keys []driver.Key
	done chan error
}

const (
	maxDelivery     = 1 << 20
	maxHeard        = 4 << 20
	deliveryTimeout = 10 * time.Second
	// maxDeliveries bounds those that are worked on at a time.
	maxDeliveries = 64
)

func newWebhooks(l *link, log *slog.Logger, now func() time.Time, note func(bool, string)) *webhooks {
	return &webhooks{link: l, log: log, now: now, note: note, limit: make(chan struct{}, maxDeliveries)}
}

// attach sets who reads the channel, nil for nobody. Deliveries that are under
// way with the one before end first: what it writes to is about to be closed.
func (w *webhooks) attach(p *poller) {
	w.mu.Lock()
	if w.leave != nil {
		w.leave()
	}
	w.poller, w.active, w.leave = p, nil, nil
	if p != nil {
		w.active, w.leave = context.WithCancel(context.Background())
	}
	w.mu.Unlock()
	if p == nil {
		w.inside.Wait()
	}
}

// enter returns who reads the channel, and a context that ends with it; nil for
// nobody. The returned function is to be called when it is not used any more.
func (w *webhooks) enter(ctx context.Context) (*poller, context.Context, func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.poller == nil {
		return nil, ctx, func() {}
	}
	w.inside.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(w.active, cancel)
	return w.poller, ctx, func() {
		stop()
		cancel()
		w.inside.Done()
	}
}

// under serves the handler under one path alone; empty for any.
func under(path string, handler http.Handler) http.Handler {
	if path == "" {
		return handler
	}
	mux := http.NewServeMux()
	mux.Handle(path, handler)
	return mux
}

// ServeHTTP takes a delivery on any path.
func (w *webhooks) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		rw.Header().Set("Allow", http.MethodPost)
		http.Error(rw, "webhooks are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	select {
	case w.limit <- struct{}{}:
		defer func() { <-w.limit }()
	default:
		unavailable(rw, "too many deliveries at a time")
		return
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxDelivery+1))
	if err != nil {
		http.Error(rw, "the body could not be read", http.StatusBadRequest)
		return
	}
	if len(body) > maxDelivery {
		// Hear out a sender that is only somewhat too long, or it may miss the
		// answer.
		_, _ = io.CopyN(io.Discard, req.Body, maxHeard)
		w.note(false, "a delivery was larger than 1 MiB")
		http.Error(rw, "the body is larger than 1 MiB", http.StatusRequestEntityTooLarge)
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), deliveryTimeout)
	defer cancel()
	signals, err := w.receive(ctx, driver.Delivery{Header: req.Header, Body: body})
	switch driver.ClassOf(err) {
	case driver.ClassUnauthorized:
		w.note(false, "a delivery had a wrong signature")
		http.Error(rw, "the signature is wrong", http.StatusUnauthorized)
		return
	case driver.ClassInvalid:
		w.note(false, "a delivery was malformed")
		http.Error(rw, "the body is not what was expected", http.StatusBadRequest)
		return
	}
	if err == nil {
		err = w.follow(ctx, signals)
	}
	if err != nil {
		w.log.Debug("webhook", "error", err)
		unavailable(rw, "not taken in yet; send it again")
		return
	}
	w.note(true, "")
	// 200 and no other: WooCommerce takes nothing else for the announcement of a
	// webhook.
	rw.WriteHeader(http.StatusOK)
}

func unavailable(rw http.ResponseWriter, why string) {
	rw.Header().Set("Retry-After", "5")
	http.Error(rw, why, http.StatusServiceUnavailable)
}

var errInactive = errors.New("the connector is not active")

// receive lets the driver check and read a delivery. It asks nothing of the
// channel, so the rules for calls do not apply.
func (w *webhooks) receive(ctx context.Context, d driver.Delivery) ([]driver.Signal, error) {
	w.link.mu.Lock()
	conn := w.link.conn
	w.link.mu.Unlock()
	r, ok := conn.(driver.WebhookReceiver)
	if !ok {
		return nil, errInactive
	}
	return r.ReceiveWebhook(ctx, d)
}

// follow looks where the signals point.
func (w *webhooks) follow(ctx context.Context, signals []driver.Signal) error {
	p, ctx, leave := w.enter(ctx)
	defer leave()
	if p == nil {
		return errInactive
	}
	if !p.space.Connected() {
		return errors.New("the hub is not connected")
	}
	var keys []driver.Key
	orders := false
	for _, s := range signals {
		switch s.Kind {
		case driver.SignalOrder:
			orders = true
		case driver.SignalListing:
			if name, ok := catalog.NormalizeSKU(s.Key.SKU); ok {
				keys = append(keys, driver.Key{SKU: name, Ref: s.Key.Ref})
			} else {
				// It does not say which: ask what changed.
				if err := p.pollChanges(ctx); err != nil {
					return err
				}
			}
		case driver.SignalPing:
		}
	}
	if orders {
		if err := p.pollOrders(ctx); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return w.lookUp(ctx, p, keys)
}

// lookUp reads listings together with those of other deliveries that came
// while a reading was under way.
func (w *webhooks) lookUp(ctx context.Context, p *poller, keys []driver.Key) error {
	l := &lookup{keys: keys, done: make(chan error, 1)}
	w.mu.Lock()
	lead, active := !w.busy, w.active
	if active == nil {
		w.mu.Unlock()
		return errInactive
	}
	w.waits, w.busy = append(w.waits, l), true
	w.mu.Unlock()
	if lead {
		w.lead(active, p)
	}
	select {
	case err := <-l.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lead reads what is waited for until nothing is. It is for all who wait: the
// sender of the first may have gone, so only the poller's end ends it.
func (w *webhooks) lead(active context.Context, p *poller) {
	for {
		w.mu.Lock()
		var batch []*lookup
		var keys []driver.Key
		for len(w.waits) > 0 && (len(batch) == 0 || len(keys)+len(w.waits[0].keys) <= p.batch()) {
			batch = append(batch, w.waits[0])
			keys = append(keys, w.waits[0].keys...)
			w.waits = w.waits[1:]
		}
		if len(batch) == 0 {
			w.busy = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		look, cancel := context.WithTimeout(active, deliveryTimeout)
		err := p.look(look, unique(keys))
		cancel()
		for _, l := range batch {
			l.done <- err
		}
	}
}

func unique(keys []driver.Key) []driver.Key {
	have := make(map[string]struct{}, len(keys))
	out := keys[:0]
	for _, k := range keys {
		if _, ok := have[k.SKU]; !ok {
			have[k.SKU] = struct{}{}
			out = append(out, k)
		}
	}
	return out
}

// serve serves a handler on a listener until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := s.Shutdown(stop)
	if err != nil {
		err = s.Close()
	}
	if served := <-done; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	return err
}
