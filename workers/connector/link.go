package connector

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"selaras.dev/selaras/connectors/driver"
	"selaras.dev/selaras/internal/workload"
)

// link is the connection to the channel: it is opened again when its
// configuration, credentials or certificates change, keeps its calls back
// while the channel is down or refuses the credentials, and knows its health.
type link struct {
	driver driver.Driver
	budget *budget
	log    *slog.Logger
	now    func() time.Time
	// where the credentials and certificates are mounted
	credentialsDir, caBundleFile, clientCertDir string

	mu       sync.Mutex
	config   *workload.ChannelConfig
	opened   openedWith
	conn     driver.Connection
	client   *http.Transport
	can      abilities
	health   health
	changed  chan struct{}
	failures int
	resume   time.Time // no call before, after failures
	probe    time.Time // next probe while nothing else is let through
	answered time.Time // when the last call succeeded
	accepted bool      // the account was read over this connection
	// confirmed says that the account was read since the connection was opened
	// and since the channel was last down, asked when it was. bound is the
	// account that calls are for.
	confirmed bool
	asked     time.Time
	bound     driver.Account
}

// health is what is reported of a link.
type health struct {
	credentials        workload.CredentialState
	credentialsMessage string
	connected          bool
	reason, message    string
	problem, about     string
	account            driver.Account
	// closed is set while the credentials are refused: no call but the probe.
	closed bool
}

// openedWith is all that a connection was made from.
type openedWith struct {
	endpoint, currency, locale, config string
	credentials                        credentials
	wire                               wire
	valid                              bool
}

func (o openedWith) equal(p openedWith) bool {
	return o.valid && p.valid && o.endpoint == p.endpoint && o.currency == p.currency && o.locale == p.locale && o.config == p.config &&
		o.credentials.equal(p.credentials) && o.wire.equal(p.wire)
}

const (
	probeEvery = 30 * time.Second
	// confirmEvery is how often the account is asked for while all is well:
	// another shop may have taken the place of this one.
	confirmEvery  = 5 * time.Minute
	maxCallPause  = 30 * time.Second
	reloadEvery   = time.Second
	downAfter     = 2 // failed calls in a row
	firstPause    = 250 * time.Millisecond
	reasonRefused = "Unauthorized"
)

func newLink(d driver.Driver, b *budget, o *Options) *link {
	return &link{
		driver: d, budget: b, log: o.Logger, now: o.now, changed: make(chan struct{}),
		credentialsDir: o.CredentialsDir, caBundleFile: o.CABundleFile, clientCertDir: o.ClientCertDir,
		health: health{credentials: workload.CredentialsUnknown},
	}
}

// configure sets the configuration; keep opens the connection by it.
func (l *link) configure(c *workload.ChannelConfig) {
	l.mu.Lock()
	l.config = c
	l.mu.Unlock()
}

// keep follows configuration, credentials and certificates, and probes the
// channel while it is not known to answer, until ctx ends. The connection stays
// open for calls that have begun; close ends it.
func (l *link) keep(ctx context.Context) error {
	for {
		l.reload(ctx)
		if l.wantsProbe() {
			l.askAccount(ctx)
		}
		if err := sleep(ctx, reloadEvery/4); err != nil {
			return nil
		}
	}
}

// reload opens the connection again if what it is made from has changed.
func (l *link) reload(ctx context.Context) {
	l.mu.Lock()
	config, opened := l.config, l.opened
	l.mu.Unlock()
	if config == nil {
		return
	}
	d := l.driver.Describe()
	creds, state, about := readCredentials(l.credentialsDir, d.Credentials)
	if state == workload.CredentialsMissing || state == workload.CredentialsKeyMissing {
		l.set(func(h *health) {
			*h = health{credentials: state, credentialsMessage: about, account: h.account, reason: string(state), message: about}
		})
		l.swap(nil, nil, openedWith{})
		return
	}
	w, err := readWire(config.ProxyURL, config.ServerName, l.caBundleFile, l.clientCertDir)
	if err != nil {
		l.invalid("InvalidTLS", err)
		// Without connection, so that the mended files open one.
		l.swap(nil, nil, openedWith{})
		return
	}
	next := openedWith{
		endpoint: config.Endpoint, currency: config.Currency, locale: config.Locale, config: string(config.Config),
		credentials: creds, wire: w, valid: true,
	}
	perSecond, burst := config.RequestsPerSecond, config.Burst
	if perSecond <= 0 {
		perSecond = d.Traits.RequestsPerSecond
	}
	if burst <= 0 {
		burst = d.Traits.Burst
	}
	if opened.equal(next) {
		l.mu.Lock()
		base := l.client
		l.mu.Unlock()
		if base != nil {
			l.budget.set(perSecond, burst, d.Traits.RequestTimeout, base)
		}
		return
	}
	transport, err := w.transport()
	if err != nil {
		l.invalid("InvalidTLS", err)
		// Without connection, so that the mended files open one.
		l.swap(nil, nil, openedWith{})
		return
	}
	l.budget.set(perSecond, burst, d.Traits.RequestTimeout, transport)
	conn, err := l.driver.Open(ctx, driver.Settings{
		Endpoint: config.Endpoint, Config: config.Config, Credentials: creds,
		Currency: config.Currency, Locale: config.Locale, HTTP: &http.Client{Transport: l.budget}, Log: l.log,
	})
	if err != nil {
		l.invalid("InvalidConfig", err)
		l.swap(nil, nil, next)
		return
	}
	l.set(func(h *health) { *h = health{credentials: workload.CredentialsUnknown, account: h.account} })
	l.swap(conn, transport, next)
}

