package connector

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/catalog"
	"selaras.dev/selaras/internal/hub"
	"selaras.dev/selaras/internal/workload"
)

// reporter tells the hub how the connector is doing: within a second or two of
// a change, and at every heartbeat.
type reporter struct {
	space   *hub.Space
	channel string
	link    *link
	metrics *metrics
	log     *slog.Logger
	now     func() time.Time

	mu       sync.Mutex
	engine   *engine // nil until the connector is active
	config   *workload.ChannelConfig
	syncs    map[string]int64
	problem  string
	about    string
	items    time.Time // last intake
	orders   time.Time
	webhooks webhookHealth
	delisted bool
	// last is the report of the tenure before: its position in the orders is
	// handed on until there is a newer one.
	last workload.ChannelReport
}

// webhookHealth is how deliveries went lately.
type webhookHealth struct {
	served            bool
	lastGood, lastBad time.Time
	message           string
	messageAt         time.Time
}

// took notes a delivery that was taken in.
func (w *webhookHealth) took(now time.Time) { w.lastGood = now }

// refused notes one that was not.
func (w *webhookHealth) refused(now time.Time, message string) {
	w.lastBad = now
	if now.Sub(w.messageAt) >= badFor {
		w.message, w.messageAt = message, now
	}
}

const (
	reportCheck   = 500 * time.Millisecond
	maxSamples    = 10
	reportTimeout = 5 * time.Second
)

// run reports until ctx ends.
func (r *reporter) run(ctx context.Context) error {
	var last []byte
	var at time.Time
	for {
		report := r.report()
		r.metrics.alive(report.Connected && report.Credentials != workload.CredentialsUnauthorized)
		stable, err := json.Marshal(unchanging(report))
		if err != nil {
			return err
		}
		if !bytes.Equal(stable, last) || r.now().Sub(at) >= workload.HeartbeatInterval {
			if err := r.put(ctx, report); err == nil {
				last, at = stable, r.now()
			} else if ctx.Err() == nil {
				r.log.Debug("report to the hub", "error", err)
			}
		}
		r.giveBack()
		if err := sleep(ctx, reportCheck); err != nil {
			return nil
		}
	}
}

// giveBack returns memory after a fill or a comparison: either leaves as much
// behind as it had work, and a process at rest would keep it for ever.
func (r *reporter) giveBack() {
	r.mu.Lock()
	e := r.engine
	r.mu.Unlock()
	if e == nil {
		return
	}
	var spare bool
	e.view(func() { spare, e.queue.spare = e.queue.spare, false })
	if spare {
		debug.FreeOSMemory()
	}
}

// unchanging is a report without what moves while nothing happens. A position
// in the orders that is a heartbeat old is as good: orders may come again. That
// there is one at all is told at once: without it, a connector that has lost its
// store cannot find orders that were closed meanwhile.
func unchanging(w workload.ChannelReport) workload.ChannelReport {
	if w.OrdersCursor != "" {
		w.OrdersCursor = "known"
	}
	w.At, w.ItemsIntake, w.OrdersIntake = time.Time{}, time.Time{}, time.Time{}
	return w
}

func (r *reporter) put(ctx context.Context, report workload.ChannelReport) error {
	data, err := json.Marshal(report)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	_, err = r.space.Put(ctx, workload.ReportChannelPrefix+r.channel, data)
	return err
}

// report says how things stand.
func (r *reporter) report() workload.ChannelReport {
	h, _ := r.link.status()
	_, known := r.link.abilities()
	d := r.link.driver.Describe()
	r.mu.Lock()
	defer r.mu.Unlock()
	w := workload.ChannelReport{
		At:        r.now().UTC(),
		Driver:    workload.DriverReport{Type: d.Type, Version: d.Version, Capabilities: capabilitiesOf(r.link, d, known), ConfigSchema: d.ConfigSchema},
		AccountID: h.account.ID, Credentials: h.credentials, CredentialsMessage: h.credentialsMessage,
		Connected: h.connected, Reason: h.reason, Message: h.message,
		Problem: cmp.Or(h.problem, r.problem), ProblemMessage: cmp.Or(h.about, r.about),
		ItemsIntake: r.items.UTC(), OrdersIntake: r.orders.UTC(), Syncs: maps.Clone(r.syncs), Delisted: r.delisted,
	}
	if r.items.IsZero() {
		w.ItemsIntake = time.Time{}
	}
	if r.orders.IsZero() {
		w.OrdersIntake = time.Time{}
	}
	w.Webhooks, w.WebhooksMessage = r.webhooks.say(r.now())
	if r.config != nil {
		w.Generation, w.UID = r.config.Generation, r.config.UID
	}
	if w.UID == "" {
		w.UID = r.last.UID
	}
	if r.engine != nil {
		r.engine.report(&w)
		if w.UID == r.last.UID {
			w.AccountID = cmp.Or(w.AccountID, r.last.AccountID)
		}
		if w.OrdersCursor == "" && (w.Shop == "" || w.Shop == r.last.Shop) {
			w.OrdersCursor, w.Shop = r.last.OrdersCursor, r.last.Shop
		}
		if r.config != nil && w.Requested != r.config.Requested {
			w.Requested = ""
		}
	}
	return w
}

