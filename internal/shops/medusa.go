package shops

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// MedusaOptions say how a Medusa server starts.
type MedusaOptions struct {
	// Postgres keeps the data, in a new database. It is required.
	Postgres *Postgres
	// Catalogue of the new shop: Empty (default) or Large.
	Catalogue Catalogue
	// Log gets what the server prints; default: nowhere.
	Log io.Writer
}

// Medusa is a running or stopped Medusa server with one stock location, one
// region that sells in euro, and a payment provider that authorizes everything.
// Its methods may be called concurrently, except those that start and stop it.
type Medusa struct {
	server
	MedusaAPI
	options  MedusaOptions
	app      string
	dir      string
	port     int
	database string
	secret   string // signs the sessions, which therefore survive a restart
}

const (
	medusaUsername = "admin@shop.test"
	medusaPassword = "supersecret"
)

// StartMedusa starts a server and returns when it answers, which takes 3 to 10
// seconds, and 30 more when this machine has not prepared its database before.
// The context bounds the start only. It fails with [ErrNotInstalled] when the
// packages are missing.
func StartMedusa(ctx context.Context, options MedusaOptions) (_ *Medusa, err error) {
	app, err := medusaInstall.appDir()
	if err != nil {
		return nil, err
	}
	switch options.Catalogue {
	case "":
		options.Catalogue = Empty
	case Empty, Large:
	default:
		return nil, fmt.Errorf("shops: Medusa has no catalogue %q: use %q or %q", options.Catalogue, Empty, Large)
	}
	if options.Postgres == nil {
		return nil, errors.New("shops: Medusa needs PostgreSQL: set MedusaOptions.Postgres")
	}
	m := &Medusa{options: options, app: app, secret: rand.Text()}
	m.username, m.password = medusaUsername, medusaPassword
	if m.dir, err = os.MkdirTemp("", "selaras-medusa-"); err != nil {
		return nil, fmt.Errorf("shops: %w", err)
	}
	defer func() {
		if err != nil {
			m.Stop()
			_ = os.RemoveAll(m.dir)
		}
	}()
	pg, name := options.Postgres, string(options.Catalogue)
	m.database, err = pg.prepared(ctx, "medusa_"+name, pg.dumpName(app, name), func(database string) error {
		return m.prepare(ctx, database)
	})
	if err != nil {
		return nil, err
	}
	return m, m.startSomewhere(ctx)
}

// prepare fills a new database: tables, administrator, what a shop needs to
// sell, products.
func (m *Medusa) prepare(ctx context.Context, database string) error {
	m.database = database
	for _, args := range [][]string{
		{"db:migrate"},
		{"user", "--email", medusaUsername, "--password", medusaPassword},
	} {
		c, err := m.command(args...)
		if err != nil {
			return err
		}
		if err := c.run(ctx); err != nil {
			return err
		}
	}
	if err := m.startSomewhere(ctx); err != nil {
		return err
	}
	defer m.Stop()
	if err := m.furnish(ctx); err != nil {
		return err
	}
	if m.options.Catalogue == Large {
		return m.stockLarge(ctx)
	}
	return nil
}

// command runs Medusa's command line on the shop's database.
func (m *Medusa) command(args ...string) (command, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return command{}, fmt.Errorf("shops: Medusa needs Node.js 20 or newer: %w", err)
	}
	cli := filepath.Join(m.app, "node_modules", "@medusajs", "cli", "cli.js")
	return command{
		name: "medusa " + args[0], path: node, args: append([]string{cli}, args...), dir: m.app,
		env: append(baseEnvironment(),
			"DATABASE_URL="+m.options.Postgres.URL(m.database), "JWT_SECRET="+m.secret, "COOKIE_SECRET="+m.secret,
			"HOOK_FILE="+webhookFile(m.dir), "MEDUSA_DISABLE_TELEMETRY=true"),
		log: m.options.Log,
	}, nil
}

// startSomewhere starts the server on a port that is free.
func (m *Medusa) startSomewhere(ctx context.Context) (err error) {
	for attempt := 1; ; attempt++ {
		if m.port, err = freePort(); err != nil {
			return err
		}
		m.moveTo("http://" + loopback(m.port))
		if err = m.Start(ctx); err == nil {
			return nil
		}
		if attempt == 3 || !strings.Contains(err.Error(), "EADDRINUSE") {
			return err
		}
	}
}

// Start starts a stopped or killed server again, on its data and its address,
// and returns when it answers.
func (m *Medusa) Start(ctx context.Context) error {
	c, err := m.command("start", "-H", "127.0.0.1", "-p", strconv.Itoa(m.port))
	if err != nil {
		return err
	}
	c.name = "medusa on " + loopback(m.port)
	p, err := c.start()
	if err != nil {
		return err
	}
	probe := newREST(m.URL(), http.Header{})
	if err := p.await(ctx, func(ctx context.Context) error {
		return probe.do(ctx, http.MethodGet, "/health", nil, nil)
	}); err != nil {
		p.kill()
		return err
	}
	m.started(p)
	return nil
}

// Restart is Stop and Start.
func (m *Medusa) Restart(ctx context.Context) error {
	m.Stop()
	return m.Start(ctx)
}

// Close stops the server.
func (m *Medusa) Close() error {
	m.Stop()
	return os.RemoveAll(m.dir)
}

// SetWebhook makes the shop send its events to url, signed with secret
// ("whsec_" and base64) after the Standard Webhooks specification; an empty url
// ends that. It holds from the next event on, and over restarts.
func (m *Medusa) SetWebhook(url, secret string) error {
	return writeWebhook(m.dir, url, secret)
}
