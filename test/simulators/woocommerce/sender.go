package woocommerce

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// job is a delivery to make: of a webhook about something, or to announce it.
type job struct {
	webhook int64
	touch   touch
	ping    bool
}

// sender delivers webhooks in the background, as WooCommerce's scheduler does.
type sender struct {
	shop   *Shop
	client *http.Client
	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{}

	mu   sync.Mutex
	jobs []job
	busy bool
	// sent counts deliveries, for what happens to some of them.
	sent     int
	mischief Mischief
}

// Mischief is what happens to deliveries on their way. Announcements are spared.
type Mischief struct {
	// Lose and Duplicate say of the n-th delivery, from 0, that it never arrives,
	// or arrives twice.
	Lose, Duplicate func(n int) bool
	// Shuffle makes those that wait together arrive in any order.
	Shuffle bool
}

// SetMischief sets what happens to deliveries from now on.
func (s *Shop) SetMischief(m Mischief) {
	s.sender.mu.Lock()
	defer s.sender.mu.Unlock()
	s.sender.mischief = m
}

func newSender(s *Shop) *sender {
	ctx, cancel := context.WithCancel(context.Background())
	d := &sender{
		shop: s, cancel: cancel, done: make(chan struct{}), wake: make(chan struct{}, 1),
		client: &http.Client{
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	go d.run(ctx)
	return d
}

func (d *sender) close() {
	d.cancel()
	<-d.done
}

func (d *sender) add(j job) {
	d.mu.Lock()
	d.jobs = append(d.jobs, j)
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *sender) run(ctx context.Context) {
	defer close(d.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		}
		for _, j := range d.take() {
			d.deliver(ctx, j)
		}
		d.mu.Lock()
		d.busy = false
		d.mu.Unlock()
	}
}

// take is what waits, with what happens to it on its way.
func (d *sender) take() []job {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = true
	var all []job
	for _, j := range d.jobs {
		n := d.sent
		if !j.ping {
			d.sent++
		}
		if !j.ping && d.mischief.Lose != nil && d.mischief.Lose(n) {
			continue
		}
		all = append(all, j)
		if !j.ping && d.mischief.Duplicate != nil && d.mischief.Duplicate(n) {
			all = append(all, j)
		}
	}
	d.jobs = nil
	if d.mischief.Shuffle {
		rand.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	}
	return all
}

func (d *sender) deliver(ctx context.Context, j job) {
	address, body, header, ok := d.shop.delivery(j)
	if !ok {
		return
	}
	status := post(ctx, d.client, address, body, header)
	if !j.ping {
		d.shop.count(j.webhook, status)
	}
}

// Idle says that no delivery waits or is under way.
func (s *Shop) Idle() bool {
	s.sender.mu.Lock()
	defer s.sender.mu.Unlock()
	return len(s.sender.jobs) == 0 && !s.sender.busy
}