func capabilitiesOf(l *link, d driver.Description, known bool) []string {
	names := d.Capabilities
	if known {
		l.mu.Lock()
		if l.conn != nil {
			names = driver.Capabilities(l.conn, d)
		}
		l.mu.Unlock()
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return out
}

// badFor is how long a refused delivery is told of at least, and with the same
// message. A stranger who sends forged deliveries, between good ones or in
// turns with others, must not make the condition, and so the Kubernetes API,
// busy.
const badFor = 10 * time.Second

func (w webhookHealth) say(now time.Time) (string, string) {
	switch {
	case !w.served:
		return "None", ""
	case w.lastBad.After(w.lastGood), !w.lastBad.IsZero() && now.Sub(w.lastBad) < badFor:
		return "Failing", w.message
	}
	return "Healthy", ""
}

// intake notes that the channel's changes were read to the end.
func (r *reporter) intake(kind string, at time.Time) {
	r.metrics.taken(kind, at)
	r.mu.Lock()
	defer r.mu.Unlock()
	if kind == intakeOrder {
		r.orders = at
	} else {
		r.items = at
	}
}

// report adds what the engine knows.
func (e *engine) report(w *workload.ChannelReport) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.ReadOnce = !e.meta.Compared.IsZero()
	w.Listings = e.counts.existing
	w.DuplicateSKUs, w.UnusableSKUs = e.counts.duplicates, e.meta.Unusable
	if w.Shop = e.meta.Shop; e.meta.Baselined {
		w.OrdersCursor = e.meta.Orders
	}
	w.Writing = e.routes.writable() != 0 && e.holds()
	w.Requested = e.meta.Requested["channel"]
	w.Progress = make(map[string]workload.Progress, len(e.routes.syncs))
	for i := range e.routes.syncs {
		w.Progress[e.routes.syncs[i].name] = e.progress(&e.routes.syncs[i])
	}
	if e.routes.problem != "" && w.Problem == "" {
		w.Problem, w.ProblemMessage = "InvalidRule", e.routes.problem
	}
}

// progress works out how far the channel is in one sync; no more than a few
// SKUs are looked at.
func (e *engine) progress(s *target) workload.Progress {
	p := workload.Progress{Epoch: e.meta.Epoch, LastComparison: e.meta.Compared.UTC()}
	if e.meta.Compared.IsZero() {
		p.LastComparison = time.Time{}
	}
	p.InSync, p.Pending, p.Failed, p.Drifted = e.counts.of(s.groups)
	first := uint64(0)
	oldest := map[workload.Cause]int64{}
	var oldestFailed int64
	var failures []workload.Failure
	for g := range allGroups + 1 {
		if g&s.groups == 0 {
			continue
		}
		ranks := &e.queue.ranks
		if seq, ok := ranks.bySeq[g].first(); ok && (first == 0 || uint64(seq) < first) {
			first = uint64(seq)
		}
		for why := range causes {
			at, ok := ranks.bySince[g][why].first()
			if was, known := oldest[why.String()]; ok && (!known || at < was) {
				oldest[why.String()] = at
			}
		}
		if at, ok := ranks.byFailed[g].first(); ok && (oldestFailed == 0 || at < oldestFailed) {
			oldestFailed = at
		}
		ranks.bySKU[g].each(maxSamples, func(x *entry) { failures = sample(failures, x) })
	}
	p.Watermark = catalog.Watermark(first, e.meta.Seq)
	if len(oldest) > 0 {
		p.OldestPending = make(map[workload.Cause]time.Time, len(oldest))
		for why, at := range oldest {
			p.OldestPending[why] = time.Unix(0, at).UTC()
		}
	}
	if oldestFailed != 0 {
		p.OldestFailed = time.Unix(0, oldestFailed).UTC()
	}
	p.Failures = failures
	return p
}

// sample keeps the ten failures that come first by SKU, so that the sample
// stays the same while the failures do.
func sample(to []workload.Failure, x *entry) []workload.Failure {
	i, _ := slices.BinarySearchFunc(to, x.sku, func(f workload.Failure, sku string) int { return cmp.Compare(f.SKU, sku) })
	if i == maxSamples {
		return to
	}
	f := workload.Failure{SKU: x.sku, Reason: x.reason, Message: x.message, Since: time.Unix(0, x.failedSince).UTC()}
	to = slices.Insert(to, i, f)
	return to[:min(len(to), maxSamples)]
}

// attach sets the engine that is reported of, and what was reported before it.
func (r *reporter) attach(e *engine, last workload.ChannelReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.engine, r.last = e, last
}

// apply notes the configuration that is applied.
func (r *reporter) apply(c *configuration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	config := *c.channel
	r.config, r.problem, r.about = &config, "", ""
	r.syncs = make(map[string]int64, len(c.syncs))
	for name, s := range c.syncs {
		r.syncs[name] = s.Generation
	}
}

// refuse notes a configuration that cannot be run by.
func (r *reporter) refuse(c *configuration, problem, about string) {
	r.apply(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problem, r.about = problem, about
}

// delivery notes how a webhook went.
func (r *reporter) delivery(good bool, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if good {
		r.webhooks.took(r.now())
		return
	}
	r.webhooks.refused(r.now(), message)
}
