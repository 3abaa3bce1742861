package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/workers/connector/shoptest"
)

// singleChange: how long one change takes from the moment it was meant to be
// stated until a channel was read to show it, on many channels at once.
func singleChange(ctx context.Context, r *run) error {
	const (
		channels = 20
		latency  = 5 * time.Millisecond
		rate     = 10 // changes a second
		patience = time.Minute
	)
	changes := r.of(2000)
	before, err := fsyncP99(r.dir)
	if err != nil {
		return err
	}
	times, worst, err := changesOneByOne(ctx, r, channels, changes, rate, latency, patience)
	if err != nil {
		return err
	}
	after, err := fsyncP99(r.dir)
	if err != nil {
		return err
	}
	probe := min(before, after)
	n := len(times)
	p50, p99 := percentile(times, 50), percentile(times, 99)
	r.say("%d changes at %d/s on %d channels, %s for every call: %d samples", changes, rate, channels, latency, n)
	r.say("change -> confirmed on a channel: p50 %s, p99 %s, max %s", ms(p50), ms(p99), ms(times[n-1]))
	r.say("change -> confirmed on all channels: p50 %s, p99 %s", ms(percentile(worst, 50)), ms(percentile(worst, 99)))
	r.say("fsync p99 of %d appends: %s before, %s after", probes, ms(before), ms(after))
	r.atMost("", float64(p99)/float64(probe+2*latency), 3)
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }

// changesOneByOne makes changes in an open loop and returns how long each took
// on each channel, and how long on the slowest one.
func changesOneByOne(ctx context.Context, r *run, channels, changes, rate int, latency, patience time.Duration) (times, worst []time.Duration, err error) {
	w, err := newWorld(ctx, r.path("world"))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	n, err := w.namespace("bench")
	if err != nil {
		return nil, nil, err
	}
	const price = firstPrice
	c := &confirmations{first: price + 1, starts: make([]time.Time, changes), took: make([][]time.Duration, channels), left: channels * changes, done: make(chan struct{})}
	var names []string
	for i := range channels {
		names = append(names, fmt.Sprintf("channel-%02d", i))
		c.took[i] = make([]time.Duration, changes)
	}
	if err := n.sync(names...); err != nil {
		return nil, nil, err
	}
	if err := n.fold(); err != nil {
		return nil, nil, err
	}
	seq, err := n.state(changes, func(i int) hub.Fact { return observed(i, price) })
	if err != nil {
		return nil, nil, err
	}
	if err := n.folded(seq, patience); err != nil {
		return nil, nil, err
	}
	for i, name := range names {
		s := n.shop(name, shoptest.Options{
			Latency: latency, NoCreate: true, NoRemove: true, NoOrders: true,
			Traits: driver.Traits{PageSize: 250, ReadBatch: 100, WriteBatch: 100, RequestsPerSecond: 1000, Burst: 100, Concurrency: 4, RequestTimeout: 10 * time.Second, LateWriteHorizon: time.Hour, StockMode: driver.StockSet, StockBasis: driver.BasisOnHand},
		})
		fill(s.Shop, changes)
		s.watch.read = func(found []driver.Listing) { c.read(i, found) }
		if err := s.run(); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range names {
		if err := n.inSync(name, changes, 2*patience); err != nil {
			return nil, nil, err
		}
	}

	// An open loop: a change that takes long delays no other, and its time
	// counts from when it was due.
	began := time.Now()
	var stating sync.WaitGroup
	failed := make(chan error, changes)
	for i := range changes {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		c.start(i, due)
		time.Sleep(time.Until(due))
		stating.Go(func() {
			if _, err := n.append([]hub.Fact{observed(i, price+1+int64(i))}); err != nil {
				failed <- err
			}
		})
		if w.ctx.Err() != nil {
			break
		}
	}
	stating.Wait()
	select {
	case <-c.done:
	case err := <-failed:
		return nil, nil, err
	case <-time.After(patience):
		return nil, nil, fmt.Errorf("%d confirmations are missing after %s", c.missing(), patience)
	case <-w.ctx.Done():
		return nil, nil, w.ctx.Err()
	}
	times, worst = c.times()
	return times, worst, nil
}

// confirmations collects when each change was read back from each channel.
// The i-th change sets the i-th SKU to price first+i, which no other change
// does.
type confirmations struct {
	first  int64
	mu     sync.Mutex
	starts []time.Time
	took   [][]time.Duration // by channel and change; 0 while missing
	left   int
	done   chan struct{}
}

func (c *confirmations) start(i int, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.starts[i] = at
}

// read takes what was read back from a channel.
func (c *confirmations) read(channel int, found []driver.Listing) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range found {
		if found[i].Price == nil {
			continue
		}
		n := int(found[i].Price.Minor - c.first)
		if n < 0 || n >= len(c.starts) || found[i].SKU != skuName(n) || c.took[channel][n] != 0 {
			continue
		}
		c.took[channel][n] = max(1, now.Sub(c.starts[n]))
		if c.left--; c.left == 0 {
			close(c.done)
		}
	}
}

func (c *confirmations) missing() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// times returns every sample, and for every change the slowest channel's.
func (c *confirmations) times() (all, worst []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	worst = make([]time.Duration, len(c.starts))
	for _, took := range c.took {
		all = append(all, took...)
		for i, d := range took {
			worst[i] = max(worst[i], d)
		}
	}
	return all, worst
}