func (l *link) invalid(problem string, err error) {
	l.set(func(h *health) {
		h.problem, h.about, h.connected, h.reason, h.message = problem, err.Error(), false, problem, err.Error()
	})
}

// swap puts a new connection in the place of the old, which is closed once its
// calls are done.
func (l *link) swap(conn driver.Connection, client *http.Transport, with openedWith) {
	l.mu.Lock()
	old, oldClient := l.conn, l.client
	l.conn, l.client, l.opened = conn, client, with
	l.failures, l.resume, l.probe, l.accepted = 0, time.Time{}, time.Time{}, false
	l.confirmed = false
	if conn != nil {
		l.can = abilitiesOf(conn, l.driver.Describe())
	}
	l.notify()
	l.mu.Unlock()
	if old != nil {
		if err := old.Close(); err != nil {
			l.log.Debug("close the channel's connection", "error", err)
		}
	}
	if oldClient != nil {
		oldClient.CloseIdleConnections()
	}
}

// close ends the connection, after the last call.
func (l *link) close() {
	l.swap(nil, nil, openedWith{})
	l.bind(driver.Account{})
}

func (l *link) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *link) set(fn func(*health)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.health
	fn(&l.health)
	if l.health != before {
		l.notify()
	}
}

// status returns the health and a channel that is closed when it changes.
func (l *link) status() (health, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.health, l.changed
}

// abilities are of the connection last opened; false before the first.
func (l *link) abilities() (abilities, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.can, l.can.basis != ""
}

// wantsProbe reports whether the account should be asked for: it is not known
// yet or not certain, or nothing else is let through.
func (l *link) wantsProbe() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil || l.now().Before(l.probe) {
		return false
	}
	return !l.confirmed || !l.health.connected || l.health.closed || l.now().Sub(l.asked) >= confirmEvery
}

func (l *link) askAccount(ctx context.Context) {
	l.mu.Lock()
	conn, closed := l.conn, l.health.closed
	wait := time.Second
	if closed {
		wait = probeEvery
	}
	l.probe = l.now().Add(wait)
	l.mu.Unlock()
	if conn == nil {
		return
	}
	account, err := conn.Account(driver.WithOperation(ctx, driver.OpAccount))
	if err == nil {
		l.confirm(account)
	}
	l.note(ctx, err)
	if err == nil {
		return
	}
	l.refused(err)
	l.mu.Lock()
	l.probe = l.now().Add(min(maxCallPause, max(wait, time.Duration(l.failures)*time.Second)))
	l.mu.Unlock()
}

// confirm takes in whose account the connection is. Calls are let through by it
// from then on.
func (l *link) confirm(account driver.Account) {
	if account.Shop == "" {
		account.Shop = account.ID
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted, l.confirmed, l.asked = true, true, l.now()
	h := &l.health
	h.account, h.connected, h.reason, h.message, h.problem, h.about = account, true, "", "", "", ""
	l.notify()
}

// account waits until it is certain whose account the connection is, if it is
// not that of other; false is the end of ctx.
func (l *link) account(ctx context.Context, other driver.Account) (driver.Account, bool) {
	for {
		l.mu.Lock()
		account, confirmed, changed := l.health.account, l.confirmed, l.changed
		l.mu.Unlock()
		if confirmed && !same(account, other) {
			return account, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return driver.Account{}, false
		}
	}
}

// bind lets calls through that are for the account, and no others.
func (l *link) bind(account driver.Account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bound = account
	l.notify()
}

// errElsewhere keeps back a call that is for another account.
var errElsewhere = errors.New("the endpoint answers for another account than this call is for")

// elsewhere reports whether the connection is known to be of another account
// than calls are for; the lock is held.
func (l *link) elsewhere() bool {
	return l.confirmed && l.bound.ID != "" && !same(l.bound, l.health.account)
}

// certain reports whether the connection is known to be of the account that
// calls are for; the lock is held.
func (l *link) certain() bool {
	return l.conn != nil && l.confirmed && same(l.bound, l.health.account)
}

// same reports whether two accounts are one, at one address.
func same(a, b driver.Account) bool { return a.ID == b.ID && a.Shop == b.Shop }

// refused learns from an account that cannot be read for reasons that no retry
// mends: the shop does not have what the spec names, or the endpoint is no such
// shop. Where it worked before over the same connection, it is an outage.
func (l *link) refused(err error) {
	var e *driver.Error
	if !errors.As(err, &e) || e.Class != driver.ClassInvalid {
		return
	}
	l.mu.Lock()
	accepted := l.accepted
	l.mu.Unlock()
	reason, about := cmp.Or(e.Reason, "InvalidConfig"), bounded(err.Error())
	if e.Message != "" {
		about = bounded(e.Op + ": " + e.Message)
	}
	l.set(func(h *health) {
		h.connected, h.reason, h.message = false, reason, about
		if !accepted {
			h.problem, h.about = reason, about
		}
	})
}

// call makes one call of the driver, as soon as calls are let through.
func (l *link) call(ctx context.Context, op driver.Operation, fn func(context.Context, driver.Connection) error) error {
	conn, err := l.open(ctx)
	if err != nil {
		return err
	}
	err = fn(driver.WithOperation(ctx, op), conn)
	l.note(ctx, err)
	return err
}

// open waits for a connection that lets calls through: one of which it is
// certain that it is of the right account.
func (l *link) open(ctx context.Context) (driver.Connection, error) {
	for {
		l.mu.Lock()
		conn, certain, closed, elsewhere, changed := l.conn, l.certain(), l.health.closed, l.elsewhere(), l.changed
		wait := l.resume.Sub(l.now())
		l.mu.Unlock()
		if elsewhere {
			return nil, notSent(errElsewhere)
		}
		if certain && !closed && wait <= 0 {
			return conn, nil
		}
		if !certain || closed {
			select {
			case <-changed:
			case <-ctx.Done():
				return nil, notSent(ctx.Err())
			}
			continue
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, notSent(err)
		}
	}
}

// note learns from the outcome of a call.
func (l *link) note(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		return // it was us
	}
	var e *driver.Error
	class := driver.ClassOf(err)
	if errors.As(err, &e) && e.Reason == reasonNotSent {
		return
	}
	switch {
	case err == nil, class == driver.ClassBatchRejected, class == driver.ClassInvalid:
		l.mu.Lock()
		l.failures, l.resume, l.answered = 0, time.Time{}, l.now()
		l.mu.Unlock()
		l.set(func(h *health) {
			h.closed, h.credentials, h.credentialsMessage = false, workload.CredentialsValid, ""
			if h.problem == "" {
				h.connected, h.reason, h.message = true, "", ""
			}
		})
	case class == driver.ClassUnauthorized:
		l.set(func(h *health) {
			h.closed, h.connected = true, false
			h.reason, h.message = reasonRefused, bounded(err.Error())
			h.credentials, h.credentialsMessage = workload.CredentialsUnauthorized, bounded(err.Error())
		})
		l.mu.Lock()
		l.probe = l.now().Add(jitter(probeEvery))
		l.mu.Unlock()
	case class == driver.ClassThrottled:
		if e != nil && e.RetryAfter > 0 {
			l.budget.pause(e.RetryAfter)
		}
	default:
		if e != nil && e.Reason == driver.ReasonOtherAccount {
			l.doubt()
		}
		l.failed(class, e, err)
	}
}

// doubt asks whose account it is before anything else is called.
func (l *link) doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.confirmed, l.probe = false, time.Time{}
}

// aliveWithin reports whether a call succeeded lately.
func (l *link) aliveWithin(d time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.answered.IsZero() && l.now().Sub(l.answered) < d
}

// failed counts a failed call and keeps the next ones back for a while.
func (l *link) failed(class driver.Class, e *driver.Error, err error) {
	l.mu.Lock()
	l.failures++
	n := l.failures
	if n >= downAfter {
		// What answers next may be another shop.
		l.confirmed = false
		l.resume = l.now().Add(jitter(min(maxCallPause, firstPause<<min(n-downAfter, 8))))
	}
	l.mu.Unlock()
	if n < downAfter && class != driver.ClassTLS {
		return
	}
	reason := "Unreachable"
	if class == driver.ClassTLS {
		reason = "TLS"
	} else if e != nil && e.Reason != "" {
		reason = e.Reason
	}
	l.set(func(h *health) {
		h.connected, h.reason, h.message = false, reason, bounded(err.Error())
	})
}
